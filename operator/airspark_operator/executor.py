"""The template of executor pods, which the driver reads and fills in (Spark's BasicExecutorFeatureStep)."""

from __future__ import annotations

from collections.abc import Mapping

from airspark_operator import batch, kinds, names, pods, spec
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults
from airspark_operator.submission import Submission


def template(app: Object, submission: Submission, conf: Mapping[str, str], defaults: Defaults) -> Object:
    """Return the pod template of a submission's executors."""
    made = pods.template(app, kinds.EXECUTOR, conf, names.config_name(app, submission), defaults)
    metadata, wanted = made["metadata"], made["spec"]
    metadata["labels"] = batch.pod_labels(app) | metadata["labels"] | {kinds.LABEL_SUBMISSION_ID: submission.id}
    annotations = batch.pod_annotations(app, kinds.EXECUTOR, conf) | (metadata.get("annotations") or {})
    if annotations:
        metadata["annotations"] = annotations
    account = spec.of(app, kinds.EXECUTOR).get("serviceAccount")
    if account:
        wanted["serviceAccountName"] = account
    if not wanted.get("serviceAccountName"):
        # Spark gives executors the driver's account; they never call the API server
        wanted.setdefault("automountServiceAccountToken", False)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": wanted}
