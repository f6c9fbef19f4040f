"""The script that makes the release's Secrets, against Secrets kept in memory."""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import socket
import ssl
import sys
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from rendering import CHARTS, Object, env, find, nested, pods, render

SCRIPTS = CHARTS / "airflow" / "files" / "scripts"
URL = {"kind": "url", "protocol": "postgresql", "user": "me", "host": "db", "port": 5432, "database": "airflow"}
URL |= {"sslmode": "require", "passwordFrom": "password"}
PASSWORD: Object = {"name": "password", "brought": False, "keys": {"password": {"kind": "token"}}}
METADATA: Object = {"name": "metadata", "brought": False, "keys": {"connection": URL}}
FERNET: Object = {"name": "fernet", "brought": False, "keys": {"fernet-key": {"kind": "fernet"}}}
TOKEN: Object = {"name": "token", "brought": False, "keys": {"jwt-secret": {"kind": "token"}}}
JWT_KEYS: Object = {
    "name": "jwt",
    "brought": False,
    "keys": {
        "jwks.json": {"kind": "jwks", "from": "jwt", "key": "private-key.pem"},
        "private-key.pem": {"kind": "rsaPrivateKey"},
    },
}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return create_secrets.py as a module."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("create_secrets")


class Store:
    """Secrets of a namespace, in memory."""

    def __init__(self, script: ModuleType) -> None:
        self.script = script
        self.secrets: dict[str, Any] = {}
        self.faster: list[Any] = []

    def put(self, name: str, data: dict[str, str], ours: bool = False, **annotations: str) -> None:
        """Let a Secret exist."""
        self.secrets[name] = self.script.Secret(data, annotations, ours, "1")

    def data(self, name: str) -> dict[str, str]:
        """Return a Secret's texts."""
        return dict(self.secrets[name].data)

    def get(self, name: str) -> Any:
        return self.secrets.get(name)

    def create(self, name: str, data: dict[str, str], annotations: dict[str, str]) -> bool:
        if self._lost(name) or name in self.secrets:
            return False
        self.secrets[name] = self.script.Secret(data, annotations, True, "1")
        return True

    def patch(self, name: str, data: dict[str, str], annotations: dict[str, str], version: str) -> bool:
        old = self.secrets[name]
        if self._lost(name) or old.version != version:
            return False
        self.secrets[name] = replace(
            old, data=old.data | data, annotations=old.annotations | annotations, version=str(int(version) + 1)
        )
        return True

    def _lost(self, name: str) -> bool:
        if self.faster:
            self.secrets[name] = self.faster.pop()
            return True
        return False


@pytest.fixture
def store(script: ModuleType) -> Store:
    return Store(script)


def generation(spec: Object, text: str) -> Object:
    """Return a spec that asks for a generation."""
    return spec | {"generation": text}


def changed(spec: Object, key: str, **recipe: Any) -> Object:
    """Return a spec with another recipe for one key."""
    return spec | {"keys": spec["keys"] | {key: spec["keys"][key] | recipe}}


def rendered(values: Object | None = None) -> list[Object]:
    """Return the specs that the chart renders."""
    return list(json.loads(find(render(values), "ConfigMap", "airspark-bootstrap-")["data"]["secrets.json"]))


def should_make_every_secret_that_a_pod_reads_with_its_key(script: ModuleType, store: Store) -> None:
    for spec in rendered():
        assert script.ensure(store, spec) == f"Secret {spec['name']}: created"
    for component, pod in pods(render()).items():
        for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            for name, value in env(container).items():
                # Spark's own bootstrap makes that one
                if name != "_SPARK_AUTH_SECRET" and isinstance(value, dict) and "secretKeyRef" in value:
                    reference = value["secretKeyRef"]
                    assert store.data(reference["name"])[reference["key"]], component


def should_make_keys_that_their_users_accept(script: ModuleType, store: Store) -> None:
    for spec in rendered():
        script.ensure(store, spec)
    password = store.data("airspark-postgresql")["password"]
    assert store.data("airspark-metadata")["connection"] == (
        f"postgresql://airflow:{password}@airspark-postgresql.airspark.svc:5432/airflow"
        "?sslmode=verify-full&sslrootcert=/etc/airspark/database/ca.crt"
    )
    assert len(base64.urlsafe_b64decode(store.data("airspark-fernet-key")["fernet-key"])) == 32
    assert len(store.data("airspark-jwt-secret")["jwt-secret"]) >= 43
    assert store.data("airspark-admin")["username"] == "admin"
    assert len(store.data("airspark-admin")["password"]) >= 43


