"""What a job may not have fails its application in one sentence that begins with the field, and builds nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from builders import DEFAULTS, app, objects

from airspark_operator import policy, settings
from airspark_operator.policy import Table
from airspark_operator.spec import Invalid

Object = dict[str, Any]
TABLE = Table(
    service_accounts=("etl-*", "spark-driver"),
    secrets=("lake-*",),
    claims=("airspark-data", "team-*"),
    priority_classes=("low",),
    hosts=("*.example.org",),
    platform_secrets=("airspark-*", "sh.helm.release.*"),
    platform_accounts=("airspark-airflow-*",),
    platform_claims=("data-airspark-postgresql-*",),
    platform_pods=("airspark-postgresql-*",),
    platform_labels={"release": "airspark"},
)
ALLOW = "ask the platform's administrator to add it to `spark.allowed."
ROLES = pytest.mark.parametrize("role", ["driver", "executor"])


def build(role: str, own: Object, **spec: Any) -> list[Object]:
    return objects(app(**{role: own}, **spec), dataclasses.replace(DEFAULTS, policy=TABLE))


def refused(role: str, own: Object, **spec: Any) -> str:
    with pytest.raises(Invalid) as refusal:
        build(role, own, **spec)
    return str(refusal.value)


def template(**spec: Any) -> Object:
    return {"template": {"spec": spec}}


def mounted(volume: Object) -> Object:
    return {"template": {"spec": {"volumes": [{"name": "v", **volume}], "containers": [{}]}}}


def copied(**source: Object) -> Object:
    """A generic ephemeral volume, made of something."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **source}
    return {"ephemeral": {"volumeClaimTemplate": {"spec": claim}}}


