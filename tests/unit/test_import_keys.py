"""`make import-values`: keys with other names, empty keys, executors, images, and what templates and selectors point to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airspark.importing.translate import translate
from airspark.importing.work import CHANGED, DROPPED, KEPT, RENAMED, Imported
from airspark.project import Failure
from airspark.values import shape

MOUNT = [{"name": "data", "mountPath": "/data"}]
VOLUME = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]


def imported(values: dict[str, Any]) -> Imported:
    """Values translated, which must fit the schema."""
    done = translate({"executor": "KubernetesExecutor", **values})
    assert shape.problems(done.values) == []
    return done


def airflow(values: dict[str, Any]) -> dict[str, Any]:
    """The Airflow chart's values that come of a file."""
    found: dict[str, Any] = imported(values).values["airflow"]
    return found


def rows(done: Imported) -> dict[str, tuple[str, str]]:
    """What is said of each key."""
    return {row.key: (row.what, row.note) for row in done.rows}


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"postgresql": {"auth": {"username": "", "database": ""}}}, "postgresql.auth.username"),
        ({"data": {"metadataConnection": {"user": "", "db": ""}}}, "data.metadataConnection.db"),
        ({"webserver": {"service": {"type": ""}}}, "apiServer.service.type"),
        ({"dags": {"gitSync": {"period": ""}}}, "dags.gitSync.period"),
    ],
)
def test_should_take_the_charts_default_if_a_text_is_empty(given: dict[str, Any], key: str) -> None:
    done = imported(given)
    assert '""' not in json.dumps(done.values["airflow"])
    assert rows(done)[key] == (DROPPED, "an empty text, which takes the chart's default")


def test_should_keep_an_empty_line_of_airflow_cfg() -> None:
    config = {"core": {"dags_are_paused_at_creation": "", "mine": ""}}
    assert airflow({"config": config})["config"] == config


def test_should_keep_null_if_it_takes_a_default_away_as_in_the_official_chart() -> None:
    given: dict[str, Any] = {
        "uid": None,
        "scheduler": {"resources": {"limits": {"memory": None}}},
        "webserver": {"resources": None, "livenessProbe": {"periodSeconds": None}},
        "config": {"core": {"load_examples": None}},
    }
    done = imported(given)
    values = done.values["airflow"]
    assert values["uid"] is None and values["scheduler"] == given["scheduler"] and values["config"] == given["config"]
    assert values["apiServer"] == given["webserver"]
    for key in ("uid", "scheduler.resources.limits.memory", "webserver.resources", "config.core.load_examples"):
        assert rows(done)[key][0] == KEPT and "takes the chart's default away" in rows(done)[key][1]


@pytest.mark.parametrize(
    ("given", "key", "why"),
    [
        ({"pgbouncer": {"sslmode": None}}, "pgbouncer.sslmode", "needs a value there: its default stays"),
        ({"scheduler": None}, "scheduler", "needs a value there: its default stays"),
        ({"revisionHistoryLimit": None}, "revisionHistoryLimit", "needs a value there: its default stays"),
        ({"webserver": {"command": None}}, "webserver.command", "no default there to take away"),
        ({"webserver": {"replicas": None}, "apiServer": {"replicas": 2}}, "webserver.replicas", "`apiServer.replicas` is set"),
    ],
)
def test_should_say_why_null_is_left_out_if_it_has_no_effect_or_a_bad_one(given: dict[str, Any], key: str, why: str) -> None:
    done = imported(given)
    assert rows(done)[key][0] == DROPPED and why in rows(done)[key][1] and "null" not in json.dumps(done.values)


def test_should_switch_a_part_off_if_null_switches_it_off_in_the_official_chart() -> None:
    done = imported({"triggerer": {"enabled": None}, "enableBuiltInSecretEnvVars": {"AIRFLOW__CORE__FERNET_KEY": None}})
    assert done.values["airflow"]["triggerer"] == {"enabled": False}
    assert done.values["airflow"]["enableBuiltInSecretEnvVars"] == {"AIRFLOW__CORE__FERNET_KEY": False}
    assert rows(done)["triggerer.enabled"] == (CHANGED, "null, which is false in the official chart")


LOCAL: dict[str, Any] = {
    "serviceAccount": {"create": True, "annotations": {"example.org/role": "a"}},
    "env": [{"name": "A", "value": "b"}],
    "extraVolumes": VOLUME,
    "extraVolumeMounts": MOUNT,
    "nodeSelector": {"pool": "big"},
    "tolerations": [{"key": "big", "operator": "Exists"}],
    "resources": {"limits": {"memory": "8Gi"}},
    "extraContainers": [{"name": "proxy", "image": "proxy:1"}],
}


