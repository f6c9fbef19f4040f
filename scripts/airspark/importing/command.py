"""`make import-values`: read an official values file, write one of Airspark, and print what became of each key."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from airspark import tools
from airspark.console import out as screen
from airspark.console import say
from airspark.importing import report
from airspark.importing.translate import translate
from airspark.importing.work import DROPPED, KEPT, OPEN, SECRET
from airspark.project import Failure, kubeconfig
from airspark.values import check
from airspark.values.reading import parse, read

MISSPELT = re.compile(r"did you mean|has no such key")
EXAMPLE = "for example: make import-values FILE=official.yaml OUT=my-values.yaml"


def run(file: str, out: Path, force: bool) -> int:
    """Translate a file, write the result and say what is left to do.

    Args:
        file: name of the official values file.
        out: where the new one goes.
        force: whether what is there may be replaced.

    Returns:
        The exit code: 1 if the charts still refuse something, which only the user can decide, if a password is left
        that the import cannot take out, or if keys were dropped that no chart has.

    Raises:
        Failure: if the file cannot be read or translated, or something stands in the way of the result.
    """
    if not file:
        raise Failure("FILE is missing", EXAMPLE)
    origin = Path(file)
    imported = translate(read(origin, EXAMPLE), file)
    helm = tools.locate("helm")
    # What is checked is the text that is written, because Helm reads that.
    left = check.problems({str(out): parse(report.document(imported.values, file), str(out))}, helm)
    templates = ("its template does not work", "a template of the values does not work")
    broken = [line.removeprefix("airflow.") for line in left if any(text in line for text in templates)]
    if broken:
        raise Failure(f"{file}: {broken[0]}", "correct the template, then call it again")
    report.write(imported, origin, out, force)
    screen.print(report.table(imported))
    counts = {what: sum(row.what == what for row in imported.rows) for what in (KEPT, DROPPED, SECRET)}
    total = f"{counts[KEPT]} keys kept, {counts[DROPPED]} dropped, {len(imported.secrets)} Secrets to make."
    screen.print(f"\n{out}: {total}", markup=False)
    if imported.secrets:
        folder = report.secrets_folder(out)
        first = f"Make the Secrets first; their contents are in {folder}, which only you can read. Then remove it."
        screen.print(first, markup=False)
        screen.print("They need the namespace: kubectl create namespace airspark; on kind, `make up` makes it, and", markup=False)
        screen.print(f"kubectl reaches it after: export KUBECONFIG={shlex.quote(str(kubeconfig()))}", markup=False)
        for secret in imported.secrets:
            screen.print(report.command(secret, out), markup=False)
    left += [f"airflow.{row.key}: {row.note}" for row in imported.rows if row.what == OPEN]
    again = f"make up VALUES={shlex.quote(str(out))}"
    if left:
        say(f"{len(left)} left for you to decide:")
        for line in left:
            say(f"  {line}")
        return 1
    dropped = [row for row in imported.rows if row.what == DROPPED and MISSPELT.search(row.note)]
    if dropped:
        say(f"{len(dropped)} keys are not in {out}, because no chart has them: {', '.join(row.key for row in dropped)}")
        say(f"Correct them in {file} and call it again, or go on without them: {again}")
        return 1
    if not helm:
        say("Helm is not here, so the charts have not looked at the result yet; `make up` has them do it first.")
    install = f"helm install airspark charts/airspark --namespace airspark --values {shlex.quote(str(out))}"
    screen.print(f"Next: {again}, or {install}", markup=False)
    return 0
