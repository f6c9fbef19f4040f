"""The product's images: built with BuildKit when their content changed, loaded into the nodes layer by layer."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from airspark import debian, reach
from airspark.console import Step, done, output, step
from airspark.hashing import content_hash
from airspark.node_image import LABEL, image_label
from airspark.project import BUILD, CACHE, IMAGE_PREFIX, ROOT, Failure, versions

SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


@dataclass(frozen=True)
class Image:
    """One image of the product.

    Args:
        name: name behind the prefix.
        parents: the images it is built from, by the build argument that names each; none for Debian itself.
        sources: what goes in beside its folder, relative to the repository.
        folder: folder below images/, by default the name.
        target: stage of the Dockerfile, by default the last.
    """

    name: str
    parents: tuple[tuple[str, str], ...] = ()
    sources: tuple[str, ...] = ()
    folder: str = ""
    target: str = ""

    @property
    def tag(self) -> str:
        """Full name with the version."""
        return f"{IMAGE_PREFIX}/{self.name}:{versions()['AIRSPARK_VERSION']}"

    @property
    def source(self) -> Path:
        """The folder of its Dockerfile, relative to the repository."""
        return Path("images") / (self.folder or self.name)


BASE = ("BASE", "base")
IMAGES = {
    image.name: image
    for image in (
        Image("base"),
        # without the applications, so that a changed application does not rebuild Airflow
        Image("spark-runtime", (BASE,), folder="spark", target="runtime"),
        Image("spark", (BASE,), ("spark-apps",)),
        Image("airflow", (BASE, ("SPARK", "spark-runtime")), ("dags", "spark-apps")),
        Image("postgres", (BASE,)),
    )
}
#: What the charts run; the others are only built upon.
LOADED = ("postgres", "airflow", "spark")
BROWSER = Image("browser")


def image_hash(image: Image) -> str:
    """Hash of what an image is built from, its parents included."""
    parents = [image_hash(IMAGES[name]) for _, name in image.parents]
    sources = [ROOT / image.source, *(ROOT / source for source in image.sources)]
    # the revision is a label: a commit alone rebuilds nothing
    arguments = [f"{key}={value}" for key, value in build_args(image).items() if key != "REVISION"]
    return content_hash(sources, *parents, *arguments)


def build_args(image: Image) -> dict[str, str]:
    """Build arguments of an image: versions and its parents."""
    v = versions()
    names = ("AIRSPARK_VERSION", "AIRFLOW_VERSION", "SPARK_VERSION", "PYTHON_VERSION", "JAVA_VERSION",
             "POSTGRES_VERSION", "DEBIAN_SUITE")  # fmt: skip
    parents = {argument: IMAGES[name].tag for argument, name in image.parents} or {"BASE": reach.base_image()}
    return {name: v[name] for name in names} | parents | {"REVISION": revision()}


def revision() -> str:
    """The git revision of the work tree, or `unknown` outside of a repository."""
    try:
        return output(["git", "-C", ROOT, "rev-parse", "--short=12", "HEAD"])
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def ca_bundle() -> Path | None:
    """The site's CA bundle: $SSL_CERT_FILE, else the system's; None if there is none."""
    named = os.environ.get("SSL_CERT_FILE")
    for candidate in ([named] if named else []) + list(SYSTEM_BUNDLES):
        if Path(candidate).is_file():
            return Path(candidate)
    return None


def ensure_base() -> None:
    """Have Debian's slim image in the engine: pulled, or made from Debian's packages."""
    name = reach.base_image()
    if image_label(name, LABEL) is not None:
        return
    if reach.registry():
        with step("debian", f"Pull {name}") as current:
            current.run(["docker", "pull", "--quiet", name])
        return
    if not debian.available():
        raise Failure(f"no container registry answers and this machine has no apt to make {name} with",
                      "give the engine a registry mirror, then: make check")  # fmt: skip
    with step("debian", f"Make {name} from Debian's packages") as current:
        suite = versions()["DEBIAN_SUITE"]
        prefix, apt = BUILD / "mmdebstrap", BUILD / "mmdebstrap-apt"
        packages = debian.fetch(current.run, apt, suite, ["mmdebstrap"], closure=False)
        debian.unpack(current.run, packages, prefix)
        archive, lines = BUILD / "debian.tar", BUILD / "debian.list"
        lines.write_text("\n".join(debian.sources(suite)) + "\n")
        excludes = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"]
        with lines.open() as source_list:
            current.run(
                ["perl", prefix / "usr/bin/mmdebstrap", "--variant=minbase", "--include=ca-certificates",
                 *(f"--dpkgopt=path-exclude={path}" for path in excludes),
                 "--dpkgopt=path-include=/usr/share/doc/*/copyright", suite, archive, "-"],
                stdin=source_list, env={"PATH": f"{os.environ['PATH']}:{prefix}/usr/bin"},
            )  # fmt: skip
        current.run(["docker", "import", archive, name])
        archive.unlink()
        shutil.rmtree(prefix)
        shutil.rmtree(apt)


def build(image: Image) -> bool:
    """Build an image if its content changed.

    Returns:
        Whether it was built.

    Raises:
        Failure: if the build fails.
    """
    wanted = image_hash(image)
    if image_label(image.tag, LABEL) == wanted:
        return False
    with step(f"image-{image.name}", f"Build {image.tag}") as current:
        bundle = ca_bundle()
        current.run([
            "docker", "buildx", "build", "--load", "--progress", "plain", "--file", ROOT / image.source / "Dockerfile",
            *(["--target", image.target] if image.target else []),
            *(["--secret", f"id=ca,src={bundle}"] if bundle else []),
            *(word for key, value in build_args(image).items() for word in ("--build-arg", f"{key}={value}")),
            "--label", f"{LABEL}={wanted}", "--tag", image.tag, ROOT,
        ])  # fmt: skip
        size = int(output(["docker", "image", "inspect", "--format", "{{.Size}}", image.tag]))
        current.note = f"{size / 1e6:.0f} MB"
    return True


def ensure() -> None:
    """Build every product image whose content changed, parents first."""
    if all(image_label(image.tag, LABEL) == image_hash(image) for image in IMAGES.values()):
        done("Images " + ", ".join(image.tag for image in IMAGES.values()), "there")
        return
    ensure_base()
    for image in IMAGES.values():
        build(image)


def image_ids() -> dict[str, str]:
    """The engine's id of each image that the charts run."""
    return {name: output(["docker", "image", "inspect", "--format", "{{.Id}}", IMAGES[name].tag]) for name in LOADED}