@pytest.mark.parametrize("executor", ["LocalExecutor", "LocalKubernetesExecutor", "LocalExecutor,KubernetesExecutor"])
def test_should_give_task_pods_what_tasks_had_from_the_scheduler_if_they_ran_there(executor: str) -> None:
    done = imported({"executor": executor, "scheduler": LOCAL, "workers": {"nodeSelector": {"pool": "own"}}})
    workers = done.values["airflow"]["workers"]
    shared = ("env", "extraVolumes", "extraVolumeMounts", "tolerations", "resources")
    assert {key: workers[key] for key in shared} == {key: LOCAL[key] for key in shared}
    assert workers["serviceAccount"] == {"annotations": {"example.org/role": "a"}} and workers["nodeSelector"] == {"pool": "own"}
    assert done.values["airflow"]["scheduler"] == LOCAL
    said = rows(done)
    assert said["workers.env"] == (CHANGED, "as `scheduler.env`, because tasks ran in the scheduler")
    assert "make it smaller" in said["workers.resources"][1] and "extraInitContainers" in said["scheduler.extraContainers"][1]


def test_should_let_task_pods_take_the_schedulers_account_if_it_is_not_the_charts() -> None:
    account = {"create": False, "name": "mine"}
    values = airflow({"executor": "LocalExecutor", "scheduler": {"serviceAccount": account}})
    assert values["workers"]["serviceAccount"] == account
    own = {"kubernetes": {"serviceAccount": {"annotations": {"a": "b"}}}}
    values = airflow({"executor": "LocalExecutor", "scheduler": {"serviceAccount": account}, "workers": own})
    assert values["workers"] == own


def test_should_make_secrets_of_variables_that_task_pods_have_from_the_scheduler() -> None:
    done = imported({"executor": "LocalExecutor", "scheduler": {"env": [{"name": "API_TOKEN", "value": "not-a-real-token"}]}})
    assert "not-a-real-token" not in json.dumps(done.values)
    assert {secret.name for secret in done.secrets} == {"imported-scheduler-environment", "imported-workers-environment"}


@pytest.mark.parametrize(("replicas", "slots", "most"), [("3", 16, "48"), (3, "8", "24"), ("three", 16, ""), (2, "{{ 1 }}", "")])
def test_should_advise_a_parallelism_only_of_numbers(replicas: Any, slots: Any, most: str) -> None:
    given = {"executor": "CeleryExecutor", "workers": {"replicas": replicas}, "config": {"celery": {"worker_concurrency": slots}}}
    note = rows(imported(given))["workers.replicas"][1]
    assert note.endswith(f"`config.core.parallelism: {most}`" if most else "with their tasks")


def test_should_choose_the_api_servers_pods_if_a_selector_chose_the_webservers() -> None:
    labels = {"matchLabels": {"component": "webserver"}}
    expression = {"matchExpressions": [{"key": "component", "operator": "In", "values": ["webserver", "scheduler"]}]}
    spread = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": labels}]
    term = {"topologyKey": "host", "labelSelector": expression}
    given = {
        "webserver": {"topologySpreadConstraints": spread},
        "triggerer": {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}},
        "extraObjects": [
            "kind: Service\nspec: {selector: {component: webserver}}\n",
            {"spec": {"selector": {"component": "webserver"}}},
        ],
        "labels": {"component-of": "webserver"},
    }
    done = imported(given)
    values = done.values["airflow"]
    assert values["labels"] == given["labels"]
    assert "webserver" not in json.dumps({**values, "labels": {}}) and json.dumps(values).count("api-server") == 4
    assert '["api-server", "scheduler"]' in json.dumps(values)
    said = [key for key, (what, note) in rows(done).items() if what == CHANGED and "in place of the webserver's" in note]
    assert "apiServer.topologySpreadConstraints[0].labelSelector.matchLabels" in said and len(said) == 4