def should_change_no_secret_in_a_second_run(script: ModuleType, store: Store) -> None:
    specs = [*rendered(), generation(JWT_KEYS, "1"), generation(FERNET, "1")]
    for spec in specs:
        script.ensure(store, spec)
    before = dict(store.secrets)
    for spec in specs:
        assert script.ensure(store, spec) == f"Secret {spec['name']}: kept"
    assert store.secrets == before


def should_encode_the_password_and_name_the_authority_in_a_database_url(script: ModuleType, store: Store) -> None:
    store.put("password", {"password": "p/w@1"})
    script.ensure(store, changed(METADATA, "connection", sslrootcert="/etc/ca.crt"))
    assert store.data("metadata")["connection"] == (
        "postgresql://me:p%2Fw%401@db:5432/airflow?sslmode=require&sslrootcert=/etc/ca.crt"
    )


def should_fill_a_template_from_other_secrets_in_one_pass(script: ModuleType, store: Store) -> None:
    store.put("password", {"password": '{user} "x"', "name": "me@here"})
    how = {
        "kind": "template",
        "text": '"{user}" "{password}" {other} {url}',
        "values": {
            "user": {"secret": "password", "key": "name"},
            "password": {"secret": "password", "key": "password", "encode": "doubledQuotes"},
            "url": {"secret": "password", "key": "name", "encode": "url"},
        },
    }
    script.ensure(store, {"name": "users", "brought": False, "keys": {"users.txt": how}})
    assert store.data("users")["users.txt"] == '"me@here" "{user} ""x""" {other} me%40here'


def should_make_a_key_pair_whose_public_side_is_the_key_set(script: ModuleType, store: Store) -> None:
    script.ensure(store, JWT_KEYS)
    private = load_pem_private_key(store.data("jwt")["private-key.pem"].encode(), password=None)
    assert isinstance(private, RSAPrivateKey) and private.key_size == 3072
    (public,) = json.loads(store.data("jwt")["jwks.json"])["keys"]
    modulus = int.from_bytes(base64.urlsafe_b64decode(public["n"] + "=="), "big")
    assert (public["kty"], modulus) == ("RSA", private.public_key().public_numbers().n)
    assert "d" not in public


def should_keep_the_secret_of_whoever_was_faster(script: ModuleType, store: Store) -> None:
    store.faster = [script.Secret({"fernet-key": "theirs"}, {}, True, "1")]
    assert script.ensure(store, FERNET) == "Secret fernet: kept"
    assert store.data("fernet") == {"fernet-key": "theirs"}


def should_say_which_key_a_secret_of_others_lacks(script: ModuleType, store: Store) -> None:
    store.put("fernet", {"other": "x", "fernet-key": ""})
    with pytest.raises(script.SecretError, match="Secret fernet exists and lacks the key fernet-key; add it or delete"):
        script.ensure(store, FERNET)


def should_say_which_key_a_brought_secret_lacks(script: ModuleType, store: Store) -> None:
    store.put("fernet", {"other": "x"}, ours=True)
    with pytest.raises(script.SecretError, match="Secret fernet exists and lacks the key fernet-key"):
        script.ensure(store, FERNET | {"brought": True})


def should_name_both_secrets_if_one_is_made_from_a_missing_one(script: ModuleType, store: Store) -> None:
    with pytest.raises(script.SecretError, match="Secret password lacks the key password, which Secret metadata is made from"):
        script.ensure(store, METADATA)


def should_add_a_key_that_a_made_secret_lacks_and_leave_the_others(script: ModuleType, store: Store) -> None:
    script.ensure(store, JWT_KEYS)
    key = store.data("jwt")["private-key.pem"]
    full = store.data("jwt")["jwks.json"]
    store.put("jwt", {"private-key.pem": key}, ours=True)
    assert script.ensure(store, JWT_KEYS) == "Secret jwt: added jwks.json"
    assert store.data("jwt") == {"private-key.pem": key, "jwks.json": full}


def should_wait_for_a_secret_that_is_brought_and_then_name_it(script: ModuleType, store: Store) -> None:
    spec = next(spec for spec in rendered(nested("airflow.jwtSecretName", "mine")) if spec["name"] == "mine")
    with pytest.raises(script.SecretError, match="Secret mine is named in the values, and does not exist"):
        script.ensure(store, spec, wait_seconds=-1)
    store.put("mine", {"jwt-secret": "x"})
    assert script.ensure(store, spec) == "Secret mine: kept"


