"""Whether a container registry can be reached, probed once and said in one line."""

from __future__ import annotations

import subprocess
import threading

from airspark.console import say
from airspark.project import versions

PROBE_SECONDS = 8.0
_answer: bool | None = None
_lock = threading.Lock()


def base_image() -> str:
    """The image every Dockerfile starts from."""
    return f"debian:{versions()['DEBIAN_SUITE']}-slim"


def registry() -> bool:
    """Whether the engine reaches a container registry (or a mirror of one).

    The probe begins to pull the base image through the engine, so that the engine's mirrors, proxies and
    certificates count; the engine names the image once it has its manifest. The answer stays for the process.
    """
    global _answer
    with _lock:
        if _answer is None:
            _answer = _probe()
            if _answer:
                say("→ A container registry answers: node and base images are pulled.")
            else:
                say("→ No container registry answers: node and base images are built from package registries.")
    return _answer


def _probe() -> bool:
    process = subprocess.Popen(
        ["docker", "pull", base_image()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    timer = threading.Timer(PROBE_SECONDS, process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        return any("Pulling from" in line for line in process.stdout)
    finally:
        timer.cancel()
        process.kill()
        process.wait()