GIT = {"gitSync": {"enabled": True, "repo": "https://git.example.org/a.git"}}


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"env": [{"name": "PYTHONPATH", "value": "/opt/airflow/dags/repo/x"}]}, "env[0].value"),
        ({"env": [{"name": "PYTHONPATH", "value": "{{ .Values.airflowHome }}/dags/repo"}]}, "env[0].value"),
        ({"dags": {**GIT, "mountPath": "/srv/dags"}, "scheduler": {"args": ["ls /srv/dags/repo"]}}, "scheduler.args[0]"),
        ({"dags": {**GIT, "mountPath": "/srv/dags"}}, "dags.mountPath"),
        ({"config": {"core": {"dags_folder": "/opt/airflow/dags/repo/dags"}}}, "config.core.dags_folder"),
        ({"config": {"core": {"dags_folder": "/srv/dags"}}}, "config.core.dags_folder"),
    ],
)
def test_should_say_that_the_sidecars_folder_is_not_here_if_something_names_it(given: dict[str, Any], key: str) -> None:
    done = imported({"dags": GIT, **given})
    what, note = rows(done)[key]
    assert what == CHANGED and note.startswith("kept, and ") and "remove" in note
    without = rows(imported({**given, "dags": {"mountPath": "/srv/dags"}}))
    assert without.get(key, (KEPT, ""))[0] == KEPT


def test_should_name_the_keys_around_the_official_chart_if_the_file_is_of_a_chart_that_holds_it() -> None:
    around = {"global": {"storageClass": "x"}, "other-subchart": {"a": "b"}}
    done = translate({"airflow": {"executor": "KubernetesExecutor", "scheduler": {"replicas": 3}}, **around})
    for key in around:
        assert rows(done)[key] == (DROPPED, "not of the Airflow chart, but of the chart around it, which is not here")


def test_should_have_templates_read_keys_under_their_new_names() -> None:
    url = "https://{{ (first .Values.ingress.web.hosts).name }}:{{ .Values.ports.airflowUI }}/{{ .Values.webserver.replicas }}"
    given = {
        "ingress": {"web": {"enabled": True, "hosts": [{"name": "a"}]}},
        "config": {"webserver": {"base_url": url}},
        "webserver": {"replicas": 2, "env": [{"name": "PORT", "value": "{{ .Values.ports.airflowUI }}"}]},
    }
    done = imported(given)
    values = done.values["airflow"]
    host = "https://{{ (first .Values.ingress.apiServer.hosts).name }}"
    new = f"{host}:{{{{ .Values.ports.apiServer }}}}/{{{{ .Values.apiServer.replicas }}}}"
    assert values["config"]["api"]["base_url"] == new
    assert values["apiServer"]["env"][0]["value"] == "{{ .Values.ports.apiServer }}"
    said = [row.note for row in done.rows if row.key == "config.api.base_url" and row.what == CHANGED]
    assert "its template reads `.Values.ingress.apiServer.hosts` now, in place of `.Values.ingress.web.hosts`" in said


@pytest.mark.parametrize(
    ("given", "text", "note"),
    [
        ({"fernetKey": "not-a-real-key"}, "{{ .Values.fernetKey }}", "is in a Secret here, named by `fernetKeySecretName`"),
        (
            {"images": {"airflow": {"tag": "2.8.4"}}},
            "{{ .Values.images.airflow.tag }}",
            "which is dropped here: write the text itself",
        ),
    ],
)
def test_should_say_what_a_template_no_longer_reads(given: dict[str, Any], text: str, note: str) -> None:
    done = imported({**given, "extraEnv": f"- {{name: MINE, value: '{text}'}}"})
    assert note in rows(done)["extraEnv"][1] and rows(done)["extraEnv"][0] == CHANGED


def test_should_name_the_key_if_a_template_reads_below_what_is_gone() -> None:
    given = {"config": {"api": {"base_url": "{{ .Values.webserver.mine.host }}"}}, "webserver": {"mine": {"host": "a"}}}
    with pytest.raises(
        Failure, match=r"config\.api\.base_url: its template reads `\.Values\.webserver\.mine\.host`, and nothing"
    ):
        imported(given)
    guarded = "{{ if .Values.webserver }}{{ .Values.webserver.mine.host }}{{ end }}"
    assert airflow({"config": {"api": {"base_url": guarded}}})["config"]["api"]["base_url"] == guarded


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"env": {"A": "b"}, "dags": {"gitSync": {"env": [{"name": "A", "value": "b"}]}}}, "env: it is a map, and a list"),
        ({"dags": {"gitSync": {"env": [{"value": "x"}]}}}, "dags.gitSync.env: an entry has no name"),
        ({"dags": {"gitSync": {"env": "A=b"}}}, "dags.gitSync.env: it is a text, and a list"),
        ({"dags": {"gitSync": {"extraVolumeMounts": {"a": "b"}}}}, "dags.gitSync.extraVolumeMounts: it is a map, and a list"),
        ({"env": ["A=b"], "dags": {"gitSync": {"env": [{"name": "A", "value": "b"}]}}}, "env: it is a list with something else"),
        ({"secret": {"A": "b"}}, "secret: it is a map, and a list"),
        ({"images": {"statsd": {"repository": ["a"]}}}, "images.statsd.repository: it is a list, and a text"),
        ({"defaultAirflowRepository": {"a": "b"}}, "defaultAirflowRepository: it is a map, and a text"),
        ({"imagePullSecrets": "a"}, "imagePullSecrets: it is a text, and a list"),
        ({"registry": {"connection": "a"}}, "registry.connection is a text where the official chart has a map"),
        ({"data": {"metadataConnection": "a"}}, "data.metadataConnection is a text where the official chart has a map"),
        ({"elasticsearch": {"connection": ["a"]}}, "elasticsearch.connection is a list where the official chart has a map"),
        ({"webserver": {"defaultUser": "a"}}, "webserver.defaultUser is a text where the official chart has a map"),
        ({"config": {"core": "a"}}, "config.core is a text where the official chart has a map"),
        ({"workers": {"celery": "a"}}, "workers.celery is a text where the official chart has a map"),
    ],
)
def test_should_say_in_a_sentence_that_a_list_or_a_map_is_none(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Failure, match=sentence):
        imported(given)


