"""How people get in: Service, Ingress, HTTPRoute, what is behind a proxy, and login by OpenID Connect."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
from rendering import Object, RenderError, cfg, containers, env, find, pods, render

OLDEST, NEWEST = "1.30", "1.37"
INGRESS = "airspark-ingress"
HOST = {"name": "airflow.example.com", "tls": {"enabled": True, "secretName": "cert"}}
OIDC: dict[str, Any] = {
    "manager": "oidc",
    "oidc": {"issuer": "https://sso.example.com", "clientId": "airflow", "clientSecretName": "sso", "defaultRole": "Viewer"},
}


def airflow(**values: Any) -> list[Object]:
    """Return the objects of the Airflow chart alone."""
    return render(values, chart="airflow")


def ingress(base_url: str = "", **values: Any) -> Object:
    """Return the API server's Ingress, valid for every supported Kubernetes."""
    config = {"config": {"api": {"base_url": base_url}}} if base_url else {}
    found = find(airflow(ingress={"apiServer": {"enabled": True, **values}}, **config), "Ingress", INGRESS)
    for version in (OLDEST, NEWEST):
        kubernetes_validate.validate(found, version, strict=True)
    return found


def paths(found: Object) -> list[tuple[str, str, str, Any]]:
    """Return path, type, Service and port of an Ingress' first rule."""
    rows = []
    for item in found["spec"]["rules"][0]["http"]["paths"]:
        service = item["backend"]["service"]
        port = service["port"]
        rows.append((item["path"], item["pathType"], service["name"], port.get("number", port.get("name"))))
    return rows


def api_server(**values: Any) -> Object:
    """Return the API server's container."""
    return dict(pods(airflow(**values))["api-server"]["spec"]["containers"][0])


def should_make_no_ingress_and_no_route_if_none_is_enabled() -> None:
    assert not {"Ingress", "HTTPRoute"} & {item["kind"] for item in airflow(statsd={"enabled": True})}


@pytest.mark.parametrize("values", [{"apiServer": {"enabled": True}}, {"enabled": True}], ids=["apiServer.enabled", "enabled"])
def should_make_an_ingress_for_any_host_if_ingress_apiserver_enabled_is_set(values: Object) -> None:
    found = find(airflow(ingress=values), "Ingress", INGRESS)
    kubernetes_validate.validate(found, NEWEST, strict=True)
    assert [set(rule) for rule in found["spec"]["rules"]] == [{"http"}]
    assert paths(found) == [("/", "ImplementationSpecific", "airspark-api-server", 8080)]
    assert "tls" not in found["spec"] and "ingressClassName" not in found["spec"]


def should_serve_each_host_as_it_says_if_ingress_apiserver_hosts_is_set() -> None:
    hosts = [
        HOST,
        {"name": "{{ .Release.Name }}.example.com", "tls": {"enabled": True, "secretName": "{{ .Release.Name }}-cert"}},
    ]
    spec = ingress(hosts=[*hosts, {"name": "plain.example.com"}])["spec"]
    assert [rule["host"] for rule in spec["rules"]] == ["airflow.example.com", "airspark.example.com", "plain.example.com"]
    assert spec["tls"] == [
        {"hosts": ["airflow.example.com"], "secretName": "cert"},
        {"hosts": ["airspark.example.com"], "secretName": "airspark-cert"},
    ]


def should_leave_the_certificate_to_the_controller_if_tls_secretname_is_not_set() -> None:
    assert ingress(hosts=[{"name": "a.example.com", "tls": {"enabled": True}}])["spec"]["tls"] == [{"hosts": ["a.example.com"]}]


@pytest.mark.parametrize("given", [{"hosts": ["a.example.com"]}, {"host": "a.example.com"}], ids=["hosts", "host"])
def should_take_the_older_keys_if_hosts_are_texts(given: Object) -> None:
    spec = ingress(**given, tls={"enabled": True, "secretName": "cert"})["spec"]
    assert [rule["host"] for rule in spec["rules"]] == ["a.example.com"]
    assert spec["tls"] == [{"hosts": ["a.example.com"], "secretName": "cert"}]


