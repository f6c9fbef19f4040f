"""The product's images: built with BuildKit when their content changed, loaded into the nodes layer by layer."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from airspark import debian, reach, tools
from airspark.console import Step, done, output, step
from airspark.hashing import content_hash
from airspark.node_image import LABEL, image_label
from airspark.project import BUILD, CACHE, IMAGE_PREFIX, ROOT, Failure, versions

SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


@dataclass(frozen=True)
class GoCommand:
    """A static binary of a Go module, compiled on this machine with the caches of the other Go builds.

    Args:
        package: the Go package of the command.
        version: its key in versions.mk.
        tags: build tags.
        ldflags: linker flags beyond `-s -w`; `{version}` in them becomes the version.
    """

    package: str
    version: str
    tags: tuple[str, ...] = ()
    ldflags: str = ""


@dataclass(frozen=True)
class Image:
    """One image of the product or of its tests.

    Args:
        name: name behind the prefix.
        parents: the images it is built from, by the build argument that names each; none for Debian itself.
        sources: what goes in beside its folder, relative to the repository.
        code: folders of the repository that go in last, each a layer of its own: what they hold changes daily, and what
            lies below, the runtime, does not change with them.
        folder: folder below images/, by default the name.
        target: stage of the Dockerfile, by default the last.
        arguments: further build arguments.
        go: the binary that the Dockerfile copies; its folder is then the whole build context.
    """

    name: str
    parents: tuple[tuple[str, str], ...] = ()
    sources: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    folder: str = ""
    target: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    go: GoCommand | None = None

    @property
    def tag(self) -> str:
        """Full name with the version."""
        return f"{IMAGE_PREFIX}/{self.name}:{versions()['AIRSPARK_VERSION']}"

    @property
    def source(self) -> Path:
        """The folder of its Dockerfile, relative to the repository."""
        return Path("images") / (self.folder or self.name)


BASE = ("BASE", "base")
#: Every default image, parents first.
IMAGES = {
    image.name: image
    for image in (
        Image("base"),
        # without the applications, so that a changed application does not rebuild Airflow
        Image("spark-runtime", (BASE,), folder="spark", target="runtime"),
        Image("spark", (BASE,), code=("spark-apps",)),
        Image("airflow", (BASE, ("SPARK", "spark-runtime")), code=("spark-apps", "dags")),
        Image("postgres", (BASE,)),
        Image("operator", (BASE,), ("operator",)),
    )
}
#: What the charts run by default; the others are only built upon.
LOADED = (IMAGES["postgres"], IMAGES["airflow"], IMAGES["spark"], IMAGES["operator"])
#: Labels of an image beside that of its whole content: of its runtime, and of each folder of code.
RUNTIME_LABEL, CODE_LABEL = "io.airspark.runtime-hash", "io.airspark.{}-hash"

# Debian's slim image, as Debian makes it: without manuals and translations, and with the package that only says that
# /usr is merged, not the one that merges it with Perl.
MMDEBSTRAP = (
    "--variant=minbase",
    "--include=ca-certificates,usr-is-merged",
    "--hook-dir={prefix}/usr/share/mmdebstrap/hooks/merged-usr",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
)

PROMETHEUS_FLAGS = "-X github.com/prometheus/common/version.Version={version}"

# What values switch on: built and loaded by `ensure_loaded` when it is asked for.
AIRFLOW_CLOUD = replace(IMAGES["airflow"], name="airflow-cloud", folder="airflow", arguments=(("IMAGE", "airflow-cloud"),))
STATSD_EXPORTER = Image(
    "statsd-exporter", go=GoCommand("github.com/prometheus/statsd_exporter", "STATSD_EXPORTER_VERSION", ldflags=PROMETHEUS_FLAGS)
)
PGBOUNCER = Image("pgbouncer", (BASE,))
TLS_PROXY = Image("tls-proxy", (BASE,))
ON_REQUEST = (AIRFLOW_CLOUD, STATSD_EXPORTER, PGBOUNCER, TLS_PROXY)

# Servers for tests alone.
BROWSER = Image("browser")
GIT_SERVER = Image("git-server", (BASE,))
MINIO = Image("minio", go=GoCommand("github.com/minio/minio", "MINIO_VERSION"))
SHOP_API = Image("shop-api", (BASE,))
OPENSEARCH = Image("opensearch", (BASE, ("SPARK", "spark-runtime")), ("images/spark/jars.py", "images/spark/TrustStore.java"))
JMX_EXPORTER = Image("jmx-exporter", (BASE, ("SPARK", "spark")), ("images/spark/jars.py", "images/spark/TrustStore.java"))
PROMETHEUS = Image(
    "prometheus",
    # without service discovery in clouds and clusters: a third of the code, and tests name their targets
    go=GoCommand("github.com/prometheus/prometheus/cmd/prometheus", "PROMETHEUS_VERSION", ("remove_all_sd",), PROMETHEUS_FLAGS),
)


def image_hash(image: Image) -> str:
    """Hash of what an image is built from, its parents included."""
    return content_hash((ROOT / folder for folder in image.code), runtime_hash(image))


def runtime_hash(image: Image) -> str:
    """Hash of what an image is built from without its folders of code."""
    parents = [image_hash(IMAGES[name]) for _, name in image.parents]
    sources = [ROOT / image.source, *(ROOT / source for source in image.sources)]
    base = [] if image.parents or image.go else MMDEBSTRAP
    go = [repr(image.go)] if image.go else []
    # the revision is a label: a commit alone rebuilds nothing
    arguments = [f"{key}={value}" for key, value in build_args(image).items() if key != "REVISION"]
    return content_hash(sources, *parents, *arguments, *base, *go)


def labels(image: Image) -> dict[str, str]:
    """What an image is labelled with when it is built: the hashes of its content, its runtime and each folder of code."""
    code = {CODE_LABEL.format(folder): content_hash([ROOT / folder]) for folder in image.code}
    return {LABEL: image_hash(image), RUNTIME_LABEL: runtime_hash(image), **code}


def build_args(image: Image) -> dict[str, str]:
    """Build arguments of an image: versions and its parents."""
    v = versions()
    names = ("AIRSPARK_VERSION", "AIRFLOW_VERSION", "SPARK_VERSION", "PYTHON_VERSION", "JAVA_VERSION",
             "POSTGRES_VERSION", "DEBIAN_SUITE")  # fmt: skip
    parents = {argument: IMAGES[name].tag for argument, name in image.parents} or {"BASE": reach.base_image()}
    own = {"VERSION": v[image.go.version]} if image.go else dict(image.arguments)
    return {name: v[name] for name in names} | parents | own | {"REVISION": revision()}


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
    """Have Debian's slim image in the engine: pulled, or made from Debian's packages as `MMDEBSTRAP` says."""
    name = reach.base_image()
    recipe = content_hash([], *MMDEBSTRAP)
    if (found := image_label(name, LABEL)) is not None and (found == recipe or not is_imported(name)):
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
        options = [word.format(prefix=prefix) for word in MMDEBSTRAP]
        with lines.open() as source_list:
            current.run(
                ["perl", prefix / "usr/bin/mmdebstrap", *options, suite, archive, "-"],
                stdin=source_list, env={"PATH": f"{os.environ['PATH']}:{prefix}/usr/bin"},
            )  # fmt: skip
        current.run(["docker", "import", "--change", f"LABEL {LABEL}={recipe}", archive, name])
        archive.unlink()
        shutil.rmtree(prefix)
        shutil.rmtree(apt)


def is_imported(name: str) -> bool:
    """Whether an image was made here out of an archive, not pulled or built."""
    return output(["docker", "image", "inspect", "--format", "{{.Comment}}", name]).startswith("Imported from")


def compile_go(image: Image, folder: Path, current: Step) -> None:
    """Compile the binary of an image into a folder, under the name of its package.

    A module with replace directives cannot be installed by name: the image's folder then holds a go.mod that requires it.

    Raises:
        Failure: if there is no Go and none can be installed.
        subprocess.CalledProcessError: if the compiler fails.
    """
    assert image.go is not None
    version, source = versions()[image.go.version], ROOT / image.source
    ldflags = f"-s -w {image.go.ldflags.format(version=version)}".strip()
    flags = ["-trimpath", "-ldflags", ldflags, "-tags", ",".join(image.go.tags)]
    env = {**tools.go_env(), "GOBIN": str(folder)}
    if (source / "go.mod").is_file():
        current.run([tools.go(), "build", *flags, "-o", f"{folder}/", image.go.package], env=env, cwd=source)
    else:
        current.run([tools.go(), "install", *flags, f"{image.go.package}@v{version}"], env=env)


def build(image: Image) -> bool:
    """Build an image if its content changed.

    Returns:
        Whether it was built.

    Raises:
        Failure: if the build fails.
    """
    if is_built(image):
        return False
    with step(f"image-{image.name}", f"Build {image.tag}") as current, ExitStack() as stack:
        context = ROOT
        if image.go:
            context = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="image-", dir=BUILD)))
            compile_go(image, context, current)
        bundle = ca_bundle()
        current.run([
            "docker", "buildx", "build", "--load", "--progress", "plain", "--file", ROOT / image.source / "Dockerfile",
            *(["--target", image.target] if image.target else []),
            *(["--secret", f"id=ca,src={bundle}"] if bundle else []),
            *(word for key, value in build_args(image).items() for word in ("--build-arg", f"{key}={value}")),
            *(word for label, text in labels(image).items() for word in ("--label", f"{label}={text}")),
            "--tag", image.tag, context,
        ])  # fmt: skip
        current.note = f"{size(image) / 1e6:.0f} MB"
    return True


def size(image: Image) -> int:
    """The bytes of an image's layers, unpacked."""
    return int(output(["docker", "image", "inspect", "--format", "{{.Size}}", image.tag]))


