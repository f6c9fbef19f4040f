"""Cases that say what a key does, rendered together where they do not contradict each other."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import yaml
from batches import Paths, batches, over, values
from rendering import LOADER, Object, containers, pods, render


class Rendered:
    """What was rendered, and look-ups in it."""

    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects

    @functools.cached_property
    def pods(self) -> dict[str, Object]:
        """Metadata and spec of every pod by its component; task pods by the names of their templates too."""
        found = pods(self.objects)
        for item in self.objects:
            if item["kind"] == "CronJob":
                found[item["metadata"]["labels"]["component"]] = item["spec"]["jobTemplate"]["spec"]["template"]
        for name, template in self.find("ConfigMap", "airspark-pod-templates").get("data", {}).items():
            found[name] = yaml.load(template, Loader=LOADER)
        return found

    @property
    def airflow(self) -> dict[str, Object]:
        """The pods that run Airflow."""
        return {name: pod for name, pod in self.pods.items() if name not in ("postgresql", "statsd", "pgbouncer", "backup")}

    def find(self, kind: str, name: str) -> Object:
        """Return an object by kind and name, or nothing."""
        found = [item for item in self.objects if item["kind"] == kind and item["metadata"]["name"] == name]
        return found[0] if found else {}

    def pod(self, kind: str, name: str) -> Object:
        """Return metadata and spec of a workload's pod."""
        return dict(self.find(kind, name)["spec"]["template"])

    def names(self, kind: str) -> set[str]:
        """Return the names of the objects of a kind."""
        return {item["metadata"]["name"] for item in self.objects if item["kind"] == kind}

    def main(self, component: str) -> Object:
        """Return the first container of a component's pod."""
        return dict(self.pods[component]["spec"]["containers"][0])

    @property
    def cfg(self) -> str:
        """The text of airflow.cfg."""
        return str(self.find("ConfigMap", "airspark-config")["data"]["airflow.cfg"])

    def _bootstrap(self, file: str) -> Any:
        maps = [item for item in self.objects if item["kind"] == "ConfigMap" and file in item.get("data", {})]
        return json.loads(maps[0]["data"][file])

    @property
    def settings(self) -> Any:
        """What the bootstrap Job puts into Airflow."""
        return self._bootstrap("settings.json")

    @property
    def secrets(self) -> dict[str, Any]:
        """The Secrets that the bootstrap Job makes or checks, by name."""
        return {secret["name"]: secret for secret in self._bootstrap("secrets.json")}

    @property
    def containers(self) -> list[tuple[str, Object]]:
        """Every container with its pod's component and its name."""
        return [(name, container) for name, container, _ in containers(self.objects)]


class Case(NamedTuple):
    """A case: what happens, which values are given, and how it shows."""

    effect: str
    given: Paths
    shows: Callable[[Rendered], Any]

    @property
    def title(self) -> str:
        """The case as a sentence."""
        return f"should {self.effect} if {' and '.join(self.given)} is set"


def _touches(case: Case, keys: tuple[str, ...]) -> bool:
    return any(f"{path}.".startswith(f"{key}.") for path in case.given for key in keys)


class Cases:
    """Cases that share renders.

    Args:
        cases: the cases.
        topics: beginnings of keys by topic; cases of one topic take each other's effect away, and never share a render.
        chart: a folder of charts/.
        base: values by dotted path under every case's own.
    """

    def __init__(
        self,
        cases: Iterable[Case],
        topics: Mapping[str, tuple[str, ...]] | None = None,
        chart: str = "airflow",
        base: Paths | None = None,
    ) -> None:
        self._chart, self._base = chart, base or {}
        self.by_title = {case.title: case for case in cases}
        marked = {
            title: {**case.given, **{f"_{topic}": title for topic, keys in (topics or {}).items() if _touches(case, keys)}}
            for title, case in self.by_title.items()
        }
        self._batches = {
            title: {path: value for path, value in paths.items() if not path.startswith("_")}
            for title, paths in batches(marked).items()
        }
        self._rendered: dict[str, Rendered] = {}

    def _render(self, paths: Paths) -> Rendered:
        given = json.dumps(values(over(self._base, paths)), sort_keys=True)
        if given not in self._rendered:
            self._rendered[given] = Rendered(render(json.loads(given), chart=self._chart))
        return self._rendered[given]

    def rendered(self, title: str) -> Rendered:
        """Return what a case's batch renders."""
        return self._render(self._batches[title])

    def check(self, title: str) -> None:
        """Fail if a case does not show, neither among others nor, as another may take its effect away, alone."""
        case = self.by_title[title]
        assert self._shows(case, self._batches[title]) or self._shows(case, case.given), f"{title}: it does not"

    def _shows(self, case: Case, paths: Paths) -> bool:
        try:
            return bool(case.shows(self._render(paths)))
        except (KeyError, IndexError, StopIteration):
            return False
