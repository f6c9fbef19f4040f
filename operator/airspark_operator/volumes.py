"""Volumes of driver and executor pods: the spec's, those of Secrets and ConfigMaps, and Spark's scratch directories."""

from __future__ import annotations

from collections.abc import Mapping

from airspark_operator import conf as properties
from airspark_operator import kinds, monitoring, names, spec
from airspark_operator.kinds import Object

#: Volumes whose names begin so are Spark's scratch directories (LocalDirsFeatureStep).
LOCAL_DIR = "spark-local-dir-"
DEFAULT_LOCAL_DIR = "/var/data/spark"
METRICS = "metrics-conf"
#: Where kubeflow's operator mounts configuration files.
SPARK_FILES, HADOOP_FILES = "/etc/spark/conf", "/etc/hadoop/conf"
#: Where Spark's submission client mounts Hadoop's configuration and tokens.
HADOOP_FILES_OF_SPARK, HADOOP_TOKENS = "/opt/hadoop/conf", "/mnt/secrets/hadoop-credentials"
SECRETS_OF_EXECUTORS = "spark.kubernetes.executor.secrets."
KERBEROS = "spark.kubernetes.kerberos."
ALIKE = "{role}: two volumes have the name {name!r}; rename the one in volumes"
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
    generated = _files(app, own, config_map)
    if role == kinds.DRIVER:
        generated += [*_secrets_of_properties(conf), *_hadoop(app, conf)]
        said = of_properties(conf, role)
    else:
        generated += _moved_secrets(app, conf)
        said = []
    chosen = [*(pod.get("volumes") or []), *spec.volumes(app, role)]
    volumes = {volume["name"]: volume for volume in chosen}  # a volume of the spec replaces the template's of its name
    given = [*(container.get("volumeMounts") or []), *(own.get("volumeMounts") or ())]
    known = {*volumes, *(volume["name"] for volume, _ in of_properties(conf, role))}
    scratch = {mount["name"] for mount in given if mount["name"].startswith(LOCAL_DIR)} - known
    volumes |= {name: {"name": name, "emptyDir": {}} for name in sorted(scratch)}
    # a mount of a field replaces the template's at its path; any other two are a mistake
    mounts = {_path(mount): mount for mount in given}
    made = [(volume, {"name": volume["name"], "mountPath": path, "readOnly": True}) for volume, path in generated]
    for volume, mount in [*made, *said]:
        _put(volumes, volume, role)
        if mounts.setdefault(_path(mount), mount)["name"] != mount["name"]:
            raise spec.Invalid(f"{role}: the path {mount['mountPath']} is mounted twice; use another path in volumeMounts")
    if role == kinds.EXECUTOR:  # Spark adds these to the template
        for volume, _ in [*of_properties(conf, role), *left_secrets(app, conf)]:
            if volume["name"] in volumes:
                raise spec.Invalid(ALIKE.format(role=role, name=volume["name"]))
    if volumes:
        pod["volumes"] = list(volumes.values())
    if mounts:
        container["volumeMounts"] = list(mounts.values())


def _path(mount: Object) -> str:
    return str(mount["mountPath"]).rstrip("/") or "/"


def _put(volumes: dict[str, Object], volume: Object, role: str) -> None:
    """Add a volume; one that is there already is used again.

    Args:
        volumes: by name, changed in place.
        volume: the volume.
        role: `driver` or `executor`.

    Raises:
        spec.Invalid: if another volume has its name.
    """
    there = volumes.setdefault(volume["name"], volume)
    if there != volume:
        raise spec.Invalid(ALIKE.format(role=role, name=volume["name"]))


def _files(app: Object, own: Object, config_map: str) -> list[tuple[Object, str]]:
    """Return read-only volumes with the paths that they are mounted at."""
    maps = own.get("configMaps") or ()
    found = [_config(names.volume_name(entry["name"], "-vol"), entry["name"], entry["path"]) for entry in maps]
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
    return {"name": names.volume_name(name, "-volume"), "secret": {"secretName": name}}, path


def _secrets_of_properties(conf: Mapping[str, str]) -> list[tuple[Object, str]]:
    """Return Secrets that properties mount into the driver (MountSecretsFeatureStep)."""
    return [_secret(name, path) for name, path in properties.prefixed(conf, "spark.kubernetes.driver.secrets.").items()]


def moved_secrets(app: Object, conf: Mapping[str, str]) -> dict[str, str]:
    """Return Secrets that properties mount into executors and that Spark cannot mount, by the property: their paths.

    Spark would name the volume as no volume may be named, or as the one that the same Secret in `executor.secrets` has. The
    executors' template has them instead, so the properties must not reach Spark.
    """
    own = {secret["name"] for secret in spec.of(app, kinds.EXECUTOR).get("secrets") or ()}
    said = properties.prefixed(conf, SECRETS_OF_EXECUTORS)
    moved = (name for name in said if name in own or names.volume_name(name, "-volume") != f"{name}-volume")
    return {SECRETS_OF_EXECUTORS + name: said[name] for name in moved}


def _moved_secrets(app: Object, conf: Mapping[str, str]) -> list[tuple[Object, str]]:
    return [_secret(key.removeprefix(SECRETS_OF_EXECUTORS), path) for key, path in moved_secrets(app, conf).items()]


def left_secrets(app: Object, conf: Mapping[str, str]) -> list[tuple[Object, str]]:
    """Return Secrets that Spark itself mounts into executors (MountSecretsFeatureStep)."""
    moved = moved_secrets(app, conf)
    said = properties.prefixed(conf, SECRETS_OF_EXECUTORS)
    return [_secret(name, path) for name, path in said.items() if SECRETS_OF_EXECUTORS + name not in moved]