def is_built(image: Image, code: bool = True) -> bool:
    """Whether the engine has the image as its present sources make it.

    Args:
        image: the image.
        code: whether its folders of code count too.
    """
    if code:
        return image_label(image.tag, LABEL) == image_hash(image)
    return image_label(image.tag, RUNTIME_LABEL) == runtime_hash(image)


def ensure(code: bool = True) -> None:
    """Build every default image whose content changed, parents first.

    Args:
        code: whether a change of DAGs or applications alone counts; without it, images with old ones stay as they are.
    """
    if all(is_built(image, code) for image in IMAGES.values()):
        done("Images " + ", ".join(image.tag for image in IMAGES.values()), "there")
        return
    ensure_built(IMAGES.values(), code)


def ensure_built(wanted: Iterable[Image], code: bool = True) -> None:
    """Build images whose content changed, each after its parents; raises Failure if a build fails."""
    for image in wanted:
        if is_built(image, code):
            continue
        ensure_base()
        ensure_built(IMAGES[name] for _, name in image.parents)
        build(image)


def ensure_loaded(nodes: list[str], wanted: Iterable[Image]) -> None:
    """Build images if their content changed and load them into every node that lacks them.

    Args:
        nodes: names of the nodes, as `cluster.node_names()` has them.
        wanted: for example `[STATSD_EXPORTER, PGBOUNCER]` for values that switch them on, `[MINIO]` for a test.

    Raises:
        Failure: if a build or an import fails.
    """
    named = tuple(wanted)
    ensure_built(named)
    load(nodes, named)


