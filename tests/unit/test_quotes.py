"""Quotes of the code in the documentation: as the code is, or a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from airspark import quotes
from airspark.project import Failure

PAGE = "before\n\n<!-- quote a.py one -->\n```python\nold\n```\n\nafter\n```\nother\n```\n"


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("# START one\n1\n", "a.py has 0 pieces"),
        ("# START one\n1\n# END one\n# START one\n2\n# END one\n", "a.py has 2 pieces"),
        (None, "the documentation quotes a.py, which is not there"),
    ],
)
def test_should_say_what_is_missing(tmp_path: Path, code: str | None, sentence: str) -> None:
    if code is not None:
        (tmp_path / "a.py").write_text(code)
    with pytest.raises(Failure, match=sentence):
        quotes.quoted(PAGE, tmp_path)


def test_should_put_the_piece_in_the_place_of_the_block_and_leave_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("with x:\n    # START one\n    y = 1\n    if y:\n        z()\n    # END one\n")
    assert quotes.quoted(PAGE, tmp_path) == PAGE.replace("old\n", "y = 1\nif y:\n    z()\n")


def test_should_quote_the_code_as_it_is_in_every_page() -> None:
    found = quotes.files()
    assert found
    for path, text in found.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is not as generated: make generate"
