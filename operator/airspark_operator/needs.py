"""What a pod needs to start, as the scheduler counts it: the requests of its containers, Spark's among them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

from airspark_operator import memory, spec
from airspark_operator.kinds import Object
from airspark_operator.spec import Invalid

Amounts = dict[str, Decimal]
#: Kubernetes' quantities: a decimal number with a suffix or an exponent.
QUANTITY = re.compile(r"^([0-9]{1,19}(?:\.[0-9]{0,19})?|\.[0-9]{1,19})(?:([numkMGTPE]|[KMGTPE]i)|[eE]([-+]?[0-9]{1,3}))?$")
POWERS = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
#: Greatest quantity of Kubernetes.
MOST = Decimal(2) ** 63
MIB = Decimal(memory.MIB)


def amount(text: object, field: str) -> Decimal:
    """Return a quantity of Kubernetes as a number.

    Raises:
        Invalid: if it is none.
    """
    match = QUANTITY.match(str(text).strip())
    if not match:
        raise Invalid(f"{field} is {str(text)!r}, which is not a quantity of Kubernetes; write it like 500m, 2 or 4Gi")
    number, suffix, power = match.groups()
    if suffix and suffix.endswith("i"):
        found = Decimal(number) * (Decimal(1024) ** ("KMGTPE".index(suffix[0]) + 1))
    else:
        found = Decimal(number).scaleb(POWERS[suffix] if suffix else int(power or 0))
    if found > MOST:
        raise Invalid(f"{field} is {str(text)!r}, which is more than Kubernetes can count (8Ei); lower it")
    return found


def written(name: str, value: Decimal) -> str:
    """Return an amount as Kubernetes writes it: cores whole or in thousandths, memory in MiB, the rest whole."""
    if name == "memory":
        return f"{_up(value / MIB)}Mi"
    if name == "cpu" and value != value.to_integral_value():
        return f"{_up(value * 1000)}m"
    return str(_up(value))


def _up(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_CEILING))


def devices(role: str, conf: Mapping[str, str]) -> Object:
    """Return the devices that properties ask for (KubernetesUtils.buildResourcesQuantities).

    Raises:
        Invalid: if one has no vendor.
    """
    prefix = f"spark.{role}.resource."
    said = {key[len(prefix) :]: value for key, value in conf.items() if key.startswith(prefix)}
    found = {}
    for key, number in said.items():
        name, _, field = key.partition(".")
        if field == "amount":
            vendor = said.get(f"{name}.vendor")
            if not vendor:
                raise Invalid(f"sparkConf: {prefix}{name}.amount needs {prefix}{name}.vendor, such as nvidia.com")
            found[f"{vendor}/{name}"] = number
    return found


def of_pod(app: Object, role: str, conf: Mapping[str, str], containers: list[Object], init: list[Object]) -> Amounts:
    """Return what a pod of a role needs: the sum of its containers, or its largest init container if that needs more.

    Args:
        app: the SparkApplication.
        role: `driver` or `executor`.
        conf: Spark's properties.
        containers: Spark's container as the template has it, and those beside it.
        init: its init containers; those that stay are counted with the others.

    Raises:
        Invalid: if an amount cannot be read.
    """
    spark, *beside = containers
    stay = [one for one in init if one.get("restartPolicy") == "Always"]
    total = summed([_of_spark(app, role, conf, spark), *(_requests(one, role) for one in [*beside, *stay])])
    for one in init:
        if one not in stay:
            total = {name: max(total.get(name, Decimal(0)), value) for name, value in (total | _requests(one, role)).items()}
    return total


def _of_spark(app: Object, role: str, conf: Mapping[str, str], template: Object) -> Amounts:
    """Return what Spark's own container of a role needs."""
    cores = conf.get(f"spark.kubernetes.{role}.request.cores") or conf.get(f"spark.{role}.cores", "1")
    found = {key: value for key, value in _requests(template, role).items() if key not in ("cpu", "memory")}
    found["cpu"] = amount(cores, f"{role}.coreRequest")
    found["memory"] = memory.of(role, conf, spec.language(app)) * MIB
    gpu = spec.of(app, role).get("gpu")
    asked = devices(role, conf) | ({gpu["name"]: gpu["quantity"]} if gpu else {})
    return found | {name: amount(value, f"{role}: {name}") for name, value in asked.items()}


def _requests(container: Object, role: str) -> Amounts:
    """Return the requests of a container; a limit is one too where there is none of its own."""
    where = f"{role}: container {container.get('name', 'of the template')}"
    resources = container.get("resources") or {}
    wanted = (resources.get("limits") or {}) | (resources.get("requests") or {})
    return {name: amount(value, f"{where}: {name}") for name, value in wanted.items()}


def check_cores(app: Object, role: str, conf: Mapping[str, str], template: Object) -> None:
    """Compare the cores that Spark's container of a role asks for with its limit.

    Args:
        app: the SparkApplication.
        role: `driver` or `executor`.
        conf: Spark's properties.
        template: Spark's container as the role's template has it.

    Raises:
        Invalid: if the request is above the limit, as no API server takes it, or one cannot be read.
    """
    own, of_template = spec.of(app, role), ((template.get("resources") or {}).get("limits") or {}).get("cpu")
    request, limit = f"spark.kubernetes.{role}.request.cores", f"spark.kubernetes.{role}.limit.cores"
    most = conf.get(limit) or of_template
    if most is None:
        return
    asked, where = conf.get(request), f"{role}.coreRequest" if own.get("coreRequest") else f"sparkConf.{request}"
    if not asked:
        asked, where = conf.get(f"spark.{role}.cores", "1"), f"{role}.cores"
    bound = f"{role}.coreLimit" if own.get("coreLimit") else f"sparkConf.{limit}"
    bound = bound if conf.get(limit) else f"the CPU limit of {role}.template"
    if amount(asked, where) > amount(most, bound):
        raise Invalid(f"{bound} is {most}, below the {asked} of {where}; raise it, or set {role}.coreRequest to at most {most}")


def times(amounts: Amounts, count: int) -> Amounts:
    """Return amounts so many times."""
    return {name: value * count for name, value in amounts.items()} if count else {}


def summed(parts: Iterable[Amounts]) -> Amounts:
    """Return the sum of amounts, kind by kind."""
    found: Amounts = {}
    for part in parts:
        for name, value in part.items():
            found[name] = found.get(name, Decimal(0)) + value
    return found


def text(amounts: Amounts) -> dict[str, str]:
    """Return amounts as Kubernetes writes them, in the order of their names."""
    return {name: written(name, value) for name, value in sorted(amounts.items())}