def chain_ids(diff_ids: list[str]) -> list[str]:
    """Names of the snapshots that hold an image's layers, by the OCI image specification's ChainID rule.

    Args:
        diff_ids: digests of the uncompressed layers, lowest first.

    Returns:
        One chain id a layer: the first is its diff id, each other the digest of the one below and its own.
    """
    chain: list[str] = []
    for diff_id in diff_ids:
        digest = f"{chain[-1]} {diff_id}" if chain else None
        chain.append("sha256:" + hashlib.sha256(digest.encode()).hexdigest() if digest else diff_id)
    return chain


def filter_archive(source: IO[bytes], target: IO[bytes], skip: set[str]) -> tuple[int, int]:
    """Copy a `docker save` stream without the layers a node already has.

    Args:
        source: the archive as the engine writes it.
        target: where the smaller archive goes.
        skip: hex digests of blobs to leave out.

    Returns:
        Bytes of file content seen and copied.
    """
    seen = copied = 0
    with tarfile.open(fileobj=source, mode="r|") as reader, tarfile.open(fileobj=target, mode="w|") as writer:
        for member in reader:
            seen += member.size
            name = member.name.removesuffix("/layer.tar").rpartition("/")[2]
            if name in skip:
                continue
            copied += member.size
            writer.addfile(member, reader.extractfile(member) if member.isfile() else None)
    return seen, copied


def node_snapshots(node: str) -> set[str]:
    """Chain ids of the layers that a node has unpacked."""
    listing = output(["docker", "exec", node, "ctr", "--namespace", "k8s.io", "snapshots", "ls"])
    return {line.split()[0] for line in listing.splitlines()[1:] if line.strip()}


def node_image_ids(node: str) -> set[str]:
    """Ids (configuration digests) of the images that a node has under our names."""
    found: set[str] = set()
    for line in output(["docker", "exec", node, "ctr", "--namespace", "k8s.io", "images", "ls"]).splitlines()[1:]:
        name, _, digest = line.split()[:3]
        if f"/{IMAGE_PREFIX}/" in name:
            manifest = output(["docker", "exec", node, "ctr", "--namespace", "k8s.io", "content", "get", digest])
            found.add(json.loads(manifest).get("config", {}).get("digest", digest))
    return found


def load(nodes: list[str]) -> None:
    """Load the images that the charts run into every node, moving only layers the node lacks.

    Raises:
        Failure: if an import fails.
    """
    for node in nodes:
        have = node_image_ids(node)
        missing = [IMAGES[name] for name, digest in image_ids().items() if digest not in have]
        if not missing:
            done(f"Images on {node}", "there")
            continue
        with step(f"load-{node}", f"Load {', '.join(image.name for image in missing)} into {node}") as current:
            seen, copied = _load(node, missing, current)
            current.note = f"{copied / 1e6:.0f} of {seen / 1e6:.0f} MB moved"


def _load(node: str, missing: list[Image], current: Step) -> tuple[int, int]:
    there = node_snapshots(node)
    skip: set[str] = set()
    for image in missing:
        diff_ids = json.loads(output(["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", image.tag]))
        skip |= {d.removeprefix("sha256:") for d, chain in zip(diff_ids, chain_ids(diff_ids), strict=True) if chain in there}
    save = subprocess.Popen(["docker", "save", *(image.tag for image in missing)], stdout=subprocess.PIPE, stderr=current.log)
    load_process = subprocess.Popen(
        ["docker", "exec", "-i", node, "ctr", "--namespace", "k8s.io", "images", "import", "--local",
         "--snapshotter", "overlayfs", "--discard-unpacked-layers", "-"],
        stdin=subprocess.PIPE, stdout=current.log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert save.stdout is not None and load_process.stdin is not None
    try:
        counts = filter_archive(save.stdout, load_process.stdin, skip)
    except BrokenPipeError:
        counts = (0, 0)
    finally:
        try:
            load_process.stdin.close()
        except BrokenPipeError:
            current.write("the node closed the stream\n")
        save.stdout.close()
    if save.wait() != 0 or load_process.wait() != 0:
        raise subprocess.CalledProcessError(1, f"load into {node}")
    return counts


def purge() -> None:
    """Remove every image we built or made, and our caches."""
    listing = output(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).splitlines()
    ours = [name for name in listing if name.startswith(f"{IMAGE_PREFIX}/")]
    if ours:
        output(["docker", "image", "rm", "--force", *ours], timeout=300)
    shutil.rmtree(CACHE, ignore_errors=True)
