"""What admission cannot check, or not with the culprit's name: each problem is one sentence that names field and remedy."""

from __future__ import annotations

from airspark_operator import kinds, spec
from airspark_operator.kinds import Object

NAMESPACE = "spark.kubernetes.namespace"
#: Volumes that every driver pod has.
RESERVED = ("spark-conf-volume-driver", "spark-conf-volume-exec", "pod-template-volume", "metrics-conf")


def problem(app: Object) -> str | None:
    """Return what is wrong with an application in one sentence, or nothing.

    Args:
        app: the SparkApplication, which the CustomResourceDefinition has accepted.
    """
    checks = (_namespace(app), *(check(app, role) for role in (kinds.DRIVER, kinds.EXECUTOR) for check in (_mounts, _paths)))
    return next((found for found in (*checks, _names(app)) if found), None)


def _namespace(app: Object) -> str | None:
    told, own = (app["spec"].get("sparkConf") or {}).get(NAMESPACE), app["metadata"]["namespace"]
    if told and told != own:
        return f"sparkConf.{NAMESPACE} is {told!r}, but the application is in the namespace {own!r}; remove the property"
    return None


def _mounts(app: Object, role: str) -> str | None:
    own = spec.of(app, role)
    template = (own.get("template") or {}).get("spec") or {}
    known = {volume.get("name") for volume in [*(app["spec"].get("volumes") or ()), *(template.get("volumes") or ())]}
    for mount in own.get("volumeMounts") or ():
        if mount["name"] not in known and not mount["name"].startswith("spark-local-dir-"):
            return f"{role}.volumeMounts: there is no volume {mount['name']!r}; add it to volumes or correct the name"
    return None


def _paths(app: Object, role: str) -> str | None:
    """Two mounts at one path are refused by the API server for the driver, and fail without a word in an executor."""
    own = spec.of(app, role)
    fields = (
        ("volumeMounts", [mount["mountPath"] for mount in own.get("volumeMounts") or ()]),
        ("configMaps", [entry["path"] for entry in own.get("configMaps") or ()]),
        ("secrets", [entry["path"] for entry in own.get("secrets") or ()]),
    )
    seen: dict[str, str] = {}
    for field, paths in fields:
        for path in paths:
            normal = path.rstrip("/") or "/"
            if normal in seen:
                return f"{role}.{field}: the path {path} is mounted twice (also by {role}.{seen[normal]}); use another path"
            seen[normal] = field
    return None


def _names(app: Object) -> str | None:
    for volume in app["spec"].get("volumes") or ():
        if volume["name"] in RESERVED:
            return f"volumes: the name {volume['name']!r} is used by the controller; rename the volume"
    return None