@pytest.mark.parametrize("recipe", [{"host": "other"}, {"port": 6432}, {"sslmode": "verify-full"}, {"user": "you"}])
def should_rewrite_a_made_url_if_its_parts_change(script: ModuleType, store: Store, recipe: Object) -> None:
    script.ensure(store, PASSWORD)
    script.ensure(store, METADATA)
    before = store.data("metadata")["connection"]
    new = changed(METADATA, "connection", **recipe)
    words = "Secret metadata: rewrote connection, because what it is made from changed"
    assert script.ensure(store, new) == words
    assert str(next(iter(recipe.values()))) in store.data("metadata")["connection"] != before
    assert script.ensure(store, new) == "Secret metadata: kept"
    assert script.ensure(store, METADATA) == words
    assert store.data("metadata")["connection"] == before


def should_rewrite_a_made_url_if_the_password_is_rotated(script: ModuleType, store: Store) -> None:
    for spec in (PASSWORD, METADATA):
        script.ensure(store, spec)
    before = store.data("password")["password"]
    assert script.ensure(store, generation(PASSWORD, "2")) == "Secret password: rotated to generation 2"
    assert script.ensure(store, METADATA).startswith("Secret metadata: rewrote connection")
    assert before not in store.data("metadata")["connection"]
    assert store.data("password")["password"] in store.data("metadata")["connection"]


def should_rewrite_a_made_url_from_before_recipes_were_noted_if_it_differs(script: ModuleType, store: Store) -> None:
    store.put("password", {"password": "x"})
    store.put("metadata", {"connection": "postgresql://me:x@old:5432/airflow?sslmode=require"}, ours=True)
    assert script.ensure(store, METADATA).startswith("Secret metadata: rewrote connection")
    assert "@db:5432" in store.data("metadata")["connection"]


def should_leave_what_somebody_wrote_into_a_made_url_if_its_recipe_is_the_same(script: ModuleType, store: Store) -> None:
    store.put("password", {"password": "x"})
    script.ensure(store, METADATA)
    store.secrets["metadata"] = replace(store.get("metadata"), data={"connection": "theirs"})
    assert script.ensure(store, METADATA) == "Secret metadata: kept"
    more = METADATA | {"keys": METADATA["keys"] | {"direct": URL}}
    assert script.ensure(store, more) == "Secret metadata: added direct"
    assert script.ensure(store, more) == "Secret metadata: kept"
    assert store.data("metadata")["connection"] == "theirs"


@pytest.mark.parametrize("brought", [True, False])
def should_never_change_a_secret_of_others(script: ModuleType, store: Store, brought: bool) -> None:
    store.put("metadata", {"connection": "theirs"}, ours=brought)
    assert script.ensure(store, generation(METADATA, "2") | {"brought": brought}) == "Secret metadata: kept"
    assert store.data("metadata") == {"connection": "theirs"}


def should_rotate_a_made_secret_once_per_generation(script: ModuleType, store: Store) -> None:
    script.ensure(store, TOKEN)
    seen = [store.data("token")["jwt-secret"]]
    for text in ("2026-11", "2026-12"):
        assert script.ensure(store, generation(TOKEN, text)) == f"Secret token: rotated to generation {text}"
        seen.append(store.data("token")["jwt-secret"])
    assert len(set(seen)) == 3
    assert script.ensure(store, generation(TOKEN, "2026-12")) == "Secret token: kept"


@pytest.mark.parametrize("back", ["", "1", "2"])
def should_not_rotate_if_a_rollback_asks_for_an_earlier_generation(script: ModuleType, store: Store, back: str) -> None:
    for text in ("1", "2", "3"):
        script.ensure(store, generation(TOKEN, text))
    before = store.data("token")
    assert script.ensure(store, generation(TOKEN, back)) == "Secret token: kept"
    assert store.data("token") == before


def should_put_a_new_fernet_key_first_and_keep_the_last_three(script: ModuleType, store: Store) -> None:
    script.ensure(store, FERNET)
    history = [store.data("fernet")["fernet-key"]]
    for text in ("1", "2", "3"):
        script.ensure(store, generation(FERNET, text))
        keys = store.data("fernet")["fernet-key"].split(",")
        assert keys[1:] == history[:2]
        history.insert(0, keys[0])
    assert len(set(history)) == 4


def should_keep_former_public_keys_so_that_running_tasks_stay_trusted(script: ModuleType, store: Store) -> None:
    script.ensure(store, JWT_KEYS)
    (first,) = json.loads(store.data("jwt")["jwks.json"])["keys"]
    private = store.data("jwt")["private-key.pem"]
    script.ensure(store, generation(JWT_KEYS, "2"))
    second, kept = json.loads(store.data("jwt")["jwks.json"])["keys"]
    assert kept == first
    assert second["kid"] != first["kid"]
    assert store.data("jwt")["private-key.pem"] != private


