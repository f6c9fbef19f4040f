"""Take out of an installed PySpark what no Linux image uses, give its zip archives bytecode and its jars a fixed order.

Run once, by the step that installs PySpark: `python slim.py /opt/venv/lib/python3.11/site-packages`.
Measured on 2026-11-22, PySpark 4.2.1: the imports of an executor's Python worker fall from 0.62 to 0.20 s, because Spark
puts pyspark.zip ahead of site-packages on PYTHONPATH. What each step saves is in docs/performance.md.
"""

from __future__ import annotations

import platform
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

NATIVE_JARS = ("arpack-?.*", "blas-*", "lapack-*", "lz4-java-*", "rocksdbjni-*", "snappy-java-*", "zstd-jni-*")
NATIVE = re.compile(r"\.(so|dylib|jnilib|dll|a)$")
#: Where these jars keep the library for Linux with glibc.
NATIVE_KEPT = {
    "x86_64": re.compile(r"linux([/-](amd64|x86_64)/|64\.)", re.IGNORECASE),
    "aarch64": re.compile(r"linux[/-]aarch64[/.]", re.IGNORECASE),
}
NETTY = {"x86_64": "-linux-x86_64", "aarch64": "-linux-aarch_64"}
SIGNATURE = re.compile(r"META-INF/[^/]+\.(SF|RSA|DSA|EC)")


def remove_tests(site_packages: Path) -> None:
    """Remove the test suites of the numeric packages and Arrow's C++ headers; their packages import neither."""
    folders = [site_packages / "pandas/tests", site_packages / "pyarrow/tests", site_packages / "pyarrow/include"]
    folders += sorted((site_packages / "numpy").rglob("tests"))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def slim_arrow(pyarrow: Path) -> None:
    """Remove Arrow's Flight, which nothing of PySpark, pandas or Airflow imports, Cython sources and symbols for debuggers.

    A wheel cannot hold links: two of three names of a library are copies.
    """
    for pattern in ("*flight*", "**/*.pyx", "**/*.pxi", "**/*.pxd"):
        for file in sorted(pyarrow.glob(pattern)):
            file.unlink()
    for library in sorted(pyarrow.glob("*.so")):
        for copy in sorted(pyarrow.glob(f"{library.name}.*")):
            if copy.read_bytes() == library.read_bytes():
                copy.unlink()
                copy.symlink_to(library.name)
    libraries = [file for file in sorted(pyarrow.glob("*.so*")) if not file.is_symlink()]
    subprocess.run(["strip", "--strip-unneeded", *libraries], check=True)


def remove_jars(jars: Path, machine: str) -> None:
    """Remove the Scala shell of Spark Connect and the native network libraries of other systems and processors.

    The folder of the shell stays: Spark's launcher lists it in Connect mode.
    """
    for jar in (jars / "connect-repl").glob("*.jar"):
        jar.unlink()
    for jar in jars.glob("netty-*.Final-*-*.jar"):
        if not jar.stem.endswith(NETTY[machine]):
            jar.unlink()


def remove_scala_shell(jars: Path, commands: Iterable[Path]) -> None:
    """Remove Scala's compiler, which nothing but the Scala shell uses, and let the shell's command say so.

    Args:
        jars: the folder of jars.
        commands: the folders of Spark's commands: its own and the environment's, which holds copies.
    """
    for pattern in ("scala-compiler-*.jar", "spark-repl_*.jar"):
        for jar in jars.glob(pattern):
            jar.unlink()
    for folder in commands:
        (folder / "spark-shell").write_text(
            "#!/bin/sh\n"
            "echo 'spark-shell: the Scala shell is not in this image; use pyspark, spark-sql or spark-submit' >&2\n"
            "exit 1\n"
        )


def unsign(jars: Path) -> None:
    """Remove the signatures of signed jars (Janino's): the JVM archives no class of such a jar, and checks each it loads."""

    def write(old: zipfile.ZipFile, new: zipfile.ZipFile) -> None:
        for entry in old.infolist():
            if not SIGNATURE.fullmatch(entry.filename):
                new.writestr(entry, old.read(entry), zipfile.ZIP_DEFLATED)

    for jar in sorted(jars.glob("*.jar")):
        with zipfile.ZipFile(jar) as archive:
            signed = any(map(SIGNATURE.fullmatch, archive.namelist()))
        if signed:
            rewrite(jar, write)


def list_jars(jars: Path, listing: Path) -> None:
    """Write a jar that holds nothing but a class path: every jar of a folder, by name.

    `jars/*` has the order of the file system; an archive of loaded classes is only used in the order it was made with.
    """
    line = "Class-Path: " + " ".join(f"{jars.name}/{jar.name}" for jar in sorted(jars.glob("*.jar")))
    # The jar file format: at most 72 bytes a line, and a space begins a continuation.
    folded = "\r\n ".join(line[start : start + 70] for start in range(0, len(line), 70))
    with zipfile.ZipFile(listing, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\r\n{folded}\r\n")


def rewrite(archive: Path, write: Callable[[zipfile.ZipFile, zipfile.ZipFile], None]) -> None:
    """Replace a zip archive by what `write(old, new)` puts into a new one, with the old one's mode."""
    fresh = archive.with_suffix(".new")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as new:
        write(old, new)
    fresh.chmod(archive.stat().st_mode)
    fresh.replace(archive)


def keep_native(jars: Path, machine: str) -> None:
    """Keep the native libraries for this processor and glibc in jars that carry those of up to twenty systems.

    Raises:
        SystemExit: a jar has none for this processor, so that nothing is removed by a wrong name.
    """

    def unused(name: str) -> bool:
        return bool(NATIVE.search(name)) and not NATIVE_KEPT[machine].search(name)

    def write(old: zipfile.ZipFile, new: zipfile.ZipFile) -> None:
        for entry in old.infolist():
            if not unused(entry.filename):
                new.writestr(entry, old.read(entry), zipfile.ZIP_DEFLATED)

    for pattern in NATIVE_JARS:
        for jar in jars.glob(pattern):
            with zipfile.ZipFile(jar) as archive:
                names = [name for name in archive.namelist() if NATIVE.search(name)]
            if all(map(unused, names)):
                raise SystemExit(f"slim.py: {jar.name} has no native library for {machine}")
            rewrite(jar, write)


def pin_launcher(spark_class: Path) -> None:
    """Give the launcher, the JVM that runs before the driver, the class path in a fixed order too.

    Raises:
        SystemExit: the script has another form.
    """
    text = spark_class.read_text()
    usual = 'LAUNCH_CLASSPATH="$SPARK_JARS_DIR/*"'
    if text.count(usual) != 1:
        raise SystemExit(f"slim.py: {spark_class} has no line {usual}")
    spark_class.write_text(text.replace(usual, 'LAUNCH_CLASSPATH="$SPARK_HOME/spark.jar"'))


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
    commands = (pyspark / "bin", site_packages.parents[2] / "bin")
    remove_tests(site_packages)
    slim_arrow(site_packages / "pyarrow")
    remove_jars(pyspark / "jars", platform.machine())
    remove_scala_shell(pyspark / "jars", commands)
    keep_native(pyspark / "jars", platform.machine())
    unsign(pyspark / "jars")
    list_jars(pyspark / "jars", pyspark / "spark.jar")
    for folder in commands:
        pin_launcher(folder / "spark-class")
    for archive in sorted((pyspark / "python/lib").glob("*.zip")):
        compile_zip(archive)


if __name__ == "__main__":
    main()
