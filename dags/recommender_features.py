"""After each day of click events: features for a recommender, and a baseline trained on them.

check_input → transform (Spark) → verify → publish, the asset recommender_features. It starts when clickstream_behaviour has
published a day, for that day; if it published several meanwhile, for the newest of them. Or by hand:

    airflow dags trigger recommender_features --conf '{"date": "2026-01-15"}'
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, Metadata, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from pipelines import results, spark
from pipelines.defaults import DEFAULT_ARGS, OUTPUT, date_param, due_within

if TYPE_CHECKING:
    from collections.abc import Iterator

CLICKSTREAM = Asset(name="clickstream_daily", uri="airspark://output/clickstream")
FEATURES = Asset(name="recommender_features", uri="airspark://output/recommender")

with DAG(
    dag_id="recommender_features",
    description="Implicit ratings, a split without leakage, encoded features, and a baseline with its metric",
    doc_md=__doc__,
    schedule=[CLICKSTREAM],
    catchup=False,
    max_active_runs=1,
    deadline=due_within(hours=3),
    default_args=DEFAULT_ARGS,
    params={
        "date": date_param(),
        "window_days": Param(14, type="integer", minimum=2, maximum=180, title="Days of the window"),
        "validation_days": Param(2, type="integer", minimum=1, maximum=60, title="Its last days, kept from training"),
    },
    tags=["spark", "machine learning", "clicks"],
) as dag:
    # START day
    @task
    def check_input() -> str:
        """Return the day of the run: the param's, or the newest that the asset's events tell of."""
        context = get_current_context()
        events: dict[Any, Any] = context.get("triggering_asset_events") or {}
        # An event that somebody made by hand need not tell a day.
        extras = [event.extra or {} for found in events.values() for event in found]
        announced = [str(extra.get("partition", "")).partition("=")[2] for extra in extras]
        date = context["params"]["date"] or max(announced, default="")
        if not date:
            raise AirflowFailException('no event of clickstream_daily tells a day: give it one, such as {"date": "2026-01-15"}')
        window = context["params"]["window_days"], context["params"]["validation_days"]
        options = ["--window-days", str(window[0]), "--validation-days", str(window[1])]
        try:
            spark.check("recommender", ["--date", date, "--output", OUTPUT, *options])
        except AirflowFailException as refused:
            if context["params"]["date"]:
                raise
            # The first days of a window are no failure.
            raise AirflowSkipException(str(refused)) from None
        return str(date)

    # END day

    day = check_input()

    transform = spark.submit(
        "transform",
        "recommender",
        [
            "--date",
            day,
            "--output",
            OUTPUT,
            "--window-days",
            "{{ params.window_days }}",
            "--validation-days",
            "{{ params.validation_days }}",
        ],
        conf={"spark.executor.memoryOverhead": "256m", "spark.default.parallelism": "4"},
    )

    @task
    def verify(date: str) -> dict[str, Any]:
        """Return the manifest of the day's features if its events add up and its files are there."""
        folder = Path(OUTPUT) / "recommender" / f"date={date}"
        manifest = results.verified_files(folder)
        used = sum(manifest[f"events_{part}"] for part in ("train", "validation", "without_weight"))
        if manifest["rows_read"] != used:
            raise ValueError(f"the events of {folder} do not add up: {manifest['rows_read']} read, {used} used")
        return manifest

    @task(outlets=[FEATURES])
    def publish(manifest: dict[str, Any]) -> Iterator[Metadata]:
        """Announce the features with the metrics of the baseline."""
        partition = manifest["partition"]
        path = f"{OUTPUT}/recommender/{partition}"
        yield Metadata(FEATURES, {"partition": partition, "path": path, "metrics": manifest["metrics"]})

    verified = verify(day)  # type: ignore[arg-type]  # an XComArg stands for the value
    transform >> verified
    publish(verified)  # type: ignore[arg-type]  # an XComArg stands for the value
