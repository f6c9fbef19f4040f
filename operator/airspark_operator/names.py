"""Names of everything that belongs to an application: the same for the same application, and valid for their kinds."""

from __future__ import annotations

import hashlib
import re

from airspark_operator import kinds
from airspark_operator.kinds import Object
from airspark_operator.submission import Submission

#: Longest label value and DNS label (RFC 1123).
LABEL_LENGTH = 63
#: Room that Spark's `-exec-<number>` gets behind the prefix of an executor's name.
EXECUTOR_SUFFIX = len("-exec-99999")
#: Digits of a submission's id in names.
ID_DIGITS = 8
#: Digits of the hash that replaces what is cut off.
HASH_DIGITS = 8


def _cut(text: str, length: int) -> str:
    """Return a text of at most so many characters; a longer one ends in a hash of the whole."""
    if len(text) <= length:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
    return f"{text[: length - HASH_DIGITS - 1].rstrip('-.')}-{digest}"


def _service(name: str, suffix: str) -> str:
    """Return the name of a Service: a DNS-1035 label, which begins with a letter."""
    begin = name if name[0].isalpha() else f"spark-{name}"
    return _cut(begin.replace(".", "-"), LABEL_LENGTH - len(suffix)) + suffix


def driver_name(app: Object) -> str:
    """Return the driver pod's name: `<name>-driver`, where Airflow looks for it, unless the spec names another."""
    chosen = (app["spec"].get("driver") or {}).get("podName")
    return str(chosen or f"{app['metadata']['name']}-driver")


def driver_service_name(app: Object) -> str:
    """Return the name of the headless Service that executors reach the driver by."""
    return _service(app["metadata"]["name"], "-driver-svc")


def ui_service_name(app: Object) -> str:
    """Return the name of the user interface's Service."""
    return _service(app["metadata"]["name"], "-ui-svc")


def ui_ingress_name(app: Object) -> str:
    """Return the name of the user interface's Ingress."""
    return _cut(app["metadata"]["name"], LABEL_LENGTH - len("-ui-ingress")) + "-ui-ingress"


def port_service_name(app: Object, port: int) -> str:
    """Return the name of the Service, and of the Ingress, of a further port of the driver."""
    return _service(app["metadata"]["name"], f"-driver-{port}")


def config_name(app: Object, submission: Submission) -> str:
    """Return the name of a submission's ConfigMap."""
    suffix = f"-{submission.id[:ID_DIGITS]}-conf"
    return _cut(app["metadata"]["name"], LABEL_LENGTH - len(suffix)) + suffix


def executor_prefix(app: Object, submission: Submission) -> str:
    """Return what executors' names begin with; a host name is made of them, so they stay within a DNS label."""
    suffix = f"-{submission.id[:ID_DIGITS]}"
    return _cut(app["metadata"]["name"].replace(".", "-"), LABEL_LENGTH - EXECUTOR_SUFFIX - len(suffix)) + suffix


def pod_group_name(app: Object) -> str:
    """Return the name of the group of pods that a batch scheduler places at once."""
    return _cut(f"spark-{app['metadata']['name']}", LABEL_LENGTH - len("-pg")) + "-pg"


def volume_name(name: str, suffix: str) -> str:
    """Return the name of the volume for a ConfigMap or Secret: a DNS label, though theirs may hold dots or be longer.

    A changed name ends in a hash of the whole, so that `a.b` and `a-b` stay two.
    """
    plain = name.replace(".", "-")
    if plain == name and len(name + suffix) <= LABEL_LENGTH:
        return name + suffix
    digest = hashlib.sha256(name.encode()).hexdigest()[:HASH_DIGITS]
    return f"{plain[: LABEL_LENGTH - len(suffix) - HASH_DIGITS - 1].rstrip('-')}-{digest}{suffix}"


def label_value(text: str) -> str:
    """Return a text as the value of a label (Kubernetes: 63 characters of [A-Za-z0-9_.-], alphanumeric at both ends)."""
    return _cut(re.sub(r"[^A-Za-z0-9_.-]", "-", text), LABEL_LENGTH).strip("-_.")


def spark_app_name(text: str) -> str:
    """Return the label that Spark makes of an application's name (KubernetesConf.getAppNameLabel), as on its executors."""
    plain = re.sub("-+", "-", re.sub("[^a-z0-9-]", "-", text.strip().lower()))
    return plain[:LABEL_LENGTH].removeprefix("-").removesuffix("-")


def network_policy_name(app: Object) -> str:
    """Return the name of the network policy among the pods of an application."""
    return _cut(app["metadata"]["name"], LABEL_LENGTH - len("-pods")) + "-pods"


def pods(app: Object) -> dict[str, str]:
    """Return the labels that only the pods of an application have, its driver and its executors."""
    return {kinds.LABEL_APP_NAME: label_value(app["metadata"]["name"]), kinds.LABEL_LAUNCHED: "true"}


def selector(app: Object) -> dict[str, str]:
    """Return the labels that only the driver pods of an application have."""
    return {kinds.LABEL_APP_NAME: label_value(app["metadata"]["name"]), kinds.LABEL_ROLE: kinds.DRIVER}
