"""Backup and restore: what is refused before a cluster is asked, and what is made of what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airspark import backup
from airspark.project import Failure

# The Fernet specification's own example.
KEY = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
TOKEN = b"gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA=="
OTHER_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def should_know_the_fernet_key_that_made_a_token() -> None:
    assert backup.signed_by(TOKEN, KEY)
    assert not backup.signed_by(TOKEN, OTHER_KEY)


def should_find_the_tokens_of_a_dump() -> None:
    line = b"1\tdb\thttp\t" + TOKEN + b"\tplain gAAAAA-text\t" + TOKEN + b"\n"
    assert backup.TOKEN.findall(line) == [TOKEN, TOKEN]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("", None, "no dump was named"),
        ("nowhere.dump", None, "is no file"),
        ("empty.dump", "", "is empty"),
        (".", None, "is no file"),
    ],
)
def should_refuse_what_cannot_be_a_dump_before_it_asks_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | None, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(Failure, match=said) as caught:
        backup.restore(name)
    assert caught.value.hint.startswith("make restore FILE=")


def should_refuse_to_overwrite_a_dump_before_it_asks_the_cluster(tmp_path: Path) -> None:
    path = tmp_path / "a.dump"
    path.write_text("kept")
    with pytest.raises(Failure, match="is there already"):
        backup.backup(str(path), secrets=False)
    assert path.read_text() == "kept"


def should_make_a_job_anew_without_the_marks_of_its_first_run() -> None:
    marks = {
        "controller-uid": "1",
        "job-name": "j",
        "batch.kubernetes.io/controller-uid": "1",
        "batch.kubernetes.io/job-name": "j",
    }
    job: dict[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "uid": "1", "resourceVersion": "2", "labels": marks | {"a": "b"}, "annotations": {"meta": "x"}},
        "spec": {
            "selector": {"matchLabels": marks},
            "backoffLimit": 6,
            "template": {"metadata": {"labels": marks | {"component": "bootstrap"}}, "spec": {"containers": []}},
        },
        "status": {"succeeded": 1},
    }
    assert backup.fresh_job(job) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "labels": {"a": "b"}, "annotations": {"meta": "x"}},
        "spec": {"backoffLimit": 6, "template": {"metadata": {"labels": {"component": "bootstrap"}}, "spec": {"containers": []}}},
    }
