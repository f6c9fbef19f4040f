"""No name stands twice, however names meet: lists of every place of the values are drawn out of the same few names."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from merge_keys import sound
from rendering import LOADER, Object, nested

EVERYTHING: Object = yaml.load((Path(__file__).resolve().parent / "everything-on.yaml").read_text(), Loader=LOADER)
NAMES = [
    "data",
    "output",
    "events",
    "tmp",
    "config",
    "scripts",
    "secrets",
    "dags",
    "spark-conf",
    "work",
    "settings",
    "own",
    "airspark-tmp",
]
PATHS = ["/tmp", "/tmp/", "/data", "/opt/airflow/data", "/opt/airflow/dags", "/opt/airflow/webserver_config.py", "/own", "/"]
VARIABLES = [
    "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__LOGGING__LOGGING_LEVEL", "OTEL_SERVICE_NAME",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC_CMD", "POD_IP", "SPARK_LOCAL_IP", "SPARK_DAEMON_MEMORY", "SPARK_WORKER_CORES",
    "GROOM_DAYS", "DATABASE_URL", "RETENTION", "STARTED_WITH_INI", "NAMESPACE", "OWN",
]  # fmt: skip
AIRFLOW_PLACES = (
    "apiServer", "scheduler", "dagProcessor", "triggerer", "workers", "workers.kubernetes",
    "workers.kubernetes.podTemplates.small", "bootstrap",
    "createUserJob", "migrateDatabaseJob", "cleanup", "databaseCleanup", "backup", "statsd", "pgbouncer",
)  # fmt: skip
SPARK_PLACES = ("master", "worker", "workers.groups.big", "historyServer", "connect")
LABELS = st.dictionaries(
    st.sampled_from(["app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of", "team", "tie"]),
    st.sampled_from(["a", "b"]),
)
#: Refused as texts, because everybody who may read pods would read them.
SECRETS = ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
ENV = st.lists(
    st.builds(
        lambda name, value: (
            {"name": name, "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
            if name in SECRETS
            else {"name": name, "value": value}
        ),
        st.sampled_from(VARIABLES),
        st.sampled_from(["a", "$(POD_IP)", 1, True]),
    ),
    max_size=6,
)
#: Two entries of one list that differ are refused where one of them would be lost.
VOLUMES = st.lists(st.builds(lambda name: {"name": name, "emptyDir": {}}, st.sampled_from(NAMES)), max_size=6)
MOUNTS = st.lists(
    st.builds(lambda name, path: {"name": name, "mountPath": path}, st.sampled_from(NAMES), st.sampled_from(PATHS)),
    max_size=6,
    unique_by=lambda mount: mount["mountPath"].rstrip("/"),
)
CONTAINERS = st.lists(
    st.builds(
        lambda name, variables, mounts, ports: {
            "name": name,
            "image": "a:1",
            "env": [{**item, "value": str(item["value"])} if "value" in item else item for item in variables],
            "volumeMounts": mounts,
            "ports": [{"name": port, "containerPort": number} for port, number in ports],
        },
        st.sampled_from(["proxy", "other"]), ENV, MOUNTS,
        st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 3)), max_size=4),
    ),
    max_size=3,
    unique_by=lambda container: container["name"],
)  # fmt: skip
ALIASES = st.lists(
    st.builds(
        lambda ip, name: {"ip": ip, "hostnames": [name]}, st.sampled_from(["10.0.0.1", "10.0.0.2"]), st.sampled_from(["a", "b"])
    ),
    max_size=4,
)
SPREADS = st.lists(
    st.builds(
        lambda key, when: {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": when},
        st.sampled_from(["zone", "host"]), st.sampled_from(["ScheduleAnyway", "DoNotSchedule"]),
    ),
    max_size=4,
)  # fmt: skip
FIELDS = {
    "airflow": {
        "env": ENV, "extraVolumes": VOLUMES, "extraVolumeMounts": MOUNTS, "labels": LABELS, "extraContainers": CONTAINERS,
        "hostAliases": ALIASES, "topologySpreadConstraints": SPREADS,
    },
    "spark": {
        "extraEnvVars": ENV, "extraVolumes": VOLUMES, "extraVolumeMounts": MOUNTS, "podLabels": LABELS,
        "sidecars": CONTAINERS,
    },
}  # fmt: skip


def _merged(values: Object, more: Object) -> Object:
    """Return values with others laid over them, map by map."""
    both = {
        key: _merged(values[key], item)
        for key, item in more.items()
        if isinstance(item, dict) and isinstance(values.get(key), dict)
    }
    return {**values, **more, **both}


@st.composite
def _mixes(draw: st.DrawFn) -> Object:
    """Draw values for the parent chart with lists in every place at once: a render checks them all."""
    values = EVERYTHING
    for part, places in (("airflow", AIRFLOW_PLACES), ("spark", SPARK_PLACES)):
        for place in places:
            here = {field: draw(kind) for field, kind in FIELDS[part].items() if draw(st.booleans())}
            if part == "spark" and "." not in place:
                here = _merged(here, {"enabled": True} if place in ("connect", "historyServer") else {})
            values = _merged(values, {part: nested(place, here)})
    secrets = [{"envName": item["name"], "secretName": "s", "secretKey": "k"} for item in draw(ENV)]
    pull = [{"name": name} for name in draw(st.lists(st.sampled_from(["a", "b"]), max_size=3))]
    volumes = [{"name": name, "emptyDir": {}} for name in draw(st.permutations(NAMES))]
    airflow = {
        "env": draw(ENV), "secret": secrets, "extraEnv": "\n".join(f"- {json.dumps(item)}" for item in draw(ENV)),
        "labels": draw(LABELS), "volumeMounts": draw(MOUNTS), "imagePullSecrets": pull,
        # Pods are refused whose mounts have no volume; these two have none of `volumes`.
        "volumes": volumes, "statsd": {"extraVolumes": volumes}, "backup": {"extraVolumes": volumes},
    }  # fmt: skip
    operator = {
        "controller": {
            "env": draw(ENV), "volumes": draw(VOLUMES), "volumeMounts": draw(MOUNTS), "sidecars": draw(CONTAINERS),
            "podLabels": draw(LABELS),
        },
        "labels": draw(LABELS), "imagePullSecrets": pull,
    }  # fmt: skip
    spark = {"labels": draw(LABELS), "imagePullSecrets": pull}
    return _merged(values, {"airflow": airflow, "spark": spark, "sparkOperator": operator, "labels": draw(LABELS)})


@settings(
    max_examples=6, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(_mixes())
@example(EVERYTHING)
def should_hold_no_name_twice_however_names_are_mixed(values: Object) -> None:
    """Should hold no name twice in any list or map of the three charts if every place takes names that meet."""
    objects = sound(values, "airspark")
    assert len(objects) > 100
