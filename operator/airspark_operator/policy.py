"""What the pod of a job may be: the one table that the KubernetesExecutor, the controller and the admission policies follow.

The author of a DAG or a SparkApplication decides what its pods look like, but not that they reach what is the platform's: its
Secrets, its accounts, its volumes, its Services, the nodes. The file stands in the image of the controller, and in the Airflow
chart as a copy that `python -m airspark.charts.generate` makes; so it needs nothing but Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Object = dict[str, Any]

#: Fields of a pod's spec that share something of the node with it, and what.
HOST_FIELDS = {"hostNetwork": "network", "hostPID": "processes", "hostIPC": "shared memory"}
#: Capabilities that Pod Security's level `baseline` lets a container add.
CAPABILITIES = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip
#: Priority classes of the cluster's own parts, which no job has, whatever is allowed.
SYSTEM_PRIORITIES = ("system-*",)
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
#: Labels by which Airflow's executor knows the pods of its tasks.
TASK_LABELS = ("airflow-worker", "kubernetes_executor")
#: Kinds of volumes that Pod Security's level `restricted` lets a pod have.
VOLUMES = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
)  # fmt: skip
#: Types of SELinux and settings of the kernel that the level `baseline` allows.
SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
SYSCTLS = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem",
)  # fmt: skip
#: What asks an address for the kubelet, which is in the node's network.
HOOKS = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop")
#: Fields that name a Secret, with the key that holds its name; a pod never reads one by which its image is pulled.
SECRET_FIELDS = {"secretKeyRef": "name", "secretRef": "name", "nodePublishSecretRef": "name", "nodeStageSecretRef": "name"}
#: Fields of a generic ephemeral volume by which it is made as a copy: of a claim, a snapshot, or what else a cluster knows.
SOURCES = ("dataSource", "dataSourceRef")
#: How the paths of claims' names end.
CLAIM_PATHS = ("claimName", *(f"{name}.name" for name in SOURCES))


@dataclass(frozen=True)
class Table:
    """What is allowed, each as a list of names in which * stands for any letters; and what is the platform's own.

    Attributes:
        service_accounts: accounts that pods may run as.
        secrets: Secrets that pods may mount or read.
        claims: claims that pods may mount.
        priority_classes: priority classes that pods may have.
        volumes: kinds of volumes that pods may have; never a path of the node.
        hosts: hosts of Ingresses.
        service_types: types of Services.
        platform_secrets: the platform's Secrets, which no pod of a job has, whatever is allowed.
        platform_accounts: its accounts, likewise.
        platform_claims: its claims, likewise.
        platform_pods: names of its pods, likewise.
        platform_labels: labels by which its Services and network policies know its pods: a pod may have no pair of these.
    """

    service_accounts: tuple[str, ...] = ("*",)
    secrets: tuple[str, ...] = ("*",)
    claims: tuple[str, ...] = ("*",)
    priority_classes: tuple[str, ...] = ("*",)
    volumes: tuple[str, ...] = VOLUMES
    hosts: tuple[str, ...] = ()
    service_types: tuple[str, ...] = ("ClusterIP",)
    platform_secrets: tuple[str, ...] = ()
    platform_accounts: tuple[str, ...] = ()
    platform_claims: tuple[str, ...] = ()
    platform_pods: tuple[str, ...] = ()
    platform_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """What a pod may not have.

    Attributes:
        path: where it stands in the pod, such as `spec.volumes[0].hostPath`.
        name: the name that is refused; empty if the field itself is.
        why: what is wrong, to follow the path; it names what is refused, so that equal ones are alike.
        remedy: what to do.
    """

    path: str
    name: str
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}; {self.remedy}"


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name is one of some, in which * stands for any letters."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def refusals(pod: Object, table: Table, key: str = "allowed") -> Iterator[Refusal]:
    """Yield what a pod may not have.

    Args:
        pod: `metadata` and `spec` as they are sent to the API server, or the template of such pods.
        table: what is allowed.
        key: the key of the values that holds the lists, for the sentence.
    """
    spec = pod.get("spec") or {}
    for name in HOST_FIELDS:
        if spec.get(name):
            yield Refusal(f"spec.{name}", "", f"a job does not share the {HOST_FIELDS[name]} of its node", "remove it")
    yield from _account(spec, table, key)
    yield from priority(spec.get("priorityClassName"), table, key)
    yield from _volumes(spec, table, key)
    for path, name in _named(spec, "spec"):
        yield from _object(path, name, "claim" if path.endswith(CLAIM_PATHS) else "Secret", table, key)
    for path, kind in _sources(spec, "spec"):
        yield Refusal(path, "", f"a job's volume is a copy of a claim alone, not of a {kind}", "remove it")
    for part in CONTAINERS:
        for number, container in enumerate(spec.get(part) or ()):
            yield from _container(f"spec.{part}[{number}]", container)
    yield from _context("spec.securityContext", spec.get("securityContext") or {}, "the pod")
    metadata = pod.get("metadata") or {}
    for name, value in (metadata.get("annotations") or {}).items():
        if name.startswith("container.apparmor.security.beta.kubernetes.io/") and value == "unconfined":
            yield Refusal(f"metadata.annotations.{name}", name, "a job is confined by AppArmor where its node is", "remove it")
    name = metadata.get("name") or ""
    if matches(name, table.platform_pods):
        yield Refusal("metadata.name", name, f"a pod of the platform has the name {name}", "use another name")
    labels = metadata.get("labels") or {}
    for name in TASK_LABELS:
        if name in labels:
            why = f"{name} is how Airflow knows the pods of its tasks"
            yield Refusal(f"metadata.labels.{name}", name, why, "give the label another name")
    if table.platform_labels and all(labels.get(name) == value for name, value in table.platform_labels.items()):
        name, value = next(iter(table.platform_labels.items()))
        why = f"{name}: {value} is how the platform's Services know its own pods"
        yield Refusal(f"metadata.labels.{name}", name, why, "give the label another name")


def _account(spec: Object, table: Table, key: str) -> Iterator[Refusal]:
    for field_name in ("serviceAccountName", "serviceAccount"):
        name = spec.get(field_name)
        if not name:
            continue
        if matches(name, table.platform_accounts):
            yield Refusal(f"spec.{field_name}", name, f"{name} is an account of the platform's own", "use another account")
        elif not matches(name, table.service_accounts):
            yield Refusal(f"spec.{field_name}", name, f"the account {name} is not allowed", allow(key, "serviceAccounts"))


def priority(name: str | None, table: Table, key: str) -> Iterator[Refusal]:
    """Yield what is wrong with a priority class.

    Args:
        name: the class; None or empty is none.
        table: what is allowed.
        key: the key of the values that holds the lists, for the sentence.
    """
    if name and matches(name, SYSTEM_PRIORITIES):
        yield Refusal("spec.priorityClassName", name, f"{name} is for parts of the cluster", "use another priority class")
    elif name and not matches(name, table.priority_classes):
        yield Refusal("spec.priorityClassName", name, f"the priority class {name} is not allowed", allow(key, "priorityClasses"))


def _volumes(spec: Object, table: Table, key: str) -> Iterator[Refusal]:
    for number, volume in enumerate(spec.get("volumes") or ()):
        if "hostPath" in volume:
            why = f"a job mounts nothing of its node, here {(volume['hostPath'] or {}).get('path')}"
            yield Refusal(f"spec.volumes[{number}].hostPath", "", why, "use a claim")
        for kind in volume:
            if kind not in ("name", "hostPath") and not matches(kind, table.volumes):
                yield Refusal(f"spec.volumes[{number}].{kind}", "", f"a volume {kind} is not allowed", allow(key, "volumes"))


def _object(path: str, name: str, kind: str, table: Table, key: str) -> Iterator[Refusal]:
    """Look at the name of a Secret or a claim."""
    own, allowed, list_name = {
        "Secret": (table.platform_secrets, table.secrets, "secrets"),
        "claim": (table.platform_claims, table.claims, "claims"),
    }[kind]
    if matches(name, own):
        yield Refusal(path, name, f"the {kind} {name} is the platform's own", f"use a {kind} of the job's")
    elif not matches(name, allowed):
        yield Refusal(path, name, f"the {kind} {name} is not allowed", allow(key, list_name))


def allow(key: str, list_name: str) -> str:
    """Return what to do to have a name allowed.

    Args:
        key: the key of the values that holds the lists.
        list_name: the list.
    """
    return f"ask the platform's administrator to add it to `{key}.{list_name}`"


def _named(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the name of each Secret and claim that a pod's spec mounts or reads, whatever the kind of volume."""
    if isinstance(value, list):
        for number, child in enumerate(value):
            yield from _named(child, f"{path}[{number}]")
    if not isinstance(value, dict):
        return
    for name, child in value.items():
        here = f"{path}.{name}"
        if name == "imagePullSecrets":
            continue
        if name in SOURCES and isinstance(child, dict) and isinstance(child.get("name"), str):
            if _is_claim(child):
                yield f"{here}.name", child["name"]
            continue
        if name in ("secretName", "claimName") and isinstance(child, str):
            yield here, child
        elif name == "secret" and isinstance(child, dict) and isinstance(child.get("name"), str):  # of a projected volume
            yield f"{here}.name", child["name"]
        elif name in SECRET_FIELDS and isinstance(child, dict) and isinstance(child.get(SECRET_FIELDS[name]), str):
            yield f"{here}.{SECRET_FIELDS[name]}", child[SECRET_FIELDS[name]]
        # Always further: a key that the API server does not know must not hide one that it knows.
        yield from _named(child, here)


