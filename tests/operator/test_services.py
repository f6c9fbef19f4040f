"""Services and Ingresses of an application."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from builders import DEFAULTS, app, driver, objects, one, properties

from airspark_operator import services
from airspark_operator.spec import Invalid

INGRESS = dataclasses.replace(DEFAULTS, ingress_url_format="{{$appName}}.example.com", ingress_class="nginx")
BEHIND_A_PATH = dataclasses.replace(DEFAULTS, ingress_url_format="spark.example.com/{{$appNamespace}}/{{$appName}}")


def should_select_the_driver_of_any_attempt_and_nothing_else() -> None:
    for thing in objects(app(driverIngressOptions=[{"servicePort": 9000, "servicePortName": "x", "ingressURLFormat": "h"}])):
        if thing["kind"] == "Service":
            chosen = thing["spec"]["selector"]
            assert chosen == {"sparkoperator.k8s.io/app-name": "job", "spark-role": "driver"}
            assert driver(app())["metadata"]["labels"].items() >= chosen.items()


def should_give_executors_the_drivers_address_before_it_is_ready() -> None:
    service = one(app(), "Service", "job-driver-svc")
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]} == {
        "driver-rpc-port": 7078, "blockmanager": 7079, "spark-ui": 4040
    }  # fmt: skip


def should_be_the_host_that_the_properties_name() -> None:
    service = one(app(), "Service", "job-driver-svc")["metadata"]
    assert properties(app())["spark.driver.host"] == f"{service['name']}.{service['namespace']}.svc"


def should_label_the_drivers_service_as_spec_and_properties_say() -> None:
    conf = {"spark.kubernetes.driver.service.label.a": "conf", "spark.kubernetes.driver.service.annotation.b": "conf"}
    own = {"serviceLabels": {"c": "spec"}, "serviceAnnotations": {"d": "spec"}}
    metadata = one(app(driver=own, sparkConf=conf), "Service", "job-driver-svc")["metadata"]
    assert metadata["labels"].items() >= {"a": "conf", "c": "spec"}.items()
    assert metadata["annotations"] == {"b": "conf", "d": "spec"}


@pytest.mark.parametrize(
    ("options", "conf", "port", "target"),
    [
        ({}, {}, 4040, 4040),
        ({"servicePort": 80}, {}, 80, 4040),
        ({}, {"spark.ui.port": "4050"}, 4050, 4050),
        ({"servicePort": 80}, {"spark.ui.port": "4050"}, 80, 4050),
    ],
)
def should_lead_to_the_user_interface(options: dict[str, Any], conf: dict[str, str], port: int, target: int) -> None:
    application = app(sparkUIOptions=options, sparkConf=conf)
    (entry,) = one(application, "Service", "job-ui-svc")["spec"]["ports"]
    assert (entry["port"], entry["targetPort"], entry["name"]) == (port, target, "spark-driver-ui-port")
    info = services.driver_info(objects(application))
    assert info == {"webUIServiceName": "job-ui-svc", "webUIPort": port, "webUIAddress": f"job-ui-svc.data.svc:{port}"}


def should_take_type_name_labels_and_annotations_of_the_spec() -> None:
    options = {
        "servicePortName": "ui", "serviceType": "NodePort", "serviceLabels": {"a": "b"}, "serviceAnnotations": {"c": "d"}
    }  # fmt: skip
    service = one(app(sparkUIOptions=options), "Service", "job-ui-svc")
    assert service["spec"]["type"] == "NodePort"
    assert service["spec"]["ports"][0]["name"] == "ui"
    assert service["metadata"]["labels"]["a"] == "b"
    assert service["metadata"]["annotations"] == {"c": "d"}


@pytest.mark.parametrize(
    ("conf", "defaults"), [({"spark.ui.enabled": "false"}, DEFAULTS), ({}, dataclasses.replace(DEFAULTS, ui_service=False))]
)
def should_make_no_service_for_an_interface_that_is_off(conf: dict[str, str], defaults: Any) -> None:
    names = [thing["metadata"]["name"] for thing in objects(app(sparkConf=conf), defaults)]
    assert "job-ui-svc" not in names
    assert services.driver_info(objects(app(sparkConf=conf), defaults)) == {}


def should_make_an_ingress_if_the_chart_has_a_format() -> None:
    options = {"ingressAnnotations": {"a": "b"}, "ingressTLS": [{"hosts": ["job.example.com"], "secretName": "tls"}]}
    ingress = one(app(sparkUIOptions=options), "Ingress", defaults=INGRESS)
    (rule,) = ingress["spec"]["rules"]
    assert rule["host"] == "job.example.com"
    assert rule["http"]["paths"][0]["path"] == "/"
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "job-ui-svc", "port": {"number": 4040}}
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"] == options["ingressTLS"]
    assert ingress["metadata"]["annotations"] == {"a": "b"}
    assert services.driver_info(objects(app(), INGRESS))["webUIIngressAddress"] == "job.example.com"


def should_tell_spark_of_the_path_that_its_interface_is_behind() -> None:
    (rule,) = one(app(), "Ingress", defaults=BEHIND_A_PATH)["spec"]["rules"]
    assert rule["host"] == "spark.example.com"
    assert rule["http"]["paths"][0]["path"] == "/data/job(/|$)(.*)"
    found = properties(app(), BEHIND_A_PATH)
    assert (found["spark.ui.proxyBase"], found["spark.ui.proxyRedirectUri"]) == ("/data/job", "/")
    assert services.driver_info(objects(app(), BEHIND_A_PATH))["webUIIngressAddress"] == "spark.example.com/data/job"


def should_let_a_spec_set_the_path_itself() -> None:
    assert properties(app(sparkConf={"spark.ui.proxyBase": "/own"}), BEHIND_A_PATH)["spark.ui.proxyBase"] == "/own"


def should_expose_further_ports_of_the_driver() -> None:
    options = {
        "servicePort": 9000,
        "servicePortName": "grpc",
        "ingressURLFormat": "{{$appName}}-grpc.example.com/{{$appNamespace}}",
    }
    made = app(driverIngressOptions=[options])
    assert one(made, "Service", "job-driver-9000")["spec"]["ports"][0]["targetPort"] == 9000
    (rule,) = one(made, "Ingress", "job-driver-9000")["spec"]["rules"]
    assert (rule["host"], rule["http"]["paths"][0]["path"]) == ("job-grpc.example.com", "/data(/|$)(.*)")


@pytest.mark.parametrize("text", ["", "/only/a/path"])
def should_refuse_an_address_without_a_host(text: str) -> None:
    with pytest.raises(Invalid, match="has no host"):
        services.address(app(), text, "spark-0")


@pytest.mark.parametrize(
    ("text", "host", "path"),
    [
        ("https://{{$appName}}.example.com", "job.example.com", ""),
        ("example.com/{{$appName}}/", "example.com", "/job"),
        ("example.com", "example.com", ""),
    ],
)
def should_read_an_address(text: str, host: str, path: str) -> None:
    found = services.address(app(), text, "spark-0")
    assert (found.host, found.path, found.text) == (host, path, host + path)
