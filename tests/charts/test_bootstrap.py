"""The bootstrap Job: its name, its inputs, and the scripts it runs."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rendering import CHARTS, Object, env, find, nested, pods, render

SCRIPTS = CHARTS / "airflow" / "files" / "scripts"


def name(values: Object | None = None) -> str:
    """Return the Job's name under some values."""
    return str(find(render(values), "Job", "airspark-bootstrap-")["metadata"]["name"])


def should_be_named_by_eight_characters_of_a_hash() -> None:
    assert re.fullmatch(r"airspark-bootstrap-[0-9a-f]{8}", name())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("airflow.defaultAirflowTag", "9.9.9"),
        ("airflow.images.airflow.repository", "mine"),
        ("airflow.config.core.parallelism", "7"),
        ("airflow.connections.other", {"type": "http", "host": "example"}),
        ("airflow.createUserJob.enabled", False),
        ("airflow.createUserJob.defaultUser.email", "me@example.com"),
        ("airflow.data.metadataConnection.host", "elsewhere"),
        ("airflow.fernetKeySecretName", "mine"),
        ("airflow.bootstrap.resources.limits.memory", "2Gi"),
        ("airflow.bootstrap.backoffLimit", 3),
        ("airflow.bootstrap.podAnnotations", {"a": "b"}),
        ("airflow.nodeSelector", {"a": "b"}),
        ("airflow.labels", {"a": "b"}),
        ("global.imageRevision", "abc"),
    ],
)
def should_run_again_if_what_it_depends_on_changes(path: str, value: Any) -> None:
    assert name(nested(path, value)) != name()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("airflow.scheduler.replicas", 3),
        ("airflow.apiServer.resources.limits.memory", "3Gi"),
        ("airflow.workers.kubernetes.env", [{"name": "A", "value": "b"}]),
        ("airflow.sparkClient.conf", {"spark.x": "y"}),
        ("airflow.logs.persistence.size", "9Gi"),
        ("airflow.postgresql.resources.limits.memory", "1Gi"),
        ("spark.worker.replicaCount", 5),
        ("data.size", "99Gi"),
    ],
)
def should_not_run_again_if_something_else_changes(path: str, value: Any) -> None:
    assert name(nested(path, value)) == name()


def should_stay_when_done() -> None:
    spec = find(render(), "Job", "airspark-bootstrap-")["spec"]
    assert "ttlSecondsAfterFinished" not in spec
    assert spec["template"]["spec"]["restartPolicy"] == "OnFailure"


def should_hold_no_password_in_arguments_or_files() -> None:
    pod = pods(render())["bootstrap"]
    assert env(pod["spec"]["containers"][0])["ADMIN_PASSWORD"]["secretKeyRef"] == {
        "name": "airspark-admin",
        "key": "password",
    }
    for container in pod["spec"]["initContainers"] + pod["spec"]["containers"]:
        assert "password" not in str(container["args"])


def should_make_no_user_if_createuserjob_is_off() -> None:
    objects = render(nested("airflow.createUserJob.enabled", False))
    assert json.loads(find(objects, "ConfigMap", "airspark-bootstrap")["data"]["settings.json"])["user"] is None
    assert "ADMIN_PASSWORD" not in env(pods(objects)["bootstrap"]["spec"]["containers"][0])
    assert "airspark-admin" not in str(find(objects, "Role", "airspark-bootstrap-role"))


def should_render_templates_in_connections() -> None:
    settings = find(render(release="other"), "ConfigMap", "other-bootstrap")["data"]["settings.json"]
    assert json.loads(settings)["connections"]["spark_default"] == {
        "type": "spark",
        "description": "The standalone Spark cluster of this release",
        "host": "spark://other-spark-master",
        "port": 7077,
        "extra": {"deploy-mode": "client"},
    }


