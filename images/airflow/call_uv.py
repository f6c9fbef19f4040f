#!/usr/bin/python3 -IS
"""Call uv as a site has set pip up, and say in one sentence why an index did not answer.

This is the `uv` of the image's PATH: what PythonVirtualenvOperator, @task.virtualenv and people call. It differs from uv in that
  - pip's variables count where uv's own are not set: index, find-links, trusted hosts, certificates;
  - `uv venv --seed` takes pip, setuptools and wheel from the image, so that a task without requirements needs no index;
  - an index that does not answer ends in one sentence instead of uv's chain of causes.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

UV = "/opt/uv/uv"
#: Wheels of Debian's python3-venv: what `python -m venv` puts into an environment, too.
WHEELS = "/usr/share/python-wheels"
#: The interpreters that those wheels fit.
OWN_PYTHON = re.compile(r"python(3(\.11)?)?")

#: By pip's variable: uv's, others of uv's that say the same, and what separates its values.
PIP_VARIABLES = {
    "PIP_INDEX_URL": ("UV_DEFAULT_INDEX", ("UV_INDEX_URL",), " "),
    "PIP_EXTRA_INDEX_URL": ("UV_INDEX", ("UV_EXTRA_INDEX_URL",), " "),
    "PIP_FIND_LINKS": ("UV_FIND_LINKS", (), ","),
    "PIP_TRUSTED_HOST": ("UV_INSECURE_HOST", (), " "),
}
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

ADDRESS = re.compile(r"https?://[^\s`'\")]+")
CREDENTIALS = re.compile(r"//[^/@\s]*@")
REFUSED = re.compile(r"\b(401|403|407)\b")
#: What uv says where an address did not give what it was asked for.
UNREACHED = re.compile(r"Failed to (fetch|download)|error sending request|[Rr]equest failed after|Could not connect")
WHERE = "in `workers.env` of the values, see docs/write-a-dag.md"


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for uv: those that are there, and uv's own names of pip's where uv's are not set."""
    found = dict(variables)
    for name, (own, others, separator) in PIP_VARIABLES.items():
        if variables.get(name) and not any(variables.get(other) for other in (own, *others)):
            found[own] = separator.join(variables[name].split())
    if not variables.get("SSL_CERT_FILE"):
        for name in CERTIFICATES:
            if variables.get(name):
                found["SSL_CERT_FILE"] = variables[name]
                break
    return found


def without_seed(arguments: Sequence[str]) -> list[str] | None:
    """Return the arguments of `uv venv` without --seed, or None where uv itself must find pip: for another Python."""
    if arguments[:1] != ["venv"] or "--seed" not in arguments or "--python" not in arguments:
        return None
    python = arguments[arguments.index("--python") + 1 :][:1]
    if not python or not OWN_PYTHON.fullmatch(python[0].rpartition("/")[2]):
        return None
    return [argument for argument in arguments if argument != "--seed"]


def index_sentence(error: str, variables: Mapping[str, str]) -> str:
    """Return what failed, where and what to set, or nothing if no address is to blame.

    Args:
        error: what uv wrote on its standard error.
        variables: the environment that uv ran in.
    """
    if not UNREACHED.search(error) and "invalid peer certificate" not in error:
        return ""
    addresses = ADDRESS.findall(error)
    causes = [
        line.partition(":")[2].strip() for line in error.splitlines() if line.strip().lower().startswith(("cause", "caused"))
    ]
    cause = CREDENTIALS.sub("//", causes[-1] if causes else error.strip().splitlines()[-1])[:200]
    asked = CREDENTIALS.sub("//", addresses[-1]) if addresses else "an address"
    if "python-build-standalone" in asked:
        return (
            f"uv: the image has no such Python, and {asked} did not answer ({cause}): leave `python_version` out, "
            f"or set UV_PYTHON_INSTALL_MIRROR {WHERE}"
        )
    # Without a setting, uv asks PyPI's index, of which an address like any other stands in the error.
    index = variables.get("UV_DEFAULT_INDEX") or variables.get("UV_INDEX_URL") or asked.partition("/simple")[0]
    index = CREDENTIALS.sub("//", index)
    what = f"the package index {index}" if asked.startswith(index.rstrip("/")) else asked
    if "certificate" in cause:
        return f"uv: the certificate of {what} is not trusted ({cause}): set SSL_CERT_FILE to a file with its authority {WHERE}"
    if REFUSED.search(cause) or any(REFUSED.search(line) for line in causes):
        return f"uv: {what} refuses access ({cause}): set UV_DEFAULT_INDEX to an address with a user and a password {WHERE}"
    return f"uv: {what} does not answer ({cause}): set UV_DEFAULT_INDEX to an index that task pods reach {WHERE}"


def call(arguments: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run uv, pass on what it writes, and end with a sentence where an address is to blame.

    Returns:
        uv's exit code; 128 and the number of the signal that ended it.
    """
    process = subprocess.Popen([UV, *arguments], env=dict(variables), stderr=subprocess.PIPE, text=True, errors="replace")

    def stop(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    assert process.stderr is not None
    error: list[str] = []
    for line in process.stderr:
        # uv's last words begin so; they are shown once it is known what they mean
        if error or line.startswith(("error:", "  × ")):
            error.append(line)
        else:
            sys.stderr.write(line)
            sys.stderr.flush()
    code = process.wait()
    text = "".join(error)
    sentence = index_sentence(text, variables) if code > 0 else ""
    sys.stderr.write(f"{sentence}\n" if sentence else text)
    return code if code >= 0 else 128 - code


def main(arguments: list[str]) -> int:
    """Call uv with the arguments of a command line; return the exit code."""
    variables = environment(os.environ)
    if sys.stderr.isatty():
        os.execve(UV, ["uv", *arguments], variables)
    if arguments[:2] == ["pip", "install"] and variables.get("PIP_NO_INDEX", "").lower() in ("1", "true", "yes", "on"):
        arguments = [*arguments[:2], "--no-index", *arguments[2:]]
    bare = without_seed(arguments)
    if bare is None:
        return call(arguments, variables)
    if code := call(bare, variables):
        return code
    seed = ["pip", "install", "--quiet", "--offline", "--no-index", "--find-links", WHEELS]
    return call([*seed, "--python", f"{bare[-1]}/bin/python", "pip", "setuptools", "wheel"], variables)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
