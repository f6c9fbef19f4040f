"""Turn published click events into features for a recommender, and train a baseline that shows that they serve.

spark-submit recommender.py --date 2026-01-15 --output /opt/airflow/output

Reads   <output>/clickstream/date=…/events of the window that ends with the day
Writes  <output>/recommender/date=2026-01-15  ratings, validation, users, items, metrics
The last days of the window are the validation part. What is computed for training (indices, popularity, activity, weights)
has seen nothing of them: users and items that appear there first have no index and are counted, not guessed.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import batch
import clickstream
import errors
import frames
import publish
from errors import UserError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: What each kind of event says about liking a product; a search names none that was chosen.
WEIGHTS = {"view": 1.0, "cart": 3.0, "checkout": 4.0, "purchase": 5.0}
HALF_LIFE_DAYS = 7.0
#: The hours at which each part of a day begins; it ends where the next one begins.
TIMES = {"night": 0, "morning": 6, "afternoon": 12, "evening": 18}
TABLES = ("ratings", "validation", "users", "items")
TOP = 10
SEED = 7
RANK, ITERATIONS, REGULARISATION, ALPHA = 8, 6, 0.1, 10.0
CONF = {"spark.sql.shuffle.partitions": "4"}


class Parts(NamedTuple):
    """What is made of the events of a window, see `transform`."""

    ratings: DataFrame
    validation: DataFrame
    users: DataFrame
    items: DataFrame
    unseen: DataFrame


def main(argv: Sequence[str]) -> None:
    """Build the features of a day, train the baseline, publish both and print one line.

    Raises:
        UserError: for a bad argument, too few published days, a session over Spark Connect, a full disk.
    """
    parser = batch.Parser(prog="recommender", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--date", required=True, help="the last day of the window, YYYY-MM-DD")
    parser.add_argument("--window-days", type=int, default=14, help="days of the window (%(default)s)")
    parser.add_argument("--validation-days", type=int, default=2, help="its last days, kept from training (%(default)s)")
    parser.add_argument("--output", default=batch.OUTPUT, help="the root of the results (%(default)s)")
    parser.add_argument("--check", action="store_true", help="only check which days are there, without Spark")
    options = parser.parse_args(argv)
    date = batch.parse_date(options.date)
    days = window(options.output, date, options.window_days, options.validation_days)
    if options.check:
        print(f"recommender: {len(days)} days, {days[0]} to {days[-1]}")
        return
    if os.environ.get("SPARK_REMOTE"):
        raise UserError("the baseline is trained in the driver's JVM: submit to a master, not over Spark Connect")
    found = run(days, date, options.validation_days, options.output)
    print(f"recommender: {date}: {json.dumps(found)}")


def window(output: str, date: dt.date, days: int, validation_days: int) -> list[str]:
    """Return the days of the window whose events are published.

    Args:
        output: the root of the results.
        date: the last day.
        days: how many days the window has.
        validation_days: how many of them are for validation.

    Raises:
        UserError: if the window has no room for training, the day itself is not published, or no day before validation is.
    """
    if not 1 <= validation_days < days:
        raise UserError(
            f"--validation-days {validation_days} of --window-days {days}: at least one day must be left for training"
        )
    found = clickstream.history_days(output, date + dt.timedelta(1), days + 1)
    if str(date) not in found:
        raise UserError(f"the click events of {date} are not published: run clickstream_behaviour for that day first")
    if not any(day <= str(date - dt.timedelta(validation_days)) for day in found):
        raise UserError(f"no day before the last {validation_days} is published: nothing to train on")
    return found


def run(days: Sequence[str], date: dt.date, validation_days: int, output: str) -> dict[str, Any]:
    """Build, train and publish.

    Args:
        days: the published days of the window.
        date: its last day.
        validation_days: how many of the last days are kept from training.
        output: the root of the results.

    Returns:
        What the manifest says of events and metrics.

    Raises:
        UserError: if no event before validation has a weight.
        RuntimeError: if the counts do not add up or the result fails its checks.
    """
    began = time.monotonic()
    os.umask(0o002)
    first = date - dt.timedelta(validation_days - 1)
    partition = f"recommender/date={date}"
    publish.check_replaceable(output, partition)
    with (
        batch.session(CONF) as spark,
        batch.disk_full_is_a_sentence(output),
        publish.staging(output, partition.replace("/", ".")) as stage,
    ):
        events = clickstream.history(spark, output, days)
        parts = transform(events, first)
        result = stage / "result"
        result.mkdir()
        for name in TABLES:
            frames.write_table(getattr(parts, name), result / name)
        counted = counts(events, parts, first)
        if not counted["events_train"]:
            raise UserError(f"no event before {first} says what anybody likes: nothing to train on")
        written = {name: spark.read.parquet(str(result / name)) for name in TABLES}
        frames.check_tables(spark, result, written, checks)
        found = metrics(written["ratings"], written["validation"], written["items"])
        frames.write_table(spark.createDataFrame(found, "model string, metric string, value double"), result / "metrics")
        (result / "_SUCCESS").touch()
        notes = {
            "partition": f"date={date}",
            "days": list(days),
            "validation_from": str(first),
            "rows_written": frames.count(result / "ratings"),
            **counted,
            "metrics": {f"{model} {metric}": value and round(value, 4) for model, metric, value in found},
            "seconds": round(time.monotonic() - began, 1),
            "versions": batch.software(spark),
        }
        batch.write_manifest(result, notes)
        publish.publish(output, partition, result)
    return {key: notes[key] for key in ("rows_written", *counted, "metrics")}


def transform(events: DataFrame, validation_from: dt.date) -> Parts:
    """Split events by time, and make of the earlier ones what a model learns from.

    Args:
        events: columns of clickstream.EVENTS.
        validation_from: the first day that belongs to validation, in the session's time zone.

    Returns:
        ratings: user_index, item_index, rating: how much a user's events before that day say for an item; an event counts
        half after HALF_LIFE_DAYS, and the sum is damped by a logarithm.
        validation: user_index, item_index: what known users did with known items from that day on, and not before.
        users: user_index, user_id, events, items, purchases, days, and events at each of TIMES, of training alone.
        items: item_index, item_id, events, users, purchases, of training alone; 0 is the most popular item.
        unseen: users, items, pairs: what validation has and training has not.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    liked = events.where(F.col("type").isin(*WEIGHTS)).withColumn("day", F.to_date("at"))
    train = liked.where(F.col("day") < F.lit(validation_from))
    later = liked.where(F.col("day") >= F.lit(validation_from)).select("user_id", "product_id").distinct()
    purchases = F.count_if(F.col("type") == "purchase").alias("purchases")

    users = train.groupBy("user_id").agg(
        F.count(F.lit(1)).alias("events"), F.count_distinct("product_id").alias("items"), purchases,
        F.count_distinct("day").alias("days"),
        *(F.count_if(F.floor(F.hour("at") / 6) * 6 == hour).alias(name) for name, hour in TIMES.items()),
    )  # fmt: skip
    items = train.groupBy(F.col("product_id").alias("item_id")).agg(
        F.count(F.lit(1)).alias("events"), F.count_distinct("user_id").alias("users"), purchases
    )
    # Small tables: one number for each user and item, the same at each run.
    by_events = Window.orderBy(F.col("events").desc(), "user_id"), Window.orderBy(F.col("events").desc(), "item_id")
    users = users.select((F.row_number().over(by_events[0]) - 1).alias("user_index"), "*")
    items = items.select((F.row_number().over(by_events[1]) - 1).alias("item_index"), "*")

    weight = F.element_at(F.create_map(*(F.lit(x) for pair in WEIGHTS.items() for x in pair)), F.col("type"))
    age = F.datediff(F.lit(validation_from), "day")
    pairs = train.groupBy("user_id", F.col("product_id").alias("item_id")).agg(
        F.sum(F.round(weight * F.pow(F.lit(0.5), age / HALF_LIFE_DAYS), 9).cast("decimal(20,9)")).alias("sum")
    )
    known = pairs.join(users.select("user_id", "user_index"), "user_id", how="inner")
    ratings = known.join(items.select("item_id", "item_index"), "item_id", how="inner").select(
        "user_index", "item_index", F.round(F.log1p(F.col("sum").cast("double")), 6).cast("float").alias("rating")
    )
    indexed = later.join(users.select("user_id", "user_index"), "user_id", how="left").join(
        items.select(F.col("item_id").alias("product_id"), "item_index"), "product_id", how="left"
    )
    both = indexed.where(F.col("user_index").isNotNull() & F.col("item_index").isNotNull()).select("user_index", "item_index")
    validation = both.join(ratings.select("user_index", "item_index"), ["user_index", "item_index"], how="left_anti")
    unseen = indexed.agg(
        F.count_distinct(F.when(F.col("user_index").isNull(), F.col("user_id"))).alias("users"),
        F.count_distinct(F.when(F.col("item_index").isNull(), F.col("product_id"))).alias("items"),
        F.count_if(F.col("user_index").isNull() | F.col("item_index").isNull()).alias("pairs"),
    )
    return Parts(ratings, validation, users, items, unseen)


