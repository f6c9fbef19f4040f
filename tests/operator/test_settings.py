"""What the chart tells the controller: each key, its default, and a sentence for what cannot be."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airspark_operator import settings
from airspark_operator.policy import Table
from airspark_operator.settings import Defaults, Election, Settings, WrongSettings
from airspark_operator.state import Limits

Object = dict[str, Any]

EVERYTHING: Object = {
    "namespaces": ["data", "", "more"],
    "leaderElection": {
        "enabled": False,
        "leaseName": "lease",
        "leaseDurationSeconds": 30,
        "renewDeadlineSeconds": 20,
        "retryPeriodSeconds": 1.5,
    },
    "workers": 3,
    "resyncSeconds": 7,
    "port": 9090,
    "maxTrackedExecutorPerApp": 5,
    "missedRunDeadlineSeconds": 90,
    "driverStartTimeoutSeconds": 120,
    "maxRetryIntervalSeconds": 60,
    "retryResetSeconds": 30,
    "policy": {"allowed": {"secrets": ["lake-*"]}, "platform": {"secrets": ["airspark-*"]}},
    "log": {"level": "debug", "format": "plain"},
    "defaults": {
        "serviceAccount": "spark",
        "sparkConf": {"spark.a": 1, "spark.b": True, "spark.c": "text", "spark.d": None},
        "image": "registry/spark:4",
        "podSecurityContext": {"fsGroup": 0},
        "containerSecurityContext": {"runAsNonRoot": True},
        "networkPolicy": True,
        "uiService": False,
        "ingressUrlFormat": "{{$appName}}.example",
        "ingressClass": "nginx",
        "clusterDomain": "cluster.local",
    },
}


def should_read_every_key_of_the_chart() -> None:
    assert settings.from_object(EVERYTHING) == Settings(
        namespaces=("data", "more"),
        election=Election(enabled=False, name="lease", lease_duration=30, renew_deadline=20, retry_period=1.5),
        workers=3,
        resync=7,
        port=9090,
        max_tracked_executors=5,
        missed_run_deadline=90,
        limits=Limits(start=120, pause=60, good_run=30),
        log_level="debug",
        log_format="plain",
        defaults=Defaults(
            service_account="spark",
            spark_conf={"spark.a": "1", "spark.b": "true", "spark.c": "text"},
            image="registry/spark:4",
            pod_security_context={"fsGroup": 0},
            container_security_context={"runAsNonRoot": True},
            network_policy=True,
            policy=Table(secrets=("lake-*",), platform_secrets=("airspark-*",)),
            ui_service=False,
            ingress_url_format="{{$appName}}.example",
            ingress_class="nginx",
            cluster_domain="cluster.local",
        ),
    )


@pytest.mark.parametrize("kind", [Settings, Election, Defaults])
def should_have_a_key_for_everything_that_can_be_set(kind: type) -> None:
    attribute = {Election: "election", Defaults: "defaults"}.get(kind)
    told, plain = (getattr(found, attribute) if attribute else found for found in (settings.from_object(EVERYTHING), Settings()))
    same = [entry.name for entry in fields(kind) if getattr(told, entry.name) == getattr(plain, entry.name)]
    assert same == [], "no key of the file changes it"


def keys(told: Object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key of the file, by its path."""
    found = []
    for name, value in told.items():
        found.append((*path, name))
        if isinstance(value, dict) and name in ("leaderElection", "log", "defaults"):
            found += keys(value, (*path, name))
    return found


def put(value: Any, *path: str) -> Object:
    """A file with one key."""
    told: Any = value
    for name in reversed(path):
        told = {name: told}
    found: Object = told
    return found


@pytest.mark.parametrize("path", keys(EVERYTHING), ids=".".join)
def should_take_the_default_where_a_key_is_null(path: tuple[str, ...]) -> None:
    assert settings.from_object(put(None, *path)) == Settings()


@pytest.mark.parametrize("path", keys(EVERYTHING), ids=".".join)
@pytest.mark.parametrize("wrong", ["word", 7, True, [], {}, [1]], ids=repr)
def should_name_the_key_and_the_value_that_are_wrong_or_take_it_as_it_is(path: tuple[str, ...], wrong: Any) -> None:
    right: Any = EVERYTHING
    for name in path:
        right = right[name]
    fits = type(wrong) is type(right) or (type(wrong) is int and type(right) is float)
    if fits and wrong not in ("word", [1]):
        settings.from_object(put(wrong, *path))
    elif not fits:
        with pytest.raises(ValueError, match="must be") as problem:
            settings.from_object(put(wrong, *path))
        assert str(problem.value).startswith(".".join(path)) and repr(wrong) in str(problem.value)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"namespaces": "data"}, "namespaces must be a list of names, not 'data'"),
        ({"namespaces": [1]}, "namespaces must be a list of names, not [1]"),
        ({"leaderElection": {"enabled": "false"}}, "leaderElection.enabled must be true or false, not 'false'"),
        ({"defaults": {"uiService": "no"}}, "defaults.uiService must be true or false, not 'no'"),
        ({"workers": 0}, "workers must be at least 1, not 0"),
        ({"workers": "10"}, "workers must be a number, not '10'"),
        ({"workers": True}, "workers must be a number, not True"),
        ({"resyncSeconds": 0}, "resyncSeconds must be at least 1, not 0"),
        ({"port": 0}, "port must be at least 1, not 0"),
        ({"missedRunDeadlineSeconds": -1}, "missedRunDeadlineSeconds must be at least 0, not -1"),
        ({"maxTrackedExecutorPerApp": -1}, "maxTrackedExecutorPerApp must be at least 0, not -1"),
        ({"log": {"level": "loud"}}, "log.level must be one of debug, info, warning, error, not 'loud'"),
        ({"log": {"format": "xml"}}, "log.format must be one of json, plain, not 'xml'"),
        ({"defaults": {"podSecurityContext": "x"}}, "defaults.podSecurityContext must be an object, not 'x'"),
        ({"defaults": []}, "defaults must be an object, not []"),
        ([], "the whole must be an object, not []"),
    ],
)
def should_say_in_a_sentence_what_a_key_may_be(tmp_path: Path, told: Any, sentence: str) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(told))
    with pytest.raises(WrongSettings) as wrong:
        settings.from_file(file)
    assert str(wrong.value) == f"{file} is not what the chart writes: {sentence}"


def should_read_the_file_that_the_chart_writes(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(EVERYTHING))
    assert settings.from_file(file) == settings.from_object(EVERYTHING)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"null", b"7", b'{"workers": NaN}'])
def should_refuse_a_file_that_is_something_else(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(content)
    with pytest.raises(WrongSettings, match="is not what the chart writes"):
        settings.from_file(file)


def should_say_that_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match="cannot be read"):
        settings.from_file(tmp_path)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 99) | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(sorted({name for path in keys(EVERYTHING) for name in path})), inner, max_size=5)
        ),
    )
)
def should_read_or_refuse_whatever_a_file_holds(told: Any) -> None:
    try:
        found = settings.from_object(told)
    except ValueError as problem:
        assert "must be" in str(problem)
        return
    assert isinstance(found.workers, int) and found.workers >= 1 and all(isinstance(name, str) for name in found.namespaces)
