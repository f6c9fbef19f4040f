"""`make import-values`: which texts become Secrets, and what is said of those that cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from airspark import cli
from airspark.importing import command, looks, report
from airspark.importing import translate as translating
from airspark.importing.translate import translate
from airspark.importing.work import DROPPED, OPEN, SECRET, Imported, NewSecret
from airspark.project import ROOT, Failure
from airspark.values import shape

SECRET_TEXT = "not-a-real-password"
OFFICIAL = [path for path in sorted((ROOT / "tests/charts/official-imports").glob("*.yaml")) if ".expected" not in path.name]
CONTRACT = yaml.safe_load((ROOT / "tests/charts/contract.yaml").read_text())


def imported(values: dict[str, Any]) -> Imported:
    """Values translated, which must fit the schema."""
    done = translate({"executor": "KubernetesExecutor", **values})
    assert shape.problems(done.values) == []
    return done


def said(done: Imported) -> dict[str, str]:
    """What became of each key."""
    return {row.key: row.what for row in done.rows}


def contents(done: Imported) -> dict[str, dict[str, str]]:
    """The contents of each Secret."""
    return {secret.name: secret.data for secret in done.secrets}


def reference(key: str, name: str = "imported-environment") -> dict[str, Any]:
    """A variable that comes out of a Secret."""
    return {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def test_should_leave_a_variable_where_it_is_if_another_refers_to_it() -> None:
    url = {"name": "AIRFLOW_CONN_X", "value": "postgresql://u:$(DB_PASSWORD)@h/d"}
    done = imported({"env": [{"name": "DB_PASSWORD", "value": SECRET_TEXT}, url]})
    assert done.values["airflow"]["env"] == [reference("DB_PASSWORD"), url]
    assert contents(done) == {"imported-environment": {"DB_PASSWORD": SECRET_TEXT}} and "secret" not in done.values["airflow"]


TEXT = """\
# comment
- name: LONG
  value: '{{ printf "https://%s.some-very-long-host-name.example.com/a b to go over" .Release.Name }}'
- name: MY_API_TOKEN
  value: "not-a-real-password"   # ours
- name: MULTI_PASSWORD
  value: |
    not-a-real-password
    of "two" 'lines'
