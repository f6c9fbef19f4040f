"""What texts of the values point to: other values, components by their labels, and the folder of a git-sync sidecar."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from airspark.importing import official, renames, texts
from airspark.importing.work import CHANGED, DROPPED, Work, default, every_text
from airspark.project import Failure
from airspark.values.shape import umbrella

REFERENCE = re.compile(r"\.Values\.((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)")
COMPONENT = re.compile(r"(\bcomponent[\"']?\s*:\s*[\"']?)webserver\b")
GUARD = re.compile(r"\{\{-?\s*(?:else\s+)?(?:if|with)\b")
#: What an older key is called here, beside what `renames` moves.
SECRETS = {path: refer for path, (_, _, refer) in texts.KEYS.items() if "." not in path}


def references(work: Work, name: str) -> None:
    """Have templates read keys under their new names, and say which read what is gone.

    Args:
        work: the values, after every key has its new name.
        name: of the file, for messages.

    Raises:
        Failure: if a template reads below a key that is gone, which would end the rendering.
    """
    gone = {row.key for row in work.rows if row.what == DROPPED}
    changed: list[tuple[str, str]] = []
    lost: list[tuple[str, str]] = []

    def text(path: str, value: str) -> str:
        def new(found: re.Match[str]) -> str:
            there = renamed(found[1])
            if there != found[1]:
                changed.append((path, f"its template reads `.Values.{there}` now, in place of `.Values.{found[1]}`"))
            elif (refer := SECRETS.get(found[1])) and not GUARD.search(value):
                lost.append((path, f"its template reads `.Values.{found[1]}`, which is in a Secret here, named by `{refer}`: "
                                   "take a variable out of that Secret in its place"))  # fmt: skip
            elif _unknown(work, there) and not GUARD.search(value):
                raise Failure(f"{name}: {path}: its template reads `.Values.{there}`, and nothing stands there here",
                              f"write the text itself into `{path}`, then call it again")  # fmt: skip
            elif work.get(there) is None and any(
                read == key or read.startswith(f"{key}.") for key in gone for read in (found[1], there)
            ):
                lost.append((path, f"its template reads `.Values.{there}`, which is dropped here: write the text itself"))
            return f".Values.{there}"

        return REFERENCE.sub(new, value) if "{{" in value else value

    work.values = _texts(work.values, text)
    for path, note in dict.fromkeys([*changed, *lost]):
        work.say(path, CHANGED, note)
        work.made.add(path)


def renamed(path: str) -> str:
    """Return the new name of a key of the official chart, or the key itself.

    Args:
        path: dotted, as a template reads it.
    """
    for old, new in sorted(renames.MOVED.items(), key=lambda pair: -len(pair[0])):
        if path == old or path.startswith(f"{old}."):
            return new + path.removeprefix(old)
    known = umbrella()["properties"]["airflow"]["properties"]["apiServer"]["properties"]
    if path.startswith("webserver.") and path.split(".")[1] in known:
        return f"apiServer.{path.removeprefix('webserver.')}"
    return path


def _unknown(work: Work, path: str) -> bool:
    """Whether what a template reads stands below a key that is neither in the values nor a default."""
    above = path.rpartition(".")[0]
    return bool(above) and default(above) is None and work.get(above) is None


def selectors(work: Work) -> None:
    """Have selectors of the webserver's pods choose the API server's, wherever they stand."""
    found: list[str] = []

    def labels(path: str, value: dict[str, Any]) -> dict[str, Any]:
        if value.get("component") == "webserver" and path.rpartition(".")[2] in ("matchLabels", "selector"):
            found.append(path)
            return {**value, "component": "api-server"}
        chosen = value.get("values")
        if value.get("key") == "component" and isinstance(chosen, list) and "webserver" in chosen:
            found.append(path)
            return {**value, "values": ["api-server" if item == "webserver" else item for item in chosen]}
        return value

    def text(path: str, value: str) -> str:
        changed = COMPONENT.sub(r"\1api-server", value)
        if changed != value:
            found.append(path)
        return changed

    work.values = _maps(_texts(work.values, text), labels)
    for path in found:
        work.say(path, CHANGED, "chooses pods of the API server, `component: api-server`, in place of the webserver's")


def folder(work: Work) -> None:
    """Say which texts name the folder into which the git-sync sidecar put the repository."""
    if not work.get("dags.gitSync.enabled"):
        return
    home = str(work.get("airflowHome") or default("airflowHome"))
    mount = str(work.get("dags.mountPath") or f"{home}/dags")
    sidecar = re.compile(
        rf"({re.escape(mount)}|{re.escape(home)}/dags|/opt/airflow/dags|\.Values\.(airflowHome|dags\.mountPath)\s*-?\}}\}}(/dags)?)/repo\b"
    )
    for path, value in every_text(work.values):
        if sidecar.search(value) and not path.startswith(("podTemplate", "dags.gitSync")):
            work.made.add(path)
            work.say(
                path,
                CHANGED,
                "kept, and names the folder of the git-sync sidecar, which is not here: each process has a copy of its own, "
                "and the folder of `dags.gitSync.subPath` in it is on Python's path; remove what points there",
            )
    for path in ("dags.mountPath", "config.core.dags_folder"):
        if work.get(path) and path not in work.made:
            work.made.add(path)
            work.say(path, CHANGED, "kept, and of no use to the Git bundle, whose folder Airflow chooses: remove it")


def local_settings(work: Work) -> None:
    """Leave out the official chart's airflow_local_settings.py, and say if one's own needs what Airflow 3 has not."""
    path = "airflowLocalSettings"
    value = work.get(path)
    if not isinstance(value, str) or "airflow.www" not in value:
        return
    if official.alert(value):
        work.drop(path, "the official chart's own text, an alert of the webserver, which Airflow 3 does not have")
    elif not re.search(r"semverCompare\s+\"<\s*3", value):
        work.made.add(path)
        work.say(
            path,
            CHANGED,
            "kept, but Airflow 3 has no airflow.www, so no component would start: import UIAlert from "
            "airflow.api_fastapi.common.types, and remove what else is from there",
        )


def _texts(value: Any, change: Callable[[str, str], str], path: str = "") -> Any:
    """Return values with every text as a function gives it."""
    if isinstance(value, dict):
        return {key: _texts(child, change, f"{path}.{key}".removeprefix(".")) for key, child in value.items()}
    if isinstance(value, list):
        return [_texts(child, change, f"{path}[{index}]") for index, child in enumerate(value)]
    return change(path, value) if isinstance(value, str) else value


def _maps(value: Any, change: Callable[[str, dict[str, Any]], dict[str, Any]], path: str = "") -> Any:
    """Return values with every map as a function gives it."""
    if isinstance(value, dict):
        return {key: _maps(child, change, f"{path}.{key}".removeprefix(".")) for key, child in change(path, value).items()}
    if isinstance(value, list):
        return [_maps(child, change, f"{path}[{index}]") for index, child in enumerate(value)]
    return value
