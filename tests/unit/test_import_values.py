"""`make import-values`: what it writes, what it prints, and what it says of files it cannot take."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from airspark import cli
from airspark.importing import command, report
from airspark.importing.translate import translate
from airspark.importing.work import CHANGED, DROPPED, KEPT, RENAMED, SECRET, Imported
from airspark.project import ROOT, Failure
from airspark.values import shape
from airspark.values.reading import lookup, read

HELM = Path(os.environ.get("AIRSPARK_HELM") or shutil.which("helm") or "helm")
PASSWORD = "not-a-real-password"
OFFICIAL = {
    "executor": "KubernetesExecutor",
    "fernetKey": PASSWORD,
    "dags": {
        "gitSync": {
            "enabled": True,
            "repo": "git@git.example.org:a/b.git",
            "sshKey": f"-----BEGIN\n{PASSWORD}\n-----END\n",
            "knownHosts": "git.example.org ssh-ed25519 AAAA",
        }
    },
    "scheduler": {"replicas": 2},
    "redis": {"password": PASSWORD},
    "config": {"ldap": {"bind_password": PASSWORD}},
}


def rows(imported: Imported) -> dict[str, tuple[str, str]]:
    """What is said of each key."""
    return {row.key: (row.what, row.note) for row in imported.rows}


@pytest.fixture(autouse=True)
def _helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.tools, "locate", lambda name: HELM)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command in this process; return its exit code and what it said on both outputs."""
    before, sys.argv = sys.argv, ["airspark", "import-values", *arguments]
    try:
        with pytest.raises(SystemExit) as caught:
            cli.main()
    finally:
        sys.argv = before
    said = capsys.readouterr()
    return int(caught.value.code or 0), said.out, said.err


def test_should_write_a_file_that_installs_and_secrets_that_only_the_user_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin, out = tmp_path / "official.yaml", tmp_path / "mine.yaml"
    origin.write_text(yaml.safe_dump(OFFICIAL))
    code, said, errors = run(capsys, str(origin), "--out", str(out))
    assert code == 0 and not errors
    values = read(out)
    assert values["airflow"]["scheduler"] == {"replicas": 2} and values["airflow"]["fernetKeySecretName"] == "imported-fernet-key"
    assert PASSWORD not in out.read_text() + said
    key = tmp_path / "mine.secrets/imported-git-ssh/gitSshKey"
    assert key.read_text() == OFFICIAL["dags"]["gitSync"]["sshKey"]  # type: ignore[index]
    for path in [key, *key.parents[:2]]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert f"VALUES={out}" in said and "Make the Secrets first" in said


def test_should_name_a_kubectl_command_for_each_secret_whose_files_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin, out = tmp_path / "official.yaml", tmp_path / "mine.yaml"
    registry = {"connection": {"user": "u", "pass": PASSWORD, "host": "registry.example.org"}}
    origin.write_text(yaml.safe_dump({**OFFICIAL, "registry": registry}))
    _, said, _ = run(capsys, str(origin), "--out", str(out))
    commands = [shlex.split(line) for line in said.splitlines() if line.startswith("kubectl create secret generic")]
    assert {words[4] for words in commands} == {
        "imported-fernet-key",
        "imported-git-ssh",
        "imported-environment",
        "imported-registry",
    }
    for words in commands:
        files = [word.removeprefix("--from-file=") for word in words if word.startswith("--from-file=")]
        assert files and all(Path(file.split("=", 1)[1]).is_file() for file in files)
        assert ("--type=kubernetes.io/dockerconfigjson" in words) == (words[4] == "imported-registry")


def test_should_print_a_line_for_each_key_with_what_became_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    origin = tmp_path / "official.yaml"
    origin.write_text(yaml.safe_dump(OFFICIAL))
    _, said, _ = run(capsys, str(origin), "--out", str(tmp_path / "mine.yaml"))
    lines = {line.split()[0]: line for line in said.splitlines() if line.strip()}
    for key, what in (("scheduler.replicas", KEPT), ("redis", DROPPED), ("fernetKey", SECRET), ("dags.gitSync.sshKey", SECRET)):
        assert what in lines[key]