def should_template_annotations_and_class_of_the_ingress_if_they_are_set() -> None:
    found = ingress(annotations={"example.com/x": "{{ .Release.Name }}"}, ingressClassName="{{ .Release.Namespace }}-nginx")
    assert found["metadata"]["annotations"] == {"example.com/x": "airspark"}
    assert found["spec"]["ingressClassName"] == "airspark-nginx"


@pytest.mark.parametrize(
    ("base_url", "values", "path", "kind"),
    [
        ("https://example.com/airflow/", {}, "/airflow", "ImplementationSpecific"),
        ("https://example.com", {}, "/", "ImplementationSpecific"),
        ("https://example.com/airflow", {"path": "/other/*"}, "/other/*", "ImplementationSpecific"),
        ("", {"path": "/flow", "pathType": "Prefix"}, "/flow", "Prefix"),
    ],
)
def should_serve_the_path_of_base_url_unless_ingress_apiserver_path_is_set(
    base_url: str, values: Object, path: str, kind: str
) -> None:
    assert paths(ingress(base_url, **values)) == [(path, kind, "airspark-api-server", 8080)]


def should_put_other_paths_around_its_own_if_precedingpaths_and_succeedingpaths_are_set() -> None:
    before = [{"path": "/down", "pathType": "Exact", "serviceName": "{{ .Release.Name }}-page", "servicePort": "http"}]
    after = [{"path": "/*", "serviceName": "landing", "servicePort": 80}, {"path": "/x", "serviceName": "x", "servicePort": "81"}]
    assert paths(ingress(precedingPaths=before, succeedingPaths=after)) == [
        ("/down", "Exact", "airspark-page", "http"),
        ("/", "ImplementationSpecific", "airspark-api-server", 8080),
        ("/*", "ImplementationSpecific", "landing", 80),
        ("/x", "ImplementationSpecific", "x", 81),
    ]


def should_make_an_ingress_for_metrics_if_statsd_and_ingress_statsd_are_enabled() -> None:
    values: Object = {"ingress": {"statsd": {"enabled": True, "hosts": ["m.example.com"]}}}
    assert not [item for item in airflow(**values) if item["kind"] == "Ingress"]
    objects = airflow(**values, statsd={"enabled": True})
    found = find(objects, "Ingress", "airspark-statsd-ingress")
    kubernetes_validate.validate(found, NEWEST, strict=True)
    assert paths(found) == [("/metrics", "ImplementationSpecific", "airspark-statsd", "statsd-scrape")]
    ports = find(objects, "Service", "airspark-statsd")["spec"]["ports"]
    assert "statsd-scrape" in [port["name"] for port in ports]


def route(**values: Any) -> Object:
    """Return the HTTPRoute and what surrounds it."""
    given = {"enabled": True, "parentRefs": [{"name": "web", "namespace": "gateways"}], **values}
    found = find(airflow(apiServer={"httpRoute": given}), "HTTPRoute", "airspark-api-server-httproute")
    assert found["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert set(found["spec"]) <= {"parentRefs", "hostnames", "rules"}
    return found


def should_make_a_route_to_the_api_server_if_apiserver_httproute_enabled_is_set() -> None:
    spec = route(hostnames=["{{ .Release.Name }}.example.com"])["spec"]
    assert spec["parentRefs"] == [{"name": "web", "namespace": "gateways"}]
    assert spec["hostnames"] == ["airspark.example.com"]
    assert spec["rules"] == [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            "backendRefs": [{"name": "airspark-api-server", "port": 8080}],
        }
    ]


