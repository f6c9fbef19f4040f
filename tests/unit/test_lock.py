"""`make lock`: every lock file, or none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from airspark.project import ROOT

UV = os.environ.get("UV") or Path(sys.executable).with_name("uv")
#: Images whose jars are locked.
JARS = ("spark", "opensearch", "jmx-exporter")
#: What a package list of the checkout asks for here, by its file.
LISTS = {
    **{f"requirements/{name}.in": "tool\n" for name in ("bench", "examples", "go", "oidc", "pytest", "scan")},
    "requirements/dev.in": "tool\n-c ../images/operator/requirements.txt\n-r ../images/operator/requirements.in\n",
    "images/base/build.in": "tool\n",
    "images/spark/requirements.in": "engine\n",
    "images/airflow/requirements.in": "flow\n",
    "images/airflow/cloud.in": "cloud\n",
    "images/airflow/overrides.txt": "",
    "images/operator/requirements.in": "controller\n",
}
LOCKS = [
    *(f"requirements/{name}.txt" for name in ("bench", "dev", "examples", "go", "oidc", "pytest", "scan")),
    *(f"images/{name}" for name in ("base/build.txt", "spark/requirements.txt", "airflow/requirements.txt")),
    *(f"images/{name}" for name in ("airflow/cloud.txt", "operator/requirements.txt")),
    *(f"images/{name}/jars.lock" for name in JARS),
]
#: An engine that builds nothing, and refuses as BuildKit does what has no name to build from.
DOCKER = """#!{python}
import os, re, sys
from pathlib import Path

told = sys.argv[1:]
option = lambda name: told[told.index(name) + 1]
given = dict(text.removeprefix("--build-arg=").split("=", 1) for text in told if text.startswith("--build-arg="))
given |= dict(told[place + 1].split("=", 1) for place, text in enumerate(told) if text == "--build-arg")
for name in re.findall(r"^FROM \\$\\{{(\\w+)\\}}", Path(option("--file")).read_text(), re.MULTILINE):
    if not given.get(name):
        sys.exit("ERROR: base name (${{%s}}) should not be blank" % name)
folder = Path(option("--output"))
if folder.name == os.environ.get("REFUSED"):
    sys.exit("ERROR: no such jar")
(folder / "jars.lock").write_text("a:jar:2 sha256\\n")
"""


def _wheel(folder: Path, name: str, version: str) -> None:
    """Make a package of a file's index."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def _program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the real scripts and Dockerfiles, lists of four small packages, and locks of their first versions."""
    if not Path(UV).exists():
        pytest.fail(f"there is no {UV}: run make lint, which makes the scripts' own environment")
    index = tmp_path / "index"
    index.mkdir()
    for name in ("tool", "engine", "flow", "cloud", "controller"):
        for version in ("1.0", "2.0"):
            _wheel(index, name, version)
    root = tmp_path / "checkout"
    for name, text in LISTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in LOCKS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("# as it was\n")
    for name in ("scripts/lock.sh", "images/lock.sh", *(f"images/{name}/Dockerfile" for name in JARS), "versions.mk"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    _program(root / ".build/venv/bin/python", "#!/bin/sh\necho 'export PREPARED=1'\n")
    (root / ".build/venv/bin/uv").symlink_to(UV)
    _program(tmp_path / "bin/docker", DOCKER.format(python=sys.executable))
    return root


def _lock(
    checkout: Path, *arguments: str, script: str = "scripts/lock.sh", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the script against the index of files, without a network."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    mine = {"PATH": f"{checkout.parent / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(checkout.parent), "UV_OFFLINE": "1"}
    mine |= {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(checkout.parent / "index"), "UV_CACHE_DIR": str(checkout.parent / "cache")}
    return subprocess.run(
        ["bash", str(checkout / script), *arguments], env=kept | mine | environment, capture_output=True, text=True, check=False
    )


def _files(checkout: Path) -> dict[str, bytes]:
    return {str(path.relative_to(checkout)): path.read_bytes() for path in checkout.rglob("*") if path.is_file()}


@pytest.mark.parametrize("script", ["scripts/lock.sh", "images/lock.sh"])
def test_should_write_every_lock_file_if_all_can_be_resolved(checkout: Path, script: str) -> None:
    done = _lock(checkout, "--upgrade", script=script)
    assert done.returncode == 0, done.stderr
    assert (checkout / "images/operator/requirements.txt").read_text().startswith("controller==2.0 \\\n    --hash=sha256:")
    dev = (checkout / "requirements/dev.txt").read_text()
    assert "controller==2.0" in dev and "tool==2.0" in dev
    assert "cloud==2.0" in (checkout / "images/airflow/cloud.txt").read_text()
    assert "flow==" not in (checkout / "images/airflow/cloud.txt").read_text(), "only what differs"
    for name in JARS:
        assert (checkout / f"images/{name}/jars.lock").read_text() == "a:jar:2 sha256\n"
    assert not [name for name in LOCKS if (checkout / name).read_text() == "# as it was\n"]
    assert not list(checkout.rglob("*.new")) and "index" not in "".join((checkout / name).read_text() for name in LOCKS)


@pytest.mark.parametrize(
    ("where", "environment"),
    [
        ("", {"REFUSED": "opensearch"}),
        ("images/airflow/cloud.in", {}),
        ("requirements/dev.in", {}),
        ("requirements/pytest.in", {}),
    ],
)
def test_should_leave_every_file_as_it_was_if_one_cannot_be_resolved(
    checkout: Path, where: str, environment: dict[str, str]
) -> None:
    if where:
        with (checkout / where).open("a") as packages:
            packages.write("nowhere-to-be-found\n")
    before = _files(checkout)
    done = _lock(checkout, "--upgrade", **environment)
    assert done.returncode != 0
    assert _files(checkout) == before
    assert "no lock file was changed" in done.stderr and "make lock" in done.stderr
    assert ("nowhere-to-be-found" if where else "no such jar") in done.stderr
    assert not [path for path in checkout.parent.iterdir() if path.name.startswith("tmp.")], "the copy is gone"


def test_should_change_nothing_if_what_is_locked_still_fits(checkout: Path) -> None:
    assert _lock(checkout).returncode == 0
    before = _files(checkout)
    again = _lock(checkout)
    assert again.returncode == 0 and _files(checkout) == before
    assert "✓ 0 lock files changed" in again.stderr
