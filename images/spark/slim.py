"""Take out of an installed PySpark what no Linux image uses, and give its zip archives bytecode.

Run once, by the step that installs PySpark: `python slim.py /opt/venv/lib/python3.11/site-packages`.
Measured on 2026-11-22, PySpark 4.2.1: the layer shrinks from 830 to 650 MB, and the imports of an executor's
Python worker fall from 0.62 to 0.20 s, because Spark puts pyspark.zip ahead of site-packages on PYTHONPATH.
"""

from __future__ import annotations

import platform
import py_compile
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

NATIVE = {"x86_64": "librocksdbjni-linux64.so", "aarch64": "librocksdbjni-linux-aarch64.so"}


def remove_tests(site_packages: Path) -> None:
    """Remove the test suites of the numeric packages and Arrow's C++ headers; their packages import neither."""
    folders = [site_packages / "pandas/tests", site_packages / "pyarrow/tests", site_packages / "pyarrow/include"]
    folders += sorted((site_packages / "numpy").rglob("tests"))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def remove_jars(jars: Path) -> None:
    """Remove the Scala shell of Spark Connect and the native TLS libraries of other operating systems.

    The folder of the shell stays: Spark's launcher lists it in Connect mode.
    """
    for jar in (jars / "connect-repl").glob("*.jar"):
        jar.unlink()
    for system in ("osx", "windows"):
        for jar in jars.glob(f"netty-*-{system}-*.jar"):
            jar.unlink()


def rewrite(archive: Path, write: Callable[[zipfile.ZipFile, zipfile.ZipFile], None]) -> None:
    """Replace a zip archive by what `write(old, new)` puts into a new one, with the old one's mode."""
    fresh = archive.with_suffix(".new")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as new:
        write(old, new)
    fresh.chmod(archive.stat().st_mode)
    fresh.replace(archive)


def keep_one_rocksdb(jars: Path, machine: str) -> None:
    """Keep RocksDB's library for this machine's processor and glibc; the jar carries ten of 5 to 9 MB each.

    Raises:
        SystemExit: the jar has no library for this processor, so that nothing is removed by a wrong name.
    """
    keep = NATIVE[machine]

    def write(old: zipfile.ZipFile, new: zipfile.ZipFile) -> None:
        if keep not in old.namelist():
            raise SystemExit(f"slim.py: {old.filename} has no {keep}")
        for entry in old.infolist():
            if entry.filename.startswith("librocksdbjni") and entry.filename != keep:
                continue
            new.writestr(entry, old.read(entry), zipfile.ZIP_DEFLATED)

    for jar in jars.glob("rocksdbjni-*.jar"):
        rewrite(jar, write)


def compile_zip(archive: Path) -> None:
    """Put bytecode beside every module of a zip archive.

    The bytecode is never checked against the source: zip files keep local times, so a check would fail
    wherever the time zone differs from the build's.
    """

    def write(old: zipfile.ZipFile, new: zipfile.ZipFile) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for entry in old.infolist():
                content = old.read(entry)
                new.writestr(entry, content, zipfile.ZIP_DEFLATED)
                if not entry.filename.endswith(".py"):
                    continue
                source = Path(folder, "module.py")
                source.write_bytes(content)
                compiled = py_compile.compile(
                    str(source),
                    cfile=f"{source}c",
                    dfile=str(archive / entry.filename),
                    doraise=True,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
                info = zipfile.ZipInfo(f"{entry.filename}c", entry.date_time)
                info.external_attr = entry.external_attr
                new.writestr(info, Path(compiled or "").read_bytes(), zipfile.ZIP_DEFLATED)

    rewrite(archive, write)


def main() -> None:
    """Slim the site-packages folder named by the only argument."""
    site_packages = Path(sys.argv[1])
    pyspark = site_packages / "pyspark"
    remove_tests(site_packages)
    remove_jars(pyspark / "jars")
    keep_one_rocksdb(pyspark / "jars", platform.machine())
    for archive in sorted((pyspark / "python/lib").glob("*.zip")):
        compile_zip(archive)


if __name__ == "__main__":
    main()
