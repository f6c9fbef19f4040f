"""The controller's small parts: settings, queue, store, conditions, paths, answers of the API server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from airspark_operator import api, conditions, settings
from airspark_operator.observe import PodView
from airspark_operator.queue import LAST_DELAY, WorkQueue
from airspark_operator.store import Store


def should_take_a_default_for_what_the_chart_does_not_say() -> None:
    assert settings.from_object({}) == settings.Settings()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"workers": "many"}', '{"leaderElection": 7}', '{"defaults": []}', '{"namespaces": 1}']
)
def should_say_in_a_sentence_that_a_file_is_not_what_the_chart_writes(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.json"
    file.write_text(text)
    with pytest.raises(settings.WrongSettings, match="settings.json is not what the chart writes"):
        settings.from_file(file)


def should_name_the_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(settings.WrongSettings, match=r"no\.json cannot be read \(No such file or directory\)"):
        settings.from_file(tmp_path / "no.json")


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (("v1", "Pod", "data"), "/api/v1/namespaces/data/pods"),
        (("v1", "Pod", "data", "job-driver"), "/api/v1/namespaces/data/pods/job-driver"),
        (("v1", "ConfigMap", None), "/api/v1/configmaps"),
        (("networking.k8s.io/v1", "Ingress", "a", "b"), "/apis/networking.k8s.io/v1/namespaces/a/ingresses/b"),
        (
            ("sparkoperator.k8s.io/v1beta2", "SparkApplication", "a", "b", "status"),
            "/apis/sparkoperator.k8s.io/v1beta2/namespaces/a/sparkapplications/b/status",
        ),
    ],
)
def should_find_a_resource_where_the_api_server_has_it(parts: tuple[Any, ...], path: str) -> None:
    assert api.path(*parts) == path


@pytest.mark.parametrize(
    ("code", "body", "kind", "said"),
    [
        (409, json.dumps({"reason": "AlreadyExists", "message": "there is one"}), api.Refused, "there is one"),
        (403, json.dumps({"reason": "Forbidden", "message": "exceeded quota"}), api.Refused, "exceeded quota"),
        (404, b"404 page not found\n", api.Refused, "404 page not found"),
        (422, b"", api.Refused, "HTTP 422"),
        (401, b"{}", api.Unavailable, "HTTP 401"),
        (429, json.dumps({"message": "too many"}), api.Unavailable, "too many"),
        (500, b"etcd", api.Unavailable, "etcd"),
        (503, b"[]", api.Unavailable, "HTTP 503"),
    ],
)
def should_tell_a_refusal_from_an_api_server_that_is_away(code: int, body: str | bytes, kind: type[Exception], said: str) -> None:
    problem = api._problem(code, body)
    assert type(problem) is kind and said in str(problem)


def should_change_a_conditions_time_only_with_its_value() -> None:
    status: dict[str, Any] = {"observedGeneration": 3}
    conditions.set_condition(status, "Running", True, "A", "", "t1")
    conditions.set_condition(status, "Running", True, "B", "more", "t2")
    (only,) = status["conditions"]
    assert (only["lastTransitionTime"], only["reason"], only["message"], only["observedGeneration"]) == ("t1", "B", "more", 3)
    conditions.set_condition(status, "Running", False, "C", "", "t3")
    assert conditions.condition(status, "Running")["lastTransitionTime"] == "t3"  # type: ignore[index]
    assert conditions.condition(status, "Other") is None


def thing(version: int, uid: str = "u") -> dict[str, Any]:
    return {"kind": "SparkApplication", "metadata": {"namespace": "n", "name": "a", "uid": uid, "resourceVersion": str(version)}}


def should_not_let_older_news_replace_newer() -> None:
    store = Store()
    assert store.put(thing(5)) and not store.put(thing(4)) and not store.put(thing(5)) and store.put(thing(6))
    assert store.put(thing(8, "another")), "an object of the same name that was made since"
    assert not store.put(thing(7)), "news of the old one come late"
    store.drop(thing(7))
    assert store.applications, "the deletion of the old one comes late"
    store.drop(thing(8, "another"))
    assert not store.applications


def should_keep_pods_by_application_and_forget_them_by_uid() -> None:
    store = Store()
    key = ("n", "a")
    assert store.put_pod(key, PodView("x", "1", "executor", version=5)) and not store.put_pod(
        key, PodView("x", "1", "executor", version=4)
    )
    assert store.put_pod(key, PodView("x", "2", "executor", version=7))
    assert not store.put_pod(key, PodView("x", "1", "executor", version=6)), "news of the old one come late"
    store.drop_pod(key, "x", "1")
    assert [pod.uid for pod in store.executors(key)] == ["2"]
    store.drop_pod(key, "x", "2")
    assert list(store.all_pods()) == []


def run(work: Any) -> Any:
    """Run a coroutine, for at most five seconds."""
    return asyncio.run(asyncio.wait_for(work, 5))


def should_hand_out_each_key_once_and_none_twice_at_the_same_time() -> None:
    async def work() -> None:
        queue: WorkQueue[str] = WorkQueue()
        for key in ("a", "b", "a"):
            queue.add(key)
        assert [await queue.get(), await queue.get()] == ["a", "b"]
        queue.add("a")
        waiting = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        assert not waiting.done(), "somebody works on it"
        queue.done("a")
        assert await waiting == "a"

    run(work())


def should_look_again_at_the_nearest_of_several_times() -> None:
    async def work() -> list[str]:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("late", 0.3)
        queue.add("soon", 9)
        queue.add("soon", 0.1)
        return [await queue.get(), await queue.get()]

    assert run(work()) == ["soon", "late"]


def should_wait_longer_after_each_failure_and_no_longer_than_half_a_minute() -> None:
    async def work() -> list[float]:
        queue: WorkQueue[str] = WorkQueue()
        delays = []
        for _ in range(12):
            queue._working.add("a")
            delays.append(queue.failed("a"))
        queue._working.add("a")
        queue.done("a")
        queue._working.add("a")
        delays.append(queue.failed("a"))
        return delays

    delays = run(work())
    assert delays[:4] == [0.2, 0.4, 0.8, 1.6] and max(delays) == LAST_DELAY and delays[-1] == 0.2
