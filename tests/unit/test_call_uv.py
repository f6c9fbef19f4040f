"""The image's `uv`: pip's settings count, no index is needed for pip, and an index that does not answer is one sentence."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "images/airflow"))

import call_uv

INDEX = "https://user:hidden@pypi.example.com/simple"
SET = "in `workers.env` of the values, see docs/write-a-dag.md"
SEED = """error: Failed to install seed packages into virtual environment
  cause: No solution found when resolving: `pip`, `setuptools`, `wheel`
"""


def causes(*lines: str) -> str:
    """Return what uv 0.13 writes at its end."""
    return SEED + "".join(f"  cause: {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ({}, {}),
        ({"PIP_INDEX_URL": INDEX}, {"UV_DEFAULT_INDEX": INDEX}),
        ({"PIP_INDEX_URL": INDEX, "UV_DEFAULT_INDEX": "https://own"}, {}),
        ({"PIP_INDEX_URL": INDEX, "UV_INDEX_URL": "https://own"}, {}),
        ({"PIP_INDEX_URL": INDEX, "UV_INDEX_URL": ""}, {"UV_DEFAULT_INDEX": INDEX}),
        ({"PIP_EXTRA_INDEX_URL": "https://a\n https://b"}, {"UV_INDEX": "https://a https://b"}),
        ({"PIP_FIND_LINKS": "/wheels https://a/links"}, {"UV_FIND_LINKS": "/wheels,https://a/links"}),
        ({"PIP_TRUSTED_HOST": "a:8080"}, {"UV_INSECURE_HOST": "a:8080"}),
        ({"PIP_CERT": "/ca", "REQUESTS_CA_BUNDLE": "/other"}, {"SSL_CERT_FILE": "/ca"}),
        ({"REQUESTS_CA_BUNDLE": "/ca"}, {"SSL_CERT_FILE": "/ca"}),
        ({"REQUESTS_CA_BUNDLE": "/ca", "SSL_CERT_FILE": "/own"}, {}),
    ],
)
def test_should_take_pips_settings_where_uvs_own_are_not_set(given: dict[str, str], added: dict[str, str]) -> None:
    assert call_uv.environment(given) == given | added


@pytest.mark.parametrize("python", ["python", "python3", "python3.11", "/opt/venv/bin/python"])
def test_should_take_pip_from_the_image_for_its_own_python(python: str) -> None:
    """The command is the one of PythonVirtualenvOperator."""
    command = ["venv", "--allow-existing", "--seed", "--python", python, "--system-site-packages", "/tmp/venv"]
    assert call_uv.without_seed(command) == [word for word in command if word != "--seed"]


@pytest.mark.parametrize(
    "command",
    [
        ["venv", "--seed", "--python", "python3.12", "/tmp/venv"],
        ["venv", "--python", "python", "/tmp/venv"],
        ["venv", "--seed", "/tmp/venv"],
        ["venv", "--seed", "--python"],
        ["pip", "install", "--python", "python", "--seed"],
        [],
    ],
)
def test_should_leave_other_commands_to_uv(command: list[str]) -> None:
    assert call_uv.without_seed(command) is None


@pytest.mark.parametrize(
    ("error", "variables", "sentence"),
    [
        (
            causes(
                "Request failed after 2 retries in 4.9s",
                "Failed to fetch: https://index.example.org/simple/pip/",
                "error sending request for url (https://index.example.org/simple/pip/)",
                "client error (Connect)",
                "dns error",
                "failed to lookup address information: Name or service not known",
            ),
            {},
            "uv: the package index https://index.example.org does not answer (failed to lookup address information: Name or "
            f"service not known): set UV_DEFAULT_INDEX to an index that task pods reach {SET}",
        ),
        (
            causes(
                "Failed to fetch: https://pypi.example.com/simple/pip/", "tcp connect error", "Connection refused (os error 111)"
            ),
            {"UV_DEFAULT_INDEX": INDEX},
            "uv: the package index https://pypi.example.com/simple does not answer (Connection refused (os error 111)): set "
            f"UV_DEFAULT_INDEX to an index that task pods reach {SET}",
        ),
        (
            causes("Failed to fetch: https://pypi.example.com/simple/pip/", "invalid peer certificate: UnknownIssuer"),
            {"UV_DEFAULT_INDEX": INDEX},
            "uv: the certificate of the package index https://pypi.example.com/simple is not trusted (invalid peer certificate: "
            f"UnknownIssuer): set SSL_CERT_FILE to a file with its authority {SET}",
        ),
        (
            causes(
                "Failed to fetch: https://pypi.example.com/simple/pip/",
                "HTTP status client error (401 Unauthorized) for url (https://user:hidden@pypi.example.com/simple/pip/)",
            ),
            {"UV_DEFAULT_INDEX": INDEX},
            "uv: the package index https://pypi.example.com/simple refuses access (HTTP status client error (401 "
            f"Unauthorized) for url (https://pypi.example.com/simple/pip/)): set UV_DEFAULT_INDEX "
            f"to an address with a user and a password {SET}",
        ),
        (
            "error: Failed to download https://github.com/astral-sh/python-build-standalone/releases/download/1/cpython-3.12.tar.gz\n"
            "  Caused by: dns error\n",
            {},
            "uv: the image has no such Python, and https://github.com/astral-sh/python-build-standalone/releases/download/1/"
            "cpython-3.12.tar.gz did not answer (dns error): leave `python_version` out, or set UV_PYTHON_INSTALL_MIRROR "
            f"{SET}",
        ),
    ],
)
def test_should_say_which_address_did_not_answer_and_what_to_set(error: str, variables: dict[str, str], sentence: str) -> None:
    assert call_uv.index_sentence(error, variables) == sentence


@pytest.mark.parametrize(
    "error",
    [
        "",
        "  × No solution found when resolving dependencies:\n  ╰─▶ Because nope was not found in the package registry\n",
        "error: No interpreter found for Python 3.99\n",
    ],
)
def test_should_leave_mistakes_that_no_address_is_to_blame_for_in_uvs_words(error: str) -> None:
    assert call_uv.index_sentence(error, {}) == ""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that a test writes and that is called instead of uv."""
    program = tmp_path / "uv"
    monkeypatch.setattr(call_uv, "UV", str(program))
    return program


