"""The container engine: the machine's own if one runs, else Debian's packages in a private folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from airspark import debian
from airspark.console import done, output, step, succeeds
from airspark.project import BUILD, ENGINE_RUN, ENGINE_STATE, LOGS, Failure, version_tuple, versions

PREFIX = ENGINE_STATE / "engine"
DATA = ENGINE_STATE / "docker"
SOCKET = ENGINE_RUN / "docker.sock"
PID_FILE = ENGINE_RUN / "docker.pid"
LOG = LOGS / "engine.log"

#: Docker 23 is the first that asks only for the capabilities the host has, which privileged containers need here.
MINIMUM = (23, 0)


def server_version() -> str | None:
    """The version of the engine that the environment points to, or None if none answers."""
    try:
        return output(["docker", "version", "--format", "{{.Server.Version}}"], timeout=15) or None
    except (OSError, subprocess.SubprocessError):
        return None


def use_own() -> None:
    """Point this process and its children to our own engine and its programs."""
    os.environ["DOCKER_HOST"] = f"unix://{SOCKET}"
    bin_folders = [str(PREFIX / "usr/bin"), str(PREFIX / "usr/sbin")]
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *bin_folders])


def find() -> str | None:
    """Select an engine that runs: the machine's own, then ours.

    Returns:
        Its version, or None if none runs.
    """
    version = server_version()
    if version is None and SOCKET.exists():
        before = dict(os.environ)
        use_own()
        version = server_version()
        if version is None:
            os.environ.clear()
            os.environ.update(before)
    if version is not None:
        if version_tuple(version) < MINIMUM:
            raise Failure(f"the Docker engine here is {version}, and 23 or newer is needed", "upgrade Docker, then: make check")
        link_buildx()
    return version


def can_install() -> bool:
    """Whether an engine can be installed here: root on a machine with Debian's package tools."""
    return os.geteuid() == 0 and debian.available()


def ensure() -> None:
    """Have a running engine with BuildKit, installing and starting one if needed.

    Raises:
        Failure: if there is none and this user may not install one, or if it does not come up.
    """
    version = find()
    if version:
        done(f"Docker engine {version}", "ours" if os.environ.get("DOCKER_HOST") == f"unix://{SOCKET}" else "running")
        ensure_buildx()
        return
    if not can_install():
        raise Failure(
            "no Docker engine is running and this user may not install one",
            "install Docker 23 or newer (or start it, or join its group), then: make check",
        )
    if not (PREFIX / "usr/sbin/dockerd").exists():
        install()
    start()
    ensure_buildx()


def install() -> None:
    """Unpack the engine's packages into our prefix.

    Debian 13's engine with Debian 12's runc and iptables: the newer runc wants a newer libc, and Debian 12's
    engine cannot start privileged containers on hosts without CAP_SYS_RESOURCE.
    """
    v = versions()
    with step("engine-install", "Install a Docker engine from Debian's packages") as current:
        cache = ENGINE_STATE / "apt"
        staging = ENGINE_STATE / "engine.part"
        shutil.rmtree(staging, ignore_errors=True)
        wanted = ["iptables", "libip4tc2", "libip6tc2", "libxtables12", "libnftnl11", "libmnl0", "libnfnetlink0",
                  "libnetfilter-conntrack3", "runc", "libseccomp2", "libdevmapper1.02.1", "tini"]  # fmt: skip
        packages = debian.fetch(current.run, cache / v["DEBIAN_SUITE"], v["DEBIAN_SUITE"], wanted, closure=False)
        packages += debian.fetch(
            current.run, cache / v["ENGINE_SUITE"], v["ENGINE_SUITE"],
            ["docker.io", "docker-cli", "containerd", "docker-buildx"], closure=False,
        )  # fmt: skip
        debian.unpack(current.run, packages, staging)
        for name in ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"):
            (staging / "usr/sbin" / name).unlink(missing_ok=True)
            (staging / "usr/sbin" / name).symlink_to("xtables-nft-multi")
        shutil.rmtree(PREFIX, ignore_errors=True)
        staging.rename(PREFIX)
        shutil.rmtree(cache)