def should_not_rotate_twice_if_another_bootstrap_did(script: ModuleType, store: Store) -> None:
    script.ensure(store, TOKEN)
    theirs = script.Secret({"jwt-secret": "theirs"}, {"airspark.io/generation": "2"}, True, "2")
    store.faster = [theirs]
    assert script.ensure(store, generation(TOKEN, "2")) == "Secret token: kept"
    assert store.data("token") == {"jwt-secret": "theirs"}


def should_annotate_a_made_secret_and_leave_its_text(script: ModuleType, store: Store) -> None:
    script.ensure(store, TOKEN | {"annotations": {"a": "b"}})
    before = store.data("token")
    assert script.ensure(store, TOKEN | {"annotations": {"a": "c"}}) == "Secret token: annotated"
    assert store.secrets["token"].annotations["a"] == "c"
    assert store.data("token") == before


def should_say_nothing_of_what_is_in_a_secret(script: ModuleType, store: Store) -> None:
    lines = []
    for text in ("1", "2"):
        for spec in (PASSWORD, METADATA, FERNET, JWT_KEYS):
            lines.append(script.ensure(store, generation(spec, text)))
            assert not [value for value in store.data(spec["name"]).values() if value in " ".join(lines)]
    assert len(set(lines)) == 8


class Refusal(Exception):
    """What the Kubernetes client raises."""

    def __init__(self, status: int, reason: str, body: str | None) -> None:
        self.status, self.reason, self.body = status, reason, body


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            Refusal(403, "Forbidden", '{"message": "secrets \\"a\\" is forbidden"}'),
            'the Kubernetes API refused: secrets "a" is forbidden; its account needs get, create and patch on Secrets',
        ),
        (Refusal(500, "Internal Server Error", "<html>"), "the Kubernetes API refused: Internal Server Error"),
        (Refusal(503, "Service Unavailable", None), "the Kubernetes API refused: Service Unavailable"),
    ],
)
def should_tell_of_a_refusal_in_one_sentence(script: ModuleType, error: Refusal, sentence: str) -> None:
    assert script.refusal(error) == sentence


class Jobs:
    """The batch API with some Jobs, by name and minute of creation."""

    def __init__(self, jobs: dict[str, int], refuses: int = 0) -> None:
        self.jobs, self.refuses = jobs, refuses

    def list_namespaced_job(self, namespace: str, label_selector: str) -> SimpleNamespace:
        assert (namespace, label_selector) == ("space", "component=bootstrap,release=airspark")
        made = {name: datetime(2026, 1, 1, 0, minute) for name, minute in self.jobs.items()}
        return SimpleNamespace(
            items=[SimpleNamespace(metadata=SimpleNamespace(name=n, creation_timestamp=t)) for n, t in made.items()]
        )

    def delete_namespaced_job(self, name: str, namespace: str, propagation_policy: str) -> None:
        assert (namespace, propagation_policy) == ("space", "Background")
        if self.refuses:
            raise Refusal(self.refuses, "Forbidden", None)
        del self.jobs[name]


@pytest.mark.parametrize(
    ("refuses", "said", "left"),
    [
        (0, ["Job old: removed, it came before"], ["new", "mine"]),
        (403, ["older bootstrap Jobs stay: Forbidden"], ["old", "new", "mine"]),
        (404, [], ["old", "new", "mine"]),
    ],
)
def should_remove_older_bootstraps_and_go_on_if_that_is_refused(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, refuses: int, said: list[str], left: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", ModuleType("kubernetes"))
    monkeypatch.setitem(sys.modules, "kubernetes.client", SimpleNamespace(ApiException=Refusal))
    api = Jobs({"old": 1, "new": 3, "mine": 2}, refuses)
    assert script.remove_older(api, "space", "airspark", "mine") == said
    assert list(api.jobs) == left


TLS: Object = {
    "name": "tls",
    "brought": False,
    "keys": {
        "ca.crt": {"kind": "template", "text": "{c}", "values": {"c": {"secret": "tls", "key": "tls.crt"}}},
        "tls.crt": {"kind": "certificate", "from": "tls", "key": "tls.key", "names": ["db.ns.svc", "db"], "days": 3650},
        "tls.key": {"kind": "rsaPrivateKey"},
    },
}


def _listening(folder: Path, data: dict[str, str]) -> tuple[socket.socket, int]:
    """A TLS server with a certificate of the script's."""
    for name in ("tls.crt", "tls.key"):
        (folder / name).write_text(data[name])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)

    def accept() -> None:
        # A client that trusts nothing goes away in the middle.
        with contextlib.suppress(OSError):
            server.accept()

    threading.Thread(target=accept, daemon=True).start()
    return server, server.getsockname()[1]