def test_should_change_nothing_that_is_there_without_being_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    origin, out = tmp_path / "official.yaml", tmp_path / "mine.yaml"
    origin.write_text(yaml.safe_dump(OFFICIAL))
    out.write_text("mine: 1\n")
    code, _, errors = run(capsys, str(origin), "--out", str(out))
    assert code == 1 and "is there already and was not changed" in errors and "FORCE=1" in errors
    assert out.read_text() == "mine: 1\n" and not (tmp_path / "mine.secrets").exists()
    assert run(capsys, str(origin), "--out", str(out), "--force")[0] == 0 and "airflow:" in out.read_text()
    out.unlink()
    code, _, errors = run(capsys, str(origin), "--out", str(out))
    assert code == 1 and "mine.secrets is there already" in errors and not out.exists()
    code, _, errors = run(capsys, str(origin), "--out", str(origin), "--force")
    assert code == 1 and "is the official file itself" in errors
    code, _, errors = run(capsys, str(origin), "--out", str(tmp_path / "none/mine.yaml"))
    assert code == 1 and "does not exist" in errors and "mkdir -p" in errors


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1", "line 1, column 6 is not YAML"),
        ("- a", "is a list where a map of values is expected"),
        ("", "sets no value"),
        ("executor: 1\n---\na: 1", "has 2 documents"),
        ("spark: {}\nairflow: {}", "is a values file of charts/airspark already"),
        ("airflow: {image: {tag: 2.8.4}, executor: CeleryExecutor}\nweb: {}", "of Bitnami's or the community's Airflow chart"),
        ("airflow: {executor: CeleryExecutor}\nworkers: {}", "as the community's Airflow chart"),
        ("externalDatabase: {host: a}\nexecutor: CeleryExecutor", "not of the official Airflow chart"),
        ("image: nginx\nreplicaCount: 2", "has no key of the official Airflow chart; its keys are image, replicaCount"),
        ("scheduler: [a]", "scheduler is a list where the official chart has a map"),
        ("scheduler: {replicas: two}", "scheduler.replicas: it is a text, and a whole number is expected"),
        ("env: {A: b}", "env: it is a map, and a list is expected"),
        ("executor: KubernetesExecutor\nextraEnv: '{{ .Values.x '", "extraEnv: its template does not work"),
    ],
)
def test_should_say_in_a_sentence_why_a_file_cannot_be_imported(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = tmp_path / "official.yaml"
    origin.write_text(text)
    code, said, errors = run(capsys, str(origin), "--out", str(tmp_path / "mine.yaml"))
    assert code == 1 and sentence in errors.replace("\n  ", " ") and "Traceback" not in errors and not said
    assert not (tmp_path / "mine.yaml").exists()


def test_should_need_no_helm(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.tools, "locate", lambda name: None)
    monkeypatch.setattr(command.tools, "ensure", lambda name: pytest.fail("Helm would be built"))
    origin = tmp_path / "official.yaml"
    origin.write_text("executor: KubernetesExecutor\nscheduler: {replicas: 2}\n")
    code, said, errors = run(capsys, str(origin), "--out", str(tmp_path / "mine.yaml"))
    assert code == 0 and "2 keys kept" in said and "the charts have not looked at the result yet" in errors


def test_should_say_what_is_missing_if_there_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "FILE is missing" in run(capsys, "")[2]
    said = run(capsys, str(tmp_path / "none.yaml"))[2]
    assert "does not exist" in said and "make import-values FILE=" in said and "make up" not in said


def test_should_end_with_a_code_if_it_dropped_a_key_that_no_chart_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    origin, out = tmp_path / "official.yaml", tmp_path / "mine.yaml"
    origin.write_text("executor: KubernetesExecutor\nschedulr: {replicas: 2}\nscheduler: {replica: 2}\n")
    code, _, errors = run(capsys, str(origin), "--out", str(out))
    assert code == 1 and out.is_file()
    assert f"2 keys are not in {out}, because no chart has them: " in errors.replace("\n", " ")
    assert "schedulr" in errors and "scheduler.replica" in errors


def test_should_make_secrets_of_variables_of_extra_env_and_of_components() -> None:
    done = imported(
        {
            "extraEnv": f"- {{name: AIRFLOW_CONN_X, value: 'http://u:{PASSWORD}@h'}}\n- {{name: TZ, value: Asia/Seoul}}\n",
            "scheduler": {
                "env": [{"name": "API_TOKEN", "value": PASSWORD}, {"name": "PROXY", "value": f"http://u:{PASSWORD}@p"}]
            },
            "workers": {"env": [{"name": "MODE", "value": "a"}, {"name": "ADDRESS", "value": "http://u:$(PW)@h"}]},
        }
    )
    values = done.values["airflow"]
    assert PASSWORD not in json.dumps(values)
    reference = {"secretKeyRef": {"name": "imported-environment", "key": "AIRFLOW_CONN_X"}}
    assert yaml.safe_load(values["extraEnv"]) == [
        {"name": "AIRFLOW_CONN_X", "valueFrom": reference},
        {"name": "TZ", "value": "Asia/Seoul"},
    ]
    assert "secret" not in values
    names = [item["valueFrom"]["secretKeyRef"]["key"] for item in values["scheduler"]["env"]]
    assert names == ["API_TOKEN", "PROXY"] and "valueFrom" not in values["workers"]["env"][1]
    assert {path: what for path, (what, _) in rows(done).items() if what == SECRET} == {
        "extraEnv[0]": SECRET,
        "scheduler.env[0]": SECRET,
        "scheduler.env[1]": SECRET,
    }
    assert sum(PASSWORD in content for secret in done.secrets for content in secret.data.values()) == 3


def test_should_make_a_secret_of_a_password_within_an_option() -> None:
    backend = json.dumps({"url": "https://vault", "token": PASSWORD})
    done = imported(
        {"config": {"secrets": {"backend_kwargs": backend, "backend": "x.Y"}, "sentry": {"dsn": f"https://a:{PASSWORD}@s"}}}
    )
    values = done.values["airflow"]
    assert PASSWORD not in json.dumps(values) and values["config"] == {"secrets": {"backend": "x.Y"}}
    assert [item["envName"] for item in values["secret"]] == ["AIRFLOW__SECRETS__BACKEND_KWARGS", "AIRFLOW__SENTRY__DSN"]
    plain = json.dumps({"connections_prefix": "airflow/connections", "url": "https://vault"})
    kept = imported({"config": {"secrets": {"backend_kwargs": plain}}}).values["airflow"]
    assert kept["config"]["secrets"]["backend_kwargs"] == plain and "secret" not in kept


@pytest.mark.parametrize("value", [[PASSWORD], {"a": PASSWORD}])
def test_should_refuse_a_key_that_is_not_a_text(value: Any) -> None:
    with pytest.raises(Failure, match="webserverSecretKey is a (list|map) where the official chart has a text"):
        imported({"webserverSecretKey": value})


def test_should_name_what_is_left_to_decide_and_end_with_a_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    origin, out = tmp_path / "official.yaml", tmp_path / "mine.yaml"
    origin.write_text("executor: KubernetesExecutor\npostgresql: {enabled: false}\n")
    code, _, errors = run(capsys, str(origin), "--out", str(out))
    assert code == 1 and "1 left for you to decide" in errors and "airflow.data.metadataSecretName: " in errors and out.is_file()


def imported(values: dict[str, Any]) -> Imported:
    """Values translated, which must fit the schema."""
    done = translate({"executor": "KubernetesExecutor", **values})
    assert shape.problems(done.values) == []
    return done


def test_should_read_values_below_airflow_as_a_chart_that_holds_the_official_one_has_them() -> None:
    done = translate({"airflow": {"executor": "KubernetesExecutor", "scheduler": {"replicas": 2}}, "global": {}})
    assert done.values["airflow"] == {"executor": "KubernetesExecutor", "scheduler": {"replicas": 2}}


def test_should_read_what_helm_get_values_prints() -> None:
    assert translate({"USER-SUPPLIED VALUES": None, "uid": 1000}).values["airflow"]["uid"] == 1000


def test_should_keep_keys_of_ones_own_and_drop_misspelt_ones_with_a_proposal() -> None:
    done = imported(
        {"x-common": {"a": 1}, "myPath": "/a", "extraEnv": "- {name: A, value: '{{ .Values.myPath }}'}", "schedulers": {}}
    )
    assert done.values["airflow"]["myPath"] == "/a" and "schedulers" not in done.values["airflow"]
    assert rows(done)["schedulers"] == (DROPPED, "not a key of the official chart; did you mean `scheduler`?")
    nested = imported({"scheduler": {"replica": 2}, "apiServer": {"oldKey": True}})
    assert rows(nested)["scheduler.replica"] == (DROPPED, "this chart has no such key; did you mean `replicas`?")
    assert rows(nested)["apiServer.oldKey"][0] == DROPPED


def test_should_drop_keys_with_dots_that_are_not_known() -> None:
    done = imported({"scheduler": {"a.b/c": 1, "replicas": 2}, "webserver": {"x.y": 1}})
    assert done.values["airflow"]["scheduler"] == {"replicas": 2} and "webserver" not in done.values["airflow"]


def test_should_write_out_the_official_defaults_that_differ_here() -> None:
    done = imported({"postgresql": {"enabled": False}, "data": {"metadataConnection": {"host": "db", "pass": PASSWORD}}})
    connection = done.values["airflow"]["data"]["metadataConnection"]
    assert (connection["user"], connection["db"]) == ("postgres", "postgres")
    assert imported({"statsd": {"resources": {}}}).values["airflow"]["statsd"]["enabled"] is True
    assert translate({"uid": 1}).values["airflow"]["executor"] == "KubernetesExecutor"


def test_should_take_the_chart_that_is_set_over_the_older_name() -> None:
    done = imported({"webserver": {"replicas": 3, "resources": {}}, "apiServer": {"replicas": 2}})
    assert done.values["airflow"]["apiServer"]["replicas"] == 2
    assert rows(done)["webserver.replicas"] == (DROPPED, "`apiServer.replicas` is set, and counts")


@pytest.mark.parametrize(
    ("values", "key", "what"),
    [
        ({"images": {"airflow": {"tag": "3.3.2"}}}, "images.airflow.tag", DROPPED),
        ({"images": {"airflow": {"repository": "apache/airflow", "tag": "3.3.2"}}}, "images.airflow.repository", DROPPED),
        ({"images": {"airflow": {"repository": "r.example.org/a", "tag": "3.3.2"}}}, "images.airflow.repository", CHANGED),
        ({"images": {"airflow": {"repository": "r.example.org/a", "tag": "2.9.3"}}}, "images.airflow.tag", DROPPED),
        ({"defaultAirflowRepository": "r.example.org/a"}, "defaultAirflowRepository", CHANGED),
        ({"images": {"pgbouncer": {"repository": "apache/airflow", "tag": "p"}}}, "images.pgbouncer.repository", DROPPED),
        ({"images": {"statsd": {"repository": "r.example.org/statsd", "tag": "p"}}}, "images.statsd.repository", KEPT),
        ({"createUserJob": {"defaultUser": {"password": "admin"}}}, "createUserJob.defaultUser.password", DROPPED),
        ({"data": {"metadataConnection": {"pass": "postgres"}}}, "data.metadataConnection.pass", DROPPED),
        ({"logs": {"persistence": {"enabled": False}}}, "logs.persistence.enabled", DROPPED),
        ({"kerberos": {"enabled": True}}, "kerberos", DROPPED),
        ({"securityContext": {"runAsUser": 1}}, "securityContext", KEPT),
        ({"env": [{"name": "AIRFLOW_CONN_A", "value": "http://u:p@h"}]}, "env[0]", SECRET),
        ({"config": {"core": {"sql_alchemy_conn": "postgresql://u:p@h/d"}}}, "config.database.sql_alchemy_conn", SECRET),
        ({"dags": {"gitSync": {"wait": 60}}}, "dags.gitSync.wait", RENAMED),
    ],
)
def test_should_decide_about_a_key(values: dict[str, Any], key: str, what: str) -> None:
    assert rows(imported(values))[key][0] == what


def test_should_take_a_search_indexs_password_out_of_its_address() -> None:
    connection = {"scheme": "https", "user": "elastic", "pass": "p@ss/word", "host": "search", "port": 9243}
    done = imported({"elasticsearch": {"enabled": True, "connection": connection}})
    assert done.values["airflow"]["elasticsearch"] == {"enabled": True, "secretName": "imported-elasticsearch"}
    assert done.secrets[0].data == {"connection": "https://elastic:p%40ss%2Fword@search:9243"}


CONTRACT = yaml.safe_load((ROOT / "tests/charts/contract.yaml").read_text())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(sorted(CONTRACT)), min_size=1, max_size=25, unique=True))
def test_should_translate_any_keys_of_the_official_chart_into_values_that_fit_the_schema(keys: list[str]) -> None:
    values: dict[str, Any] = {}
    for key in keys:
        *parents, last = key.split(".")
        part = values
        for name in parents:
            part = part.setdefault(name, {})
        part[last] = CONTRACT[key]["example"]
    before = json.dumps(values)
    done = translate(values)
    assert shape.problems(done.values) == [] and json.dumps(values) == before
    said = {row.key for row in done.rows}
    for key in keys:
        assert any(
            key == row or key.startswith((f"{row}.", f"{row}[")) or row.startswith((f"{key}.", f"{key}[")) for row in said
        ), key
    text = report.document(done.values, "a.yaml")
    assert yaml.safe_load(text) == json.loads(json.dumps(done.values))
    for key in keys:
        if CONTRACT[key]["status"] == "same" and not any(row.key == key and row.what != KEPT for row in done.rows):
            assert lookup(done.values["airflow"], key) == CONTRACT[key]["example"], key


def test_should_refuse_mysql_with_a_sentence() -> None:
    with pytest.raises(Failure, match="MySQL"):
        translate({"data": {"metadataConnection": {"protocol": "mysql", "host": "db"}}})
