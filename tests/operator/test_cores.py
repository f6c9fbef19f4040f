"""Cores that a container asks for, against its limit: a request above it is refused, and executors would never come."""

from __future__ import annotations

from typing import Any

import pytest
from builders import app, objects

from airspark_operator.spec import Invalid

Object = dict[str, Any]
ROLES = pytest.mark.parametrize("role", ["driver", "executor"])


def limited(cpu: str) -> Object:
    return {"spec": {"containers": [{"resources": {"limits": {"cpu": cpu}}}]}}


@ROLES
@pytest.mark.parametrize(
    ("own", "said", "sentence"),
    [
        ({"cores": 2, "coreLimit": "1"}, {}, "{role}.coreLimit is 1, below the 2 of {role}.cores; raise it, or set {role}."),
        ({"coreLimit": "500m"}, {}, "{role}.coreLimit is 500m, below the 1 of {role}.cores;"),
        ({"cores": 2}, {"limit.cores": "1"}, "sparkConf.spark.kubernetes.{role}.limit.cores is 1, below the 2 of {role}.cores;"),
        (
            {"coreLimit": "1"},
            {"request.cores": "1500m"},
            "{role}.coreLimit is 1, below the 1500m of sparkConf.spark.kubernetes.{role}.request.cores;",
        ),
        ({"coreRequest": "3", "template": limited("2")}, {}, "the CPU limit of {role}.template is 2, below the 3 of {role}.core"),
        ({"cores": 2, "template": limited("1")}, {}, "the CPU limit of {role}.template is 1, below the 2 of {role}.cores;"),
    ],
)
def should_refuse_a_request_above_the_limit(role: str, own: Object, said: dict[str, str], sentence: str) -> None:
    conf = {f"spark.kubernetes.{role}.{key}": value for key, value in said.items()}
    with pytest.raises(Invalid) as refused:
        objects(app(**{role: own}, sparkConf=conf))
    assert str(refused.value).startswith(sentence.format(role=role))


@ROLES
@pytest.mark.parametrize(
    "own",
    [
        {"cores": 2, "coreRequest": "500m", "coreLimit": "1"},
        {"cores": 2, "coreLimit": "2000m"},
        {"cores": 4},
        {"cores": 2, "coreLimit": "2", "template": limited("1")},
    ],
)
def should_accept_a_request_up_to_the_limit(role: str, own: Object) -> None:
    assert objects(app(**{role: own}))