#: What the role has, and how the sentence begins.
FIELDS: list[tuple[Object, str]] = [
    ({"hostNetwork": True}, "{role}.hostNetwork: a job does not share the network of its node; remove it"),
    (template(hostPID=True), "{role}.template.spec.hostPID: a job does not share the processes of its node"),
    (template(hostIPC=True), "{role}.template.spec.hostIPC: a job does not share the shared memory of its node"),
    (mounted({"hostPath": {"path": "/"}}), "{role}.template.spec.volumes[0].hostPath: a job mounts nothing of its node"),
    ({"securityContext": {"privileged": True}}, "{role}.securityContext.privileged: the container spark-kubernetes-"),
    ({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}, "{role}.securityContext.capabilities.add[0]: the container"),
    (
        {"sidecars": [{"name": "a", "image": "x", "securityContext": {"privileged": True}}]},
        "{role}.sidecars[0].securityContext.privileged: the container a of a job never runs privileged",
    ),
    (
        {"initContainers": [{"name": "a", "image": "x", "securityContext": {"procMount": "Unmasked"}}]},
        "{role}.initContainers[0].securityContext.procMount: the container a of a job sees /proc as Kubernetes masks it",
    ),
    (
        template(containers=[{}, {"name": "a", "image": "x", "ports": [{"containerPort": 1, "hostPort": 1}]}]),
        "{role}.template.spec.containers[1].ports[0].hostPort: the container a of a job listens on its pod alone, not on port 1",
    ),
    ({"serviceAccount": "airspark-airflow-scheduler"}, "{role}.serviceAccount: airspark-airflow-scheduler is an account of the"),
    ({"serviceAccount": "admin"}, "{role}.serviceAccount: the account admin is not allowed; " + ALLOW + "serviceAccounts`"),
    ({"priorityClassName": "system-node-critical"}, "{role}.priorityClassName: system-node-critical is for parts of the cluster"),
    ({"priorityClassName": "high"}, "{role}.priorityClassName: the priority class high is not allowed; " + ALLOW),
    (
        {"envFrom": [{"secretRef": {"name": "airspark-fernet-key"}}]},
        "{role}.envFrom[0].secretRef.name: the Secret airspark-fernet-key is the platform's own; use a Secret of the job's",
    ),
    ({"envFrom": [{"secretRef": {"name": "other"}}]}, "{role}.envFrom[0].secretRef.name: the Secret other is not allowed"),
    ({"envSecretKeyRefs": {"A": {"name": "airspark-jwt", "key": "k"}}}, "{role}.envSecretKeyRefs.A.name: the Secret airspark-"),
    (
        {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "sh.helm.release.v1.a.v1", "key": "release"}}}]},
        "{role}.env[0].valueFrom.secretKeyRef.name: the Secret sh.helm.release.v1.a.v1 is the platform's own",
    ),
    (
        {"secrets": [{"name": "airspark-metadata", "path": "/x", "secretType": "Generic"}]},
        "{role}.secrets[0].name: the Secret airspark-metadata is the platform's own",
    ),
    (
        mounted({"projected": {"sources": [{"secret": {"name": "airspark-jwt"}}]}}),
        "{role}.template.spec.volumes[0].projected.sources[0].secret.name: the Secret airspark-jwt is the platform's own",
    ),
    (
        mounted({"csi": {"driver": "x", "nodePublishSecretRef": {"name": "airspark-jwt"}}}),
        "{role}.template.spec.volumes[0].csi.nodePublishSecretRef.name: the Secret airspark-jwt is the platform's own",
    ),
    (
        mounted({"persistentVolumeClaim": {"claimName": "data-airspark-postgresql-0"}}),
        "{role}.template.spec.volumes[0].persistentVolumeClaim.claimName: the claim data-airspark-postgresql-0 is the",
    ),
    (
        mounted({"persistentVolumeClaim": {"claimName": "other"}}),
        "{role}.template.spec.volumes[0].persistentVolumeClaim.claimName: the claim other is not allowed; " + ALLOW + "claims`",
    ),
    (
        mounted(copied(dataSource={"kind": "PersistentVolumeClaim", "name": "data-airspark-postgresql-0"})),
        "{role}.template.spec.volumes[0].ephemeral.volumeClaimTemplate.spec.dataSource.name: the claim data-airspark-",
    ),
    (
        mounted(copied(dataSourceRef={"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "nightly"})),
        "{role}.template.spec.volumes[0].ephemeral.volumeClaimTemplate.spec.dataSourceRef: a job's volume is a copy of a claim",
    ),
    # The API server drops the key that it does not know and mounts the other.
    (
        mounted({"secret": {"name": "lake-mine", "secretName": "airspark-metadata"}}),
        "{role}.template.spec.volumes[0].secret.secretName: the Secret airspark-metadata is the platform's own",
    ),
    (mounted({"nfs": {"server": "a", "path": "/"}}), "{role}.template.spec.volumes[0].nfs: a volume nfs is not allowed; "),
    (mounted({"iscsi": {"targetPortal": "a"}}), "{role}.template.spec.volumes[0].iscsi: a volume iscsi is not allowed"),
    ({"labels": {"airflow-worker": "1"}}, "{role}.labels.airflow-worker: airflow-worker is how Airflow knows the pods of its"),
    (
        {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
        "{role}.securityContext.seccompProfile.type: the container spark-kubernetes-",
    ),
    (
        {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}},
        "{role}.securityContext.seLinuxOptions: the container spark-kubernetes-",
    ),
    (
        {
            "env": [{"name": "A", "value": "b"}],
            **template(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
        },
        "{role}.template.spec.securityContext.sysctls[0].name: a job does not change kernel.msgmax of the kernel",
    ),
    (
        template(containers=[{}, {"name": "a", "image": "x", "livenessProbe": {"httpGet": {"port": 1, "host": "127.0.0.1"}}}]),
        "{role}.template.spec.containers[1].livenessProbe.httpGet.host: the kubelet asks the container a of a job alone",
    ),
    (
        template(containers=[{}, {"name": "a", "image": "x", "lifecycle": {"preStop": {"tcpSocket": {"port": 1, "host": "x"}}}}]),
        "{role}.template.spec.containers[1].lifecycle.preStop.tcpSocket.host: the kubelet asks",
    ),
    ({"labels": {"release": "airspark"}}, "{role}.labels.release: release: airspark is how the platform's Services know its own"),
]  # fmt: skip
#: Properties of the role, and how the sentence begins.
PROPERTIES: list[tuple[str, str, str]] = [
    ("spark.kubernetes.{role}.volumes.hostPath.v.options.path", "/", "a job mounts nothing of its node"),
    ("spark.kubernetes.{role}.secrets.airspark-jwt", "/x", "the Secret airspark-jwt is the platform's own"),
    ("spark.kubernetes.{role}.secretKeyRef.A", "airspark-jwt:key", "the Secret airspark-jwt is the platform's own"),
    ("spark.kubernetes.{role}.label.release", "airspark", "release: airspark is how the platform's Services know"),
    ("spark.kubernetes.{role}.volumes.persistentVolumeClaim.v.options.claimName", "other", "the claim other is not allowed"),
]
#: What stays possible.
LEGITIMATE: list[Object] = [
    {"serviceAccount": "etl-nightly"},
    {"priorityClassName": "low"},
    {"envFrom": [{"secretRef": {"name": "lake-login"}}]},
    {"secrets": [{"name": "lake-key", "path": "/x", "secretType": "Generic"}]},
    {"labels": {"release": "1.2", "component": "scheduler", "tier": "gold"}},
    {"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}, "privileged": False}},
    mounted({"persistentVolumeClaim": {"claimName": "team-claim"}}),
    mounted(copied()),
    mounted({"downwardAPI": {"items": []}}),
    {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "seLinuxOptions": {"type": "container_t", "level": "s0"}}},
    template(securityContext={"sysctls": [{"name": "net.ipv4.tcp_keepalive_time", "value": "60"}]}),
    template(containers=[{}, {"name": "a", "image": "x", "livenessProbe": {"httpGet": {"port": 1}}}]),
    mounted(copied(dataSource={"kind": "PersistentVolumeClaim", "name": "team-claim"})),
    mounted({"projected": {"sources": [{"secret": {"name": "lake-x"}}, {"configMap": {"name": "any"}}]}}),
    template(imagePullSecrets=[{"name": "registry"}], hostNetwork=False),
]


@ROLES
@pytest.mark.parametrize(("own", "said"), FIELDS, ids=lambda one: str(one)[:60])
def test_should_refuse_what_is_not_the_jobs_and_name_the_field(role: str, own: Object, said: str) -> None:
    assert refused(role, own).startswith(said.format(role=role))


@ROLES
@pytest.mark.parametrize(("key", "value", "said"), PROPERTIES)
def test_should_refuse_the_same_by_a_property(role: str, key: str, value: str, said: str) -> None:
    key = key.format(role=role)
    more = {f"{key.rpartition('.options')[0]}.mount.path": "/v"} if ".volumes." in key else {}
    sentence = refused(role, {}, sparkConf={key: value, **more})
    assert said in sentence and sentence.startswith(("sparkConf.", f"labels of {role}")), sentence


@ROLES
def test_should_name_the_volume_of_the_spec_that_both_roles_may_mount(role: str) -> None:
    own = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    sentence = refused(role, own, volumes=[{"name": "v", "secret": {"secretName": "airspark-jwt"}}])
    assert sentence.startswith("volumes[0].secret.secretName: the Secret airspark-jwt is the platform's own")


def test_should_refuse_a_label_of_the_application_that_its_pods_would_get() -> None:
    with pytest.raises(Invalid, match="^labels of driver: release: airspark is how the platform's Services know"):
        objects(app(metadata={"labels": {"release": "airspark"}}), dataclasses.replace(DEFAULTS, policy=TABLE))


@ROLES
@pytest.mark.parametrize("own", LEGITIMATE, ids=lambda one: str(one)[:60])
def test_should_build_what_is_allowed(role: str, own: Object) -> None:
    assert build(role, own)[-1]["kind"] == "Pod"


def test_should_refuse_the_whole_application_if_a_part_of_it_is_allowed() -> None:
    own = {"serviceAccount": "etl-nightly", "envFrom": [{"secretRef": {"name": "lake-a"}}, {"secretRef": {"name": "other"}}]}
    assert refused("driver", own).startswith("driver.envFrom[1].secretRef.name: the Secret other is not allowed")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ingressURLFormat": "evil.example.com"}, "driverIngressOptions[0].ingressURLFormat: the host evil.example.com is not"),
        (
            {"ingressURLFormat": "a.example.org", "ingressAnnotations": {"nginx.ingress.kubernetes.io/server-snippet": "x"}},
            "driverIngressOptions[0].ingressAnnotations: nginx.ingress.kubernetes.io/server-snippet reaches beyond",
        ),
        (
            {"ingressURLFormat": "a.example.org", "ingressAnnotations": {"nginx.ingress.kubernetes.io/server-alias": "x"}},
            "driverIngressOptions[0].ingressAnnotations: nginx.ingress.kubernetes.io/server-alias reaches beyond",
        ),
        (
            {"ingressURLFormat": "a.example.org", "serviceAnnotations": {"external-dns.alpha.kubernetes.io/hostname": "x"}},
            "driverIngressOptions[0].serviceAnnotations: external-dns.alpha.kubernetes.io/hostname reaches beyond",
        ),
        (
            {"ingressURLFormat": "a.example.org", "ingressTLS": [{"hosts": ["a.example.org", "evil.example.com"]}]},
            "driverIngressOptions[0].ingressTLS[0].hosts: the host evil.example.com is not allowed",
        ),
        (
            {"ingressURLFormat": "a.example.org", "ingressTLS": [{"secretName": "airspark-postgresql-tls"}]},
            "driverIngressOptions[0].ingressTLS[0].secretName: the Secret airspark-postgresql-tls is the platform's own",
        ),
    ],
)
def test_should_refuse_an_ingress_with_another_host_or_a_piece_of_the_controllers_configuration(
    options: Object, said: str
) -> None:
    asked = [{"servicePort": 9000, "servicePortName": "x", **options}]
    assert refused("driver", {}, driverIngressOptions=asked).startswith(said)
    tls = [{"hosts": ["a.example.org"], "secretName": "lake-tls"}]
    fine = [{"servicePort": 9000, "servicePortName": "x", "ingressURLFormat": "a.example.org", "ingressTLS": tls}]
    assert [one for one in build("driver", {}, driverIngressOptions=fine) if one["kind"] == "Ingress"]


def test_should_refuse_the_name_of_a_pod_of_the_platform() -> None:
    assert refused("driver", {"podName": "airspark-postgresql-0"}).startswith(
        "driver.podName: a pod of the platform has the name airspark-postgresql-0; use another name"
    )


def test_should_refuse_a_priority_class_of_the_cluster_for_a_group_of_pods() -> None:
    with pytest.raises(Invalid, match="^batchSchedulerOptions.priorityClassName: system-node-critical is for parts of"):
        build("driver", {}, batchScheduler="volcano", batchSchedulerOptions={"priorityClassName": "system-node-critical"})
    assert build("driver", {}, batchScheduler="volcano", batchSchedulerOptions={"priorityClassName": "low"})


def test_should_refuse_a_service_that_is_reached_from_outside_until_it_is_allowed() -> None:
    named = {"servicePort": 9000, "servicePortName": "x", "ingressURLFormat": "a.example.org", "serviceType": "LoadBalancer"}
    asked = {"driverIngressOptions": [named]}
    said = "driverIngressOptions[0].serviceType: a Service of the type LoadBalancer is not allowed; ask the"
    assert refused("driver", {}, **asked).startswith(said)
    assert refused("driver", {}, sparkUIOptions={"serviceType": "NodePort"}).startswith(
        "sparkUIOptions.serviceType: a Service of"
    )
    table = dataclasses.replace(TABLE, service_types=("ClusterIP", "LoadBalancer"))
    made = objects(app(**asked), dataclasses.replace(DEFAULTS, policy=table))
    assert "LoadBalancer" in [one["spec"].get("type") for one in made if one["kind"] == "Service"]


def test_should_allow_any_name_but_no_host_and_nothing_of_the_node_where_the_chart_says_nothing() -> None:
    table = settings.from_object({}).defaults.policy
    assert table == Table() and table.hosts == () and table.secrets == ("*",)
    pod = {"metadata": {"labels": {"release": "airspark"}}, "spec": {"hostNetwork": True, "serviceAccountName": "any"}}
    assert [one.path for one in policy.refusals(pod, table)] == ["spec.hostNetwork"]


def test_should_say_which_list_of_the_settings_is_none() -> None:
    with pytest.raises(ValueError, match="secrets must be a list of names, not 'x'"):
        settings.from_object({"policy": {"allowed": {"secrets": "x"}}})