def _hadoop(app: Object, conf: Mapping[str, str]) -> list[tuple[Object, str]]:
    """Return what properties about Hadoop mount into the driver (HadoopConfDriverFeatureStep, KerberosConfDriverFeatureStep).

    Raises:
        spec.Invalid: if a Secret of tokens has no key, or a key no Secret.
    """
    found = []
    if conf.get(properties.HADOOP_CONFIG_MAP) and not app["spec"].get("hadoopConfigMap"):
        found.append(_config("hadoop-properties", conf[properties.HADOOP_CONFIG_MAP], HADOOP_FILES_OF_SPARK))
    token, key = (conf.get(f"{KERBEROS}tokenSecret.{part}") for part in ("name", "itemKey"))
    if bool(token) != bool(key):
        raise spec.Invalid(f"sparkConf: {KERBEROS}tokenSecret.name and {KERBEROS}tokenSecret.itemKey belong together; set both")
    if token:
        found.append(({"name": "hadoop-secret", "secret": {"secretName": token}}, HADOOP_TOKENS))
    return found


def _kerberos(conf: Mapping[str, str]) -> list[tuple[Object, Object]]:
    """Return the volume of Kerberos' configuration with its mount (KerberosConfDriverFeatureStep)."""
    name = conf.get(f"{KERBEROS}krb5.configMapName")
    if not name:
        return []
    mount = {"name": "krb5-file", "mountPath": "/etc/krb5.conf", "subPath": "krb5.conf"}
    return [({"name": "krb5-file", "configMap": {"name": name}}, mount)]


def hadoop_variables(conf: Mapping[str, str]) -> list[Object]:
    """Return the variables that say where the driver finds what properties about Hadoop mount."""
    found = []
    if conf.get(properties.HADOOP_CONFIG_MAP):
        found.append({"name": "HADOOP_CONF_DIR", "value": HADOOP_FILES_OF_SPARK})
    if conf.get(f"{KERBEROS}tokenSecret.name"):
        file = f"{HADOOP_TOKENS}/{conf.get(f'{KERBEROS}tokenSecret.itemKey')}"
        found.append({"name": "HADOOP_TOKEN_FILE_LOCATION", "value": file})
    return found


def of_properties(conf: Mapping[str, str], role: str) -> list[tuple[Object, Object]]:
    """Return volumes that properties mount into a role (MountVolumesFeatureStep), with their mounts.

    Raises:
        spec.Invalid: if one cannot be read.
    """
    prefix = f"spark.kubernetes.{role}.volumes."
    said: dict[tuple[str, str], dict[str, str]] = {}
    for key, value in properties.prefixed(conf, prefix).items():
        kind, _, rest = key.partition(".")
        name, _, field = rest.partition(".")
        if kind not in PROPERTY_TYPES or not field:
            raise spec.Invalid(
                f"sparkConf: {prefix}{key} names no volume; write {prefix}<{'|'.join(PROPERTY_TYPES)}>.<name>.<field>"
            )
        said.setdefault((kind, name), {})[field] = value
    found = [_of_property(kind, name, fields, prefix) for (kind, name), fields in said.items()]
    return [*found, *_kerberos(conf)] if role == kinds.DRIVER else found


def _of_property(kind: str, name: str, fields: Mapping[str, str], prefix: str) -> tuple[Object, Object]:
    path = fields.get("mount.path")
    if not path:
        raise spec.Invalid(f"sparkConf: {prefix}{kind}.{name} has no mount.path; add {prefix}{kind}.{name}.mount.path")
    read_only = fields.get("mount.readOnly", "false").lower() == "true"
    mount: Object = {"name": name, "mountPath": path, "readOnly": read_only}
    mount |= {key: fields[f"mount.{key}"] for key in ("subPath", "subPathExpr") if fields.get(f"mount.{key}")}
    source: Object = {key: fields[f"options.{key}"] for key in PROPERTY_TYPES[kind] if fields.get(f"options.{key}")}
    if kind == "persistentVolumeClaim":
        texts = {f"{word}s": properties.prefixed(fields, f"{word}.") for word in ("label", "annotation")}
        claim = _claim(source, {field: entries for field, entries in texts.items() if entries}, name, prefix)
        if read_only and "persistentVolumeClaim" in claim:
            claim["persistentVolumeClaim"]["readOnly"] = True
        return {"name": name, **claim}, mount
    return {"name": name, kind: source}, mount


def _claim(source: Object, metadata: Object, name: str, prefix: str) -> Object:
    """Return a claim that is there, or one that is made for the pod and goes with it (`OnDemand`).

    Args:
        source: the options of the property.
        metadata: labels and annotations of a claim that is made.
        name: name of the volume.
        prefix: what its properties begin with, for a message.
    """
    claim = source.get("claimName", "")
    if "OnDemand" not in claim and "SPARK_EXECUTOR_ID" not in claim:
        return {"persistentVolumeClaim": {"claimName": claim}}
    if not source.get("sizeLimit"):
        raise spec.Invalid(f"sparkConf: {prefix}persistentVolumeClaim.{name} is made on demand; add its options.sizeLimit")
    wanted: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": source["sizeLimit"]}}}
    if source.get("storageClass"):
        wanted["storageClassName"] = source["storageClass"]
    return {"ephemeral": {"volumeClaimTemplate": ({"metadata": metadata} if metadata else {}) | {"spec": wanted}}}


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
