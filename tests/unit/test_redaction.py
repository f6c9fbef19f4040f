"""The doctor's archive holds no secret: none whose value is known, and none of a shape that tells it."""

from __future__ import annotations

import base64
import json
import stat
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest

from airspark import doctor, redaction

CANARY = "Zq7-hunter2-Kx9w"
#: Lines of logs, manifests, commands and configurations; %s is the secret, which no Secret of the cluster holds.
SHAPES = (
    "password: %s",
    "password: '%s'",
    '"password": "%s"',
    '{\\"password\\": \\"%s\\"}',
    "DB_PASSWORD=%s",
    "PGPASSWORD='%s' psql",
    "passwd=%s",
    "pwd=%s;",
    "apiKey: %s",
    "api_key=%s",
    "X-Api-Key: %s",
    "Authorization: Bearer %s",
    "authorization: token %s",
    "curl -H 'Authorization: Basic %s' http://x",
    "Bearer %s",
    "Token %s",
    "set password to %s",
    "--token %s",
    "--token=%s",
    '["--token", "%s"]',
    "--password '%s'",
    "--api-key %s",
    "https://user:%s@host/path",
    "https://u:p@ss%s@host/path",
    "https://%s@github.example/a/b.git",
    "postgresql+psycopg2://u:%s@h:5432/db?x=1",
    "redis://:%s@h",
    "https://h/p?token=%s&x=1",
    "https://h/p?sv=1&sig=%s",
    "https://h/p?X-Amz-Signature=%s",
    "https://hooks.slack.com/services/T0/B0/%s",
    "-----BEGIN RSA PRIVATE KEY-----\n%s\nabc\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\\n%s\\n-----END PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n%s",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=%s",
    "AIRFLOW_CONN_MINE=%s",
    "      SLACK_WEBHOOK:  %s",
    "- name: MY_SECRET\n  value: %s",
    'client_secret = "%s"',
    "spark.hadoop.fs.s3a.secret.key=%s",
    "spark.hadoop.fs.s3a.secret.key %s",
    "spark.authenticate.secret=%s",
    "fs.azure.account.key.x=%s",
    "AccountKey=%s;",
    "Set-Cookie: session=%s; path=/",
    "token: %s",
    "fernet_key = %s",
    "SECRET_KEY => %s",
    'sasl.jaas.config=x password="%s";',
)
#: What is not secret, and what somebody needs who reads the archive.
HARMLESS = (
    "secretName: airspark-postgresql",
    "fernetKeySecretName: mine",
    "secretKeyRef:\n  name: airspark-jwt",
    "imagePullSecrets: []",
    "jwtSecret: null",
    "tokenExpirationSeconds: 3600",
    "automountServiceAccountToken: false",
    "AIRFLOW__CORE__FERNET_KEY: <set to the key 'fernet-key' in secret 'airspark-fernet-key'>  Optional: false",
    "password_file: /run/x",
    "--token-file /run/x",
    "secret/airspark-jwt created",
    "the token has expired",
    "http://airspark-api-server:8080/x spark://airspark-spark-master:7077",
    "image: airspark/airflow:0.1.0",
    "bypass: always, compass: north, 12 passed",
    "mail me@x.org http://h:80/x",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
)


def _secret(key: str, value: str, **others: str) -> dict[str, object]:
    return {"kind": "Secret", "data": {key: base64.b64encode(value.encode()).decode()}, **others}


@pytest.mark.parametrize("line", SHAPES)
def test_should_remove_a_secret_of_telling_shape(line: str) -> None:
    text = f"before\n{line % CANARY}\nafter"
    cleaned = redaction.cleaner()(text)
    assert CANARY not in cleaned and redaction.REMOVED in cleaned
    assert cleaned.startswith("before\n")
    assert redaction.cleaner()(cleaned) == cleaned, "what is clean stays as it is"


@pytest.mark.parametrize("line", HARMLESS)
def test_should_keep_what_is_no_secret(line: str) -> None:
    assert redaction.cleaner()(line) == line


@pytest.mark.parametrize("key", ["password", "connection", "id_rsa", "whatever"])
def test_should_remove_the_values_of_secrets_in_whatever_form_they_are_written(key: str) -> None:
    value = 'a "b" c/d+é=%1'
    clean = redaction.cleaner([_secret(key, value)])
    encoded = base64.b64encode(value.encode()).decode()
    for form in (
        value,
        json.dumps(value),
        json.dumps({"x": value}),
        quote(value, safe=""),
        encoded,
        f"x{value}y",
        f"log {value}\n",
    ):
        cleaned = clean(f"said {form} once")
        assert value not in cleaned and json.dumps(value)[1:-1] not in cleaned and quote(value, safe="") not in cleaned
        assert encoded.rstrip("=") not in cleaned


def test_should_remove_each_line_of_a_key_and_the_password_within_a_url() -> None:
    lines = [f"{number}{'A' * 60}" for number in range(3)]
    pem = "\n".join(("-----BEGIN OPENSSH PRIVATE KEY-----", *lines, "-----END OPENSSH PRIVATE KEY-----", ""))
    secrets = [_secret("gitSshKey", pem), _secret("connection", "postgresql://airflow:p%40ss-word@db/airflow")]
    cleaned = redaction.cleaner(secrets)(f"cut off at {lines[1]}\nlogin failed for p@ss-word and p%40ss-word")
    assert not [line for line in lines if line in cleaned] and "ss-word" not in cleaned


def test_should_keep_names_and_certificates_of_secrets_and_what_is_too_short_to_be_looked_for() -> None:
    secrets = [
        _secret("username", "airflow"), _secret("tls.crt", "MIIBcertificate"), _secret("port", "54321"), _secret("x", "yes"),
        _secret("release", "airspark-is-installed", type="helm.sh/release.v1"),
    ]  # fmt: skip
    text = "airflow yes 54321 MIIBcertificate airspark-is-installed"
    assert redaction.cleaner(secrets)(text) == text


def test_should_take_the_users_own_texts_out_of_the_values() -> None:
    text = (
        f'connections:\n  db:\n    host: {CANARY}\n    extra: \'{{"x": "{CANARY}"}}\'\nvariables:\n  any: {CANARY}\n'
        f"env:\n- name: GIT_TOKEN\n  value: {CANARY}\nimages:\n  airflow:\n    tag: 0.1.0\n"
    )
    cleaned = redaction.cleaner()(redaction.of_values(text))
    assert CANARY not in cleaned and "tag: 0.1.0" in cleaned and "any: '[removed]'" in cleaned
    assert redaction.of_values("Error: release: not found") == "Error: release: not found"


def test_should_write_an_archive_without_canaries_that_only_its_owner_reads(tmp_path: Path) -> None:
    canaries = [f"canary-{number}-{'x' * number}" for number in range(20)]
    secrets = [_secret(f"key-{number}", canary) for number, canary in enumerate(canaries)]
    parts = {f"logs/{number}.log": f"line\nsaid {' '.join(canaries)}\n" for number in range(3)}
    target = tmp_path / "doctor.tar.gz"
    doctor.write(target, parts, secrets)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with tarfile.open(target) as archive:
        members = archive.getmembers()
        texts = [archive.extractfile(member).read().decode() for member in members]  # type: ignore[union-attr]
    assert len(members) == 3 and {member.mode for member in members} == {0o600}
    assert not [canary for canary in canaries for text in texts if canary in text]
    assert all(text.startswith("line\nsaid ") for text in texts)
