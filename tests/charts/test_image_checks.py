"""Images that nobody has or that the charts cannot run are named before anything is installed."""

from __future__ import annotations

import pytest
from either_chart import BOTH, notes, refusal
from rendering import Object, RenderError, render

TEAM = "registry.example.com/team/airflow"
SHA = "sha256:" + "0" * 64


def _airflow(**keys: str) -> Object:
    return {"images": {"airflow": keys}}


REFUSED: list[tuple[Object, str]] = [
    (_airflow(tag="3.3.0"), "images.airflow.tag is set without images.airflow.repository: airspark/airflow is this chart's own"),
    (_airflow(tag="latest"), "images.airflow.tag is set without images.airflow.repository"),
    ({"defaultAirflowTag": "3.1.0"}, "defaultAirflowTag is set without defaultAirflowRepository"),
    ({"images": {"pod_template": {"tag": "3.3.2"}}}, "images.pod_template.tag is set without images.pod_template.repository"),
    (
        {"images": {"statsd": {"tag": "v0.28.0"}}, "statsd": {"enabled": True}},
        "images.statsd.tag is set without images.statsd.repository",
    ),
    (
        {"images": {"pgbouncer": {"tag": "1.24.1"}}, "pgbouncer": {"enabled": True}},
        "images.pgbouncer.tag is set without images.pgbouncer.repository",
    ),
    ({"postgresql": {"image": {"tag": "16.1.0"}}}, "postgresql.image.tag is set without postgresql.image.repository"),
    (
        {"postgresql": {"image": {"repository": "bitnamilegacy/postgresql", "tag": "16.1.0"}}},
        "postgresql.image.repository: bitnamilegacy/postgresql is Bitnami's packaging",
    ),
    (
        {"images": {"pgbouncer": {"repository": "bitnami/pgbouncer", "tag": "1"}}, "pgbouncer": {"enabled": True}},
        "images.pgbouncer.repository: bitnami/pgbouncer is Bitnami's packaging",
    ),
    (_airflow(repository="bitnami/airflow", tag="3"), "images.airflow.repository: bitnami/airflow is Bitnami's packaging"),
    (_airflow(repository="apache/airflow"), "images.airflow.repository: apache/airflow has no tag 0.1.0"),
    ({"defaultAirflowRepository": "apache/airflow"}, "defaultAirflowRepository: apache/airflow has no tag 0.1.0"),
    (_airflow(repository="apache/airflow", tag="2.10.6"), "images.airflow.tag: the chart runs Airflow 3.2.2 and newer"),
    (_airflow(repository="docker.io/apache/airflow", tag="3.1.0-python3.11"), "docker.io/apache/airflow:3.1.0-python3.11 is"),
]
TAKEN: list[Object] = [
    {},
    _airflow(repository=TEAM, tag="3.3.2"),
    _airflow(repository=TEAM, tag="2026.11.4"),
    _airflow(repository=TEAM),
    _airflow(repository="airspark/airflow", tag="mine"),
    _airflow(tag="0.1.1-rc1"),
    _airflow(repository="apache/airflow", tag="3.3.2-python3.12"),
    _airflow(digest=SHA),
    _airflow(repository="apache/airflow", digest=SHA),
    {"defaultAirflowRepository": TEAM, "defaultAirflowTag": "3.3.2", "images": {"pod_template": {"tag": "3.3.2-tasks"}}},
    {"images": {"statsd": {"tag": "v0.28.0"}}},
    {"postgresql": {"image": {"repository": "docker.io/postgres", "tag": "17.2"}}},
]


@pytest.mark.parametrize(
    ("chart", "values", "said"),
    [*(("airflow", *case) for case in REFUSED), *(("airspark", *case) for case in REFUSED[::6])],
)
def should_refuse_an_image_in_one_sentence_if_nobody_has_or_can_run_it(chart: str, values: Object, said: str) -> None:
    lines = [line for line in refusal(chart, values).splitlines() if said in line]
    assert len(lines) == 1, refusal(chart, values)


@pytest.mark.parametrize(
    ("chart", "values"), [*(("airflow", values) for values in TAKEN), *(("airspark", values) for values in TAKEN[1::6])]
)
def should_take_an_image_if_nothing_speaks_against_it(chart: str, values: Object) -> None:
    assert refusal(chart, values) == ""


@pytest.mark.parametrize(
    ("values", "version"),
    [
        ({}, "3.3.2"),
        (_airflow(repository=TEAM, tag="3.4.1-2"), "3.4.1"),
        (_airflow(repository=TEAM, tag="v3.4.1"), "3.4.1"),
        (_airflow(repository=TEAM, tag="2026.11.4"), "3.3.2"),
        (_airflow(repository=TEAM, digest=SHA) | {"airflowVersion": "3.4.0"}, "3.4.0"),
        (_airflow(repository=TEAM, tag="stable"), "3.3.2"),
    ],
)
def should_tell_the_version_that_runs_if_the_tag_names_one(values: Object, version: str) -> None:
    assert f"\nAirflow {version}\n" in notes("airflow", values)


@BOTH
@pytest.mark.parametrize(
    ("values", "said"),
    [
        (_airflow(repository=TEAM, tag="2.10.6"), "images.airflow.tag: 2.10.6 looks like Airflow 2.10.6, and the chart runs"),
        (_airflow(repository=TEAM, tag="3.4.1"), "images.airflow.tag: 3.4.1 looks like Airflow 3.4.1, and `airflowVersion` says"),
        (_airflow(repository=TEAM, tag="latest"), "images.airflow.tag: `latest` is another image on another day"),
    ],
)
def should_warn_of_a_tag_if_it_may_not_be_what_runs(chart: str, values: Object, said: str) -> None:
    assert f"  ! {said}" in notes(chart, values)
    assert said not in notes(chart, {})


@pytest.mark.parametrize(
    ("chart", "image", "said"),
    [
        ("spark", {"tag": "3.5.1"}, "image.tag is set without image.repository: airspark/spark is this chart's own image"),
        ("spark", {"repository": "apache/spark", "tag": "3.5.1"}, "image.tag: 3.5.1 is Spark 3, and the clients of this chart"),
        ("spark", {"repository": "spark", "tag": "3.5.8-java17"}, "image.tag: 3.5.8-java17 is Spark 3"),
        ("spark", {"repository": "bitnami/spark", "tag": "4.0.1"}, "image.repository: bitnami/spark is Bitnami's packaging"),
        ("spark", {"repository": "apache/spark", "tag": "4.2.1"}, ""),
        ("spark", {"repository": "registry.example.com/spark", "tag": "7"}, ""),
        ("spark-operator", {"tag": "2.3.0"}, "image.tag is set without image.repository: airspark/operator is this chart's own"),
        (
            "spark-operator",
            {"repository": "ghcr.io/kubeflow/spark-operator/controller", "tag": "2.3.0"},
            "is kubeflow's controller",
        ),
        ("spark-operator", {"repository": "registry.example.com/operator", "tag": "2.3.0"}, ""),
    ],
)
@pytest.mark.parametrize("umbrella", [False, True])
def should_refuse_an_image_of_spark_if_its_clients_cannot_use_it(umbrella: bool, chart: str, image: Object, said: str) -> None:
    part = {"spark": "spark", "spark-operator": "sparkOperator"}[chart]
    given = ({part: {"image": image}}, "airspark") if umbrella else ({"image": image}, chart)
    try:
        render(*given)
    except RenderError as error:
        assert said and said in str(error), error
    else:
        assert not said
