"""Features of a recommender on local Spark: ratings by hand, a split that leaks nothing, a baseline that learns."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clickstream
import frames
import generate_clicks
import pandas
import pytest
import recommender
from errors import UserError
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FIRST = dt.date(2026, 1, 14)  # of validation
DAY = dt.date(2026, 1, 15)


def _events(spark: SparkSession, *rows: tuple[str, str, str, int]) -> DataFrame:
    """Events of (user, type, product, day of January)."""
    at = {day: dt.datetime(2026, 1, day, 3, tzinfo=dt.UTC) for *_, day in rows}
    data = [(str(n), user, "S", at[day], kind, product, None, None) for n, (user, kind, product, day) in enumerate(rows)]
    return spark.createDataFrame(data, clickstream.EVENTS)


def _rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in frame.collect())


def test_should_weigh_events_by_kind_and_age_and_damp_their_sum(spark: SparkSession) -> None:
    parts = recommender.transform(
        _events(spark, ("A", "view", "P1", 13), ("A", "purchase", "P1", 7), ("A", "search", "P2", 13), ("B", "cart", "P2", 13)),
        FIRST,
    )
    ratings = {(user, item): rating for user, item, rating in _rows(parts.ratings)}
    day = 0.5 ** (1 / 7)
    assert ratings == {
        (0, 0): pytest.approx(math.log1p(day + 5 * 0.5), abs=1e-5),
        (1, 1): pytest.approx(math.log1p(3 * day), abs=1e-5),
    }
    assert parts.users.columns[2:] == ["events", "items", "purchases", "days", "night", "morning", "afternoon", "evening"]
    assert _rows(parts.users) == [(0, "A", 2, 1, 1, 2, 0, 0, 2, 0), (1, "B", 1, 1, 0, 1, 0, 0, 1, 0)]
    assert _rows(parts.items) == [(0, "P1", 2, 1, 1), (1, "P2", 1, 1, 0)]


def test_should_count_events_by_the_time_of_the_day_in_seoul(spark: SparkSession) -> None:
    # Midnight in Seoul, and the last second before each part of the day ends.
    at = [dt.datetime.fromisoformat(f"2026-01-13T{time}+09:00") for time in ("00:00:00", "05:59:59", "11:59:59", "18:00:00")]
    data = [(str(n), "A", "S", one, "view", "P1", None, None) for n, one in enumerate(at)]
    (user,) = recommender.transform(spark.createDataFrame(data, clickstream.EVENTS), FIRST).users.collect()
    assert [user[name] for name in recommender.TIMES] == [2, 1, 0, 1]


def test_should_keep_from_validation_what_training_has_seen_and_count_what_it_has_not(spark: SparkSession) -> None:
    known = [("A", "view", "P1", 13), ("B", "view", "P2", 13)]
    later = [("A", "view", "P1", 14), ("A", "view", "P2", 15), ("C", "view", "P1", 14), ("A", "cart", "P9", 15)]
    parts = recommender.transform(_events(spark, *known, *later), FIRST)
    assert _rows(parts.validation) == [(0, 1)]
    assert _rows(parts.unseen) == [(1, 1, 2)]


PAIRS = st.tuples(st.sampled_from("ABC"), st.sampled_from(list(recommender.WEIGHTS)), st.sampled_from(["P1", "P2", "P3"]))


@settings(max_examples=3, deadline=None)
@given(st.lists(PAIRS, min_size=1, max_size=20), st.lists(PAIRS, max_size=20))
def test_should_learn_the_same_whatever_happens_in_the_days_of_validation(
    spark: SparkSession, before: list[tuple[str, str, str]], after: list[tuple[str, str, str]]
) -> None:
    train = [(*pair, 12) for pair in before]
    alone = recommender.transform(_events(spark, *train), FIRST)
    whole = recommender.transform(_events(spark, *train, *((*pair, 15) for pair in after)), FIRST)
    for name in ("ratings", "users", "items"):
        assert _rows(getattr(whole, name)) == _rows(getattr(alone, name)), name
    assert not {row[:2] for row in _rows(whole.ratings)} & set(_rows(whole.validation))


def test_should_score_lists_by_hand() -> None:
    recall, ndcg = recommender.scores({1: [5, 6, 7], 2: [8]}, {1: {6, 9}, 2: {1}}, {1: {5}})
    assert recall == pytest.approx((1 / 2 + 0) / 2)
    assert recommender.scores({1: [5]}, {}, {}) == (None, None)
    assert ndcg == pytest.approx((1 / (1 + 1 / math.log2(3)) + 0) / 2)


def _publish(spark: SparkSession, output: Path, days: int) -> None:
    """Published events of two kinds of users that like two kinds of products."""
    randomness = random.Random(7)
    for number in range(days):
        rows = []
        for user in range(60):
            for _ in range(4):
                product = f"P{user % 2}-{randomness.randrange(12)}"
                rows.append((f"U{user}", randomness.choice(["view", "cart", "purchase", "search"]), product, 16 - days + number))
        folder = output / "clickstream" / f"date=2026-01-{16 - days + number:02d}"
        _events(spark, *rows).coalesce(1).write.parquet(str(folder / "events"))
        (folder / "_SUCCESS").touch()


def _publish_generated(spark: SparkSession, output: Path, days: int, rows: int) -> int:
    """Publish what the generator writes, as clickstream judges it; returns the good events."""
    good = 0
    for number in range(days):
        day = DAY - dt.timedelta(number)
        report = generate_clicks.generate(day, rows, 7, str(output / "clicks"))
        good += report["good"]
        judged = clickstream.transform(spark.read.text(report["file"]), day).where("reason IS NULL")
        folder = output / "clickstream" / f"date={day}"
        judged.drop("line", "reason").dropDuplicates(["event_id"]).coalesce(1).write.parquet(str(folder / "events"))
        (folder / "_SUCCESS").touch()
    return good


def test_should_learn_the_taste_that_the_generator_gave_to_users(on_shared_session: SparkSession, tmp_path: Path) -> None:
    good = _publish_generated(on_shared_session, tmp_path, 4, 1_500)
    found = recommender.run(recommender.window(str(tmp_path), DAY, 4, 1), DAY, 1, str(tmp_path))
    assert found["rows_read"] == good
    assert found["metrics"]["als recall@10"] > found["metrics"]["popularity recall@10"] > 0
    result = tmp_path / "recommender" / f"date={DAY}"
    assert found["validation_users"] == pandas.read_parquet(result / "validation")["user_index"].nunique()
    # What training has and what it has not, told apart without Spark.
    events = pandas.concat(pandas.read_parquet(path) for path in (tmp_path / "clickstream").glob("date=*/events"))
    liked = events[events["type"] != "search"]
    later = liked["event_id"].str.startswith(f"{DAY:%Y%m%d}")
    users, items = pandas.read_parquet(result / "users"), pandas.read_parquet(result / "items")
    assert set(users["user_id"]) == set(liked[~later]["user_id"])
    assert set(items["item_id"]) == set(liked[~later]["product_id"])
    assert found["unseen_users"] == len(set(liked[later]["user_id"]) - set(users["user_id"])) > 0
    assert found["events_validation"] == later.sum()


def _publish_rows(spark: SparkSession, output: Path, *rows: tuple[str, str, str, int]) -> None:
    for day in {row[-1] for row in rows}:
        folder = output / "clickstream" / f"date=2026-01-{day}"
        _events(spark, *(row for row in rows if row[-1] == day)).coalesce(1).write.parquet(str(folder / "events"))
        (folder / "_SUCCESS").touch()


def test_should_say_in_a_sentence_that_nobody_showed_a_liking_before(on_shared_session: SparkSession, tmp_path: Path) -> None:
    _publish_rows(on_shared_session, tmp_path, ("A", "search", "P1", 12), ("A", "view", "P1", 15))
    with pytest.raises(UserError, match="no event before 2026-01-14 says what anybody likes: nothing to train on"):
        recommender.main(["--date", str(DAY), "--output", str(tmp_path)])
    assert not (tmp_path / "recommender").exists()


def test_should_leave_the_metrics_empty_if_nobody_is_left_for_validation(on_shared_session: SparkSession, tmp_path: Path) -> None:
    _publish_rows(on_shared_session, tmp_path, ("A", "view", "P1", 12), ("B", "view", "P2", 15))
    recommender.main(["--date", str(DAY), "--output", str(tmp_path)])
    manifest = json.loads((tmp_path / "recommender" / f"date={DAY}" / "_manifest.json").read_text())
    assert set(manifest["metrics"].values()) == {None}
    assert (manifest["validation_users"], manifest["unseen_users"], manifest["unseen_items"]) == (0, 1, 1)


@pytest.mark.parametrize(
    ("table", "column", "sentence"),
    [
        ("ratings", "-rating AS rating", "ratings: each is above zero"),
        ("users", "night + 1 AS night", "users: each event has its time of the day"),
        ("users", "events + 1 AS events", "items: their events are those of the users"),
        ("validation", "0 AS item_index", "validation: training has seen no pair of it"),
    ],
)
def test_should_fail_its_checks_if_a_table_is_wrong(
    spark: SparkSession, tmp_path: Path, table: str, column: str, sentence: str
) -> None:
    rows = ("A", "view", "P1", 12), ("B", "view", "P2", 12), ("A", "view", "P2", 15)
    parts = recommender.transform(_events(spark, *rows), FIRST)
    tables = {name: getattr(parts, name) for name in recommender.TABLES}
    changed = column.split()[-1]
    kept = [column if name == changed else name for name in tables[table].columns]
    tables[table] = tables[table].selectExpr(*kept)
    for name, frame in tables.items():
        frames.write_table(frame, tmp_path / name)
    with pytest.raises(RuntimeError, match=sentence):
        frames.check_tables(spark, tmp_path, tables, recommender.checks)


def test_should_write_the_same_bytes_of_the_same_events(spark: SparkSession, tmp_path: Path) -> None:
    _publish(spark, tmp_path, 3)
    paths = [str(path) for path in (tmp_path / "clickstream").glob("*/events")]
    hashes = []
    for events in (spark.read.parquet(*paths), spark.read.parquet(*reversed(paths)).repartition(3)):
        parts = recommender.transform(events, FIRST)
        for name in recommender.TABLES:
            frames.write_table(getattr(parts, name), tmp_path / str(len(hashes)) / name)
        files = sorted((tmp_path / str(len(hashes))).glob("*/part-*"))
        hashes.append([(path.parent.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files])
    assert hashes[0] == hashes[1] and len(hashes[0]) == len(recommender.TABLES)


@pytest.mark.long
def test_should_beat_popularity_where_tastes_differ(on_shared_session: SparkSession, tmp_path: Path) -> None:
    _publish(on_shared_session, tmp_path, 5)
    recommender.main(["--date", str(DAY), "--output", str(tmp_path), "--window-days", "5"])
    manifest = json.loads((tmp_path / "recommender" / f"date={DAY}" / "_manifest.json").read_text())
    found = manifest["metrics"]
    assert found["als recall@10"] > 1.2 * found["popularity recall@10"] > 0
    assert found["als ndcg@10"] > 1.2 * found["popularity ndcg@10"] > 0
    assert manifest["rows_read"] == manifest["events_train"] + manifest["events_validation"] + manifest["events_without_weight"]
    assert manifest["validation_from"] == "2026-01-14"


@pytest.mark.parametrize(
    ("days", "options", "sentence"),
    [
        ([], [], "the click events of 2026-01-15 are not published: run clickstream_behaviour"),
        (["2026-01-15", "2026-01-14"], [], "no day before the last 2 is published: nothing to train on"),
        (["2026-01-15", "2026-01-01"], ["--window-days", "5"], "nothing to train on"),
        (["2026-01-15"], ["--validation-days", "14"], "at least one day must be left for training"),
    ],
)
def test_should_say_which_days_are_missing(tmp_path: Path, days: list[str], options: list[str], sentence: str) -> None:
    for day in days:
        folder = tmp_path / "clickstream" / f"date={day}"
        folder.mkdir(parents=True)
        (folder / "_SUCCESS").touch()
    with pytest.raises(UserError, match=sentence):
        recommender.main(["--date", str(DAY), "--output", str(tmp_path), "--check", *options])


def test_should_refuse_to_train_over_spark_connect_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in ("2026-01-15", "2026-01-12"):
        (tmp_path / "clickstream" / f"date={day}").mkdir(parents=True)
        (tmp_path / "clickstream" / f"date={day}" / "_SUCCESS").touch()
    monkeypatch.setenv("SPARK_REMOTE", "sc://nowhere")
    with pytest.raises(UserError, match="submit to a master, not over Spark Connect"):
        recommender.main(["--date", str(DAY), "--output", str(tmp_path)])
