"""How people get to Spark's pages: Ingress, route, and the addresses that its links are made of."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
from rendering import Object, RenderError, find, nested, render

PAGES = {"": "airspark-spark-master", "historyServer": "airspark-spark-history"}


def spark(**values: Any) -> list[Object]:
    """Return the objects of the Spark chart alone, with a history server."""
    history = {"enabled": True, **values.pop("historyServer", {})}
    return render({"mounts": {"events": {"claim": "events"}}, "historyServer": history, **values}, chart="spark")


def below(key: str, **values: Any) -> Object:
    """Return values under a key, or as they are if it is empty."""
    return {key: values} if key else values


def conf(objects: list[Object], file: str = "spark-defaults.conf") -> dict[str, str]:
    """Return lines of a configuration file by key."""
    text = find(objects, "ConfigMap", "airspark-spark-config")["data"][file]
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def should_make_no_ingress_and_no_route_by_default() -> None:
    assert not {"Ingress", "HTTPRoute"} & {item["kind"] for item in spark()}


@pytest.mark.parametrize("key", PAGES)
def should_make_an_ingress_as_the_values_say(key: str) -> None:
    ingress = {
        "enabled": True,
        "hostname": "{{ .Release.Name }}.example.org",
        "ingressClassName": "nginx",
        "annotations": {"cert-manager.io/cluster-issuer": "{{ .Release.Name }}"},
        "pathType": "Prefix",
        "tls": True,
    }
    found = find(spark(**below(key, ingress=ingress)), "Ingress", PAGES[key])
    for version in ("1.30", "1.37"):
        kubernetes_validate.validate(found, version, strict=True)
    assert found["metadata"]["annotations"] == {"cert-manager.io/cluster-issuer": "airspark"}
    spec = found["spec"]
    assert spec["ingressClassName"] == "nginx"
    assert spec["tls"] == [{"secretName": "airspark.example.org-tls", "hosts": ["airspark.example.org"]}]
    (rule,) = spec["rules"]
    assert rule["host"] == "airspark.example.org"
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    assert path["backend"] == {"service": {"name": PAGES[key], "port": {"name": "http"}}}
    service = find(spark(), "Service", PAGES[key])
    assert "http" in {port["name"] for port in service["spec"]["ports"]}


def should_answer_for_any_host_and_without_tls_if_only_ingress_enabled_is_set() -> None:
    objects = spark(ingress={"enabled": True})
    spec = find(objects, "Ingress", PAGES[""])["spec"]
    assert set(spec) == {"rules"} and set(spec["rules"][0]) == {"http"}
    assert "spark.ui.reverseProxyUrl" not in conf(objects)


def should_take_another_certificate_if_ingress_tlssecretname_is_set() -> None:
    values = {"enabled": True, "hostname": "spark.example.org", "tls": True, "tlsSecretName": "cert-{{ .Release.Name }}"}
    assert find(spark(ingress=values), "Ingress", PAGES[""])["spec"]["tls"][0]["secretName"] == "cert-airspark"


@pytest.mark.parametrize("key", PAGES)
def should_make_a_route_if_httproute_enabled_is_set(key: str) -> None:
    route = {"enabled": True, "parentRefs": [{"name": "web"}], "hostnames": ["{{ .Release.Name }}.example.org"]}
    found = find(spark(**below(key, httpRoute=route)), "HTTPRoute", PAGES[key])
    assert found["spec"] == {
        "parentRefs": [{"name": "web"}],
        "hostnames": ["airspark.example.org"],
        "rules": [{"backendRefs": [{"name": PAGES[key], "port": 18080 if key else 8080}]}],
    }


def should_make_no_way_to_a_history_server_that_is_off() -> None:
    values: Object = {"historyServer": {"enabled": False, "ingress": {"enabled": True, "hostname": "h"}}}
    objects = render(values, chart="spark")
    assert "Ingress" not in {item["kind"] for item in objects}


URLS: dict[str, tuple[Object, str | None, str]] = {
    "nothing": ({}, None, "http://localhost:18080"),
    "both Ingresses": (
        {
            "ingress": {"enabled": True, "hostname": "spark.example.org", "tls": True},
            "historyServer": {"ingress": {"enabled": True, "hostname": "history.example.org"}},
        },
        "https://spark.example.org",
        "http://history.example.org",
    ),
    "a path": (
        {
            "ingress": {"enabled": True, "hostname": "example.org", "path": "/spark/"},
            "historyServer": {"ingress": {"enabled": True, "hostname": "example.org", "path": "/finished/*"}},
        },
        "http://example.org/spark",
        "http://example.org/finished",
    ),
    "routes": (
        {
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "web"}], "hostnames": ["spark.example.org"]},
            "historyServer": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "w"}], "hostnames": ["old.example.org"]}},
        },
        "https://spark.example.org",
        "https://old.example.org",
    ),
    "an address of one's own": (
        {
            "ui": {"reverseProxy": {"url": "https://a.example.org/x"}},
            "ingress": {"enabled": True, "hostname": "spark.example.org"},
            "historyServer": {"url": "https://b.example.org", "ingress": {"enabled": True, "hostname": "c.example.org"}},
        },
        "https://a.example.org/x",
        "https://b.example.org",
    ),
    "a pattern": (
        {"ingress": {"enabled": True, "hostname": "example.org", "path": "/spark(/|$)(.*)"}},
        "http://example.org",
        "http://localhost:18080",
    ),
}


@pytest.mark.parametrize("case", URLS)
def should_make_links_of_the_address_that_people_use(case: str) -> None:
    values, master, history = URLS[case]
    found = conf(spark(**values))
    assert found.get("spark.ui.reverseProxyUrl") == master
    assert found["spark.master.ui.historyServerUrl"] == history


def should_put_the_path_of_its_ingress_before_the_history_servers_links() -> None:
    ingress = {"enabled": True, "hostname": "example.org", "path": "/finished"}
    assert conf(spark(historyServer={"ingress": ingress}), "history.conf")["spark.ui.proxyBase"] == "/finished"
    assert "spark.ui.proxyBase" not in conf(spark(), "history.conf")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (nested("ingress", {"enabled": True, "tls": True}), "ingress.tls: there is neither a host nor a Secret"),
        (nested("httpRoute.enabled", True), "httpRoute.parentRefs: names no Gateway"),
        (
            nested("historyServer.httpRoute.enabled", True),
            "historyServer.httpRoute.parentRefs: names no Gateway",
        ),
        (nested("ui.reverseProxy.url", "https://example.org/proxy/spark"), "Spark takes `proxy` in an address"),
        (
            nested("ingress", {"enabled": True, "hostname": "example.org", "path": "/history"}),
            "Spark takes `history` in an address",
        ),
    ],
    ids=["tls", "route", "history route", "proxy", "history"],
)
def should_refuse_with_a_sentence_what_cannot_work(values: Object, said: str) -> None:
    with pytest.raises(RenderError) as refusal:
        spark(**values)
    assert said in str(refusal.value)


def should_let_nobody_stop_a_job_from_a_page() -> None:
    """The master passes requests on to the pages of drivers, which ask for no password."""
    client = find(render(), "ConfigMap", "airspark-spark-client")["data"]["spark-defaults.conf"]
    assert "spark.ui.killEnabled false" in client.splitlines()
    assert conf(spark())["spark.ui.killEnabled"] == "false"