def should_route_as_values_say_if_apiserver_httproute_path_filters_and_labels_are_set() -> None:
    filters = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x", "value": "{{ .Release.Name }}"}]}}
    ]
    found = route(
        path="/flow", pathType="Exact", filters=filters, labels={"team": "data"}, annotations={"a": "{{ .Release.Name }}"}
    )
    (rule,) = found["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "Exact", "value": "/flow"}}]
    assert rule["filters"][0]["requestHeaderModifier"]["set"] == [{"name": "x", "value": "airspark"}]
    assert found["metadata"]["labels"]["team"] == "data"
    assert found["metadata"]["annotations"] == {"a": "airspark"}
    assert "hostnames" not in found["spec"]


def should_take_the_given_rules_if_apiserver_httproute_rules_is_set() -> None:
    rules = [{"backendRefs": [{"name": "{{ .Release.Name }}-proxy", "port": 80}]}]
    assert route(rules=rules)["spec"]["rules"] == [{"backendRefs": [{"name": "airspark-proxy", "port": 80}]}]


def should_ask_for_a_gateway_if_apiserver_httproute_parentrefs_is_empty() -> None:
    with pytest.raises(RenderError, match=r"apiServer\.httpRoute\.parentRefs: names no Gateway"):
        airflow(apiServer={"httpRoute": {"enabled": True}})


def service(**values: Any) -> Object:
    """Return the spec of the API server's Service."""
    found = find(airflow(apiServer={"service": values}), "Service", "airspark-api-server")
    kubernetes_validate.validate(found, NEWEST, strict=True)
    return dict(found["spec"])


def should_open_the_port_of_the_nodes_if_apiserver_service_nodeport_is_set() -> None:
    spec = service(type="NodePort", nodePort=30080)
    assert spec["type"] == "NodePort"
    assert spec["ports"] == [{"name": "api-server", "port": 8080, "targetPort": "api-server", "nodePort": 30080}]


def should_ask_the_load_balancer_for_what_apiserver_service_says() -> None:
    spec = service(type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8"], externalTrafficPolicy="Local")
    assert (spec["type"], spec["loadBalancerSourceRanges"]) == ("LoadBalancer", ["10.0.0.0/8"])
    assert spec["externalTrafficPolicy"] == "Local"


def should_send_everybody_to_the_given_port_if_apiserver_service_ports_is_set() -> None:
    ports = [
        {"name": "api-server", "port": "{{ add 80 0 }}", "targetPort": "api-server"},
        {"name": "x", "port": 81, "targetPort": "{{ .Values.ports.apiServer }}"},
    ]
    values: Object = {"apiServer": {"service": {"ports": ports}}, "ingress": {"enabled": True}}
    objects = airflow(**values)
    spec = find(objects, "Service", "airspark-api-server")["spec"]
    assert spec["ports"] == [
        {"name": "api-server", "port": 80, "targetPort": "api-server"},
        {"name": "x", "port": 81, "targetPort": 8080},
    ]
    assert paths(find(objects, "Ingress", INGRESS))[0][3] == 80
    assert "execution_api_server_url = http://airspark-api-server.airspark.svc:80/execution/" in cfg(objects)


PUBLIC: dict[str, Object] = {
    "ingress.apiServer.enabled": {"ingress": {"apiServer": {"enabled": True}}},
    "apiServer.httpRoute.enabled": {"apiServer": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "web"}]}}},
    "config.api.base_url": {"config": {"api": {"base_url": "https://{{ .Release.Name }}.example.com"}}},
}


@pytest.mark.parametrize("key", sorted(PUBLIC))
def should_believe_the_proxy_in_front_if_the_key_is_set(key: str) -> None:
    container = api_server(**PUBLIC[key])
    assert container["args"][-1] == "--proxy-headers"
    assert env(container)["FORWARDED_ALLOW_IPS"] == "*"


def should_believe_no_proxy_if_nothing_outside_is_to_get_in() -> None:
    container = api_server()
    assert "--proxy-headers" not in container["args"]
    assert "FORWARDED_ALLOW_IPS" not in env(container)


@pytest.mark.parametrize("where", ["env", "apiServer.env"])
def should_believe_the_given_proxies_only_if_forwarded_allow_ips_is_set(where: str) -> None:
    given = [{"name": "FORWARDED_ALLOW_IPS", "value": "10.0.0.0/8"}]
    own: Object = {"env": given} if where == "env" else {"apiServer": {"env": given}}
    names = [item["name"] for item in api_server(**own, **PUBLIC["ingress.apiServer.enabled"])["env"]]
    assert names.count("FORWARDED_ALLOW_IPS") == 1


