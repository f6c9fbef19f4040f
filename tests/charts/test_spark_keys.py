"""What the keys of charts/spark do."""

from __future__ import annotations

import json

import pytest
from batches import Paths, values
from cases import Case, Cases, Rendered
from rendering import NAMESPACE, env, render
from spark_rendered import (
    BASE,
    HISTORY,
    MASTER,
    WHO,
    WORKER,
    WORKLOADS,
    allowed,
    autoscaler,
    bootstrap_job,
    conf,
    env_of,
    main,
    mounted,
    opened,
    pre_stop,
    scaled_by,
    service_ports,
    spec,
    specs,
    work,
)

AUTH = "airspark-spark-auth"
SPOT = "airspark-spark-worker-spot"
GROUP = "workers.groups.spot"
HPA = {"worker.autoscaling.enabled": True}
REST = {"master.rest.enabled": True}
CASES = [
    # Names, labels, images
    Case("prefix every name and the master's address", {"fullnameOverride": "lake"},
         lambda f: all(item["metadata"]["name"].startswith(("lake-", "airspark-spark-cluster")) for item in f.objects)
         and f.pod("StatefulSet", "lake-spark-worker")["spec"]["containers"][0]["args"][-1] == "spark://lake-spark-master:7077"),
    Case("say the name in a label", {"nameOverride": "lake"},
         lambda f: {o["metadata"]["labels"]["app.kubernetes.io/name"] for o in f.objects} == {"lake"}),
    Case("label every object and pod", {"labels": {"team": "a"}},
         lambda f: all(o["metadata"]["labels"]["team"] == "a" for o in f.objects)
         and all(pod["metadata"]["labels"]["team"] == "a" for pod in f.pods.values())),
    Case("annotate the pods", {"podAnnotations": {"example.org/a": "b"}},
         lambda f: all(f.pod(*w)["metadata"]["annotations"]["example.org/a"] == "b" for w in WORKLOADS.values())),
    Case("take every image from there", {"image.repository": "registry.example.org/spark", "image.tag": "7"},
         lambda f: {spec["containers"][0]["image"] for spec in specs(f)} == {"registry.example.org/spark:7"}),
    Case("pull images so", {"image.pullPolicy": "Always", "image.repository": "registry.example.org/spark"},
         lambda f: {spec["containers"][0]["imagePullPolicy"] for spec in specs(f)} == {"Always"}),
    Case("pull images with these credentials", {"imagePullSecrets": [{"name": "registry"}]},
         lambda f: all(spec["imagePullSecrets"] == [{"name": "registry"}] for spec in specs(f))),
    Case("restart every pod", {"global.imageRevision": "abc"},
         lambda f: {f.pod(*w)["metadata"]["annotations"]["airspark.io/image-revision"] for w in WORKLOADS.values()} == {"abc"}),
    # Placement and security of every pod
    Case("select the nodes of every pod", {"nodeSelector": {"pool": "batch"}},
         lambda f: all(spec["nodeSelector"] == {"pool": "batch"} for spec in specs(f))),
    Case("let every pod tolerate a taint", {"tolerations": [{"key": "batch", "operator": "Exists"}]},
         lambda f: all(spec["tolerations"] == [{"key": "batch", "operator": "Exists"}] for spec in specs(f))),
    Case("give every pod an affinity", {"affinity": {"nodeAffinity": {"x": "y"}}},
         lambda f: all(spec["affinity"] == {"nodeAffinity": {"x": "y"}} for spec in specs(f))),
    Case("spread each component's pods, by its own labels",
         {"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 2}]},
         lambda f: {spec["topologySpreadConstraints"][0]["topologyKey"] for spec in specs(f)} == {"zone"}
         and {spec["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]["component"] for spec in specs(f)}
         == {"spark-master", "spark-worker", "spark-history", "spark-bootstrap"}),
    Case("give every pod a priority class", {"priorityClassName": "batch"},
         lambda f: {spec["priorityClassName"] for spec in specs(f)} == {"batch"}),
    Case("run every process as that user and group", {"uid": 4711, "gid": 4712},
         lambda f: all((c := spec["securityContext"])["runAsUser"] == 4711 and c["runAsGroup"] == c["fsGroup"] == 4712
                       for spec in specs(f))),
    Case("be merged over every pod's security context, false too",
         {"securityContexts.pod": {"supplementalGroups": [7], "runAsNonRoot": False}},
         lambda f: all((c := spec["securityContext"])["supplementalGroups"] == [7] and c["runAsNonRoot"] is False
                       and c["seccompProfile"] == {"type": "RuntimeDefault"} for spec in specs(f))),
    Case("be merged over every container's security context, false too",
         {"securityContexts.containers": {"readOnlyRootFilesystem": False}},
         lambda f: all((c := spec["containers"][0]["securityContext"])["readOnlyRootFilesystem"] is False
                       and c["capabilities"] == {"drop": ["ALL"]} for spec in specs(f))),
    # The account
    Case("annotate the account for a cloud's identity", {"serviceAccount.annotations": {"eks.amazonaws.com/role-arn": "arn"}},
         lambda f: f.find("ServiceAccount", "airspark-spark")["metadata"]["annotations"]
         == {"eks.amazonaws.com/role-arn": "arn"}),
    Case("name the account", {"serviceAccount.name": "lake"},
         lambda f: "lake" in f.names("ServiceAccount") and {spec(f, p)["serviceAccountName"] for p in WORKLOADS} == {"lake"}),
    Case("take an account that is there", {"serviceAccount.create": False, "serviceAccount.name": "mine"},
         lambda f: "mine" not in f.names("ServiceAccount") and spec(f, "worker")["serviceAccountName"] == "mine"),
    Case("take the namespace's own account", {"serviceAccount.create": False},
         lambda f: {spec(f, p)["serviceAccountName"] for p in WORKLOADS} == {"default"}),
    # Secrets
    Case("read the secret that somebody brings, and make none", {"security.passwordsSecretName": f"mine-{WHO}"},
         lambda f: {env_of(f, p)["_SPARK_AUTH_SECRET"]["secretKeyRef"]["name"] for p in ("master", "worker")} == {"mine-airspark"}
         and env(f.main("spark-bootstrap"))["BROUGHT"] == "1" and ("create", "secrets") not in allowed(f)),
    Case("share the secret of that name with the release, and make it", {"global.spark.authSecretName": f"{WHO}-second"},
         lambda f: env_of(f, "worker")["_SPARK_AUTH_SECRET"]["secretKeyRef"]["name"] == "airspark-second"
         and env(f.main("spark-bootstrap"))["SECRET"] == "airspark-second" and ("create", "secrets") in allowed(f)),
    Case("read no secret, make none and ask for none", {"security.rpc.authenticationEnabled": False},
         lambda f: "_SPARK_AUTH_SECRET" not in env_of(f, "master") | env_of(f, "worker")
         and conf(f)["spark.authenticate"] == "false"
         and not {k for k in conf(f) if "crypto" in k} and allowed(f) == {("create", "configmaps"), ("patch", "configmaps")}),
    Case("leave calls unencrypted", {"security.rpc.encryptionEnabled": False},
         lambda f: conf(f)["spark.authenticate"] == "true" and not {k for k in conf(f) if "crypto" in k}),
    Case("ask nobody who he is", {"security.acls.enabled": False}, lambda f: not {k for k in conf(f) if "acls" in k}),
    Case("let these do everything", {"security.acls.admins": ["ada", "bob"]},
         lambda f: conf(f)["spark.admin.acls"] == "ada,bob"),
    Case("let these look", {"security.acls.viewers": ["eve"]}, lambda f: conf(f)["spark.ui.view.acls"] == "eve"),
    # Claims
    *(
        Case(f"mount the claim with {name} in every worker, as a template", {f"mounts.{name}.claim": f"{WHO}-{name}"},
             lambda f, name=name: mounted(f, "worker")[f"airspark-{name}"] == f"/opt/airflow/{name}")  # type: ignore[misc]
        for name in ("data", "output")
    ),
    *(
        Case(f"mount the parent's claim with {name} in every worker", {f"global.claims.{name}": f"shared-{WHO}-{name}"},
             lambda f, name=name: f"shared-airspark-{name}" in mounted(f, "worker"))  # type: ignore[misc]
        for name in ("data", "output")
    ),
    *(
        Case(f"mount the claim with {name} elsewhere", {f"mounts.{name}.claim": name, f"mounts.{name}.mountPath": f"/{name}"},
             lambda f, name=name: mounted(f, "worker")[name] == f"/{name}")  # type: ignore[misc]
        for name in ("data", "output")
    ),
    Case("mount the claim with event logs in the history server alone", {"mounts.events.claim": f"{WHO}-logs"},
         lambda f: mounted(f, "historyServer") == {"airspark-logs": "/opt/spark-events"} and not mounted(f, "worker")),
    Case("mount the parent's claim with event logs", {"mounts.events.claim": "", "global.claims.events": f"{WHO}-events"},
         lambda f: "airspark-events" in mounted(f, "historyServer")),
    Case("read event logs there", {"mounts.events.mountPath": "/logs"},
         lambda f: mounted(f, "historyServer") == {"events": "/logs"}
         and conf(f, "history.conf")["spark.history.fs.logDirectory"] == "file:/logs"),
    # Configuration
    Case("write lines of spark-defaults.conf, as templates", {"sparkConf": {"spark.a": WHO, "spark.b": 7, "spark.c": False}},
         lambda f: [conf(f)[f"spark.{k}"] for k in "abc"] == ["airspark", "7", "false"]),
    Case("go before what the chart writes, false too",
         {"sparkConf": {"spark.ui.reverseProxy": False, "spark.authenticate": False, "spark.deploy.defaultCores": "9"}},
         lambda f: [conf(f)[k] for k in ("spark.ui.reverseProxy", "spark.authenticate", "spark.deploy.defaultCores")]
         == ["false", "false", "9"]),
    Case("restart master and workers by a line of their configuration", {"sparkConf": {"spark.worker.timeout": "30"}},
         lambda f: len({f.pod(*w)["metadata"]["annotations"]["checksum/spark-config"] for w in WORKLOADS.values()}) == 1),
    Case("give every process Java options", {"daemonJavaOptions": "-XX:+UseZGC"},
         lambda f: {env_of(f, p)["SPARK_DAEMON_JAVA_OPTS"] for p in WORKLOADS} == {"-XX:+UseZGC"}),
    Case("give workers Java options after everybody's", {"worker.javaOptions": "-Dx=y", "daemonJavaOptions": "-Da=b"},
         lambda f: env_of(f, "worker")["SPARK_DAEMON_JAVA_OPTS"] == "-Da=b -Dx=y"
         and env_of(f, "master")["SPARK_DAEMON_JAVA_OPTS"] == "-Da=b"),
    Case("give the master options of its own", {"master.configOptions": "-Dspark.deploy.maxDrivers=3"},
         lambda f: env_of(f, "master")["SPARK_MASTER_OPTS"] == "-Dspark.deploy.maxDrivers=3"
         and "SPARK_MASTER_OPTS" not in env_of(f, "worker")),
    Case("give workers options of their own", {"worker.configOptions": "-Dspark.worker.timeout=9"},
         lambda f: env_of(f, "worker")["SPARK_WORKER_OPTS"] == "-Dspark.worker.timeout=9"
         and "SPARK_WORKER_OPTS" not in env_of(f, "master")),
    Case("show each page at its own address", {"ui.reverseProxy.enabled": False},
         lambda f: conf(f)["spark.ui.reverseProxy"] == "false"),
    Case("say the address of the pages", {"ui.reverseProxy.url": "https://spark.example.org"},
         lambda f: conf(f)["spark.ui.reverseProxyUrl"] == "https://spark.example.org"),
    Case("serve shuffle files on each worker", {"shuffleService.enabled": True},
         lambda f: conf(f)["spark.shuffle.service.enabled"] == "true" and opened(f, "worker")["shuffle"] == 7337),
    Case("serve shuffle files on that port", {"shuffleService.enabled": True, "worker.containerPorts.shuffle": 7447},
         lambda f: conf(f)["spark.shuffle.service.port"] == "7447" and opened(f, "worker")["shuffle"] == 7447),
    # The master
    Case("move the master's port everywhere", {"master.containerPorts.cluster": 17077},
         lambda f: opened(f, "master")["cluster"] == service_ports(f, MASTER)["cluster"] == 17077
         and main(f, "worker")["args"][-1] == f"spark://{MASTER}:17077" and "17077" in main(f, "master")["args"]),
    Case("move the master's page everywhere", {"master.containerPorts.http": 18080},
         lambda f: opened(f, "master")["http"] == service_ports(f, MASTER)["http"] == 18080
         and "18080" in main(f, "master")["args"]
         and "18080" in main(f, "master")["readinessProbe"]["exec"]["command"]
         and env(f.main("spark-bootstrap"))["MASTER_UI"] == f"http://{MASTER}:18080"),
    Case("listen for submissions, signed ones alone", REST,
         lambda f: opened(f, "master")["rest"] == service_ports(f, MASTER)["rest"] == 6066
         and conf(f)["spark.master.rest.enabled"] == "true"
         and conf(f)["spark.master.rest.filters"] == "org.apache.spark.ui.JWSFilter"
         and env_of(f, "master")["REST_JWS_KEY"] == {"secretKeyRef": {"name": AUTH, "key": "rest-jws-key"}}
         and env(f.main("spark-bootstrap"))["KEYS"] == "rpc-authentication-secret rest-jws-key"),
    Case("listen for submissions on that port", {**REST, "master.containerPorts.rest": 16066},
         lambda f: opened(f, "master")["rest"] == service_ports(f, MASTER)["rest"] == 16066
         and conf(f)["spark.master.rest.port"] == "16066"),
    Case("remember in files", {"master.recoveryMode": "FILESYSTEM"},
         lambda f: env_of(f, "master")["RECOVERY_MODE"] == "FILESYSTEM"),
    Case("remember nothing on a claim", {"master.persistence.enabled": False},
         lambda f: env_of(f, "master")["RECOVERY_MODE"] == "NONE"
         and "volumeClaimTemplates" not in f.find(*WORKLOADS["master"])["spec"]
         and "recovery" not in {m["name"] for m in main(f, "master")["volumeMounts"]}),
    Case("size the master's claim", {"master.persistence.size": "7Gi"},
         lambda f: f.find(*WORKLOADS["master"])["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]
         == {"storage": "7Gi"}),
    Case("choose the class of the master's claim", {"master.persistence.storageClassName": "fast"},
         lambda f: f.find(*WORKLOADS["master"])["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "fast"),
    Case("annotate the master's Service", {"master.service.annotations": {"a": "b"}},
         lambda f: f.find("Service", MASTER)["metadata"]["annotations"] == {"a": "b"}),
    # Workers
    Case("run that many workers", {"worker.replicaCount": 7}, lambda f: f.find(*WORKLOADS["worker"])["spec"]["replicas"] == 7),
    Case("start workers one after the other", {"worker.podManagementPolicy": "OrderedReady"},
         lambda f: f.find(*WORKLOADS["worker"])["spec"]["podManagementPolicy"] == "OrderedReady"),
    Case("offer that many cores", {"worker.coreLimit": 7}, lambda f: env_of(f, "worker")["SPARK_WORKER_CORES"] == "7"),
    Case("offer the cores of the limit", {"worker.coreLimit": "", "worker.resources.limits.cpu": "3"},
         lambda f: env_of(f, "worker")["SPARK_WORKER_CORES"] == {"resourceFieldRef": {"resource": "limits.cpu"}}),
    Case("offer that much memory", {"worker.memoryLimit": "7g"},
         lambda f: env_of(f, "worker")["SPARK_WORKER_MEMORY"] == "7g" and "MEMORY_LIMIT_MIB" not in env_of(f, "worker")),
    Case("move a worker's port", {"worker.containerPorts.cluster": 17078},
         lambda f: opened(f, "worker")["cluster"] == 17078 and "17078" in main(f, "worker")["args"]),
    Case("move a worker's page everywhere", {"worker.containerPorts.http": 18081},
         lambda f: opened(f, "worker")["http"] == service_ports(f, WORKER)["http"] == 18081
         and "18081" in main(f, "worker")["args"]
         and "18081" in main(f, "worker")["readinessProbe"]["exec"]["command"] and "18081" in pre_stop(f)),
    Case("stop workers without a word", {"worker.decommission.enabled": False},
         lambda f: "lifecycle" not in main(f, "worker") and conf(f)["spark.decommission.enabled"] == "false"),
    Case("hand blocks over until 5 seconds before the end", {"worker.terminationGracePeriodSeconds": 90},
         lambda f: pre_stop(f)[-1] == "85"),
    Case("hand blocks over for a second at least", {"worker.terminationGracePeriodSeconds": 3},
         lambda f: pre_stop(f)[-1] == "1"),
    Case("spill to a claim that lives as long as the pod", {"worker.scratch": {"size": "7Gi", "storageClassName": "fast"}},
         lambda f: (claim := work(f)["ephemeral"]["volumeClaimTemplate"]["spec"])["storageClassName"] == "fast"
         and claim["resources"]["requests"]["storage"] == "7Gi" and claim["accessModes"] == ["ReadWriteOnce"]),
    Case("limit the folder for spills", {"worker.scratch.emptyDir": {"sizeLimit": "7Gi"}},
         lambda f: work(f)["emptyDir"] == {"sizeLimit": "7Gi"}),
    Case("have the number of workers set by load", HPA,
         lambda f: "replicas" not in f.find(*WORKLOADS["worker"])["spec"]
         and autoscaler(f)["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": WORKER}
         and scaled_by(f) == {"cpu": 70}),
    Case("keep the number of workers between these",
         {**HPA, "worker.autoscaling.minReplicas": 3, "worker.autoscaling.maxReplicas": 9},
         lambda f: (autoscaler(f)["minReplicas"], autoscaler(f)["maxReplicas"]) == (3, 9)),
    Case("scale by memory alone", {**HPA, "worker.autoscaling.targetCPU": "", "worker.autoscaling.targetMemory": 60},
         lambda f: scaled_by(f) == {"memory": 60}),
    Case("scale by that much CPU", {**HPA, "worker.autoscaling.targetCPU": 33}, lambda f: scaled_by(f) == {"cpu": 33}),
    Case("scale at that speed", {**HPA, "worker.autoscaling.behavior": {"scaleDown": {"stabilizationWindowSeconds": 7}}},
         lambda f: autoscaler(f)["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 7),
    Case("guard no worker against drains", {"worker.pdb.create": False}, lambda f: WORKER not in f.names("PodDisruptionBudget")),
    Case("let that many workers be away", {"worker.pdb.maxUnavailable": "50%"},
         lambda f: (budget := f.find("PodDisruptionBudget", WORKER)["spec"])["maxUnavailable"] == "50%"
         and "minAvailable" not in budget),
    Case("keep that many workers", {"worker.pdb.minAvailable": 0},
         lambda f: (budget := f.find("PodDisruptionBudget", WORKER)["spec"])["minAvailable"] == 0
         and "maxUnavailable" not in budget),
    # Groups of workers
    Case("run workers of another kind beside the first, which take what is not said from `worker`",
         {f"{GROUP}.replicaCount": 9, "worker.memoryLimit": "5g"},
         lambda f: (spot := f.find("StatefulSet", SPOT)["spec"])["replicas"] == 9
         and spot["selector"]["matchLabels"]["airspark.io/worker-group"] == "spot" and spot["serviceName"] == WORKER
         and env(spot["template"]["spec"]["containers"][0])["SPARK_WORKER_MEMORY"] == "5g"
         and f.find(*WORKLOADS["worker"])["spec"]["selector"]["matchLabels"]["airspark.io/worker-group"] == "default"),
    Case("change a group where it differs, and leave `worker` alone",
         {f"{GROUP}.resources.limits.memory": "9Gi", f"{GROUP}.resources.requests.cpu": "3"},
         lambda f: f.pod("StatefulSet", SPOT)["spec"]["containers"][0]["resources"]
         == {"limits": {"memory": "9Gi"}, "requests": {"cpu": "3", "memory": "640Mi"}}
         and main(f, "worker")["resources"]["limits"]["memory"] == "1792Mi"),
    Case("switch off in a group what `worker` has",
         {f"{GROUP}.decommission.enabled": False, f"{GROUP}.pdb.create": False, f"{GROUP}.replicaCount": 0},
         lambda f: "lifecycle" not in f.pod("StatefulSet", SPOT)["spec"]["containers"][0]
         and SPOT not in f.names("PodDisruptionBudget") and f.find("StatefulSet", SPOT)["spec"]["replicas"] == 0),
    Case("place a group elsewhere",
         {f"{GROUP}.nodeSelector": {"spot": "true"}, f"{GROUP}.tolerations": [{"key": "spot"}], "nodeSelector": {"arch": "a"}},
         lambda f: (spot := f.pod("StatefulSet", SPOT)["spec"])["nodeSelector"] == {"arch": "a", "spot": "true"}
         and spot["tolerations"] == [{"key": "spot"}] and "tolerations" not in spec(f, "worker")),
    Case("scale and guard a group by itself", {f"{GROUP}.autoscaling.enabled": True},
         lambda f: autoscaler(f, SPOT)["scaleTargetRef"]["name"] == SPOT and WORKER not in f.names("HorizontalPodAutoscaler")
         and f.find("PodDisruptionBudget", SPOT)["spec"]["selector"]["matchLabels"]["airspark.io/worker-group"] == "spot"),
    Case("give a group time of its own to stop", {f"{GROUP}.terminationGracePeriodSeconds": 15},
         lambda f: pre_stop(f, SPOT)[-1] == "10" and pre_stop(f)[-1] == "115"),
    Case("leave a group out that is null", {GROUP: None}, lambda f: SPOT not in f.names("StatefulSet")),
    Case("run the same workers once more", {GROUP: {}}, lambda f: f.find("StatefulSet", SPOT)["spec"]["replicas"] == 2),
    # The history server
    Case("run no history server", {"historyServer.enabled": False},
         lambda f: HISTORY not in f.names("Deployment") | f.names("Service")
         and "spark.master.ui.historyServerUrl" not in conf(f)
         and "history.conf" not in f.find("ConfigMap", "airspark-spark-config")["data"]),
    Case("link to the history server there", {"historyServer.url": "https://history.example.org"},
         lambda f: conf(f)["spark.master.ui.historyServerUrl"] == "https://history.example.org"),
    Case("move the history server's page everywhere", {"historyServer.containerPorts.http": 28080},
         lambda f: opened(f, "historyServer")["http"] == service_ports(f, HISTORY)["http"] == 28080
         and conf(f, "history.conf")["spark.history.ui.port"] == "28080"),
    *(
        Case(effect, {f"historyServer.{key}": value},
             lambda f, line=line, value=value: conf(f, "history.conf")[line] == value)  # type: ignore[misc]
        for effect, key, line, value in (
            ("look for new logs so often", "updateInterval", "spark.history.fs.update.interval", "9s"),
            ("remove old logs so often", "cleaner.interval", "spark.history.fs.cleaner.interval", "9h"),
            ("remove logs of that age", "cleaner.maxAge", "spark.history.fs.cleaner.maxAge", "9d"),
        )
    ),
    Case("write lines of the history server's configuration, which go before the chart's",
         {"historyServer.sparkConf": {"spark.history.ui.title": WHO, "spark.history.fs.cleaner.enabled": False}},
         lambda f: conf(f, "history.conf")["spark.history.ui.title"] == "airspark"
         and conf(f, "history.conf")["spark.history.fs.cleaner.enabled"] == "false"),
    # The bootstrap Job
    Case("give the Job up after that many tries", {"bootstrap.backoffLimit": 7},
         lambda f: bootstrap_job(f)["spec"]["backoffLimit"] == 7),
    Case("give the Job resources", {"bootstrap.resources.limits.memory": "77Mi"},
         lambda f: f.main("spark-bootstrap")["resources"]["limits"]["memory"] == "77Mi"),
    Case("place the Job",
         {"bootstrap.nodeSelector": {"a": "b"}, "bootstrap.tolerations": [{"key": "a"}],
          "bootstrap.affinity": {"podAffinity": {}}, "bootstrap.terminationGracePeriodSeconds": 7},
         lambda f: (spec := f.pods["spark-bootstrap"]["spec"])["nodeSelector"] == {"a": "b"}
         and spec["tolerations"] == [{"key": "a"}] and spec["affinity"] == {"podAffinity": {}}
         and spec["terminationGracePeriodSeconds"] == 7),
]  # fmt: skip
TOGETHER = Cases(CASES, chart="spark", base=BASE)


@pytest.mark.parametrize("title", TOGETHER.by_title)
def should_do_what_the_title_says(title: str) -> None:
    TOGETHER.check(title)


def should_name_a_new_bootstrap_job_if_what_it_depends_on_changes() -> None:
    def name(given: Paths) -> str:
        return str(bootstrap_job(Rendered(render(values(given), chart="spark")))["metadata"]["name"])

    changes: list[Paths] = [
        {},
        {"image.repository": "registry.example.org/spark", "image.tag": "7"},
        {"master.rest.enabled": True},
        {"global.imageRevision": "a"},
    ]
    assert len({name(change) for change in changes}) == len(changes)


def should_render_into_the_namespace_of_the_release() -> None:
    found = Rendered(render(chart="spark"))
    assert env(found.main("spark-bootstrap"))["NAMESPACE"] == NAMESPACE
    assert json.loads(env(found.main("spark-bootstrap"))["LABELS"]) == {
        "tier": "spark", "component": "spark-config", "release": "airspark"}  # fmt: skip
