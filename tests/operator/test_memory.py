"""Memory of pods, as Spark computes it."""

from __future__ import annotations

import pytest

from airspark_operator import memory
from airspark_operator.spec import Invalid


@pytest.mark.parametrize(
    ("text", "mebibytes"),
    [
        ("512m", 512), ("1g", 1024), ("2G", 2048), ("1t", 1 << 20), ("1024k", 1), ("1023k", 0), ("1048576b", 1), ("512", 512),
        ("512mb", 512), (" 1g ", 1024), ("0", 0), ("1gB", 1024),
    ],
)  # fmt: skip
def should_read_an_amount_as_spark_does(text: str, mebibytes: int) -> None:
    assert memory.mebibytes(text, "spark.driver.memory") == mebibytes


@pytest.mark.parametrize("text", ["", "1.5g", "2Gi", "-1g", "lots", "1 g b", "g"])
def should_refuse_an_amount_that_spark_cannot_read_and_name_the_property(text: str) -> None:
    with pytest.raises(Invalid, match=r"spark\.driver\.memory is .* write it like 512m or 2g"):
        memory.mebibytes(text, "spark.driver.memory")


@pytest.mark.parametrize(
    ("conf", "language", "total"),
    [
        ({}, "java", 1024 + 384),
        ({}, "python", 1024 + 409),
        ({}, "r", 1024 + 409),
        ({"spark.driver.memory": "10g"}, "java", 10240 + 1024),
        ({"spark.driver.memory": "10g"}, "python", 10240 + 4096),
        ({"spark.driver.memory": "512m"}, "python", 512 + 384),
        ({"spark.driver.memory": "10g", "spark.driver.memoryOverheadFactor": "0.2"}, "python", 10240 + 2048),
        ({"spark.driver.memory": "10g", "spark.kubernetes.memoryOverheadFactor": "0.3"}, "java", 10240 + 3072),
        (
            {
                "spark.driver.memory": "10g",
                "spark.kubernetes.memoryOverheadFactor": "0.3",
                "spark.driver.memoryOverheadFactor": "0",
            },
            "java",
            10240 + 384,
        ),
        ({"spark.driver.memoryOverhead": "100"}, "python", 1024 + 100),
        ({"spark.driver.memoryOverhead": "1g", "spark.driver.memoryOverheadFactor": "0.9"}, "java", 2048),
        ({"spark.driver.minMemoryOverhead": "1g"}, "java", 2048),
        ({"spark.driver.memory": "4095m"}, "java", 4095 + 409),
    ],
)
def should_give_the_driver_its_heap_and_the_greater_overhead(conf: dict[str, str], language: str, total: int) -> None:
    assert memory.of("driver", conf, language) == total


def should_add_memory_of_python_and_off_the_heap_for_executors_alone() -> None:
    conf = {
        "spark.executor.pyspark.memory": "256m",
        "spark.memory.offHeap.enabled": "true",
        "spark.memory.offHeap.size": str(64 << 20),
    }
    assert memory.of("executor", conf, "python") == 1024 + 409 + 256 + 64
    assert memory.of("executor", conf, "java") == 1024 + 384 + 64
    assert memory.of("driver", conf, "java") == 1024 + 384


@pytest.mark.parametrize("text", ["-0.1", "much", "nan", "inf", ""])
def should_refuse_a_factor_that_is_no_number_of_zero_or_more(text: str) -> None:
    with pytest.raises(Invalid, match="write it like 0.1"):
        memory.factor(text, "memoryOverheadFactor")


@pytest.mark.parametrize(
    ("text", "quantity"), [("2g", "2048Mi"), ("2Gi", "2Gi"), ("1500M", "1500Mi"), ("900000000", "900000000")]
)
def should_take_a_limit_in_sparks_or_kubernetes_units(text: str, quantity: str) -> None:
    assert memory.limit(text, "driver.memoryLimit") == quantity


@pytest.mark.parametrize("text", ["much", "2Xi", ""])
def should_refuse_a_limit_in_neither(text: str) -> None:
    with pytest.raises(Invalid, match=r"driver\.memoryLimit is .* write it like 2g or 2Gi"):
        memory.limit(text, "driver.memoryLimit")
