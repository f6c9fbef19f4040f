"""Properties that say of a pod what a field or its template says too: the field wins, on the driver as on executors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airspark_operator import conf as properties
from airspark_operator import kinds, placeholders, pods, spec
from airspark_operator.kinds import Object

#: Prefix of the properties of both roles' node selectors.
NODES = "spark.kubernetes.node.selector."
#: Prefixes of the properties that are variables: plain ones, and those from Secrets.
VARIABLES = {
    kinds.DRIVER: ("spark.kubernetes.driverEnv.", "spark.kubernetes.driver.secretKeyRef."),
    kinds.EXECUTOR: ("spark.executorEnv.", "spark.kubernetes.executor.secretKeyRef."),
}
#: The batch scheduler that knows the queue of a pod by a label, and that label.
YUNIKORN, QUEUE_LABEL = "yunikorn", "queue"
Texts = Mapping[str, str | None]


def texts(app: Object, role: str, field: str) -> dict[str, str]:
    """Return the labels or annotations that the application, its template and its fields give a role's pods.

    Args:
        app: the SparkApplication, or one of which only the spec is known.
        role: `driver` or `executor`.
        field: `labels` or `annotations`.
    """
    own = spec.of(app, role)
    given = (own.get("template") or {}).get("metadata") or {}
    fields = pods.labels(app, role) if field == "labels" and "metadata" in app else own.get(field)
    return (given.get(field) or {}) | (fields or {})


def queue(app: Object) -> dict[str, str]:
    """Return the label of `batchSchedulerOptions.queue`, which goes before those of fields."""
    chosen = (app["spec"].get("batchSchedulerOptions") or {}).get("queue")
    return {QUEUE_LABEL: chosen} if chosen and app["spec"].get("batchScheduler") == YUNIKORN else {}


def said(app: Object, role: str) -> dict[str, Texts]:
    """Return what fields and template say of a role's pods, by the prefix of the properties that say the same.

    A text is None where no property can say it.
    """
    plain, references = _variables(app, role)
    nodes = pods.nodes(app, role, {})
    return {
        f"spark.kubernetes.{role}.label.": texts(app, role, "labels") | queue(app),
        f"spark.kubernetes.{role}.annotation.": texts(app, role, "annotations"),
        f"spark.kubernetes.{role}.node.selector.": nodes,
        NODES: nodes,
        VARIABLES[role][0]: plain,
        VARIABLES[role][1]: references,
    }


def _variables(app: Object, role: str) -> tuple[Texts, Texts]:
    """Return the variables of Spark's container as plain texts, and as Secrets with their keys."""
    own, (spark, *_) = spec.of(app, role), pods.containers(app, role)
    entries = [*(spark.get("env") or ()), *({"name": name, "value": v} for name, v in (own.get("envVars") or {}).items())]
    entries += [{"name": name, "valueFrom": {"secretKeyRef": ref}} for name, ref in (own.get("envSecretKeyRefs") or {}).items()]
    plain: dict[str, str | None] = {}
    references: dict[str, str | None] = {}
    for entry in [*entries, *(own.get("env") or ())]:
        source = entry.get("valueFrom")
        secret = (source or {}).get("secretKeyRef")
        plain[entry["name"]] = None if source else entry.get("value", "")
        references[entry["name"]] = f"{secret.get('name')}:{secret.get('key')}" if secret else None
    return plain, references


def _overruled(app: Object, role: str, conf: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Give the properties that a field or template overrules, each with what that says."""
    for prefix, entries in said(app, role).items():
        for key in properties.prefixed(conf, prefix):
            if key in entries:
                yield prefix + key, entries[key]


def ignored(app: Object, conf: Mapping[str, str]) -> list[str]:
    """Return the properties that a field or template overrules with another value."""
    roles = (kinds.DRIVER, kinds.EXECUTOR)
    found = (key for role in roles for key, text in _overruled(app, role, conf) if conf[key] != text)
    return list(dict.fromkeys(found))


def hidden(app: Object, conf: Mapping[str, str]) -> set[str]:
    """Return the properties that Spark must not read, because it would put them over the executors' template.

    What holds the number of an executor stays: there the property has the text of the field.
    """
    entries = _overruled(app, kinds.EXECUTOR, conf)
    return {key for key, text in entries if placeholders.EXECUTOR_ID not in (text or "")}