def test_should_keep_the_newer_of_two_keys_and_call_it_as_the_file_does() -> None:
    web = {"extraNetworkPolicies": [{"podSelector": {}}], "networkPolicy": {"ingress": {"from": [{"namespaceSelector": {}}]}}}
    done = imported({"webserver": web})
    assert done.values["airflow"]["apiServer"] == {"networkPolicy": web["networkPolicy"]}
    assert rows(done)["webserver.networkPolicy"][0] == RENAMED
    note = rows(done)["webserver.extraNetworkPolicies"]
    assert note == (DROPPED, "`webserver.networkPolicy.ingress.from` is set, and counts")
    alone = airflow({"webserver": {"extraNetworkPolicies": web["extraNetworkPolicies"]}})
    assert alone["apiServer"] == {"networkPolicy": {"ingress": {"from": web["extraNetworkPolicies"]}}}
    both = airflow({"apiServer": {"networkPolicy": {"ingress": {"ports": [{"port": 1}]}}}, "webserver": web})
    assert both["apiServer"]["networkPolicy"]["ingress"] == {"ports": [{"port": 1}], **web["networkPolicy"]["ingress"]}  # type: ignore[dict-item]


def test_should_take_git_syncs_older_wait_over_its_period_as_the_official_chart_does() -> None:
    assert airflow({"dags": {"gitSync": {"wait": 60, "period": "5s"}}})["dags"]["gitSync"] == {"period": "60s"}


@pytest.mark.parametrize(
    ("images", "version", "kept"),
    [
        ({"tag": "3.2.2-7"}, "3.1.8", "3.2.2"),
        ({"tag": "2.9.3"}, "3.3.2", None),
        ({"tag": "prod-7"}, "3.1.8", None),
        ({"tag": "prod-7"}, "3.3.2", "3.3.2"),
    ],
)
def test_should_judge_an_image_by_the_tag_that_runs(images: dict[str, str], version: str, kept: str | None) -> None:
    image = {"repository": "registry.example.org/airflow", **images}
    done = imported({"airflowVersion": version, "defaultAirflowTag": "2.8.4", "images": {"airflow": image}})
    values = done.values["airflow"]
    assert values.get("images", {}).get("airflow") == (image if kept else None)
    if kept:
        assert values["airflowVersion"] == kept


@pytest.mark.parametrize("repository", ["apache/airflow", "registry.example.org/exporter", None])
def test_should_keep_the_image_of_pgbouncers_exporter_because_the_chart_has_none(repository: str | None) -> None:
    image = {"tag": "a"} if repository is None else {"repository": repository, "tag": "a"}
    values = airflow({"pgbouncer": {"enabled": True}, "images": {"pgbouncerExporter": image}})
    assert values["images"]["pgbouncerExporter"] == {"repository": repository or "apache/airflow", "tag": "a"}


def test_should_say_that_no_exporter_runs_if_pgbouncers_has_settings_and_no_image() -> None:
    done = imported({"pgbouncer": {"enabled": True, "metricsExporterSidecar": {"sslmode": "disable"}}})
    assert rows(done)["pgbouncer.metricsExporterSidecar"] == (
        CHANGED,
        "kept, and no exporter runs: this chart has no image of one; set `images.pgbouncerExporter`",
    )
