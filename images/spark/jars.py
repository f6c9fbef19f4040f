"""Fetch the jars that PySpark does not carry, through Ivy, which knows where Maven's artefacts are.

Run by the image build: `python jars.py fetch jars.lock /jars` fetches what the lock names and checks every SHA-256;
`python jars.py lock jars.in jars.lock` fetches what the list names and writes the lock, run by `images/lock.sh`.
The list takes versions from the environment, and a site's certificates come from the file that JARS_CA names.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from string import Template

IVY = "/usr/share/java/ivy.jar"
TRUST_STORE = Path(__file__).with_name("TrustStore.java")


def coordinates_in(text: str) -> list[str]:
    """Return the coordinates of a list: its lines but comments and empty ones, each ${VERSION} from the environment."""
    return [Template(line).substitute(os.environ) for line in text.splitlines() if line and not line.startswith("#")]


def ivy_module(coordinates: Iterable[str]) -> bytes:
    """Return an ivy.xml that depends on `group:artifact:version` coordinates and on none of their dependencies."""
    module = ET.Element("ivy-module", version="2.0")
    ET.SubElement(module, "info", organisation="airspark", module="jars")
    dependencies = ET.SubElement(module, "dependencies")
    for coordinate in coordinates:
        group, artifact, version = coordinate.split(":")
        ET.SubElement(dependencies, "dependency", org=group, name=artifact, rev=version, conf="default->master")
    return ET.tostring(module)


def jar(folder: Path, coordinate: str) -> Path:
    """Return the path of a coordinate's jar in a folder."""
    _, artifact, version = coordinate.split(":")
    return folder / f"{artifact}-{version}.jar"


def fetch(coordinates: list[str], folder: Path) -> dict[str, str]:
    """Fetch jars into a folder.

    Args:
        coordinates: as `group:artifact:version`.
        folder: gets one `artifact-version.jar` each.

    Returns:
        The SHA-256 of each jar by its coordinate.

    Raises:
        SystemExit: a jar cannot be had; the sentence names it, Ivy's own words come before.
    """
    with tempfile.TemporaryDirectory() as work:
        options = []
        if site := os.environ.get("JARS_CA"):
            store = Path(work, "trust.p12")
            subprocess.run(["java", TRUST_STORE, site, store], check=True)
            options = [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStorePassword=changeit"]
        module = Path(work, "ivy.xml")
        module.write_bytes(ivy_module(coordinates))
        command = ["java", *options, "-jar", IVY, "-ivy", module, "-cache", Path(work, "cache"), "-types", "jar", "bundle"]
        done = subprocess.run(
            [*command, "-retrieve", f"{folder}/[artifact]-[revision].jar", "-warn"], capture_output=True, text=True
        )
    missing = [coordinate for coordinate in coordinates if not jar(folder, coordinate).is_file()]
    if done.returncode or missing:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        raise SystemExit(
            f"jars.py: Ivy ended with {done.returncode} and did not fetch {', '.join(missing) or 'what is named above'}"
        )
    return {name: hashlib.sha256(jar(folder, name).read_bytes()).hexdigest() for name in coordinates}


def check(expected: dict[str, str], found: dict[str, str]) -> None:
    """Compare checksums by coordinate.

    Raises:
        SystemExit: one differs; the sentence names the jar and both checksums.
    """
    for name, digest in expected.items():
        if found[name] != digest:
            raise SystemExit(
                f"jars.py: {name} has the SHA-256 {found[name]}, but jars.lock says {digest}: "
                "do not use it unless you know why it changed, then run images/lock.sh"
            )


def main(action: str, source: Path, target: Path) -> None:
    """Fetch what a lock names into a folder, or fetch what a list names and write the lock."""
    if action == "fetch":
        expected = {name: digest for digest, name in map(str.split, source.read_text().splitlines())}
        target.mkdir(parents=True, exist_ok=True)
        check(expected, fetch(list(expected), target))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = fetch(coordinates_in(source.read_text()), Path(folder))
    target.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(found.items())))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