def write(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/bash\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_should_pass_on_what_uv_says_and_its_exit_code(fake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(fake, "echo done; echo Resolved 3 packages >&2; echo '  × No solution' >&2; echo '  ╰─▶ nope' >&2; exit 1")
    assert call_uv.call(["pip", "install", "nope"], {}) == 1
    said = capfd.readouterr()
    assert (said.out, said.err) == ("done\n", "Resolved 3 packages\n  × No solution\n  ╰─▶ nope\n")


def test_should_end_in_the_sentence_alone_if_an_index_does_not_answer(fake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(fake, f"cat >&2 <<'END'\nUsing Python\n{causes('Failed to fetch: https://a/pip/', 'dns error')}END\nexit 2")
    assert call_uv.call(["venv"], {"UV_DEFAULT_INDEX": "https://a"}) == 2
    first, second = capfd.readouterr().err.splitlines()
    assert first == "Using Python" and second.startswith("uv: the package index https://a does not answer (dns error): set ")


def test_should_end_uv_if_the_task_is_ended(fake: Path, tmp_path: Path) -> None:
    write(fake, f"trap 'touch {tmp_path}/ended; exit 3' TERM; touch {tmp_path}/began; while :; do sleep 0.1; done")
    code = f"import sys; sys.path.insert(0, {str(Path(call_uv.__file__).parent)!r}); import call_uv; call_uv.UV = {str(fake)!r}; "
    process = subprocess.Popen([sys.executable, "-c", f"{code}sys.exit(call_uv.call(['venv'], {{}}))"])
    while not (tmp_path / "began").exists():
        assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=30) == 3 and (tmp_path / "ended").exists()