def on_request(manifests: str) -> list[Image]:
    """The images beyond the default ones that rendered manifests name, for `ensure_loaded`."""
    return [image for image in ON_REQUEST if image.tag in manifests]


def image_id(image: Image) -> str:
    """The engine's id of an image."""
    return output(["docker", "image", "inspect", "--format", "{{.Id}}", image.tag])


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


def unneeded(images: list[list[str]], there: set[str]) -> set[str]:
    """Return the layers that a node need not be sent.

    Args:
        images: the diff ids of each image's layers, lowest first.
        there: the chain ids of the node's snapshots.

    Returns:
        Digests without `sha256:` of the layers that the node has wherever they lie: an empty layer lies in many places.
    """
    placed = [pair for diff_ids in images for pair in zip(diff_ids, chain_ids(diff_ids), strict=True)]
    needed = {diff_id for diff_id, chain in placed if chain not in there}
    return {diff_id.removeprefix("sha256:") for diff_id, _ in placed if diff_id not in needed}


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


def load(nodes: list[str], wanted: Iterable[Image] = LOADED) -> bool:
    """Load images into every node, moving only layers the node lacks.

    Args:
        nodes: names of the nodes.
        wanted: built images; those that the charts run by default.

    Returns:
        Whether a node lacked one.

    Raises:
        Failure: if an import fails.
    """
    loaded = False
    ids = {image: image_id(image) for image in wanted}
    for node in nodes:
        have = node_image_ids(node)
        missing = [image for image, digest in ids.items() if digest not in have]
        if not missing:
            done(f"Images on {node}", "there")
            continue
        with step(f"load-{node}", f"Load {', '.join(image.name for image in missing)} into {node}") as current:
            seen, copied = _load(node, missing, current)
            current.note = f"{copied / 1e6:.0f} of {seen / 1e6:.0f} MB moved"
        loaded = True
    return loaded


def _load(node: str, missing: list[Image], current: Step) -> tuple[int, int]:
    inspect = ["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}"]
    skip = unneeded([json.loads(output([*inspect, image.tag])) for image in missing], node_snapshots(node))
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
        # A name whose layers did not all arrive would pass for an image that is there.
        names = [f"docker.io/{image.tag}" for image in missing]
        current.run(["docker", "exec", node, "ctr", "--namespace", "k8s.io", "images", "rm", *names])
        raise subprocess.CalledProcessError(1, f"load into {node}")
    return counts


def purge() -> None:
    """Remove every image we built or made, and our caches."""
    listing = output(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).splitlines()
    ours = [name for name in listing if name.startswith(f"{IMAGE_PREFIX}/")]
    if ours:
        output(["docker", "image", "rm", "--force", *ours], timeout=300)
    shutil.rmtree(CACHE, ignore_errors=True)