- {name: PY, value: "0123"}
{{/* hello */}}
"""


def test_should_leave_the_rest_of_extra_env_as_it_is_if_a_variable_becomes_a_secret() -> None:
    text = TEXT.replace("{{/* hello */}}\n", "")
    done = imported({"extraEnv": text})
    expected = text.replace(
        'value: "not-a-real-password"', 'valueFrom: {secretKeyRef: {name: imported-environment, key: "MY_API_TOKEN"}}'
    ).replace(
        "value: |\n    not-a-real-password\n    of \"two\" 'lines'\n",
        'valueFrom: {secretKeyRef: {name: imported-environment, key: "MULTI_PASSWORD"}}\n',
    )
    assert done.values["airflow"]["extraEnv"] == expected
    assert contents(done)["imported-environment"]["MULTI_PASSWORD"] == f"{SECRET_TEXT}\nof \"two\" 'lines'\n"


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "{{- range list 1 }}\n- name: A_PASSWORD\n  value: not-a-real-password\n{{- end }}\n",
        "- name: A_TOKEN\n  value: {{ .Values.x }}\n",
        "- name: A\n  value: b\n# - name: A_PASSWORD\n#   value: not-a-real-password\n",
        "- name: A\n  value: {{ .Values.x }}\n- name: B\n  value: https://u:not-a-real-password@h\n",
        "- name: A_PASSWORD\n  value: '{{ .Values.x }}'\n",
    ],
)
def test_should_name_a_secret_that_extra_env_keeps(text: str) -> None:
    done = imported({"extraEnv": text})
    assert OPEN in [row.what for row in done.rows if row.key.startswith("extraEnv")]
    assert SECRET_TEXT not in str(done.rows) and done.values["airflow"]["extraEnv"] == text


def test_should_refuse_a_secret_that_it_cannot_cut_out_of_extra_env() -> None:
    with pytest.raises(Failure, match=r"extraEnv\[1\]: a password stands in this text"):
        imported({"extraEnv": f"- {{name: A, value: &a {SECRET_TEXT}}}\n- {{name: B_PASSWORD, value: *a}}\n"})


@pytest.mark.parametrize(
    "path",
    [
        "createUserJob", "migrateDatabaseJob", "cleanup", "databaseCleanup", "statsd", "pgbouncer", "scheduler.waitForMigrations",
        "scheduler.logGroomerSidecar", "workers.kubernetes", "triggerer",
    ],
)  # fmt: skip
def test_should_make_secrets_of_the_variables_of_any_component(path: str) -> None:
    values: Any = {"env": [{"name": "A_PASSWORD", "value": SECRET_TEXT}, {"name": "B", "value": "c"}]}
    for name in reversed(path.split(".")):
        values = {name: values}
    done = imported(values)
    name = f"imported-{path.replace('.', '-').lower()}-environment"
    assert contents(done) == {name: {"A_PASSWORD": SECRET_TEXT}}
    assert SECRET_TEXT not in json.dumps(done.values) and said(done)[f"{path}.env[0]"] == SECRET


def test_should_make_secrets_of_the_variables_of_a_container_of_ones_own() -> None:
    container = {"name": "s", "image": "b", "env": [{"name": "A_PASSWORD", "value": SECRET_TEXT}]}
    done = imported({"scheduler": {"extraContainers": [container]}})
    assert SECRET_TEXT not in json.dumps(done.values) and len(done.secrets) == 1


@pytest.mark.parametrize(
    "name", ["DB_PASS", "DB_PWD", "MY_APIKEY", "aws_secret_access_key", "myApiKey", "db_password", "PASS", "GITHUB_PAT"]
)
def test_should_know_a_secret_by_its_name(name: str) -> None:
    assert contents(imported({"env": [{"name": name, "value": SECRET_TEXT}]})) == {"imported-environment": {name: SECRET_TEXT}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMPASS", "a"), ("PWD", "/a"), ("TOKENIZERS_PARALLELISM", "false"), ("TOKENIZERS_PARALLELISM", True), ("A", "b"),
        ("SSH_PUBLIC_KEY", "a"), ("A_SECRET_NAME", "a"), ("A_PASSWORD", ""), ("A_PASSWORD", "$(B)"),
    ],
)  # fmt: skip
def test_should_leave_a_variable_that_is_no_secret(name: str, value: Any) -> None:
    done = imported({"env": [{"name": name, "value": value}]})
    assert not done.secrets and OPEN not in said(done).values()


def test_should_name_a_password_beside_a_reference() -> None:
    assert said(imported({"env": [{"name": "A", "value": "http://u:hush@$(HOST)/"}]}))["env[0]"] == OPEN


def test_should_name_the_variable_as_airflow_does_if_a_section_has_a_dot() -> None:
    done = imported({"config": {"my.section": {"my_token": SECRET_TEXT, "other": 1}}})
    assert done.values["airflow"]["config"] == {"my.section": {"other": 1}}
    assert contents(done) == {"imported-environment": {"AIRFLOW__MY_SECTION__MY_TOKEN": SECRET_TEXT}}


@pytest.mark.parametrize(
    ("login", "data"),
    [
        ("bot:TOKEN", {"GITSYNC_USERNAME": "bot", "GITSYNC_PASSWORD": "TOKEN"}),
        ("bot:a%40b", {"GITSYNC_USERNAME": "bot", "GITSYNC_PASSWORD": "a@b"}),
        ("ghp_0123456789012345", {"GITSYNC_USERNAME": "git", "GITSYNC_PASSWORD": "ghp_0123456789012345"}),
    ],
)
def test_should_make_a_secret_of_the_login_in_the_repositorys_address(login: str, data: dict[str, str]) -> None:
    done = imported({"dags": {"gitSync": {"enabled": True, "repo": f"https://{login}@github.com/a/b.git"}}})
    sync = done.values["airflow"]["dags"]["gitSync"]
    assert (sync["repo"], sync["credentialsSecret"]) == ("https://github.com/a/b.git", "imported-git-login")
    assert contents(done) == {"imported-git-login": data}


@pytest.mark.parametrize("repo", ["https://org@dev.azure.com/org/a", "git@github.com:a/b.git", "ssh://git@github.com/a/b.git"])
def test_should_leave_the_repositorys_address_if_it_holds_no_password(repo: str) -> None:
    done = imported({"dags": {"gitSync": {"enabled": True, "repo": repo}}})
    assert done.values["airflow"]["dags"]["gitSync"]["repo"] == repo and not done.secrets


def test_should_take_the_login_off_the_repositorys_address_if_a_secret_is_named() -> None:
    done = imported({"dags": {"gitSync": {"repo": "https://bot:TOKEN@h/a", "credentialsSecret": "mine"}}})
    assert done.values["airflow"]["dags"]["gitSync"] == {"repo": "https://h/a", "credentialsSecret": "mine"} and not done.secrets


@pytest.mark.parametrize(
    "values",
    [
        {"extraObjects": [{"kind": "ConfigMap", "data": {"url": "http://u:not-a-real-password@h"}}]},
        {"extraConfigMaps": {"a": {"data": "password: not-a-real-password\n"}}},
        {"airflowLocalSettings": "SECRET_KEY = 'not-a-real-password'\n"},
        {"myApp": {"dbPassword": "not-a-real-password"}},
        {"podTemplate": "env:\n- name: A\n  value: http://u:not-a-real-password@h\n"},
    ],
)
def test_should_name_any_password_that_stays_in_the_values(values: dict[str, Any]) -> None:
    done = imported(values)
    assert OPEN in said(done).values() and SECRET_TEXT not in str(done.rows)


@pytest.mark.parametrize(
    ("values", "key", "names"),
    [
        ({"config": {"core": {"fernet_key": "{{ .Values.x }}"}}}, "config.core.fernet_key", "fernetKeySecretName"),
        ({"fernetKey": "{{ .Values.x }}"}, "fernetKey", "fernetKeySecretName"),
        (
            {"config": {"database": {"sql_alchemy_conn": "postgresql://{{ .Values.u }}:x@h/db"}}},
            "config.database.sql_alchemy_conn",
            "data.metadataSecretName",
        ),
        ({"config": {"mine": {"my_token": "{{ .Values.x }}"}}}, "config.mine.my_token", "AIRFLOW__MINE__MY_TOKEN"),
        ({"env": [{"name": "A_TOKEN", "value": "{{ .Values.x }}"}]}, "env[0]", "valueFrom"),
        ({"registry": {"connection": {"pass": "{{ .Values.x }}"}}}, "registry.connection", "imagePullSecrets"),
        ({"elasticsearch": {"connection": {"pass": "{{ .Values.x }}"}}}, "elasticsearch.connection", "elasticsearch.secretName"),
    ],
)
def test_should_ask_for_a_secret_of_the_rendered_text_if_a_template_gives_it(values: Any, key: str, names: str) -> None:
    done = imported(values)
    (note,) = [row.note for row in done.rows if row.key == key]
    assert said(done)[key] == OPEN and names in note and "rendered text" in note
    assert not any("{{" in content for secret in done.secrets for content in secret.data.values())


@pytest.mark.parametrize("name", ["../../../../tmp/x_PASSWORD", "MY PASSWORD", "A=B_PASSWORD", "ä_PASSWORD"])
def test_should_refuse_a_name_that_no_key_of_a_secret_can_have(name: str) -> None:
    item = {"name": name, "value": SECRET_TEXT}
    for values in (
        {"env": [item]},
        {"scheduler": {"env": [item]}},
        {"extraEnv": json.dumps([item])},
        {"config": {name: {"a_token": "b"}}},
    ):
        with pytest.raises(Failure, match="cannot come out of a Secret"):
            imported(values)


def test_should_write_no_file_outside_the_folder(tmp_path: Path) -> None:
    for key in ("../x", "a/b", "..", "/x"):
        done = Imported({}, [], [NewSecret("a", {key: SECRET_TEXT}, "env[0]")])
        with pytest.raises(Failure, match="is no key of a Secret"):
            report.write(done, tmp_path / "a.yaml", tmp_path / "b.yaml", force=False)
    assert not list(tmp_path.iterdir())


def test_should_take_the_value_that_counts_if_a_variable_is_set_in_several_places() -> None:
    name = "AIRFLOW__MINE__MY_TOKEN"
    given = {
        "config": {"mine": {"my_token": "one"}},
        "env": [{"name": name, "value": "two"}],
        "secret": [{"envName": name, "secretName": "mine", "secretKey": "k"}],
        "extraEnv": f"- {{name: {name}, value: three}}\n",
    }
    done = imported(given)
    values = done.values["airflow"]
    assert contents(done) == {"imported-environment": {name: "three"}}
    assert yaml.safe_load(values["extraEnv"]) == [reference(name)] and values["secret"] == given["secret"]
    assert not {"env", "config"} & set(values)
    assert said(done)["config.mine.my_token"] == said(done)["env[0]"] == DROPPED
    del given["extraEnv"]
    assert contents(imported(given)) == {}


@pytest.mark.parametrize(
    "values",
    [
        {"data": {"metadataConnection": "x"}},
        {"elasticsearch": {"connection": "x"}},
        {"opensearch": {"connection": ["x"]}},
        {"registry": {"connection": "foo"}},
        {"webserver": 7},
        {"env": 7},
        {"defaultAirflowRepository": ["x"]},
    ],
)
def test_should_refuse_a_value_of_the_wrong_form_with_a_sentence(values: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="is (a text|a list|a whole number|7)"):
        translate({"executor": "KubernetesExecutor", **values}, "a.yaml")


PARTS = ("data", "elasticsearch", "registry", "webserver", "dags", "createUserJob", "images", "workers", "postgresql")
NAMES = sorted(
    {tuple(key.split(".")[:2]) for key in CONTRACT if key.startswith(PARTS)} | {(key.split(".")[0],) for key in CONTRACT}
)


@pytest.mark.parametrize("value", ["x", ["x"], 7, {"a": [{"b": 7}]}], ids=["text", "list", "number", "map"])
def test_should_never_show_a_stack_trace_if_a_key_has_the_wrong_type(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # The schema's check of what is left takes most of the time.
    monkeypatch.setattr(translating, "unknown", lambda work, name: None)
    for names in NAMES:
        values: Any = value
        for name in reversed(names):
            values = {name: values}
        try:
            translate(values, "a.yaml")
        except Failure as problem:
            assert "a.yaml: " in str(problem) or names[0] in str(problem)


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    """Run the command in this process, without Helm; return its exit code and what it said on both outputs."""
    monkeypatch.setattr(command.tools, "locate", lambda name: None)
    monkeypatch.setattr("sys.argv", ["airspark", "import-values", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    shown = capsys.readouterr()
    return int(caught.value.code or 0), shown.out, shown.err


def test_should_show_a_key_with_brackets_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, out = tmp_path / "official.yaml", tmp_path / "mine.yaml"
    origin.write_text("executor: KubernetesExecutor\nconfig: {'[/x]': {a: b}}\n'[bold]own': {a: b}\n")
    code, shown, errors = run(capsys, monkeypatch, str(origin), "--out", str(out))
    assert code == 0 and "Traceback" not in errors and "config.[/x].a" in shown and "[bold]own" in shown


def test_should_quote_the_files_name_for_the_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, out = tmp_path / "official.yaml", tmp_path / "my values.yaml"
    origin.write_text("executor: KubernetesExecutor\nuid: 1000\n")
    _, shown, _ = run(capsys, monkeypatch, str(origin), "--out", str(out))
    assert f"make up VALUES='{out}'" in shown.replace("\n", " ") and f"--values '{out}'" in shown.replace("\n", " ")
    assert cli.values_files.__doc__
    monkeypatch.setattr(cli.check_values, "require", lambda *arguments: None)
    assert cli.values_files(str(out)) == [out]


def test_should_end_with_a_code_if_a_password_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = tmp_path / "official.yaml"
    origin.write_text("executor: KubernetesExecutor\nfernetKey: '{{ .Values.mine }}'\nmine: [a]\n")
    code, _, errors = run(capsys, monkeypatch, str(origin), "--out", str(tmp_path / "mine.yaml"))
    assert code == 1 and "1 left for you to decide" in errors and "airflow.fernetKey: a template" in errors


@pytest.mark.parametrize("path", OFFICIAL, ids=lambda path: path.stem)
def test_should_leave_nothing_to_the_user_of_a_file_that_brings_its_secrets_as_secrets(path: Path) -> None:
    done = translate(yaml.safe_load(path.read_text()), str(path))
    assert not [(row.key, row.note) for row in done.rows if row.what == OPEN]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"token_key": "access_token", "client_secret": os.environ["X"]}', False),
        ('{"access_token_url": "https://sso.example.org/token", "token_endpoint_auth_method": "client_secret_post"}', False),
        ('{"token": "not-a-real-password"}', True),
        ('{"client_secret": "not-a-real-password"}', True),
        ('{"secret_key": "not-a-real-password"}', True),
        ('{"apikey": "not-a-real-password"}', True),
        ('{"aws_secret_access_key": "not-a-real-password"}', True),
        ('{"private_key_data": "not-a-real-password"}', True),
        ('{"token_value" : "not-a-real-password"}', True),
        ('{"password2": "not-a-real-password"}', True),
        ('{"url": "http://vault", "secret_id_token" : "not-a-real-password"}', True),
    ],
)
def test_should_tell_a_password_in_json_from_a_name_that_says_how_one_is_used(text: str, found: bool) -> None:
    assert looks.holds_one(text) is found


def test_should_leave_the_known_hosts_of_a_repository_to_the_user_if_a_key_opens_it() -> None:
    git = {"enabled": True, "repo": "git@git.example.org:a/b.git", "sshKeySecret": "mine"}
    assert said(imported({"dags": {"gitSync": git}}))["dags.gitSync.knownHosts"] == OPEN
    assert OPEN not in said(imported({"dags": {"gitSync": {**git, "knownHosts": "git.example.org ssh-ed25519 AAAA"}}})).values()
    assert OPEN not in said(imported({"dags": {"gitSync": {**git, "enabled": False}}})).values()
