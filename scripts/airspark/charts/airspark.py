"""Values of charts/airspark, the chart that holds the others."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airspark.charts.common import AccessMode, Global, Labels, Quantity, Values


class Claim(Values):
    """A claim that the chart makes."""

    create: bool
    size: Quantity
    storageClassName: str
    accessMode: AccessMode
    annotations: Labels


class AirsparkValues(Values):
    """The whole of charts/airspark/values.yaml; the parts of the other charts have schemas of their own."""

    global_: Global = Field(alias="global")
    labels: Labels
    data: Claim
    output: Claim
    events: Claim
    airflow: dict[str, Any]
    spark: dict[str, Any]
    sparkOperator: dict[str, Any]
