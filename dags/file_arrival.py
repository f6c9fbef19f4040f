"""A sales file is uploaded to the data claim's folder inbox: this checks it and makes it the file of its day.

claim → handle (a task a day, as many as there are) → report; handle announces the asset sales_arrived for each good day.

No pod waits for files: a trigger looks into the inbox every few seconds, in the triggerer, which must mount the data claim.
Upload under a name that ends with .part or .tmp, or begins with a dot, and rename at the end:
    kubectl cp sales_2026-01-15.csv <pod>:/opt/airflow/data/inbox/sales_2026-01-15.csv.part
    kubectl exec <pod> -- mv /opt/airflow/data/inbox/sales_2026-01-15.csv.part /opt/airflow/data/inbox/sales_2026-01-15.csv
Any other file is taken once it has not changed for 10 seconds.

A good file, `sales_YYYY-MM-DD*.csv` or `.csv.gz`, becomes `sales/sales_YYYY-MM-DD.csv`, and is kept in `processed/YYYY-MM-DD`.
Any other goes to `quarantine/YYYY-MM-DD` with `<name>.reason.txt`: another header, cut off, a copy of one before, a second one
for the same day, a link, one that has or unpacks to more than the param `max_unpacked_mib`, to more than `max_ratio` times its
size, or has a line of more than 64 MiB. Each upload is handled once, also if a
pod is killed at any moment or an event comes twice.

Over the REST API in place of the trigger, by whatever has uploaded the file (the answer of /auth/token holds the token):
    curl -X POST $AIRFLOW/auth/token -H 'Content-Type: application/json' -d '{"username": "…", "password": "…"}'
    curl -X POST $AIRFLOW/api/v2/dags/file_arrival/dagRuns -H "Authorization: Bearer $TOKEN" \
         -H 'Content-Type: application/json' -d '{"logical_date": null}'
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Asset, AssetWatcher, Metadata, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from pipelines import arrivals
from pipelines.defaults import DATA, DEFAULT_ARGS, due_within, ratio_param, unpacked_param
from pipelines.inbox_trigger import InboxTrigger

if TYPE_CHECKING:
    from collections.abc import Iterator

INBOX = f"{DATA}/inbox"

# START file_arrival
UPLOADED = Asset(
    name="sales_inbox",
    uri="airspark://data/inbox",
    watchers=[AssetWatcher(name="sales_inbox", trigger=InboxTrigger(folder=INBOX))],
)
ARRIVED = Asset(name="sales_arrived", uri="airspark://data/sales")

with DAG(
    dag_id="file_arrival",
    description="An uploaded sales file: checked, made the file of its day, announced",
    doc_md=__doc__,
    schedule=[UPLOADED],
    catchup=False,
    max_active_runs=1,
    # Claims older than arrivals.ABANDONED_AFTER are taken over by the next run: by then this one must have ended.
    dagrun_timeout=timedelta(hours=5),
    deadline=due_within(hours=1),
    default_args=DEFAULT_ARGS,
    params={"max_unpacked_mib": unpacked_param(), "max_ratio": ratio_param()},
    tags=["event", "sales"],
) as dag:
    # END file_arrival

    @task
    def claim() -> list[list[str]]:
        """Claim what has settled in the inbox; the claims of one day are one item, so that the first upload wins."""
        claims, stuck = arrivals.claim(Path(INBOX), get_current_context()["run_id"])
        sentence = f"{len(stuck)} uploads cannot be moved out of {INBOX}: {', '.join(stuck[:10])}"
        if claims:
            print(sentence if stuck else f"{sum(map(len, claims))} uploads for {len(claims)} days")
            return claims
        if stuck:
            raise AirflowFailException(f"{sentence}; its user and group must be those of the folder")
        raise AirflowSkipException("nothing waits in the inbox: another run has it, or it is still being written")

    @task(outlets=[ARRIVED], map_index_template="{{ uploads_of }}")
    def handle(keys: list[str]) -> Iterator[Metadata]:
        """Make the file of a day from its uploads and announce it; skipped if none is good."""
        context = get_current_context()
        params = context["params"]
        limits = arrivals.Limits(params["max_unpacked_mib"] * 2**20, params["max_ratio"])
        outcomes = arrivals.handle(Path(DATA), Path(INBOX), context["run_id"], keys, limits)
        context["uploads_of"] = outcomes[0].day if outcomes else "none"  # type: ignore[literal-required]
        good = [outcome for outcome in outcomes if outcome.reason is None]
        if not good:
            raise AirflowSkipException("; ".join(map(str, outcomes)) or "another run has taken these uploads over")
        yield Metadata(ARRIVED, good[-1].announced())

    @task(trigger_rule="none_failed_min_one_success")
    def report() -> dict[str, Any]:
        """Print what became of each upload and count them; it runs if no task before it failed."""
        outcomes = arrivals.finish(Path(INBOX), get_current_context()["run_id"])
        for outcome in sorted(outcomes, key=lambda outcome: (outcome.reason is not None, outcome.day, outcome.name)):
            print(outcome)
        refused = sum(outcome.reason is not None for outcome in outcomes)
        return {"accepted": len(outcomes) - refused, "refused": refused}

    claimed = claim()
    handled = handle.expand(keys=claimed)
    [claimed, handled] >> report()
