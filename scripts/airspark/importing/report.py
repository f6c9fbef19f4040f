"""Write what a translation gave: the values file, the Secrets' contents for nobody else to read, and the table."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from rich.table import Table
from rich.text import Text

from airspark.importing.work import Imported, NewSecret
from airspark.project import NAMESPACE, Failure
from airspark.values.helm_yaml import dump
from airspark.values.reading import Values


def document(values: Values, origin: str) -> str:
    """Return a values file's text.

    Args:
        values: of charts/airspark.
        origin: the file that they come from.
    """
    file = shlex.quote(" ".join(origin.split()))
    head = f"# For charts/airspark, by `make import-values FILE={file}`; what became of each key: docs/from-official-chart.md\n"
    return head + dump(values)


def secrets_folder(out: Path) -> Path:
    """Return where the Secrets' contents go, beside the values file."""
    return out.with_name(f"{out.stem}.secrets")


def write(imported: Imported, origin: Path, out: Path, force: bool) -> None:
    """Write the values file and the contents of Secrets.

    Args:
        imported: the translation.
        origin: the official file.
        out: the new one.
        force: whether what is there may be replaced.

    Raises:
        Failure: if something is there already, the folder cannot be written, or a Secret's key is no name of a file.
    """
    if out.resolve() == origin.resolve():
        raise Failure(f"OUT={out} is the official file itself", "for example: OUT=my-values.yaml")
    folder = secrets_folder(out)
    for path in (out, folder):
        if path.exists() and not force:
            raise Failure(f"{path} is there already and was not changed", "choose another OUT=, or replace it by FORCE=1")
    if not out.parent.is_dir():
        raise Failure(f"the folder {out.parent} does not exist", f"mkdir -p {shlex.quote(str(out.parent))}")
    for secret in imported.secrets:
        for key in secret.data:
            if (folder / secret.name / key).parent != folder / secret.name or key in (".", ".."):
                raise Failure(f"{secret.key}: {key!r} is no key of a Secret", "write letters, digits, `_`, `-` and `.`")
    if folder.is_dir():
        shutil.rmtree(folder)
    out.write_text(document(imported.values, str(origin)), encoding="utf-8")
    for secret in imported.secrets:
        for key, content in secret.data.items():
            path = folder / secret.name / key
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            with os.fdopen(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline=""
            ) as file:
                file.write(content)


def command(secret: NewSecret, out: Path) -> str:
    """Return the command that makes a Secret; its contents stand in files that only the user can read.

    Args:
        secret: what it makes.
        out: the values file, beside which the contents are.
    """
    folder = secrets_folder(out) / secret.name
    words = ["kubectl", "create", "secret", "generic", secret.name, "--namespace", NAMESPACE]
    words += [f"--type={secret.kind}"] if secret.kind else []
    return shlex.join([*words, *(f"--from-file={key}={folder / key}" for key in secret.data)])


def table(imported: Imported) -> Table:
    """Return the table of what became of each key."""
    shown = Table("key", "here", "what is to know", box=None, pad_edge=False, show_edge=False)
    shown.columns[0].overflow = "fold"
    for row in imported.rows:
        shown.add_row(Text(row.key), row.what, Text(row.note))
    return shown
