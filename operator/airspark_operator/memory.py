"""Memory of a pod as Spark computes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from airspark_operator.spec import Invalid

MIB = 1 << 20
#: Spark's units (JavaUtils.byteStringAs), in bytes.
UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
SIZE = re.compile(r"^\s*+([0-9]{1,19})\s*+([bkmgtp]?)b?\s*+$", re.IGNORECASE)
#: Kubernetes' suffixes of quantities, as bytes.
SUFFIXES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
QUANTITY = re.compile(r"^\s*+([0-9]{1,19}(?:\.[0-9]{0,19})?|\.[0-9]{1,19})(Ki|Mi|Gi|Ti|k|M|G|T)?\s*+$")

#: A factor, with few enough digits that an amount times it stays a number.
FACTOR = re.compile(r"\s*+[+]?([0-9]{1,9}(?:\.[0-9]{0,60})?|\.[0-9]{1,60})([eE][-+]?[0-9]{1,3})?\s*+")
#: Greatest factor; no pod has a thousand times its heap beside it.
MOST_FACTOR = 1000

#: Spark's defaults (core's config package and Kubernetes' Config).
DEFAULT_MEMORY = "1g"
LEAST_OVERHEAD = "384m"
JVM_FACTOR, OTHER_FACTOR = "0.1", "0.4"


def mebibytes(text: str, field: str, unit: str = "m") -> int:
    """Return an amount of memory in MiB, rounded down as Spark does.

    Args:
        text: the amount.
        field: what it is called in a message.
        unit: what a number without one is in: `m` for most of Spark's properties, `b` for some.

    Raises:
        Invalid: if it is none.
    """
    match = SIZE.match(text)
    if not match:
        raise Invalid(f"{field} is {text!r}, which is no amount of memory for Spark; write it like 512m or 2g")
    return int(match.group(1)) * UNITS[match.group(2).lower() or unit] // MIB


def factor(text: str, field: str) -> Decimal:
    """Return a factor.

    Raises:
        Invalid: if it is not a number from 0 to 1000.
    """
    found = Decimal(text.strip()) if FACTOR.fullmatch(text) else None
    if found is None or found > MOST_FACTOR:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise Invalid(f"{field} is {shown!r}, which is not a number from 0 to {MOST_FACTOR}; write it like 0.1")
    return found


def shared_factor(conf: Mapping[str, str], language: str) -> str:
    """Return the overhead as a share of the heap where a role has none of its own (BasicDriverFeatureStep)."""
    return conf.get("spark.kubernetes.memoryOverheadFactor") or (JVM_FACTOR if language == "java" else OTHER_FACTOR)


def of(role: str, conf: Mapping[str, str], language: str) -> int:
    """Return the memory of a role's container in MiB (BasicDriverFeatureStep; ResourceProfile for executors).

    Args:
        role: `driver` or `executor`.
        conf: Spark's properties.
        language: `java`, `python` or `r`.

    Raises:
        Invalid: if a property cannot be read.
    """

    def amount(key: str, otherwise: str = "0") -> int:
        return mebibytes(conf.get(key, otherwise), key)

    heap = amount(f"spark.{role}.memory", DEFAULT_MEMORY)
    if f"spark.{role}.memoryOverhead" in conf:
        overhead = amount(f"spark.{role}.memoryOverhead")
    else:
        share = conf.get(f"spark.{role}.memoryOverheadFactor") or shared_factor(conf, language)
        least = amount(f"spark.{role}.minMemoryOverhead", LEAST_OVERHEAD)
        overhead = max(int(factor(share, f"the memory overhead factor of the {role}") * heap), least)
    if role == "driver":
        return heap + overhead
    off_heap = 0
    if conf.get("spark.memory.offHeap.enabled", "").lower() == "true":
        off_heap = mebibytes(conf.get("spark.memory.offHeap.size", "0"), "spark.memory.offHeap.size", "b")
    python = amount("spark.executor.pyspark.memory") if language == "python" else 0
    return heap + overhead + off_heap + python


def limit(text: str, field: str) -> str:
    """Return a limit as a quantity of Kubernetes: its own units stay, Spark's are translated (`2g` is 2 GiB).

    Raises:
        Invalid: if it is neither.
    """
    if SIZE.match(text) and not text.strip()[-1].isdigit():
        return f"{mebibytes(text, field)}Mi"
    if QUANTITY.match(text):
        return text.strip()
    raise Invalid(f"{field} is {text!r}, which is no amount of memory; write it like 2g or 2Gi")


def quantity_mebibytes(text: str) -> int:
    """Return a quantity of Kubernetes in MiB, rounded down."""
    match = QUANTITY.match(text)
    if not match:
        raise Invalid(f"{text!r} is no quantity of memory; write it like 2Gi")
    return int(Decimal(match.group(1)) * SUFFIXES[match.group(2) or ""]) // MIB
