"""Everything of one submission, from the spec alone."""

from __future__ import annotations

import json

from airspark_operator import (
    admission,
    allowed,
    batch,
    beside,
    conf,
    driver,
    executor,
    kinds,
    monitoring,
    names,
    network,
    services,
    spec,
    volumes,
)
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults
from airspark_operator.submission import Submission


def objects(app: Object, submission: Submission, defaults: Defaults) -> list[Object]:
    """Return all objects of a submission, the driver pod last.

    Args:
        app: the SparkApplication.
        submission: which attempt it is.
        defaults: what applies where the spec is silent.

    Raises:
        spec.Invalid: if the spec cannot be built.
    """
    with spec.read(app):
        return _objects(app, submission, defaults)


def _objects(app: Object, submission: Submission, defaults: Defaults) -> list[Object]:
    for role in (kinds.DRIVER, kinds.EXECUTOR):
        admission.check_names(app, role)
    properties = services.proxy(app, submission, defaults) | conf.properties(app, submission, defaults)
    made = driver.pod(app, submission, properties, defaults)
    allowed.check(app, kinds.DRIVER, made, properties, defaults.policy)
    group = batch.options(app).get("priorityClassName")
    allowed.check_priority("batchSchedulerOptions.priorityClassName", group, defaults.policy)
    return [
        _config(app, submission, properties, defaults, made),
        services.driver(app, submission.id, properties),
        *services.user_interface(app, submission, properties, defaults),
        *services.further_ports(app, submission, defaults),
        *network.policies(app, submission.id, defaults),
        *_disruption_budget(app, submission),
        *batch.objects(app, submission.id, properties),
        made,
    ]


def _config(app: Object, submission: Submission, properties: dict[str, str], defaults: Defaults, made: Object) -> Object:
    """Return the ConfigMap: Spark's properties, the executors' template, the files of metrics."""
    template = executor.template(app, submission, properties, defaults)
    variables = made["spec"]["containers"][0]["env"]
    scratch = next(entry.get("value", "") for entry in variables if entry["name"] == "SPARK_LOCAL_DIRS")
    admission.check(app, kinds.EXECUTOR, template["spec"], properties, scratch)
    allowed.check(app, kinds.EXECUTOR, template, properties, defaults.policy)
    hidden = {*volumes.moved_secrets(app, properties), *beside.hidden(app, properties)}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": spec.metadata(app, names.config_name(app, submission), submission.id),
        "data": {
            conf.PROPERTIES_FILE: conf.text({key: value for key, value in properties.items() if key not in hidden}),
            conf.TEMPLATE_FILE: json.dumps(template, indent=1),  # JSON is YAML
            **monitoring.files(app),
        },
    }


def _disruption_budget(app: Object, submission: Submission) -> list[Object]:
    """Return a budget that keeps the driver from voluntary evictions, if the spec wants one.

    For pods without a scalable owner, Kubernetes knows only a number that has to stay.
    """
    if not app["spec"].get("driverPodDisruptionBudget"):
        return []
    metadata = spec.metadata(app, names.driver_service_name(app).removesuffix("-svc"), submission.id)
    wanted = {"minAvailable": 1, "selector": {"matchLabels": names.selector(app)}}
    return [{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": wanted}]
