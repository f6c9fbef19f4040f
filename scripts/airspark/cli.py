"""The commands behind the Makefile's targets."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from typer.exceptions import TyperException

from airspark import (
    airflow_api,
    backfill,
    backup,
    check,
    cluster,
    console,
    demo,
    dev,
    doctor,
    engine,
    images,
    look,
    node_image,
    platform,
    sources,
    submit,
    tools,
)
from airspark.console import err, out, say
from airspark.importing import command as import_values
from airspark.project import BUILD, ENGINE_STATE, LOGS, Failure, cluster_name
from airspark.values import check as check_values

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

#: What the start of a demo found decides which budget counts; seconds.
BUDGETS = {"cold": 25 * 60, "images there, no cluster": 4 * 60, "cluster up": 90}
IDLE_GIB = 4.0
#: A number that makes sense for each make variable that is one.
EXAMPLES = {"ROWS": 1000, "SEED": 7, "NODES": 2, "PARALLEL": 4}
#: What typer makes of Ctrl-C.
INTERRUPTED = 130


def positive(name: str, text: str) -> int:
    """Read a whole number above zero from a make variable.

    Raises:
        Failure: if it is not one.
    """
    if not text.isdecimal() or int(text) < 1:
        raise Failure(f"{name}={text} is not a whole number above zero", f"for example: {name}={EXAMPLES[name]}")
    return int(text)


def starting_state() -> str:
    """What is there before anything is done: one of the names in BUDGETS."""
    if engine.find() is None:
        return "cold"
    if cluster.node_names() and cluster.answers():
        return "cluster up"
    there = all(node_image.image_label(image.tag, node_image.LABEL) for image in images.IMAGES.values())
    return "images there, no cluster" if there else "cold"


def values_files(text: str) -> list[Path]:
    """Read the names of values files from a make variable, and check the files before anything is built.

    Args:
        text: the name of one file, or several names by spaces.

    Raises:
        Failure: if one is not a file, or with every problem that the schema and the charts see in them.
    """
    files = [Path(text)] if Path(text).is_file() else [Path(name) for name in text.split()]
    check_values.require(files, [platform.VALUES], console.next_command)
    return files


def bring_up(nodes: int, values: Sequence[Path] = (), checkout: bool = False) -> bool:
    """Have everything: engine, tools, images, cluster, platform.

    Args:
        nodes: nodes of the cluster.
        values: values files over those for kind.
        checkout: whether DAGs and applications come from this checkout, not from the images.

    Returns:
        Whether anything had to be done to the platform.
    """
    engine.ensure()
    # images wait for downloads while the node's binaries keep the processors busy
    with ThreadPoolExecutor(1) as background:
        building = background.submit(images.ensure, code=not checkout)
        names = cluster.ensure(nodes)
        tools.ensure("helm")
        building.result()
    loaded = images.load(names)
    return (dev.ensure(names, values) if checkout else platform.ensure(*values)) or loaded


@app.command("check")
def check_command() -> None:
    """List what is there, what is missing, and what will be done about it."""
    raise typer.Exit(check.report())


@app.command()
def up(
    nodes: Annotated[str, typer.Option(help="Nodes of the cluster.")] = "1",
    values: Annotated[str, typer.Option(help="Values files over those for kind, by spaces.")] = "",
) -> None:
    """Bring everything up; does nothing if everything is up."""
    started = time.monotonic()
    changed = bring_up(positive("NODES", nodes), values_files(values))
    seconds = time.monotonic() - started
    what = "Up" if changed else "Everything is up, nothing to do"
    out.print(f"{what} ({seconds:.0f} s). Next: make demo, make ui, make status")


@app.command("dev")
def dev_command(
    nodes: Annotated[str, typer.Option(help="Nodes of the cluster.")] = "1",
    values: Annotated[str, typer.Option(help="Values files over those for kind, by spaces.")] = "",
) -> None:
    """Bring everything up, with DAGs and applications read from this checkout."""
    started = time.monotonic()
    bring_up(positive("NODES", nodes), values_files(values), checkout=True)
    seconds = time.monotonic() - started
    out.print(f"Airflow and Spark read {' and '.join(f'{name}/' for name in cluster.CODE)} of this checkout ({seconds:.0f} s): "
              "save a file and run. Back to what is built into the images: make up")  # fmt: skip


@app.command()
def prepare() -> None:
    """Have engine, helm and images for tests without a cluster; print the engine's environment for a shell."""
    engine.ensure()
    tools.ensure("helm")
    images.ensure()
    for name in ("DOCKER_HOST", "DOCKER_CONFIG", "PATH"):
        if name in os.environ:
            print(f"export {name}={shlex.quote(os.environ[name])}")
    print(f"export AIRSPARK_HELM={shlex.quote(str(tools.ensure('helm')))}")


