"""Volumes of driver and executor pods: the spec's, those of Secrets and ConfigMaps, and Spark's scratch directories."""

from __future__ import annotations

from collections.abc import Mapping

from airspark_operator import conf as properties
from airspark_operator import kinds, monitoring, spec
from airspark_operator.kinds import Object

#: Volumes whose names begin so are Spark's scratch directories (LocalDirsFeatureStep).
LOCAL_DIR = "spark-local-dir-"
DEFAULT_LOCAL_DIR = "/var/data/spark"
METRICS = "metrics-conf"
#: Where kubeflow's operator mounts configuration files.
SPARK_FILES, HADOOP_FILES = "/etc/spark/conf", "/etc/hadoop/conf"
#: How a volume of a property is written in a pod (MountVolumesFeatureStep): its type by the fields it may have.
PROPERTY_TYPES = {
    "hostPath": ("path", "type"),
    "emptyDir": ("medium", "sizeLimit"),
    "nfs": ("server", "path"),
    "persistentVolumeClaim": ("claimName", "storageClass", "sizeLimit"),
}


def attach(pod: Object, app: Object, role: str, conf: Mapping[str, str], config_map: str) -> None:
    """Put volumes into a pod, and mounts into its first container.

    Args:
        pod: a pod's spec, changed in place.
        app: the SparkApplication.
        role: `driver` or `executor`.
        conf: Spark's properties.
        config_map: the ConfigMap of the submission.
    """
    own, container = spec.of(app, role), pod["containers"][0]
    found = [*(pod.get("volumes") or []), *spec.volumes(app, role)]
    mounts = [*(container.get("volumeMounts") or []), *(own.get("volumeMounts") or ())]
    known = {volume["name"] for volume in found}
    scratch = {mount["name"] for mount in mounts if mount["name"].startswith(LOCAL_DIR)} - known
    found += [{"name": name, "emptyDir": {}} for name in sorted(scratch)]
    for volume, path in [*_files(app, own, config_map), *(_secrets_of_properties(conf) if role == kinds.DRIVER else [])]:
        found.append(volume)
        mounts.append({"name": volume["name"], "mountPath": path, "readOnly": True})
    if role == kinds.DRIVER:
        for volume, mount in _of_properties(conf):
            found.append(volume)
            mounts.append(mount)
    if found:
        pod["volumes"] = found
    if mounts:
        container["volumeMounts"] = mounts


def _files(app: Object, own: Object, config_map: str) -> list[tuple[Object, str]]:
    """Return read-only volumes with the paths that they are mounted at."""
    found = [_config(f"{entry['name']}-vol", entry["name"], entry["path"]) for entry in own.get("configMaps") or ()]
    found += [_secret(entry["name"], entry["path"]) for entry in own.get("secrets") or ()]
    if app["spec"].get("sparkConfigMap"):
        found.append(_config("spark-configmap-volume", app["spec"]["sparkConfigMap"], SPARK_FILES))
    if app["spec"].get("hadoopConfigMap"):
        found.append(_config("hadoop-configmap-volume", app["spec"]["hadoopConfigMap"], HADOOP_FILES))
    metrics = monitoring.files(app)
    if metrics:
        volume, path = _config(METRICS, config_map, monitoring.CONF_DIR)
        volume["configMap"]["items"] = [{"key": name, "path": name} for name in metrics]
        found.append((volume, path))
    return found


def _config(volume: str, name: str, path: str) -> tuple[Object, str]:
    return {"name": volume, "configMap": {"name": name}}, path


def _secret(name: str, path: str) -> tuple[Object, str]:
    return {"name": f"{name}-volume", "secret": {"secretName": name}}, path


def _secrets_of_properties(conf: Mapping[str, str]) -> list[tuple[Object, str]]:
    """Return Secrets that properties mount into the driver (MountSecretsFeatureStep)."""
    return [_secret(name, path) for name, path in properties.prefixed(conf, "spark.kubernetes.driver.secrets.").items()]


def _of_properties(conf: Mapping[str, str]) -> list[tuple[Object, Object]]:
    """Return volumes that properties mount into the driver (MountVolumesFeatureStep), with their mounts.

    Raises:
        spec.Invalid: if one cannot be read.
    """
    prefix = "spark.kubernetes.driver.volumes."
    told: dict[tuple[str, str], dict[str, str]] = {}
    for key, value in properties.prefixed(conf, prefix).items():
        kind, _, rest = key.partition(".")
        name, _, field = rest.partition(".")
        if kind not in PROPERTY_TYPES or not field:
            raise spec.Invalid(
                f"sparkConf: {prefix}{key} names no volume; write {prefix}<{'|'.join(PROPERTY_TYPES)}>.<name>.<field>"
            )
        told.setdefault((kind, name), {})[field] = value
    return [_of_property(kind, name, fields, prefix) for (kind, name), fields in told.items()]


def _of_property(kind: str, name: str, fields: Mapping[str, str], prefix: str) -> tuple[Object, Object]:
    path = fields.get("mount.path")
    if not path:
        raise spec.Invalid(f"sparkConf: {prefix}{kind}.{name} has no mount.path; add {prefix}{kind}.{name}.mount.path")
    read_only = fields.get("mount.readOnly", "false").lower() == "true"
    mount: Object = {"name": name, "mountPath": path, "readOnly": read_only}
    mount |= {key: fields[f"mount.{key}"] for key in ("subPath", "subPathExpr") if fields.get(f"mount.{key}")}
    source: Object = {key: fields[f"options.{key}"] for key in PROPERTY_TYPES[kind] if fields.get(f"options.{key}")}
    if kind == "persistentVolumeClaim":
        return {"name": name, **_claim(source, name, prefix)}, mount
    return {"name": name, kind: source}, mount


def _claim(source: Object, name: str, prefix: str) -> Object:
    """Return a claim that is there, or one that is made for the pod and goes with it (`OnDemand`)."""
    claim = source.get("claimName", "")
    if "OnDemand" not in claim and "SPARK_EXECUTOR_ID" not in claim:
        return {"persistentVolumeClaim": {"claimName": claim}}
    if not source.get("sizeLimit"):
        raise spec.Invalid(f"sparkConf: {prefix}persistentVolumeClaim.{name} is made on demand; add its options.sizeLimit")
    wanted: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": source["sizeLimit"]}}}
    if source.get("storageClass"):
        wanted["storageClassName"] = source["storageClass"]
    return {"ephemeral": {"volumeClaimTemplate": {"spec": wanted}}}


def local_dirs(pod: Object, conf: Mapping[str, str]) -> str:
    """Return the driver's scratch directories, and add one if nothing is mounted for it (LocalDirsFeatureStep).

    Args:
        pod: a pod's spec, changed in place.
        conf: Spark's properties.
    """
    container = pod["containers"][0]
    mounted = [mount["mountPath"] for mount in container.get("volumeMounts") or () if mount["name"].startswith(LOCAL_DIR)]
    if mounted:
        return ",".join(mounted)
    medium = {"medium": "Memory"} if conf.get("spark.kubernetes.local.dirs.tmpfs", "").lower() == "true" else {}
    paths = (conf.get("spark.local.dir") or DEFAULT_LOCAL_DIR).split(",")
    for number, path in enumerate(paths, start=1):
        name = f"{LOCAL_DIR}{number}"
        pod.setdefault("volumes", []).append({"name": name, "emptyDir": medium})
        container.setdefault("volumeMounts", []).append({"name": name, "mountPath": path})
    return ",".join(paths)
