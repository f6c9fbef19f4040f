"""When a ScheduledSparkApplication runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airspark_operator import kinds, schedule, times
from airspark_operator.api import Refused
from airspark_operator.schedule import Plan, Schedule, WrongSchedule
from airspark_operator.scheduled import Schedules
from airspark_operator.settings import Settings
from airspark_operator.store import Store

Object = dict[str, Any]
NOW = datetime(2026, 3, 10, 12, 0, 30, tzinfo=UTC)


def scheduled(status: Object | None = None, created: str = "2026-03-10T11:59:00Z", generation: int = 1, **spec: Any) -> Object:
    """A ScheduledSparkApplication of every minute."""
    return {
        "metadata": {"name": "nightly", "namespace": "data", "uid": "u", "generation": generation, "creationTimestamp": created},
        "spec": {"schedule": "* * * * *", "template": {"type": "Python"}} | spec,
        **({"status": status} if status else {}),
    }


def due(**more: Any) -> Object:
    """A status whose next run has come."""
    return {"observedGeneration": 1, "nextRun": "2026-03-10T12:00:00Z", "lastRun": "2026-03-10T11:59:00Z"} | more


def app(name: str, state: str = "", created: str = "2026-03-10T11:00:00Z") -> Object:
    """A run."""
    return {"metadata": {"name": name, "creationTimestamp": created}, "status": {"applicationState": {"state": state}}}


def made(plan: Plan) -> list[str]:
    return [run["metadata"]["name"] for run in plan.create]


def reasons(plan: Plan) -> list[str]:
    return [event.reason for event in plan.events]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "following"),
    [
        ("0 2 * * *", "", "2026-03-10T12:00:00Z", "2026-03-11T02:00:00Z"),
        ("0 2 * * *", "UTC", "2026-03-10T01:59:59Z", "2026-03-10T02:00:00Z"),
        ("0 2 * * *", "Asia/Seoul", "2026-03-10T12:00:00Z", "2026-03-10T17:00:00Z"),
        ("0 2 * * *", "Europe/Berlin", "2026-01-10T12:00:00Z", "2026-01-11T01:00:00Z"),
        ("0 2 * * *", "Europe/Berlin", "2026-07-10T12:00:00Z", "2026-07-11T00:00:00Z"),
        ("30 3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),
        ("CRON_TZ=Asia/Seoul 0 2 * * *", "", "2026-03-10T12:00:00Z", "2026-03-10T17:00:00Z"),
        ("TZ=Asia/Seoul 0 2 * * *", "", "2026-03-10T12:00:00Z", "2026-03-10T17:00:00Z"),
        ("0 2 * * *", "Local", "2026-03-10T12:00:00Z", "2026-03-11T02:00:00Z"),
        ("@hourly", "", "2026-03-10T12:00:01Z", "2026-03-10T13:00:00Z"),
        ("@daily", "", "2026-03-10T12:00:01Z", "2026-03-11T00:00:00Z"),
        ("@every 90m", "", "2026-03-10T12:00:00Z", "2026-03-10T13:30:00Z"),
        ("@every 1h30m", "", "2026-03-10T12:00:00Z", "2026-03-10T13:30:00Z"),
        ("*/15 9-17 * * mon-fri", "", "2026-03-13T17:50:00Z", "2026-03-16T09:00:00Z"),
        ("0 0 1 * *", "", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("0 0 29 2 *", "", "2026-03-10T12:00:00Z", "2028-02-29T00:00:00Z"),
    ],
)
def should_come_next_as_cron_and_the_time_zone_say(expression: str, zone: str, after: str, following: str) -> None:
    assert times.text(Schedule(expression, zone).following(times.parse(after))) == following


@pytest.mark.parametrize(
    ("after", "following"),
    [
        ("2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),  # there is no 02:30 on the 29th
        ("2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),  # the first of two
        ("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"),
    ],
)
def should_run_at_half_past_two_on_days_that_have_it_not_or_twice(after: str, following: str) -> None:
    assert times.text(Schedule("30 2 * * *", "Europe/Berlin").following(times.parse(after))) == following


def should_go_on_every_quarter_of_an_hour_when_clocks_change() -> None:
    moment = times.parse("2026-10-25T00:00:00Z")
    for _ in range(12):
        following = Schedule("*/15 * * * *", "Europe/Berlin").following(moment)
        assert following - moment == timedelta(minutes=15)
        moment = following


@pytest.mark.parametrize(
    ("expression", "zone", "sentence"),
    [
        ("61 * * * *", "", "spec.schedule: '61 * * * *' is not a valid cron expression"),
        ("", "", "spec.schedule: '' is not a valid cron expression"),
        ("* * *", "", "is not a valid cron expression"),
        ("0 0 0 0 0 0", "", "is not a valid cron expression"),
        ("@sometimes", "", "is not a valid cron expression"),
        ("@every soon", "", "is not a distance in time above 0"),
        ("@every 0s", "", "is not a distance in time above 0"),
        ("@every 9999999h", "", "is too long; name a distance of at most 999999 hours"),
        ("@every 999999999999h30m", "", "is too long; name a distance of at most 999999 hours"),
        ("@every 1h1h1h1h1h1h1h", "", "is too long; name a distance of at most 999999 hours, in at most six parts"),
        ("0 0 30 2 *", "", "'0 0 30 2 *' comes on no day of any year"),
        ("0 0 31 4,6,9,11 *", "", "comes on no day of any year"),
        ("R R * * *", "", "is not a valid cron expression"),
        ("H(0-5) 2 * * *", "", "is not a valid cron expression"),
        ("@reboot", "", "is not a valid cron expression"),
        ("0 2 * * * *", "", "is not a valid cron expression"),
        ("CRON_TZ=Asia/Seoul", "", "spec.schedule: 'CRON_TZ=Asia/Seoul' is not a valid cron expression"),
        ("CRON_TZ=Mars/Olympus 0 2 * * *", "", "there is no time zone 'Mars/Olympus'"),
        ("0 2 * * *", "Europe", "there is no time zone 'Europe'"),
        ("0 2 * * *", "x" * 5000, "there is no time zone"),
        ("* * * * *", "Mars/Olympus", "spec.timeZone: there is no time zone 'Mars/Olympus'"),
        ("* * * * *", "../../etc/passwd", "spec.timeZone: there is no time zone"),
    ],
)
def should_say_in_a_sentence_what_cannot_be_read(expression: str, zone: str, sentence: str) -> None:
    with pytest.raises(WrongSchedule) as wrong:
        Schedule(expression, zone)
    assert sentence in str(wrong.value)


@pytest.mark.parametrize(
    ("expression", "seconds"), [("@every 0.2s", 1), ("@every 1.9s", 1), ("@every 2s", 2), ("@every 1m0.5s", 60)]
)
def should_go_by_whole_seconds_because_names_of_runs_do(expression: str, seconds: int) -> None:
    moment = datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert Schedule(expression).following(moment) - moment == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("expression", "local"),
    [
        ("@yearly", "01-01 00:00"),
        ("@annually", "01-01 00:00"),
        ("@monthly", "04-01 00:00"),
        ("@weekly", "03-15 00:00"),
        ("@midnight", "03-11 00:00"),
        ("0 0 * * 7", "03-15 00:00"),
        ("0 0 * * sun", "03-15 00:00"),
        ("0 0 13 * fri", "03-13 00:00"),
        ("  0   5 * * *  ", "03-11 05:00"),
        ("0 12 10 3 *", "03-10 12:00"),
    ],
)
def should_read_words_and_names_as_cron_does_in_the_time_of_the_zone(expression: str, local: str) -> None:
    cron = Schedule(expression, "Europe/Berlin")
    found = cron.following(times.parse("2026-03-10T10:00:00Z")).astimezone(cron.zone)
    assert found.strftime("%m-%d %H:%M") == local


WALLS = ["30 2 * * *", "0,45 2,3 * * *", "*/20 1-4 * * *", "0 3 * * *", "15 0 * * sun", "0 */2 * * *", "5 * * * *"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Seoul", "America/St_Johns"]
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(lambda moment: moment.replace(microsecond=0, tzinfo=UTC))


@given(st.sampled_from(WALLS), st.sampled_from(ZONES), MOMENTS)
def should_always_come_later_and_pass_over_nothing(expression: str, zone: str, moment: datetime) -> None:
    cron = Schedule(expression, zone)
    following = cron.following(moment)
    assert following > moment
    between = moment + (following - moment) / 2
    assert cron.following(between) == following, "a time between the two"
    assert cron.following(following) > following


@given(st.sampled_from(WALLS), st.sampled_from(["UTC", "Europe/Berlin"]), MOMENTS)
def should_find_the_same_latest_time_with_and_without_counting(expression: str, zone: str, moment: datetime) -> None:
    cron = Schedule(expression, zone)
    counted, _ = cron.passed(cron.following(moment - timedelta(days=9)), moment)
    assert counted == cron._latest(moment - timedelta(days=9), moment)


@pytest.mark.parametrize(
    ("now", "latest"),
    [
        ("2026-10-25T00:10:00Z", "2026-10-24T00:30:00Z"),
        ("2026-10-25T01:10:00Z", "2026-10-25T00:30:00Z"),  # clocks show 02:10 again
        ("2026-10-25T01:40:00Z", "2026-10-25T01:30:00Z"),
        ("2026-03-29T01:10:00Z", "2026-03-28T01:30:00Z"),
        ("2026-03-29T01:40:00Z", "2026-03-28T01:30:00Z"),
    ],
)
def should_find_the_latest_half_past_two_when_clocks_change(now: str, latest: str) -> None:
    found = Schedule("30 2 * * *", "Europe/Berlin")._latest(times.parse("2020-01-01T00:00:00Z"), times.parse(now))
    assert times.text(found) == latest


@given(st.integers(0, 5000), st.sampled_from(["* * * * *", "*/7 * * * *", "@every 90s", "0 * * * *"]))
def should_find_the_latest_time_that_has_passed(seconds: int, expression: str) -> None:
    cron = Schedule(expression)
    first = cron.following(NOW)
    now = first + timedelta(seconds=seconds)
    latest, count = cron.passed(first, now)
    assert latest is not None and latest <= now < cron.following(latest)
    assert count >= 1


def should_count_no_further_than_a_day_of_minutes_but_still_find_the_latest() -> None:
    cron = Schedule("* * * * *")
    latest, count = cron.passed(NOW - timedelta(days=400), NOW)
    assert count == schedule.COUNTED and latest == NOW.replace(second=0)


def should_wait_for_the_next_time() -> None:
    plan = schedule.plan(scheduled(due(nextRun="2026-03-10T12:01:00Z")), [], NOW)
    assert plan.create == () and plan.wait == 30
    assert plan.status["scheduleState"] == "Scheduled"


def should_make_the_run_of_a_time_that_has_come() -> None:
    plan = schedule.plan(scheduled(due()), [], NOW)
    (run,) = plan.create
    assert run["metadata"]["name"] == f"nightly-{int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp())}"
    assert run["metadata"]["labels"]["sparkoperator.k8s.io/scheduled-app-name"] == "nightly"
    assert run["metadata"]["ownerReferences"][0]["uid"] == "u" and run["spec"] == {"type": "Python"}
    assert (plan.status["lastRun"], plan.status["nextRun"]) == ("2026-03-10T12:00:00Z", "2026-03-10T12:01:00Z")
    assert plan.status["lastRunName"] == run["metadata"]["name"] and reasons(plan) == ["RunStarted"]


def should_not_run_for_the_time_before_it_was_created() -> None:
    plan = schedule.plan(scheduled(created="2026-03-10T12:00:20Z"), [], NOW)
    assert plan.create == () and plan.status["nextRun"] == "2026-03-10T12:01:00Z"


def should_run_for_a_time_after_its_creation_that_nobody_saw() -> None:
    assert len(schedule.plan(scheduled(created="2026-03-10T11:59:30Z"), [], NOW).create) == 1


def should_owe_nothing_for_the_time_before_a_change() -> None:
    plan = schedule.plan(scheduled(due(), generation=2), [], NOW)
    assert plan.create == () and plan.status["nextRun"] == "2026-03-10T12:01:00Z"


@pytest.mark.parametrize(("policy", "runs", "deleted"), [("Allow", 1, 0), ("Forbid", 0, 0), ("Replace", 1, 1), ("", 1, 0)])
@pytest.mark.parametrize("state", ["", "SUBMITTED", "RUNNING", "PENDING_RERUN"])
def should_treat_a_run_that_has_not_ended_as_the_policy_says(policy: str, runs: int, deleted: int, state: str) -> None:
    plan = schedule.plan(scheduled(due(), concurrencyPolicy=policy), [app("nightly-1", state)], NOW)
    assert (len(plan.create), len(plan.delete)) == (runs, deleted)
    assert plan.missed == 1 - runs
    assert ("RunSkipped" in reasons(plan)) == (policy == "Forbid")


@pytest.mark.parametrize("policy", ["Allow", "Forbid", "Replace"])
@pytest.mark.parametrize("state", ["COMPLETED", "FAILED"])
def should_run_beside_one_that_has_ended_whatever_the_policy(policy: str, state: str) -> None:
    plan = schedule.plan(scheduled(due(), concurrencyPolicy=policy), [app("nightly-1", state)], NOW)
    assert len(plan.create) == 1 and plan.delete == ()


def should_make_up_for_the_latest_time_alone_and_count_the_others() -> None:
    plan = schedule.plan(scheduled(due(nextRun="2026-03-10T11:50:00Z")), [], NOW)
    assert len(plan.create) == 1 and plan.status["missedRuns"] == 10 and plan.missed == 10
    assert plan.status["lastRun"] == "2026-03-10T12:00:00Z" and "MissedRuns" in reasons(plan)


@pytest.mark.parametrize(("deadline", "runs"), [(0, 1), (29, 0), (31, 1)])
def should_not_make_up_for_a_time_after_the_deadline(deadline: float, runs: int) -> None:
    plan = schedule.plan(scheduled(due()), [], NOW, deadline)
    assert len(plan.create) == runs and plan.missed == 1 - runs


def should_make_no_run_while_it_is_suspended_and_owe_nothing_after() -> None:
    plan = schedule.plan(scheduled(due(), suspend=True), [], NOW)
    assert plan.create == () and plan.wait is None and "nextRun" not in plan.status
    resumed = schedule.plan(scheduled(plan.status | {"lastRun": "x"}), [], NOW + timedelta(hours=5))
    assert resumed.create == ()


@pytest.mark.parametrize(("limit", "kept"), [(None, 1), (0, 0), (2, 2), (9, 3)])
@pytest.mark.parametrize(
    ("state", "field", "names"),
    [
        ("COMPLETED", "successfulRunHistoryLimit", "pastSuccessfulRunNames"),
        ("FAILED", "failedRunHistoryLimit", "pastFailedRunNames"),
    ],
)
def should_keep_as_many_ended_runs_as_it_says_the_newest(
    limit: int | None, kept: int, state: str, field: str, names: str
) -> None:
    runs = [app(f"nightly-{n}", state, f"2026-03-10T11:0{n}:00Z") for n in range(3)]
    status = due(nextRun="2026-03-10T12:01:00Z")
    spec: Object = {} if limit is None else {field: limit}
    plan = schedule.plan(scheduled(status, **spec), runs, NOW)
    newest = ["nightly-2", "nightly-1", "nightly-0"]
    assert plan.status.get(names, []) == newest[:kept]
    assert [run["metadata"]["name"] for run in plan.delete] == newest[kept:]


def should_say_what_is_wrong_once_and_wait_for_a_change() -> None:
    plan = schedule.plan(scheduled(schedule="never"), [], NOW)
    assert plan.status["scheduleState"] == "FailedValidation" and "is not a valid cron expression" in plan.status["reason"]
    assert reasons(plan) == ["FailedValidation"] and plan.wait is None
    assert reasons(schedule.plan(scheduled(plan.status, schedule="never"), [], NOW)) == []


def should_be_mended_by_a_change() -> None:
    status = schedule.plan(scheduled(schedule="never"), [], NOW).status
    plan = schedule.plan(scheduled(status, generation=2), [], NOW)
    assert plan.status["scheduleState"] == "Scheduled" and "reason" not in plan.status


@given(st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z"), st.integers(0, 10**9))
def should_give_every_time_a_name_of_its_own_that_fits(name: str, seconds: int) -> None:
    thing = scheduled()
    thing["metadata"]["name"] = name
    moment = NOW + timedelta(seconds=seconds)
    found = schedule.run_name(thing, moment)
    assert len(found) <= 63 and found == schedule.run_name(thing, moment)
    assert found != schedule.run_name(thing, moment + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"schedule": "0 0 30 2 *"}, "comes on no day of any year"),
        ({"schedule": "@every 999999999999h"}, "is too long; name a distance of at most 999999 hours"),
        ({"timeZone": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
    ],
)
@pytest.mark.parametrize("suspend", [True, False])
def should_say_so_in_the_status_if_a_schedule_cannot_be_followed(spec: Object, sentence: str, suspend: bool) -> None:
    plan = schedule.plan(scheduled(suspend=suspend, **spec), [app("nightly-1", "COMPLETED"), app("nightly-2", "COMPLETED")], NOW)
    assert plan.status["scheduleState"] == "FailedValidation" and sentence in plan.status["reason"]
    assert plan.status["conditions"][0]["message"] == plan.status["reason"]
    assert plan.create == () and "nextRun" not in plan.status
    assert [run["metadata"]["name"] for run in plan.delete] == ["nightly-1"], "history is kept short all the same"


def should_make_the_run_again_that_was_made_before_the_controller_was_killed() -> None:
    before = schedule.plan(scheduled(due(), concurrencyPolicy="Forbid"), [], NOW)
    (run,) = before.create
    there = {**run, "metadata": {**run["metadata"], "creationTimestamp": "2026-03-10T12:00:30Z"}}
    again = schedule.plan(scheduled(due(), concurrencyPolicy="Forbid"), [there], NOW + timedelta(seconds=5))
    assert made(again) == made(before), "the API server finds that there is one of this name"
    assert again.status["lastRunName"] == run["metadata"]["name"] and again.missed == 0


def should_not_replace_the_run_of_the_same_time() -> None:
    name = schedule.run_name(scheduled(), datetime(2026, 3, 10, 12, tzinfo=UTC))
    plan = schedule.plan(scheduled(due(), concurrencyPolicy="Replace"), [app(name, "RUNNING"), app("nightly-1", "RUNNING")], NOW)
    assert [run["metadata"]["name"] for run in plan.delete] == ["nightly-1"]


def should_cut_a_long_name_so_that_runs_still_tell_their_schedule() -> None:
    one, other = scheduled(), scheduled()
    one["metadata"]["name"], other["metadata"]["name"] = "n" * 60 + "a", "n" * 60 + "b"
    assert schedule.run_name(one, NOW) != schedule.run_name(other, NOW)
    assert len(schedule.run(one, NOW)["metadata"]["labels"]["sparkoperator.k8s.io/scheduled-app-name"]) <= 63


def should_hand_its_labels_and_none_of_its_template_to_a_run() -> None:
    thing = scheduled()
    thing["metadata"]["labels"] = {"team": "data"}
    run = schedule.run(thing, NOW)
    run["spec"]["type"] = "Scala"
    assert run["metadata"]["labels"]["team"] == "data" and thing["spec"]["template"] == {"type": "Python"}


@given(
    st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=1, max_size=12),
    st.sampled_from(["Allow", "Forbid", "Replace"]),
    st.sampled_from(["* * * * *", "@every 90s"]),
)
def should_run_no_time_twice_and_lose_none_uncounted_if_the_controller_is_killed(
    looks: list[tuple[int, bool]], policy: str, expression: str
) -> None:
    thing, now, told, killed = scheduled(schedule=expression, concurrencyPolicy=policy), NOW, 0, 0
    runs: dict[str, Object] = {}
    for seconds, written in looks:
        now += timedelta(seconds=seconds)
        plan = schedule.plan(thing, list(runs.values()), now)
        for gone in plan.delete:
            del runs[gone["metadata"]["name"]]
        for run in plan.create:
            name = run["metadata"]["name"]
            told += name not in runs
            runs.setdefault(name, {**run, "metadata": {**run["metadata"], "creationTimestamp": times.text(now)}})
            assert int(name.rsplit("-", 1)[1]) <= now.timestamp(), "a run ahead of its time"
        if written:
            thing["status"] = plan.status
        else:
            killed += 1
    if policy != "Allow":
        assert len(runs) <= 1
    if not killed and expression == "* * * * *":
        passed = Schedule(expression).passed(times.parse("2026-03-10T12:00:00Z"), now)[1]
        assert told + thing["status"].get("missedRuns", 0) == passed


class Taken:
    """An API server on which an application of the next run's name is there already."""

    def __init__(self, owner: str) -> None:
        self.owner, self.events, self.status = owner, list[str](), Object()

    async def create(self, wanted: Object) -> Object:
        if wanted["kind"] == kinds.APPLICATION:
            raise Refused(409, "AlreadyExists", "there")
        self.events.append(f"{wanted['reason']}: {wanted['message']}")
        return wanted

    async def get(self, *_: str) -> Object:
        return {"metadata": {"name": "x", "ownerReferences": [{"uid": self.owner}]}}

    async def put_status(self, changed: Object) -> Object:
        self.status = changed["status"]
        return changed


@pytest.mark.parametrize(("owner", "counts"), [("u", True), ("somebody-else", False)])
def should_count_an_application_of_the_next_runs_name_as_that_run_only_if_the_schedule_owns_it(owner: str, counts: bool) -> None:
    api, store = Taken(owner), Store()
    wanted = scheduled(due(lastRunName="nightly-1")) | {"apiVersion": kinds.API_VERSION, "kind": kinds.SCHEDULED}
    store.put(wanted)
    asyncio.run(Schedules(api, store, Settings(), lambda: NOW).reconcile(("data", "nightly")))  # type: ignore[arg-type]
    name = schedule.run_name(wanted, times.parse("2026-03-10T12:00:00Z"))
    if counts:
        assert api.status["lastRunName"] == name and api.events[0].startswith("RunStarted")
        return
    assert api.status["lastRunName"] == "nightly-1" and api.status["lastRun"] == "2026-03-10T11:59:00Z"
    assert api.status["missedRuns"] == 1 and api.status["nextRun"] == "2026-03-10T12:01:00Z"
    assert api.events == [
        f"RunRefused: There is a SparkApplication {name} that this schedule has not made; delete it, or rename the schedule"
    ]
