"""Names of what belongs to an application."""

from __future__ import annotations

import re

import pytest
from builders import app
from hypothesis import given
from hypothesis import strategies as st

from airspark_operator import names, submission

DNS_1035 = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
LABEL = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
#: Names that the API server takes for a SparkApplication: a DNS subdomain of at most 63 characters.
APPLICATIONS = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?)?\Z").filter(
    lambda name: len(name) <= 63
)


def named(name: str) -> dict:
    return app(metadata={"name": name})


@given(APPLICATIONS)
def should_be_valid_for_their_kinds_whatever_the_application_is_called(name: str) -> None:
    application = named(name)
    attempt = submission.submission(application, 0, 1)
    for service in (
        names.driver_service_name(application), names.ui_service_name(application), names.port_service_name(application, 65535)
    ):  # fmt: skip
        assert DNS_1035.match(service) and len(service) <= 63
    for other in (names.config_name(application, attempt), names.ui_ingress_name(application), names.pod_group_name(application)):
        assert SUBDOMAIN.match(other) and len(other) <= 63
    executor = f"{names.executor_prefix(application, attempt)}-exec-99999"
    assert re.match(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", executor) and len(executor) <= 63
    assert names.driver_name(application) == f"{name}-driver"


@given(st.text(max_size=200))
def should_make_a_label_of_any_text(text: str) -> None:
    value = names.label_value(text)
    assert LABEL.match(value) and len(value) <= 63


@given(APPLICATIONS, APPLICATIONS)
def should_differ_for_applications_that_differ(one: str, other: str) -> None:
    if one.replace(".", "-").removeprefix("spark-") == other.replace(".", "-").removeprefix("spark-"):
        return
    assert names.driver_service_name(named(one)) != names.driver_service_name(named(other))


def should_differ_for_long_names_that_differ_at_the_end() -> None:
    one, other = "a" * 62 + "b", "a" * 62 + "c"
    assert names.driver_service_name(named(one)) != names.driver_service_name(named(other))


def should_keep_a_short_name_readable() -> None:
    application = named("sales")
    assert names.driver_service_name(application) == "sales-driver-svc"
    assert names.ui_service_name(application) == "sales-ui-svc"
    assert names.ui_ingress_name(application) == "sales-ui-ingress"
    assert names.port_service_name(application, 5000) == "sales-driver-5000"


def should_begin_a_services_name_with_a_letter_if_the_applications_does_not() -> None:
    assert names.driver_service_name(named("2026-sales")) == "spark-2026-sales-driver-svc"


def should_take_the_drivers_name_from_the_spec_if_it_has_one() -> None:
    assert names.driver_name(app(driver={"podName": "mine"})) == "mine"


@pytest.mark.parametrize(("text", "label"), [("a b", "a-b"), ("-a-", "a"), ("", ""), ("…", ""), ("A_b.c", "A_b.c")])
def should_replace_what_a_label_may_not_have(text: str, label: str) -> None:
    assert names.label_value(text) == label
