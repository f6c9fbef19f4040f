"""The kind node image: pulled where a registry answers, else built from Debian packages and Go modules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from airspark import reach, tools
from airspark.console import Step, done, output, step
from airspark.hashing import content_hash
from airspark.project import BIN, BUILD, IMAGE_PREFIX, ROOT, Failure, versions

SOURCE = ROOT / "images/kind-node"
CONTEXT = BUILD / "node"
LABEL = "io.airspark.content-hash"
KUBERNETES_COMMANDS = [
    "kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy",
]  # fmt: skip
VERSION_KEYS = (
    "KUBERNETES_VERSION", "ETCD_VERSION", "COREDNS_VERSION", "CONTAINERD_VERSION", "LOCAL_PATH_VERSION",
    "NETWORK_POLICIES_VERSION",
)  # fmt: skip


def built_name() -> str:
    """The name of the node image we build."""
    return f"{IMAGE_PREFIX}/kind-node:v{versions()['KUBERNETES_VERSION']}"


def pulled_name() -> str:
    """The name of the node image that kind publishes for the pinned version."""
    return versions()["KIND_NODE_IMAGE"]


def built_hash() -> str:
    """Hash of everything the built node image depends on."""
    return content_hash([SOURCE], *(versions()[key] for key in VERSION_KEYS))


def image_label(image: str, label: str) -> str | None:
    """A label of an image in the engine, or None if the image is not there."""
    try:
        return output(["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{label}"}}}}', image])
    except subprocess.CalledProcessError:
        return None


def present() -> str | None:
    """A usable node image that is already in the engine, or None."""
    if image_label(built_name(), LABEL) == built_hash():
        return built_name()
    return pulled_name() if image_label(pulled_name(), LABEL) is not None else None


def ensure() -> str:
    """Return the name of a node image in the engine, pulling or building it first.

    Raises:
        Failure: if neither works.
    """
    name = present()
    if name:
        done(f"Node image {name}", "there")
        return name
    if reach.registry():
        with step("node-pull", f"Pull {pulled_name()}") as current:
            current.run(["docker", "pull", "--quiet", pulled_name()])
        return pulled_name()
    build_binaries()
    with step("node-image", f"Build the node image {built_name()}") as current:
        build_image(current)
    return built_name()


def go_module_builds() -> list[tuple[str, str, list[str], Path | None]]:
    """What is built of Go modules beside Kubernetes: name, title, `go` arguments, working folder."""
    v, flags = versions(), ["-trimpath", "-ldflags", "-s -w"]
    containerd = [f"github.com/containerd/containerd/v2/cmd/{name}@v{v['CONTAINERD_VERSION']}"
                  for name in ("containerd", "ctr", "containerd-shim-runc-v2")]  # fmt: skip
    return [
        ("etcd", f"etcd {v['ETCD_VERSION']}",
         ["build", *flags, "-o", f"{CONTEXT}/bin/etcd", "go.etcd.io/etcd/server/v3"], SOURCE / "etcd"),
        ("containerd", f"containerd {v['CONTAINERD_VERSION']}", ["install", *flags, *containerd], None),
        ("coredns", f"CoreDNS {v['COREDNS_VERSION']}",
         ["install", *flags, f"github.com/coredns/coredns@v{v['COREDNS_VERSION']}"], None),
        ("local-path-provisioner", f"local-path storage {v['LOCAL_PATH_VERSION']}",
         ["install", *flags, f"github.com/rancher/local-path-provisioner@v{v['LOCAL_PATH_VERSION']}"], None),
        ("network-policies", f"kube-network-policies {v['NETWORK_POLICIES_VERSION']}",
         ["build", *flags, "-o", f"{CONTEXT}/bin/network-policies", "."], SOURCE / "network-policies"),
    ]  # fmt: skip


def build_binaries() -> None:
    """Build every binary of the node into the build context; what is there in the right version stays."""
    target = CONTEXT / "bin"
    target.mkdir(parents=True, exist_ok=True)
    marker = CONTEXT / "kubernetes.version"
    version = versions()["KUBERNETES_VERSION"]
    if not (marker.exists() and marker.read_text() == version):
        with step("node-kubernetes", f"Build Kubernetes {version} from its Go module") as current:
            tools.kubernetes_build(KUBERNETES_COMMANDS, target, current.run)
            marker.write_text(version)
    for name, title, arguments, folder in go_module_builds():
        marker = CONTEXT / f"{name}.version"
        if marker.exists() and marker.read_text() == title:
            continue
        with step(f"node-{name}", f"Build {title} from its Go module") as current:
            current.run([tools.go(), *arguments], env={**tools.go_env(), "GOBIN": str(target)}, cwd=folder)
            marker.write_text(title)
    if not tools.locate("kubectl"):
        BIN.mkdir(parents=True, exist_ok=True)
        shutil.copy2(target / "kubectl", BIN / "kubectl")
        tools.stamp("kubectl").write_text(version)


def component_tags() -> dict[str, str]:
    """The image name kubeadm uses for each control-plane component, by the target that builds it."""
    listed = output([CONTEXT / "bin/kubeadm", "config", "images", "list", "--kubernetes-version",
                     f"v{versions()['KUBERNETES_VERSION']}"]).split()  # fmt: skip
    tags = {name.rpartition(":")[0].rpartition("/")[2]: name for name in listed}
    tags["local-path-provisioner"] = f"{IMAGE_PREFIX}/local-path-provisioner:{versions()['LOCAL_PATH_VERSION']}"
    return tags


def build_image(current: Step) -> None:
    """Build the component images, then the node image that carries them.

    Raises:
        subprocess.CalledProcessError: if a build fails.
        Failure: if kubeadm wants an image that components.Dockerfile does not build.
    """
    tags = component_tags()
    built = [line.split(" AS ")[1].strip() for line in (SOURCE / "components.Dockerfile").read_text().splitlines()
             if line.startswith("FROM")]  # fmt: skip
    missing = set(tags) - set(built)
    if missing:
        raise Failure(f"kubeadm wants images that images/kind-node does not build: {', '.join(sorted(missing))}")
    for target, tag in tags.items():
        current.run(["docker", "buildx", "build", "--load", "--target", target, "--tag", tag,
                     "--file", SOURCE / "components.Dockerfile", CONTEXT / "bin"])  # fmt: skip
    current.run(["docker", "save", "--output", CONTEXT / "images.tar", *tags.values()])
    # the tool image is kube-proxy's: it has a shell, iptables and ip; storage and pod network use it too
    names = {"@PAUSE_IMAGE@": tags["pause"], "@TOOLS_IMAGE@": tags["kube-proxy"],
             "@STORAGE_IMAGE@": tags["local-path-provisioner"]}  # fmt: skip
    for folder in ("files", "manifests"):
        shutil.rmtree(CONTEXT / folder, ignore_errors=True)
        shutil.copytree(SOURCE / folder, CONTEXT / folder)
        for file in (CONTEXT / folder).iterdir():
            text = file.read_text()
            for mark, name in names.items():
                text = text.replace(mark, name)
            file.write_text(text)
    current.run([
        "docker", "buildx", "build", "--load", "--tag", built_name(), "--file", SOURCE / "Dockerfile",
        "--build-arg", f"KUBERNETES_VERSION={versions()['KUBERNETES_VERSION']}",
        "--build-arg", f"CONTENT_HASH={built_hash()}", CONTEXT,
    ])  # fmt: skip
    (CONTEXT / "images.tar").unlink()
    current.run(["docker", "image", "rm", *tags.values()])
