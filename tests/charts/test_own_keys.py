"""Keys at the top of a values file: one's own are taken, misspelt ones refused; settings of parts that are off are noticed."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from rendering import RenderError, env, find, pods, render, task_pod, text
from test_notes import notes, warnings

PATH = "extraEnv: |\n  - {name: DYNAMIC_DAGS_PATH, value: '{{ .Values.dynamicDagsPath }}'}\n"
OFFICIAL_STYLE = f"""
dynamicDagsPath: /opt/airflow/dags/dynamic
x-small: &small {{requests: {{cpu: 50m, memory: 256Mi}}}}
{PATH}
scheduler: {{resources: *small}}
"""


def _refused(values: dict[str, Any], chart: str = "airflow") -> list[str]:
    with pytest.raises(RenderError) as problem:
        text(values, chart=chart)
    return [line for line in str(problem.value).splitlines() if ": " in line and not line.startswith("Error")]


@pytest.mark.parametrize("chart", ["airflow", "airspark"])
def should_take_keys_of_ones_own_and_anchors_as_the_official_chart_does(chart: str) -> None:
    values = yaml.safe_load(OFFICIAL_STYLE)
    objects = render(values if chart == "airflow" else {"airflow": values, "x-shared": {"a": 1}}, chart=chart)
    scheduler = find(objects, "Deployment", "airspark-scheduler")["spec"]["template"]["spec"]["containers"][0]
    assert env(scheduler)["DYNAMIC_DAGS_PATH"] == "/opt/airflow/dags/dynamic"
    assert scheduler["resources"]["requests"] == {"cpu": "50m", "memory": "256Mi"}


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("schedulr", "scheduler"),
        ("trigerrer", "triggerer"),
        ("dag-processor", "dagProcessor"),
        ("apiserver", "apiServer"),
        ("label", "labels"),
        ("schedlr", "scheduler"),
        ("extraEnvs", "extraEnv"),
        ("pgBouncers", "pgbouncer"),
        ("fernetKeySecretname", "fernetKeySecretName"),
    ],
)
def should_refuse_a_misspelt_key_with_the_closest_name(key: str, meant: str) -> None:
    said = _refused({key: {}})
    assert len(said) == 1 and said[0].startswith(f"{key}: ") and f"did you mean `{meant}`?" in said[0]
    assert _refused({"airflow": {key: {}}}, "airspark") == said


def should_take_a_key_like_a_known_one_if_a_template_of_the_values_reads_it() -> None:
    assert _refused({"secrets": "vault"})
    for template in ("{{ .Values.secrets }}", '{{ index .Values "secrets" }}', "{{ get .Values `secrets` }}"):
        render({"secrets": "vault", "extraEnv": f"- {{name: WHERE, value: '{template}'}}"}, chart="airflow")
    assert _refused({"secrets": "vault", "extraEnv": "- {name: WHERE, value: '{{ .Values.secretsOfMine }}'}"})


def should_name_in_the_notes_a_key_of_ones_own_that_nothing_reads() -> None:
    said = [line for line in warnings({"commonTeam": "etl", "x-team": "etl"}) if line.startswith("ignored: ")]
    assert said == ["ignored: commonTeam: neither this chart nor a template of the values reads it"]
    assert not [line for line in warnings(yaml.safe_load(OFFICIAL_STYLE)) if line.startswith("ignored: ")]


def should_say_which_chart_a_key_at_the_top_of_the_umbrella_belongs_to() -> None:
    said = _refused(
        {"webserver": {"replicas": 2}, "historyServer": {}, "certManager": {}, "nonsense": 1, "x-mine": 1}, "airspark"
    )
    assert [line.split(":")[0] for line in said] == ["certManager", "historyServer", "nonsense", "webserver"]
    places = ("under `sparkOperator:`", "under `spark:`", "a key of your own begins with `x-`", "under `airflow:`")
    assert all(place in line for place, line in zip(places, said, strict=True))
    assert "install charts/airspark" in _refused({"airflow": {"scheduler": {}}})[0]


def should_keep_nested_keys_closed() -> None:
    with pytest.raises(RenderError, match="replica"):
        render({"scheduler": {"replica": 2}}, chart="airflow")


@pytest.mark.parametrize("chart", ["airflow", "airspark"])
def should_notice_settings_of_a_part_that_is_on_in_the_official_chart_and_off_here(chart: str) -> None:
    given = {"statsd": {"resources": {"limits": {"memory": "32Mi"}}}, "triggerer": {"persistence": {"storageClassName": "gp3"}}}
    said = notes(given if chart == "airflow" else {"airflow": given}, chart)
    for part, key in (("statsd", "resources"), ("triggerer.persistence", "storageClassName")):
        assert f"ignored: {part}.{key}: it is off here, and on in the official chart; to have it, set `{part}.enabled`" in said
    given["statsd"]["enabled"] = given["triggerer"]["persistence"]["enabled"] = True
    assert "ignored: " not in notes(given if chart == "airflow" else {"airflow": given}, chart)


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "placeholder", "labels": {"team": "etl", "component": "own"}, "annotations": {"a": "b"}},
    "spec": {"containers": [{"name": "base", "image": "registry.example.com/team/airflow:3.3.2"}]},
}


def should_give_a_pod_template_of_ones_own_the_labels_that_network_policies_go_by() -> None:
    values = {"podTemplate": yaml.safe_dump(POD)}
    objects = render(values, chart="airflow")
    pod = task_pod(objects)
    policy = find(objects, "NetworkPolicy", "airspark-worker-policy")["spec"]["podSelector"]["matchLabels"]
    labels = pod["metadata"]["labels"]
    assert policy.items() <= labels.items() and labels["team"] == "etl" and pod["metadata"]["annotations"] == {"a": "b"}
    assert pod["spec"] == POD["spec"]
    assert any("does not find" in line or "do not find the API server" in line for line in warnings(values))
    url = {"name": "AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "value": "http://airspark-api-server:8080/execution/"}
    with_url = {**POD, "spec": {"containers": [{**POD["spec"]["containers"][0], "env": [url]}]}}  # type: ignore[index,dict-item]
    assert not any("API server" in line for line in warnings({"podTemplate": yaml.safe_dump(with_url)}))


def should_leave_a_pod_template_with_the_charts_labels_as_it_is() -> None:
    labels = {"tier": "airflow", "component": "worker", "release": "{{ .Release.Name }}"}
    values = {"podTemplate": "# mine\n" + yaml.safe_dump({**POD, "metadata": {"name": "t", "labels": labels}})}
    objects = render(values, chart="airflow")
    assert find(objects, "ConfigMap", "airspark-pod-templates")["data"]["pod_template_file.yaml"].startswith("# mine\n")
    assert pods(objects)["worker"]["metadata"]["labels"] == {**labels, "release": "airspark"}


def should_refuse_a_pod_template_that_no_task_can_use() -> None:
    assert "podTemplate: it is not YAML" in _refused({"podTemplate": "kind: Pod\n  spec: ["})[0]
    no_base = {**POD, "spec": {"containers": [{"name": "main", "image": "a:1"}]}}
    assert "the executor looks for `base`" in _refused({"podTemplate": yaml.safe_dump(no_base)})[0]


def should_take_a_claim_with_dags_that_nobody_may_write() -> None:
    persistence = {"enabled": True, "accessMode": "ReadOnlyMany"}
    objects = render({"dags": {"persistence": persistence}}, chart="airflow")
    assert find(objects, "PersistentVolumeClaim", "airspark-dags")["spec"]["accessModes"] == ["ReadOnlyMany"]
    mounts = [
        mount
        for pod in pods(objects).values()
        for container in pod["spec"]["containers"]
        for mount in container.get("volumeMounts", [])
        if mount["name"] == "dags"
    ]
    assert mounts and all(mount["readOnly"] for mount in mounts)