def _sources(spec: Object, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the kind of each source, other than a claim, that an ephemeral volume is copied from."""
    for number, volume in enumerate(spec.get("volumes") or ()):
        template = ((volume.get("ephemeral") or {}).get("volumeClaimTemplate") or {}).get("spec") or {}
        for name in SOURCES:
            if (source := template.get(name)) and not _is_claim(source):
                yield f"{path}.volumes[{number}].ephemeral.volumeClaimTemplate.spec.{name}", str(source.get("kind"))


def _is_claim(source: Object) -> bool:
    return source.get("kind") == "PersistentVolumeClaim"


def _context(path: str, context: Object, own: str) -> Iterator[Refusal]:
    """Look at what the security contexts of a pod and of a container have in common."""
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield Refusal(f"{path}.windowsOptions.hostProcess", "", f"{own} of a job is not a process of its node", "remove it")
    for name in ("seccompProfile", "appArmorProfile"):
        if (context.get(name) or {}).get("type") == "Unconfined":
            yield Refusal(f"{path}.{name}.type", "Unconfined", f"{own} of a job never runs unconfined", "remove it")
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("user") or selinux.get("role") or (selinux.get("type") or "") not in SELINUX_TYPES:
        why = f"{own} of a job has no other user, role or type of SELinux than Pod Security's `baseline` allows"
        yield Refusal(f"{path}.seLinuxOptions", "", why, "remove it")
    for number, setting in enumerate(context.get("sysctls") or ()):
        if setting.get("name") not in SYSCTLS:
            why = f"a job does not change {setting.get('name')} of the kernel"
            yield Refusal(f"{path}.sysctls[{number}].name", str(setting.get("name") or ""), why, "remove it")


def _container(path: str, container: Object) -> Iterator[Refusal]:
    context, own = container.get("securityContext") or {}, f"the container {container.get('name', 'without a name')}"
    yield from _context(f"{path}.securityContext", context, own)
    for hook in HOOKS:
        asks: Any = container
        for name in hook.split("."):
            asks = (asks or {}).get(name)
        for action in ("httpGet", "tcpSocket"):
            if host := ((asks or {}).get(action) or {}).get("host"):
                why = f"the kubelet asks {own} of a job alone, and no other host for it"
                yield Refusal(f"{path}.{hook}.{action}.host", str(host), why, "remove it")
    if context.get("privileged"):
        yield Refusal(f"{path}.securityContext.privileged", "", f"{own} of a job never runs privileged", "remove it")
    if context.get("procMount") not in (None, "", "Default"):
        yield Refusal(f"{path}.securityContext.procMount", "", f"{own} of a job sees /proc as Kubernetes masks it", "remove it")
    for name in (context.get("capabilities") or {}).get("add") or ():
        if name not in CAPABILITIES:
            why = f"{own} of a job may not have the capability {name}"
            yield Refusal(f"{path}.securityContext.capabilities.add", name, why, "remove it")
    for number, port in enumerate(container.get("ports") or ()):
        if port.get("hostPort"):
            why = f"{own} of a job listens on its pod alone, not on port {port['hostPort']} of the node"
            yield Refusal(f"{path}.ports[{number}].hostPort", "", why, "remove it")


def from_object(given: Mapping[str, Any]) -> Table:
    """Return the table of the chart's keys.

    Args:
        given: `allowed` and `platform`, each with lists of names; one that is not there has its default.

    Raises:
        ValueError: if a list is none.
    """
    allowed, platform = given.get("allowed") or {}, given.get("platform") or {}
    without = Table()

    def names(part: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        found = part.get(name)
        if found is None:
            return default
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise ValueError(f"{name} must be a list of names, not {found!r}")
        return tuple(found)

    return Table(
        service_accounts=names(allowed, "serviceAccounts", without.service_accounts),
        secrets=names(allowed, "secrets", without.secrets),
        claims=names(allowed, "claims", without.claims),
        priority_classes=names(allowed, "priorityClasses", without.priority_classes),
        volumes=names(allowed, "volumes", without.volumes),
        hosts=names(allowed, "hosts", without.hosts),
        service_types=names(allowed, "serviceTypes", without.service_types),
        platform_secrets=names(platform, "secrets", ()),
        platform_accounts=names(platform, "serviceAccounts", ()),
        platform_claims=names(platform, "claims", ()),
        platform_pods=names(platform, "pods", ()),
        platform_labels=dict(platform.get("labels") or {}),
    )
