"""Every property of Spark's Kubernetes page: the controller's pods against those of Spark's own client and driver.

What is compared is what a property changes, on the driver's pod and Service, an executor's pod, and the driver's properties;
each difference stands in `kubernetes_cases.py` with its reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import kubernetes_cases as cases
import kubernetes_fields as fields
import pytest
import spark_pods
import yaml
from py4j.protocol import Py4JJavaError
from spark_pods import Flat, Made, Spark, changed

from airspark_operator import conf, unsupported
from airspark_operator.settings import Defaults
from airspark_operator.spec import Invalid


@pytest.fixture(scope="module")
def jvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spark]:
    """Spark's Kubernetes client, in a JVM of its own, which sees no variable that Spark reads where properties are silent."""
    with pytest.MonkeyPatch.context() as environment:
        for name in [*os.environ]:
            if name.startswith(("PYSPARK_", "HADOOP_", "SPARK_")) and name not in ("SPARK_HOME", "SPARK_LOCAL_IP"):
                environment.delenv(name)
        with spark_pods.spark(tmp_path_factory.mktemp("template")) as started:
            yield started


@pytest.fixture(scope="module")
def plain(jvm: Spark) -> tuple[Flat, Flat]:
    """What Spark and the controller make without a property."""
    return jvm.made({}).flat(), jvm.controller({}).flat()


def meant(path: str, patterns: dict[str, str]) -> bool:
    """Whether a difference is one of those that are meant."""
    return any(re.fullmatch(pattern, path) for pattern in patterns)


def differences(jvm: Spark, plain: tuple[Flat, Flat], title: str, properties: dict[str, str]) -> list[str]:
    """Return what a property changes on one side and not, or otherwise, on the other, and nobody has meant."""
    allowed = cases.MEANT.get(title, {})

    def of(side: Flat, made: Made | None) -> Flat:
        return changed(side, made.flat()) if made else {"all": "refused"}

    theirs = of(plain[0], _or_refused(lambda: jvm.made(properties)))
    ours = of(plain[1], _or_refused(lambda: jvm.controller({"sparkConf": properties})))
    both = sorted({*theirs, *ours})
    found = [key for key in both if theirs.get(key) != ours.get(key) and not meant(key, allowed)]
    return [f"{title}: {key} is {theirs.get(key)!r} by Spark and {ours.get(key)!r} here" for key in found]


def all_differences(jvm: Spark, plain: tuple[Flat, Flat], named: dict[str, dict[str, str]]) -> list[str]:
    """Return the differences of many cases; those that should have none are tried a dozen at a time, and one by one if not."""
    alone = {title: properties for title, properties in named.items() if title in cases.MEANT}
    rest = [(title, properties) for title, properties in named.items() if title not in alone]
    for start in range(0, len(rest), 12):
        group = dict(rest[start : start + 12])
        merged = {key: value for properties in group.values() for key, value in properties.items()}
        refused = _or_refused(lambda merged=merged: jvm.made(merged)) is None
        if refused or len(merged) < sum(map(len, group.values())) or differences(jvm, plain, "together", merged):
            alone |= group
    return [each for title, properties in alone.items() for each in differences(jvm, plain, title, properties)]


def _or_refused(make: Callable[[], Made]) -> Made | None:
    """Return what is made, or nothing if it is refused."""
    try:
        return make()
    except (Invalid, Py4JJavaError):
        return None


def should_make_the_pods_that_spark_makes_if_nothing_is_said(plain: tuple[Flat, Flat]) -> None:
    theirs, ours = plain
    different = [key for key in sorted({*theirs, *ours}) if theirs.get(key) != ours.get(key)]
    assert [key for key in different if not meant(key, cases.ALWAYS)] == []
    unused = [pattern for pattern in cases.ALWAYS if not any(re.fullmatch(pattern, key) for key in different)]
    assert unused == [], "a difference that is no more"


def should_make_the_objects_that_spark_makes_but_a_network_policy_which_the_chart_has_for_all(jvm: Spark) -> None:
    # Spark's ConfigMap is made as the pod is created; the second Service is that of the user interface, as kubeflow's
    assert jvm.made({}).kinds == ["NetworkPolicy", "Service"]
    assert jvm.controller({}).kinds == ["ConfigMap", "Service", "Service"]