def counts(events: DataFrame, parts: Parts, validation_from: dt.date) -> dict[str, int]:
    """Return how many events there were, and what each part of them was used for.

    Raises:
        RuntimeError: if they do not add up: rows_read = events_train + events_validation + events_without_weight.
    """
    from pyspark.sql import functions as F

    liked, before = F.col("type").isin(*WEIGHTS), F.to_date("at") < F.lit(validation_from)
    row = events.agg(
        F.count(F.lit(1)).alias("rows_read"),
        F.count_if(liked & before).alias("events_train"),
        F.count_if(liked & ~before).alias("events_validation"),
        F.count_if(~liked).alias("events_without_weight"),
    ).first()
    unseen, validated = parts.unseen.first(), parts.validation.select("user_index").distinct().count()
    used = parts.users.agg(F.coalesce(F.sum("events"), F.lit(0))).first()
    assert row is not None and unseen is not None and used is not None
    found: dict[str, int] = row.asDict()
    if found["rows_read"] != sum(list(found.values())[1:]) or used[0] != found["events_train"]:
        raise RuntimeError(f"the counts do not add up, nothing is published: {found}, and {used[0]} events of users")
    found["validation_users"] = validated
    return found | {f"unseen_{name}": number for name, number in unseen.asDict().items()}


