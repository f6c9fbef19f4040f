"""The script of charts/spark's bootstrap Job, against a small Kubernetes API over TLS."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from rendering import CHARTS, Object, env, nested, pods, render

BOTH = "rpc-authentication-secret rest-jws-key"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return bootstrap.py as a module, in an image with Spark 4.2.1 and Java 17."""
    spec = importlib.util.spec_from_file_location("spark_bootstrap", CHARTS / "spark/files/scripts/bootstrap.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "spark/jars").mkdir(parents=True)
    (tmp_path / "spark/jars/spark-core_2.13-4.2.1.jar").touch()
    (tmp_path / "java").mkdir()
    (tmp_path / "java/release").write_text('IMPLEMENTOR="Debian"\nJAVA_VERSION="17.0.16"\n')
    monkeypatch.setenv("SPARK_HOME", str(tmp_path / "spark"))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    monkeypatch.setattr(module, "ACCOUNT", tmp_path)
    monkeypatch.setattr(module, "STATUS", tmp_path / "status")
    return module


def _certificate(folder: Path) -> Path:
    """Write a key and a certificate of 127.0.0.1, which is its own authority as ca.crt, and return the file with both."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.crt").write_bytes(public)
    (folder / "server.pem").write_bytes(private + public)
    return folder / "server.pem"


class Api:
    """Secrets and ConfigMaps of a namespace, as the Kubernetes API serves them."""

    def __init__(self, certificate: Path) -> None:
        self.objects: dict[str, Object] = {}
        self.asked: list[str] = []
        self.types: list[str] = []
        self.refuses: dict[str, tuple[int, str]] = {}
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                status, text = api.handle(self.command, self.path, self.headers["Authorization"], body)
                api.types.append(self.headers["Content-Type"])
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PATCH = answer

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def handle(self, method: str, path: str, token: str, body: Object) -> tuple[int, str]:
        """Answer a request."""
        kind, _, name = path.removeprefix("/api/v1/namespaces/space/").partition("/")
        name = name or body.get("metadata", {}).get("name", "")
        self.asked.append(f"{method} {kind}/{name}")
        if token != "Bearer let-me-in":
            return 401, json.dumps({"message": "Unauthorized"})
        if f"{method} {kind}" in self.refuses:
            return self.refuses[f"{method} {kind}"]
        there = f"{kind}/{name}" in self.objects
        if method == "POST" and there:
            return 409, json.dumps({"message": "already exists"})
        if method != "POST" and not there:
            return 404, json.dumps({"message": "not found"})
        if method != "GET":
            encoded = {key: base64.b64encode(text.encode()).decode() for key, text in body.pop("stringData", {}).items()}
            self.objects[f"{kind}/{name}"] = (
                self.objects.get(f"{kind}/{name}", {}) | body | ({"data": encoded} if encoded else {})
            )
        return 201 if method == "POST" else 200, json.dumps(self.objects[f"{kind}/{name}"])

    def put(self, name: str, **texts: bytes) -> None:
        """Let a Secret exist."""
        data = {key.replace("_", "-"): base64.b64encode(text).decode() for key, text in texts.items()}
        self.objects[f"secrets/{name}"] = {"metadata": {"name": name}, "data": data}

    def secret(self, name: str = "auth") -> dict[str, str]:
        """Return a Secret's texts."""
        return {key: base64.b64decode(text).decode() for key, text in self.objects[f"secrets/{name}"]["data"].items()}

    @property
    def cluster(self) -> Any:
        """What is published for clients."""
        return json.loads(self.objects["configmaps/facts"]["data"]["cluster.json"])


@pytest.fixture
def api(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api(_certificate(tmp_path))
    (tmp_path / "token").write_text("let-me-in\n")
    settings = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(api.server.server_port),
        "NAMESPACE": "space",
        "SECRET": "auth",
        "KEYS": "rpc-authentication-secret",
        "BROUGHT": "0",
        "CONFIG_MAP": "facts",
        "MASTER_UI": "http://master:8080",
        "DEFAULT_CORES": "2",
        "AUTHENTICATION": "true",
        "LABELS": '{"release": "airspark"}',
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    yield api
    api.server.shutdown()


def should_make_the_secret_once_with_every_key_that_may_be_wanted_later(script: ModuleType, api: Api) -> None:
    assert script.main() == 0
    made = api.secret()
    assert set(made) == {*BOTH.split(), "connect-token"}
    assert all(len(base64.urlsafe_b64decode(made[key])) == 32 for key in BOTH.split()) and len(set(made.values())) == 3
    assert re.fullmatch("[0-9a-f]{64}", made["connect-token"]), "letters and digits, so that an address takes it as it is"
    assert api.objects["secrets/auth"]["metadata"]["labels"] == {"release": "airspark"}
    assert script.main() == 0
    assert api.secret() == made


def should_publish_versions_and_a_fingerprint_that_gives_nothing_away(
    script: ModuleType, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main() == 0
    facts = api.cluster
    assert (facts["spark"], facts["java"], facts["masterUi"]) == ("4.2.1", "17", "http://master:8080")
    assert facts["authentication"] is True and facts["secretFingerprint"] == script.fingerprint(
        api.secret()["rpc-authentication-secret"]
    )
    assert len(facts["secretFingerprint"]) == 4
    said = capsys.readouterr()
    for text in api.secret().values():
        assert text not in json.dumps(api.objects["configmaps/facts"]) + said.out + said.err


def should_publish_again_what_changed(script: ModuleType, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    assert script.main() == 0
    monkeypatch.setenv("MASTER_UI", "http://other:8080")
    assert script.main() == 0
    assert api.cluster["masterUi"] == "http://other:8080"
    assert api.asked[-1] == "PATCH configmaps/facts" and api.types[-1] == "application/merge-patch+json"


def should_neither_make_nor_read_a_secret_without_authentication(
    script: ModuleType, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS", "")
    monkeypatch.setenv("AUTHENTICATION", "false")
    assert script.main() == 0
    assert api.asked == ["POST configmaps/facts"]
    assert api.cluster["authentication"] is False and api.cluster["secretFingerprint"] == ""


def should_read_a_secret_that_is_brought_and_make_none(script: ModuleType, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROUGHT", "1")
    api.put("auth", rpc_authentication_secret=b"theirs", picture=b"\xff\xd8")
    assert script.main() == 0
    assert api.asked[0] == "GET secrets/auth"
    assert api.cluster["secretFingerprint"] == script.fingerprint("theirs")


@pytest.mark.parametrize(("token", "warned"), [(b"with/slash", True), (b"old-token_=", False)])
def should_keep_a_connect_token_and_warn_only_if_airflow_makes_no_address_with_it(
    script: ModuleType, api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], token: bytes, warned: bool
) -> None:
    monkeypatch.setenv("KEYS", "rpc-authentication-secret connect-token")
    api.put("auth", rpc_authentication_secret=b"theirs", connect_token=token)
    assert script.main() == 0
    assert api.secret()["connect-token"] == token.decode(), "an installation keeps its token"
    said = capsys.readouterr()
    assert ("use letters and digits" in said.err) == warned and token.decode() not in said.out + said.err


def _brought(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROUGHT", "1")


def _keyless(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", BOTH)
    api.put("auth", rpc_authentication_secret=b"theirs", rest_jws_key=b"")


def _binary(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.put("auth", rpc_authentication_secret=b"\xff\xfe")


def _forbidden(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.refuses["POST secrets"] = (403, json.dumps({"message": "secrets is forbidden"}))


def _unreadable(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.refuses["GET secrets"] = (403, json.dumps({"message": "secrets is forbidden"}))


def _unavailable(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.refuses["POST configmaps"] = (503, "<html>no backend</html>")


def _unreachable(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (
            _brought,
            "the Secret auth is not there, and security.passwordsSecretName says that you make it: kubectl create secret generic"
            " auth --from-literal=rpc-authentication-secret=…",
        ),
        (_keyless, "the Secret auth has no key rest-jws-key: add it, or delete the Secret to have it made"),
        (_binary, "the Secret auth holds bytes that are no text: write it as letters, for example base64"),
        (_forbidden, "the Secret auth cannot be made: secrets is forbidden"),
        (_unreadable, "the Secret auth cannot be read: secrets is forbidden"),
        (_unavailable, "the ConfigMap facts cannot be written: 503 Service Unavailable, <html>no backend</html>"),
        (
            _unreachable,
            "the Kubernetes API at 127.0.0.1:1 does not answer, and the Job tries again: [Errno 111] Connection refused",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def should_say_in_one_sentence_what_is_to_be_mended(
    script: ModuleType,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    trouble: Any,
    sentence: str,
) -> None:
    trouble(api, monkeypatch)
    assert script.main() == 1
    assert capsys.readouterr().err == f"bootstrap: {sentence}\n"
    assert (tmp_path / "status").read_text() == f"{sentence}\n"


def should_trust_no_other_authority_than_the_clusters(script: ModuleType, api: Api, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    _certificate(other)
    (tmp_path / "ca.crt").write_bytes((other / "ca.crt").read_bytes())
    assert script.main() == 1
    assert "CERTIFICATE_VERIFY_FAILED" in (tmp_path / "status").read_text()
    assert not api.asked


@pytest.mark.parametrize("rest", [False, True])
def should_be_given_by_the_chart_all_that_it_reads(
    script: ModuleType, api: Api, monkeypatch: pytest.MonkeyPatch, rest: bool
) -> None:
    objects = render(nested("master.rest.enabled", rest), chart="spark")
    given = env(pods(objects)["spark-bootstrap"]["spec"]["containers"][0])
    for name in (
        "NAMESPACE",
        "SECRET",
        "KEYS",
        "BROUGHT",
        "CONFIG_MAP",
        "MASTER_UI",
        "DEFAULT_CORES",
        "AUTHENTICATION",
        "LABELS",
    ):
        monkeypatch.setenv(name, "space" if name == "NAMESPACE" else given[name])
    assert script.main() == 0
    references = [
        value["secretKeyRef"]
        for component in ("spark-master", "spark-worker")
        for value in env(pods(objects)[component]["spec"]["containers"][0]).values()
        if isinstance(value, dict) and "secretKeyRef" in value
    ]
    assert len(references) == 2 + rest
    assert all(api.secret(reference["name"])[reference["key"]] for reference in references)