def start() -> None:
    """Start our engine in the background and wait until it answers.

    Raises:
        Failure: if it exits or does not answer within a minute; the hint names its log.
    """
    with step("engine-start", "Start the Docker engine") as current:
        ENGINE_RUN.mkdir(parents=True, exist_ok=True)
        PID_FILE.unlink(missing_ok=True)
        use_own()
        process = launch(ENGINE_RUN, DATA, LOG, os.environ.get("AIRSPARK_ENGINE_ARGS", "").split())
        deadline = time.monotonic() + 60
        while server_version() is None:
            if process.poll() is not None or time.monotonic() > deadline:
                current.write(LOG.read_text(errors="replace")[-4000:])
                state = "ended at once" if process.poll() is not None else "does not answer"
                raise Failure(f"the Docker engine {state}", f"see {LOG.relative_to(BUILD.parent)}")
            time.sleep(0.3)
        current.note = f"Docker {server_version()}, log .build/logs/engine.log"


def launch(run: Path, data: Path, log: Path, extra: list[str]) -> subprocess.Popen[bytes]:
    """Start a dockerd of our packages in the background.

    Args:
        run: folder for socket, process id and run-time state.
        data: folder for images and containers.
        log: file that its output is added to.
        extra: further arguments, for example a registry mirror ($AIRSPARK_ENGINE_ARGS).

    Returns:
        The process.
    """
    libraries = next((PREFIX / "usr/lib").glob("*-linux-gnu"))
    environment = {
        **os.environ, "LD_LIBRARY_PATH": str(libraries), "XTABLES_LIBDIR": str(libraries / "xtables"),
        # ours first: the daemon must find its own containerd, runc and iptables
        "PATH": os.pathsep.join([str(PREFIX / "usr/bin"), str(PREFIX / "usr/sbin"), os.environ["PATH"]]),
    }  # fmt: skip
    environment.pop("DOCKER_HOST", None)
    command = [
        PREFIX / "usr/sbin/dockerd", "--host", f"unix://{run}/docker.sock", "--data-root", data,
        "--exec-root", run / "exec", "--pidfile", run / "docker.pid", *extra,
    ]  # fmt: skip
    with log.open("a") as output_file:
        return subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output_file, stderr=subprocess.STDOUT,
            env=environment, start_new_session=True,
        )  # fmt: skip


def pid() -> int | None:
    """The process id of our own engine, or None if it does not run."""
    try:
        number = int(PID_FILE.read_text())
        arguments = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return number if str(DATA).encode() in arguments else None


def stop() -> bool:
    """Stop our own engine and wait for its end; the machine's engine is never touched.

    Returns:
        Whether one was running.

    Raises:
        Failure: if it does not end within a minute.
    """
    number = pid()
    if number is None:
        return False
    os.kill(number, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{number}").exists() and not _is_zombie(number):
        if time.monotonic() > deadline:
            raise Failure(f"the Docker engine (process {number}) does not stop", f"kill {number}")
        time.sleep(0.2)
    return True


def _is_zombie(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def link_buildx() -> bool:
    """Point Docker to the buildx plugin beside our engine, if it is there and the machine has none.

    Returns:
        Whether `docker buildx` works.
    """
    if succeeds(["docker", "buildx", "version"]):
        return True
    plugin = PREFIX / "usr/libexec/docker/cli-plugins/docker-buildx"
    if not plugin.exists():
        return False
    folder = BUILD / "docker"
    (folder / "cli-plugins").mkdir(parents=True, exist_ok=True)
    user_config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    if user_config.exists() and user_config.parent != folder:
        shutil.copy(user_config, folder / "config.json")
    link = folder / "cli-plugins/docker-buildx"
    link.unlink(missing_ok=True)
    link.symlink_to(plugin)
    os.environ["DOCKER_CONFIG"] = str(folder)
    return True


def ensure_buildx() -> None:
    """Have `docker buildx`: the machine's plugin, or the one of Debian's packages.

    Raises:
        Failure: if it is missing and this user may not install it.
    """
    if link_buildx():
        return
    if not can_install():
        raise Failure("Docker's buildx plugin is missing", "install docker-buildx, then: make check")
    install()
    link_buildx()


def remove() -> None:
    """Remove our own engine's packages and data; it must be stopped."""
    shutil.rmtree(ENGINE_STATE, ignore_errors=True)
    shutil.rmtree(ENGINE_RUN, ignore_errors=True)