def checks(written: Mapping[str, DataFrame]) -> dict[str, Column]:
    """Return what must hold for the tables, see `batch.settle`."""
    from pyspark.sql import functions as F

    pair = ["user_index", "item_index"]
    learnt = written["ratings"].select(*pair).join(written["validation"], pair, how="left_semi")
    events = {name: written[name].agg(F.sum("events")).first() for name in ("users", "items")}
    return {
        "ratings: each is above zero": F.col("rating") > 0,
        "validation: training has seen no pair of it": F.lit(learnt.isEmpty()),
        "users: each event has its time of the day": F.col("events") == sum((F.col(name) for name in TIMES), F.lit(0)),
        "items: their events are those of the users": F.lit(events["users"] == events["items"]),
    }


def metrics(ratings: DataFrame, validation: DataFrame, items: DataFrame) -> list[tuple[str, str, float | None]]:
    """Train ALS on the ratings and hold its recommendations, and those of mere popularity, against validation.

    Args:
        ratings: user_index, item_index, rating.
        validation: user_index, item_index.
        items: item_index by popularity.

    Returns:
        Model, metric and value: recall and NDCG at TOP (Järvelin, Kekäläinen 2002), over the users of validation; None if
        there are none.
    """
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import functions as F

    truth: dict[int, set[int]] = {}
    for row in validation.collect():
        truth.setdefault(row.user_index, set()).add(row.item_index)
    asked = validation.select("user_index").distinct()
    known: dict[int, set[int]] = {}
    for row in ratings.join(asked, "user_index", how="left_semi").select("user_index", "item_index").collect():
        known.setdefault(row.user_index, set()).add(row.item_index)
    model = ALS(
        rank=RANK, maxIter=ITERATIONS, regParam=REGULARISATION, alpha=ALPHA, implicitPrefs=True, seed=SEED, nonnegative=True,
        userCol="user_index", itemCol="item_index", ratingCol="rating",
    ).fit(ratings)  # fmt: skip
    longest = TOP + max((len(one) for one in known.values()), default=0)
    advised = {
        row.user_index: [one.item_index for one in row.recommendations]
        for row in model.recommendForUserSubset(asked, longest).collect()
    }
    popular = [row.item_index for row in items.orderBy(F.col("item_index")).limit(longest).collect()]
    return [
        (name, f"{metric}@{TOP}", value)
        for name, lists in (("als", advised), ("popularity", dict.fromkeys(truth, popular)))
        for metric, value in zip(("recall", "ndcg"), scores(lists, truth, known), strict=True)
    ]


def scores(
    lists: dict[int, list[int]], truth: dict[int, set[int]], known: dict[int, set[int]]
) -> tuple[float, float] | tuple[None, None]:
    """Return mean recall and mean NDCG at TOP of recommendations, each user's known items left out; None without a user.

    Args:
        lists: recommended items by user, best first.
        truth: what each user took.
        known: what each user had before.
    """
    import math

    if not truth:
        return None, None
    recalls, gains = [], []
    for user, wanted in truth.items():
        new = [item for item in lists.get(user, []) if item not in known.get(user, set())][:TOP]
        hits = [rank for rank, item in enumerate(new) if item in wanted]
        best = sum(1 / math.log2(rank + 2) for rank in range(min(len(wanted), TOP)))
        recalls.append(len(hits) / min(len(wanted), TOP))
        gains.append(sum(1 / math.log2(rank + 2) for rank in hits) / best)
    return sum(recalls) / len(truth), sum(gains) / len(truth)


if __name__ == "__main__":
    sys.exit(errors.run("recommender", main, sys.argv[1:]))