@pytest.mark.parametrize(("base_url", "secure"), [("https://example.com", True), ("http://example.com", False)])
def should_send_the_session_over_https_only_if_config_api_base_url_is_https(base_url: str, secure: bool) -> None:
    assert ("cookie_secure = True" in cfg(airflow(config={"api": {"base_url": base_url}}))) is secure
    own = {"api": {"base_url": base_url}, "fab": {"cookie_secure": "False"}}
    assert "cookie_secure = True" not in cfg(airflow(config=own))


def should_hand_the_client_secret_to_the_api_server_only_if_auth_manager_is_oidc() -> None:
    objects = airflow(auth=OIDC)
    name = "AIRSPARK_OIDC_CLIENT_SECRET"
    holders = {holder: env(container)[name] for holder, container, _ in containers(objects) if name in env(container)}
    assert holders == {"api-server/api-server": {"secretKeyRef": {"name": "sso", "key": "client-secret"}}}
    assert name in env(api_server(auth=OIDC))["AIRSPARK_SECRETS"], "a new secret restarts the container"
    assert name not in str(airflow())


def should_configure_the_provider_if_auth_oidc_is_set() -> None:
    odd = {**OIDC, "oidc": {**OIDC["oidc"], "roleMapping": {"100%": ["Admin"]}, "issuer": "https://{{ .Release.Name }}"}}
    objects = airflow(auth=odd)
    config = find(objects, "ConfigMap", "airspark-config")["data"]
    assert "SECURITY_MANAGER_CLASS = OidcSecurityManager" in config["webserver_config.py"]
    assert '"issuer":"https://airspark"' in config["airflow.cfg"]
    assert '"roleMapping":{"100%%":["Admin"]}' in config["airflow.cfg"], "the parser of airflow.cfg takes %% for %"
    compile(config["webserver_config.py"], "webserver_config.py", "exec")


def should_restart_airflow_if_auth_oidc_changes() -> None:
    other = {**OIDC, "oidc": {**OIDC["oidc"], "defaultRole": "Op"}}
    before, after = (pods(airflow(auth=auth))["api-server"]["metadata"] for auth in (OIDC, other))
    assert before["annotations"] != after["annotations"]


@pytest.mark.parametrize(("manager", "kind"), [("fab", "AUTH_DB"), ("oidc", "AUTH_OAUTH")])
def should_log_in_as_auth_manager_says_unless_apiserver_apiserverconfig_is_set(manager: str, kind: str) -> None:
    auth = {**OIDC, "manager": manager}
    config = find(airflow(auth=auth), "ConfigMap", "airspark-config")["data"]["webserver_config.py"]
    assert f"AUTH_TYPE = {kind}" in config
    own = airflow(auth=auth, apiServer={"apiServerConfig": "AUTH_TYPE = {{ .Values.uid }}"})
    assert find(own, "ConfigMap", "airspark-config")["data"]["webserver_config.py"] == "AUTH_TYPE = 50000\n"


@pytest.mark.parametrize("key", ["issuer", "clientId", "clientSecretName"])
def should_ask_for_what_the_provider_needs_if_auth_oidc_lacks_it(key: str) -> None:
    with pytest.raises(RenderError, match=rf"auth\.oidc\.{key}: missing"):
        airflow(auth={**OIDC, "oidc": {**OIDC["oidc"], key: ""}})


def should_ask_for_a_role_if_auth_oidc_gives_nobody_one() -> None:
    with pytest.raises(RenderError, match=r"auth\.oidc\.roleMapping: nobody would get a role"):
        airflow(auth={**OIDC, "oidc": {**OIDC["oidc"], "defaultRole": ""}})


def should_render_the_access_of_the_umbrella_as_that_of_the_chart_alone() -> None:
    values = {"ingress": {"apiServer": {"enabled": True, "hosts": [HOST]}}}
    assert find(render({"airflow": values}), "Ingress", INGRESS)["spec"] == ingress(hosts=[HOST])["spec"]