@app.command("demo")
def demo_command(
    date: Annotated[str, typer.Option(help="The day, YYYY-MM-DD; yesterday by default.")] = "",
    rows: Annotated[str, typer.Option(help="Rows of the day's file.")] = "100000",
    seed: Annotated[str, typer.Option(help="Seed of the generator.")] = "7",
    nodes: Annotated[str, typer.Option(help="Nodes of the cluster.")] = "1",
    values: Annotated[str, typer.Option(help="Values files over those for kind, by spaces.")] = "",
) -> None:
    """Run the daily ETL on generated sales and show its result."""
    started = time.monotonic()
    console.next_command = "make demo"
    day = demo.parse_date(date) if date else ""
    count, number = positive("ROWS", rows), positive("SEED", seed)
    files = values_files(values)
    state = starting_state()
    bring_up(positive("NODES", nodes), files, checkout=state == "cluster up" and dev.is_on())
    memory = look.idle_memory()
    with airflow_api.connect() as airflow:
        demo.run(airflow, day or backfill.yesterday(datetime.now(UTC)).isoformat(), count, number)
    seconds = time.monotonic() - started
    out.print("\nWhere to look next: make ui (Airflow and Spark in the browser), make logs T=etl_daily.transform, make status")
    out.print(f"Time, {state}: {seconds:.0f} s (budget {BUDGETS[state]} s). Memory of the cluster before the run: "
              f"{memory:.1f} GiB (budget {IDLE_GIB:.0f} GiB).")  # fmt: skip


@app.command("backfill")
def backfill_command(
    dag: Annotated[str, typer.Option(help="The DAG.")] = "",
    first: Annotated[str, typer.Option("--from", help="The first day, YYYY-MM-DD.")] = "",
    last: Annotated[str, typer.Option("--to", help="The last day, YYYY-MM-DD.")] = "",
    parallel: Annotated[str, typer.Option(help="Days at once.")] = "4",
    rerun: Annotated[bool, typer.Option(help="Also days that ended well before.")] = False,
    stop: Annotated[bool, typer.Option(help="Stop the backfill that is running.")] = False,
) -> None:
    """Run a DAG for each day of a range and follow it."""
    if stop:
        _need_engine()
        with airflow_api.connect() as airflow:
            return backfill.stop(airflow, dag)
    if not dag:
        raise Failure("DAG is missing", backfill.EXAMPLE)
    try:
        days = backfill.parse_range(first, last)
    except Failure:
        if engine.find() and cluster.answers() and not platform.not_ready():
            with airflow_api.connect() as airflow:
                backfill.find_dag(airflow, dag)  # a wrong name is the first thing to say
        raise
    count = positive("PARALLEL", parallel)
    _need_engine()
    backfill.check_over(days, datetime.now(UTC))
    with airflow_api.connect() as airflow:
        backfill.run(airflow, dag, days, count, rerun)


@app.command()
def ui() -> None:
    """Open port-forwards to the user interfaces."""
    _need_engine()
    look.user_interfaces()


@app.command()
def status() -> None:
    """Show the platform's parts in one table."""
    _need_engine()
    look.status()


@app.command()
def logs(
    component: Annotated[str, typer.Option(help="A component, for example scheduler.")] = "",
    task: Annotated[str, typer.Option(help="A task as <dag_id>.<task_id>.")] = "",
    follow: Annotated[bool, typer.Option(help="Go on until interrupted.")] = False,
) -> None:
    """Show the logs of a component or of a task's last run."""
    if bool(component) == bool(task):
        raise Failure("name a component or a task", "make logs C=scheduler, or make logs T=etl_daily.transform")
    _need_engine()
    if component:
        return look.component_logs(component, follow)
    look.task_logs(task)


@app.command("submit")
def submit_command(file: Annotated[str, typer.Option(help="A manifest with a SparkApplication.")] = "") -> None:
    """Apply a SparkApplication and follow it to its end."""
    submit.read(file)
    _need_engine()
    look.require_cluster()
    submit.submit(file)


@app.command("sources")
def sources_command() -> None:
    """Have a warehouse, a database, an HTTP API and a search index for the pipelines, and Airflow connected to them."""
    _need_engine()
    look.require_cluster()
    with airflow_api.connect() as airflow:
        sources.ensure(airflow)
    out.print("The pipelines have their sources and destinations. Next: make data FROM=2026-01-01 TO=2026-01-03, make ui")


