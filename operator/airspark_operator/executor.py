"""The template of executor pods, which the driver reads and fills in (Spark's BasicExecutorFeatureStep)."""

from __future__ import annotations

from collections.abc import Mapping

from airspark_operator import accounts, batch, kinds, names, placeholders, pods
from airspark_operator import conf as properties
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults
from airspark_operator.submission import Submission


def template(app: Object, submission: Submission, conf: Mapping[str, str], defaults: Defaults) -> Object:
    """Return the pod template of a submission's executors."""
    made = pods.template(app, kinds.EXECUTOR, conf, names.config_name(app, submission), defaults)
    metadata, wanted = made["metadata"], made["spec"]
    metadata["labels"] |= batch.pod_labels(app, kinds.EXECUTOR, conf) | {kinds.LABEL_SUBMISSION_ID: submission.id}
    metadata["annotations"] = (metadata.get("annotations") or {}) | batch.pod_annotations(app, kinds.EXECUTOR, conf)
    for field in placeholders.PREFIXES:
        left = placeholders.left_to_spark(metadata[field])
        metadata[field] = {key: value for key, value in metadata[field].items() if key not in left}
    if not metadata["annotations"]:
        del metadata["annotations"]
    said = properties.items(conf.get(properties.PULL_SECRETS))  # Spark adds these, and must not add one twice
    secrets = [entry for entry in wanted.pop("imagePullSecrets", []) if entry.get("name") not in said]
    if secrets:
        wanted["imagePullSecrets"] = secrets
    account = accounts.executor(app, defaults)
    accounts.put(wanted, account)
    if not account:  # Spark adds the driver's account, and a template that asks for a token would get that account's
        wanted["automountServiceAccountToken"] = False
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": wanted}