@pytest.mark.parametrize(("name", "trusted"), [("db.ns.svc", True), ("db", True), ("elsewhere", False)])
def should_make_a_certificate_that_clients_trust_for_the_names_of_the_server_alone(
    script: ModuleType, store: Store, tmp_path: Path, name: str, trusted: bool
) -> None:
    script.ensure(store, TLS)
    data = store.data("tls")
    assert data["ca.crt"] == data["tls.crt"]
    server, port = _listening(tmp_path, data)
    client = ssl.create_default_context(cadata=data["ca.crt"])
    with server, socket.create_connection(("127.0.0.1", port)) as plain:
        if trusted:
            with client.wrap_socket(plain, server_hostname=name) as secured:
                assert secured.version() == "TLSv1.3"
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                client.wrap_socket(plain, server_hostname=name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "Secret tls: kept"),
        ({"days": 364}, "Secret tls: renewed tls.crt, which ends soon or lacks a name; rewrote ca.crt"),
        (
            {"names": ["db.ns.svc", "db", "pooler"]},
            "Secret tls: renewed tls.crt, which ends soon or lacks a name; rewrote ca.crt",
        ),
    ],
    ids=["fresh", "within a year of its end", "another name"],
)
def should_make_a_certificate_again_for_the_same_key_if_it_ends_soon_or_lacks_a_name(
    script: ModuleType, store: Store, change: dict[str, Any], said: str
) -> None:
    older = {**TLS, "keys": {**TLS["keys"], "tls.crt": {**TLS["keys"]["tls.crt"], "days": change.get("days", 3650)}}}
    script.ensure(store, older)
    before = store.data("tls")
    wanted = {**TLS, "keys": {**TLS["keys"], "tls.crt": {**TLS["keys"]["tls.crt"], **change, "days": 3650}}}
    assert script.ensure(store, wanted).startswith(said)
    after = store.data("tls")
    assert after["tls.key"] == before["tls.key"] and after["ca.crt"] == after["tls.crt"]
    assert (after["tls.crt"] == before["tls.crt"]) is (not change)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "expired",
            r"tls.crt of Secret tls is a certificate that expired at \d{4}-\d\d-\d\d \d\d:\d\d UTC; put a valid one into it",
        ),
        ("garbage", "tls.crt of Secret tls is not a certificate in PEM form; put a valid one into it"),
    ],
)
def should_refuse_a_brought_certificate_that_no_client_would_take(script: ModuleType, store: Store, text: str, said: str) -> None:
    keys = {**TLS["keys"], "tls.crt": {**TLS["keys"]["tls.crt"], "days": 0}}
    script.ensure(store, {**TLS, "name": "ended", "keys": {name: {**how, **_of("ended", how)} for name, how in keys.items()}})
    data = store.data("ended") | ({"tls.crt": "garbage"} if text == "garbage" else {})
    store.put("tls", data, ours=False)
    with pytest.raises(script.SecretError, match=said):
        script.ensure(store, TLS | {"brought": True})
    script.ensure(
        store, {**TLS, "name": "valid", "keys": {name: {**how, **_of("valid", how)} for name, how in TLS["keys"].items()}}
    )
    store.put("tls", store.data("valid"), ours=False)
    assert script.ensure(store, TLS | {"brought": True}) == "Secret tls: kept"


def _of(name: str, how: Object) -> Object:
    """Return what of a recipe names its own Secret, for a Secret of another name."""
    values = {key: {**value, "secret": name} for key, value in how.get("values", {}).items()}
    return {**({"from": name} if "from" in how else {}), **({"values": values} if values else {})}


def should_copy_a_key_into_a_file_and_say_which_is_missing(script: ModuleType, store: Store, tmp_path: Path) -> None:
    script.ensure(store, TLS)
    script.copy(store, f"tls/ca.crt={tmp_path}/ca.crt")
    assert (tmp_path / "ca.crt").read_text() == store.data("tls")["ca.crt"]
    with pytest.raises(script.SecretError, match="Secret tls lacks the key other, with which the database"):
        script.copy(store, f"tls/other={tmp_path}/other")
