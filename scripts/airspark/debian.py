"""Debian packages without touching the system: fetched with apt's own verification, unpacked into a private folder."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from airspark.console import output
from airspark.project import Failure

Run = Callable[..., None]


def available() -> bool:
    """Whether this machine has apt and dpkg."""
    return all(shutil.which(name) for name in ("apt-get", "dpkg-deb"))


def sources(suite: str, release: str = "bookworm") -> list[str]:
    """`deb` lines for a suite, out of the machine's own package sources.

    Args:
        suite: the suite wanted; for the machine's own release the updates and security suites are added.
        release: the release the machine's sources are written for.

    Raises:
        Failure: if the machine's sources name no Debian mirror.
    """
    listing = output(["apt-get", "indextargets", "--format", "$(SITE)|$(RELEASE)|$(COMPONENT)|$(CREATED_BY)"])
    rows = [row.split("|") for row in listing.splitlines()]
    sites = {row[1]: row[0] for row in rows if row[3] == "Packages" and row[2] == "main"}
    main = sites.get(release) or next((sites[name] for name in sites if "-" not in name), None)
    if main is None:
        raise Failure("this machine's apt sources name no Debian mirror", "add one to /etc/apt/sources.list")
    lines = [f"deb {main} {suite} main"]
    if suite == release:
        lines += [f"deb {sites[name]} {name} main" for name in (f"{suite}-updates", f"{suite}-security") if name in sites]
    return lines


def sandbox_user(folder: Path) -> str:
    """The user apt downloads as: its own, `_apt`, if it may enter the folder; else the one who runs this.

    apt started by root gives up its rights for what it reads from the network, but cannot where a folder above is closed
    to others, such as a checkout in root's home.

    Args:
        folder: where apt's lists and archives are.
    """
    try:
        pwd.getpwnam("_apt")
    except KeyError:
        return "root"
    above = (folder, *folder.resolve().parents)
    return "_apt" if all(path.stat().st_mode & stat.S_IXOTH for path in above) else "root"


def fetch(run: Run, folder: Path, suite: str, packages: list[str], *, closure: bool) -> list[Path]:
    """Download packages of a suite.

    Args:
        run: `Step.run`.
        folder: where apt keeps its lists and the packages end up.
        suite: Debian suite.
        packages: package names.
        closure: also fetch what they need and this machine lacks; else just the packages named.

    Returns:
        The downloaded package files.

    Raises:
        subprocess.CalledProcessError: if apt fails.
    """
    lists, archives = folder / "lists", folder / "archives"
    for path in (lists / "partial", archives / "partial"):
        path.mkdir(parents=True, exist_ok=True)
    user = sandbox_user(folder)
    if user == "_apt" and os.geteuid() == 0:
        for path in (lists / "partial", archives, archives / "partial"):
            shutil.chown(path, user)
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    (folder / "sources.list").write_text("".join(line.replace("deb ", f"deb {signed}", 1) + "\n" for line in sources(suite)))
    options = [
        "-o", f"Dir::Etc::sourcelist={folder}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
        "-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={folder}", "-o", f"Dir::Cache::archives={archives}",
        "-o", f"APT::Sandbox::User={user}", "-o", "Acquire::Retries=3",
    ]  # fmt: skip
    run(["apt-get", *options, "-q", "update"])
    if closure:
        run(["apt-get", *options, "-q", "-y", "--no-install-recommends", "--reinstall", "--download-only", "install",
             *packages])  # fmt: skip
    else:
        run(["apt-get", *options, "-q", "download", *packages], cwd=archives)
    return sorted(archives.glob("*.deb"))


def unpack(run: Run, packages: list[Path], prefix: Path) -> None:
    """Unpack package files into a folder, without their scripts and without dpkg's database."""
    prefix.mkdir(parents=True, exist_ok=True)
    for package in packages:
        run(["dpkg-deb", "-x", package, prefix])