@pytest.mark.parametrize("language", ["Java", "Scala", "R"])
def should_make_them_for_every_language(jvm: Spark, language: str) -> None:
    program = {"type": language, "mainApplicationFile": "local:///a.b"} | ({} if language == "R" else {"mainClass": "a.Main"})
    theirs, ours = jvm.made({}, program).flat(), jvm.controller(program).flat()
    different = [key for key in sorted({*theirs, *ours}) if theirs.get(key) != ours.get(key)]
    allowed = cases.ALWAYS | cases.LANGUAGES.get(language, {})
    assert [(key, theirs.get(key), ours.get(key)) for key in different if not meant(key, allowed)] == []


def should_act_on_every_property_of_the_kubernetes_page_as_spark_does(jvm: Spark, plain: tuple[Flat, Flat]) -> None:
    entries = jvm.entries()
    named = {key: cases.of_property(key, default) for key, default in sorted(entries.items())}
    assert len(entries) > 100
    assert [key for key, properties in named.items() if properties is None] == [], "give it a value in kubernetes_cases.VALUES"
    found = all_differences(jvm, plain, {key: properties for key, properties in named.items() if properties})
    assert not found, "\n".join(found)


def should_act_on_every_kind_of_volume_as_spark_does(jvm: Spark, plain: tuple[Flat, Flat]) -> None:
    found = [each for title, properties in cases.volumes() for each in differences(jvm, plain, title, properties)]
    assert not found, "\n".join(found)


def should_act_on_further_properties_as_spark_does(jvm: Spark, plain: tuple[Flat, Flat]) -> None:
    found = all_differences(jvm, plain, cases.FURTHER)
    assert not found, "\n".join(found)


def should_say_so_of_every_property_that_is_not_acted_on(jvm: Spark) -> None:
    reasons = {cases.OWNED: {*conf.OWNED, "host"}, cases.CLIENT: {*conf.SUBMISSION_ONLY}}
    for title, patterns in cases.MEANT.items():
        for reason, keys in reasons.items():
            assert reason not in patterns.values() or title in keys, title
    said = {key: "x" for key in (*conf.OWNED, *conf.SUBMISSION_ONLY)}
    assert unsupported.ignored({"sparkConf": said}, Defaults()) == [f"sparkConf.{key}" for key in said]


def should_make_of_every_field_what_kubeflows_operator_makes_of_it(jvm: Spark, plain: tuple[Flat, Flat]) -> None:
    found = []
    for case in fields.cases():
        theirs = changed(plain[0], jvm.made(case.properties, case.program).flat())
        for role, part in case.pods.items():
            theirs |= {
                f"{role}: {path}": text for path, text in spark_pods.flat(part).items() if _new(plain[0], role, path, text)
            }
        ours = changed(plain[1], jvm.controller(case.spec, case.metadata).flat())
        different = [key for key in sorted({*theirs, *ours}) if theirs.get(key) != ours.get(key) and not meant(key, case.meant)]
        found += [f"{case.name}: {key} is {theirs.get(key)!r} by kubeflow and {ours.get(key)!r} here" for key in different]
    assert not found, "\n".join(found)


def _new(plain: Flat, role: str, path: str, text: str) -> bool:
    """Whether a part of a pod is another than in the plain pod: names of containers are there already."""
    return plain.get(f"{role}: {path}") != text


def should_look_at_every_field() -> None:
    known: dict[str, list[str]] = yaml.safe_load((Path(__file__).parents[1] / "operator/fields.yaml").read_text())
    roles = {f"{role}.{name}" for role in fields.ROLES for name in [*known["shared"], *known[role]]}
    wanted = {*known["spec"], *roles} - {"driver", "executor"}
    assert wanted == {case.name for case in fields.cases()} - {"metadata.labels"} | {*fields.ELSEWHERE, *fields.IGNORED}
    said = {name.replace("mode", "mode: client") for name in fields.IGNORED}
    assert all(any(name in reason for reason in unsupported.REASONS) for name in said)