def _load(script: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(script, SCRIPTS / f"{script}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Store:
    """Secrets of a namespace, in memory."""

    def __init__(self, **existing: dict[str, str]) -> None:
        self.secrets: dict[str, dict[str, str]] = {key.replace("_", "-"): data for key, data in existing.items()}
        self.lost_race: dict[str, dict[str, str]] = {}

    def get(self, name: str) -> dict[str, str] | None:
        return self.secrets.get(name)

    def create(self, name: str, data: dict[str, str]) -> bool:
        if name in self.lost_race:
            self.secrets[name] = self.lost_race[name]
            return False
        self.secrets[name] = data
        return True


def _specs(values: Object | None = None) -> list[Object]:
    return list(json.loads(find(render(values), "ConfigMap", "airspark-bootstrap")["data"]["secrets.json"]))


def should_make_every_secret_that_a_pod_reads_with_its_key() -> None:
    create_secrets, store = _load("create_secrets"), Store()
    for spec in _specs():
        assert create_secrets.ensure(store, spec) == f"Secret {spec['name']}: created"
    for component, pod in pods(render()).items():
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            for value in env(container).values():
                if isinstance(value, dict) and "secretKeyRef" in value:
                    reference = value["secretKeyRef"]
                    assert store.secrets[reference["name"]][reference["key"]], component


def should_make_keys_that_their_users_accept() -> None:
    create_secrets, store = _load("create_secrets"), Store()
    for spec in _specs():
        create_secrets.ensure(store, spec)
    password = store.secrets["airspark-postgresql"]["password"]
    assert store.secrets["airspark-metadata"]["connection"] == (
        f"postgresql://airflow:{password}@airspark-postgresql.airspark.svc:5432/airflow?sslmode=disable"
    )
    assert len(base64.urlsafe_b64decode(store.secrets["airspark-fernet-key"]["fernet-key"])) == 32
    assert len(store.secrets["airspark-jwt-secret"]["jwt-secret"]) >= 43
    assert store.secrets["airspark-admin"]["username"] == "admin"
    assert len(store.secrets["airspark-admin"]["password"]) >= 43


def should_change_no_secret_that_exists() -> None:
    create_secrets, store = _load("create_secrets"), Store()
    for spec in _specs():
        create_secrets.ensure(store, spec)
    before = {key: dict(data) for key, data in store.secrets.items()}
    for spec in _specs():
        assert create_secrets.ensure(store, spec) == f"Secret {spec['name']}: kept"
    assert store.secrets == before


def should_use_the_password_of_an_existing_database_secret() -> None:
    store = Store(airspark_postgresql={"password": "p/w@1"})
    for spec in _specs()[:2]:
        _load("create_secrets").ensure(store, spec)
    assert "airflow:p%2Fw%401@" in store.secrets["airspark-metadata"]["connection"]


def should_keep_the_secret_of_whoever_was_faster() -> None:
    store = Store()
    store.lost_race["airspark-fernet-key"] = {"fernet-key": "theirs"}
    spec = next(spec for spec in _specs() if spec["name"] == "airspark-fernet-key")
    assert _load("create_secrets").ensure(store, spec) == "Secret airspark-fernet-key: kept"
    assert store.secrets["airspark-fernet-key"] == {"fernet-key": "theirs"}


def should_say_which_key_a_secret_lacks() -> None:
    create_secrets = _load("create_secrets")
    store = Store(airspark_fernet_key={"other": "x"})
    spec = next(spec for spec in _specs() if spec["name"] == "airspark-fernet-key")
    with pytest.raises(create_secrets.SecretError, match="Secret airspark-fernet-key exists and lacks the key fernet-key"):
        create_secrets.ensure(store, spec)


def should_wait_for_a_secret_that_is_brought_and_then_name_it() -> None:
    create_secrets = _load("create_secrets")
    specs = _specs(nested("airflow.jwtSecretName", "mine"))
    spec = next(spec for spec in specs if spec["name"] == "mine")
    with pytest.raises(create_secrets.SecretError, match="Secret mine is named in the values, and does not exist"):
        create_secrets.ensure(Store(), spec, wait_seconds=-1)
    assert create_secrets.ensure(Store(mine={"jwt-secret": "x"}), spec) == "Secret mine: kept"


def should_find_the_newest_revision_among_migration_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", ModuleType("psycopg2"))
    wait = _load("wait_for_migrations")
    (tmp_path / "0001.py").write_text('revision = "aaa"\ndown_revision = None\n')
    (tmp_path / "0002.py").write_text("revision: str = 'bbb'\ndown_revision: str = 'aaa'\n")
    (tmp_path / "0003.py").write_text('revision = "ccc"\ndown_revision = ("bbb", "aaa")\n')
    (tmp_path / "__init__.py").write_text("")
    assert wait.head(tmp_path) == "ccc"
    (tmp_path / "0004.py").write_text('revision = "ddd"\ndown_revision = "bbb"\n')
    with pytest.raises(ValueError, match="2 newest revisions"):
        wait.head(tmp_path)


def should_lock_with_the_same_key_in_both_scripts() -> None:
    texts = [(SCRIPTS / file).read_text() for file in ("bootstrap.py", "wait_for_migrations.py")]
    assert len({re.findall(r"^LOCK_KEY = .*$", text, flags=re.MULTILINE)[0] for text in texts}) == 1