@app.command("data")
def data_command(
    first: Annotated[str, typer.Option("--from", help="The first day, YYYY-MM-DD.")] = "",
    last: Annotated[str, typer.Option("--to", help="The last day; by default the first.")] = "",
    rows: Annotated[str, typer.Option(help="Rows of each day and kind.")] = "10000",
    seed: Annotated[str, typer.Option(help="Seed of the generators.")] = "7",
) -> None:
    """Write input of every pipeline for some days."""
    if not first:
        raise Failure("no first day is given", "for example: make data FROM=2026-01-01 TO=2026-01-03")
    days = sources.days(demo.parse_date(first, "FROM"), demo.parse_date(last or first, "TO"))
    count, number = positive("ROWS", rows), positive("SEED", seed)
    _need_engine()
    look.require_cluster()
    sources.generate(days, count, number)


@app.command("import-values")
def import_values_command(
    file: Annotated[str, typer.Argument(help="A values file of the official Airflow chart.")] = "",
    to: Annotated[str, typer.Option("--out", help="The new values file.")] = "my-values.yaml",
    force: Annotated[bool, typer.Option(help="Replace what is there.")] = False,
) -> None:
    """Turn a values file of the official Airflow chart into one of Airspark, and say what became of each key."""
    raise typer.Exit(import_values.run(file, Path(to), force))


@app.command("doctor")
def doctor_command() -> None:
    """Collect describe, events, logs and values into one archive, secrets removed."""
    engine.find()
    path = doctor.collect()
    out.print(str(path))


@app.command("backup")
def backup_command(
    file: Annotated[str, typer.Option(help="Where to; by default a name with the time below .build/backups.")] = "",
    secrets: Annotated[bool, typer.Option(help="The Fernet key's Secret beside it.")] = False,
) -> None:
    """Dump the metadata database and read the dump back."""
    _need_engine()
    path = backup.backup(file, secrets)
    if not secrets:
        say("  Its connections are opened by this installation's Fernet key alone; SECRETS=1 saves that too.")
    out.print(str(path))


@app.command()
def restore(file: Annotated[str, typer.Option(help="A dump that backup wrote.")] = "") -> None:
    """Put a dump in the place of the metadata database."""
    _need_engine()
    backup.restore(file)
    out.print(f"Restored {file}. Next: make ui, make status")


@app.command()
def down(purge: Annotated[bool, typer.Option(help="Images, caches and our own engine too.")] = False) -> None:
    """Remove the cluster, with --purge the images and caches too."""
    found = engine.find() is not None
    removed = cluster.delete() if found else False
    if purge:
        with console.step("purge", "Remove images, caches and our own engine"):
            if found:
                images.purge()
            if engine.stop() or ENGINE_STATE.exists():
                engine.remove()
        for path in BUILD.iterdir():
            if path.name not in ("venv", "logs", "backups"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    out.print("Removed." if removed or purge else f"There is no cluster {cluster_name()}.")


def _need_engine() -> None:
    if engine.find() is None:
        raise Failure("no Docker engine is running", "make up")


def main() -> None:
    """Run a command; a failure ends in one sentence, the next command and a non-zero exit."""
    BUILD.mkdir(exist_ok=True)
    console.next_command = f"make {sys.argv[1]}" if len(sys.argv) > 1 else "make help"
    try:
        code = app(standalone_mode=False) or 0
        if code == INTERRUPTED:
            err.print(f"\nInterrupted. To go on: {console.next_command}")
        sys.exit(code)
    except TyperException as problem:
        _fail(problem.format_message() if hasattr(problem, "format_message") else str(problem), "make help")
    except Failure as problem:
        _fail(str(problem), problem.hint)
    except (subprocess.SubprocessError, OSError) as problem:
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / "crash.log").write_text(traceback.format_exc() + str(getattr(problem, "stderr", "") or ""))
        details = f"details: .build/logs/crash.log; to go on: {console.next_command}"
        if getattr(problem, "errno", None) == errno.ENOSPC:
            _fail("the disk is full", f"free some space, then: {console.next_command}")
        if engine.server_version() is None:
            _fail("the Docker engine ended or does not answer", details)
        said = str(getattr(problem, "stderr", "") or problem).strip().splitlines()
        _fail(said[-1] if said else str(problem), details)


def _fail(sentence: str, hint: str) -> None:
    err.print(f"[red]✗[/] {escape(sentence)}")
    if hint:
        say(f"  → {hint}")
    sys.exit(1)
