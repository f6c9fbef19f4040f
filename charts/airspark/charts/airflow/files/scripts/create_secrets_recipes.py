"""How the text of each key of a Secret is made."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

Read = Callable[[str, str], str]

# Made from other values, so that they follow these; all other kinds are made once.
DERIVED = ("url", "template")
# Made once from a key of the same Secret.
FROM_KEYS = ("certificate", "jwks")
# A certificate is made again, for the same key, by the first bootstrap within this time before its end.
RENEWED = timedelta(days=365)
# What was written or signed with a former key stays readable: the newest key comes first.
KEPT_KEYS = 3
ENCODINGS: dict[str, Callable[[str], str]] = {
    "none": str,
    "url": lambda text: quote(text, safe=""),
    "doubledQuotes": lambda text: text.replace('"', '""'),
}


def make_value(how: dict[str, Any], read: Read, former: str = "") -> str:
    """Return the text of one key.

    Args:
        how: the recipe: `kind` and what the kind takes. `token`, `fernet` and `rsaPrivateKey` are random, `text` is its
            `value`, `url` has the parts of a database URL, `template` a `text` with {name} for each of its `values`,
            `jwks` is the public side of the private key in `key` of the Secret `from`, `certificate` a certificate of that
            key that it signs itself, for its `names` and so many `days`.
        read: returns the text of (Secret, key).
        former: the key's text so far; Fernet keys and public keys are kept beside the new one.

    Raises:
        KeyError: if the kind is unknown.
    """
    makers: dict[str, Callable[[], str]] = {
        "token": lambda: secrets.token_urlsafe(32),
        "text": lambda: str(how["value"]),
        "fernet": lambda: fernet(former),
        "rsaPrivateKey": rsa_private_key,
        "jwks": lambda: jwks(read(how["from"], how["key"]), former),
        "certificate": lambda: certificate(read(how["from"], how["key"]), how["names"], how["days"]),
        "url": lambda: url(how, read(how["passwordFrom"], how.get("passwordKey", "password"))),
        "template": lambda: template(how, read),
    }
    return makers[how["kind"]]()


def fernet(former: str) -> str:
    """Return a new Fernet key before the former ones, separated by commas as Airflow takes them."""
    new = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return ",".join([new, *filter(None, former.split(","))][:KEPT_KEYS])


def url(how: dict[str, Any], password: str) -> str:
    """Return a database URL; the certificate authority's file is optional."""
    authority = f"&sslrootcert={quote(how['sslrootcert'], safe='/')}" if how.get("sslrootcert") else ""
    return (
        f"{how['protocol']}://{quote(how['user'], safe='')}:{quote(password, safe='')}@{how['host']}:{how['port']}"
        f"/{how['database']}?sslmode={how['sslmode']}{authority}"
    )


def template(how: dict[str, Any], read: Read) -> str:
    """Return a text with its named values filled in.

    Args:
        how: `text`, and `values` by name: `secret`, `key`, and `encode` with one of ENCODINGS.
        read: returns the text of (Secret, key).
    """
    values = {
        name: ENCODINGS[source.get("encode", "none")](read(source["secret"], source["key"]))
        for name, source in how["values"].items()
    }
    # One pass, so that a password may look like a name; what is no name stays as it is.
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), how["text"])


def rsa_private_key() -> str:
    """Return a new RSA key as PEM, as `[api_auth] jwt_private_key_path` takes it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def certificate(private_key: str, names: list[str], days: int) -> str:
    """Return a certificate as PEM that its own key signs: a client that trusts it needs no other authority.

    Args:
        private_key: as PEM.
        names: host names that it is for, the first of which is its subject.
        days: how long it lasts.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(private_key.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    # A common name has 64 characters at most; clients look at the alternative names alone.
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def is_stale(how: dict[str, Any], text: str) -> bool:
    """Return whether a key is to be made again: a certificate that ends soon, or that lacks a name.

    Args:
        how: the recipe.
        text: the key's text.
    """
    if how["kind"] != "certificate":
        return False
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(text.encode())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except (ValueError, x509.ExtensionNotFound):
        return True
    return found.not_valid_after_utc - datetime.now(UTC) < RENEWED or not set(how["names"]) <= set(names)


def unfit(how: dict[str, Any], text: str) -> str:
    """Return why a key that somebody brought serves nobody, or "": a certificate that is none, has ended or has not begun.

    Args:
        how: the recipe.
        text: the key's text.
    """
    if how["kind"] != "certificate":
        return ""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        return "is not a certificate in PEM form"
    now = datetime.now(UTC)
    if found.not_valid_after_utc < now:
        return f"is a certificate that expired at {found.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if found.not_valid_before_utc > now:
        return f"is a certificate that is not valid before {found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    return ""


def jwks(private_key: str, former: str) -> str:
    """Return the public side of an RSA key as a key set, as `[api_auth] trusted_jwks_url` takes it.

    Args:
        private_key: as PEM.
        former: the key set so far; its keys still prove the tokens of tasks that run.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(private_key.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    numbers = key.public_key().public_numbers()
    found: dict[str, Any] = {"kty": "RSA", "key_ops": ["verify"], "n": unsigned(numbers.n), "e": unsigned(numbers.e)}
    # Airflow derives the same id, from these very fields, when it signs.
    digest = hashlib.sha256(json.dumps(found, separators=(",", ":"), sort_keys=True).encode()).digest()
    found["kid"] = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    older = [old for old in json.loads(former or '{"keys": []}')["keys"] if old["kid"] != found["kid"]]
    return json.dumps({"keys": [found, *older][:KEPT_KEYS]})


def unsigned(number: int) -> str:
    """Return a number as a key set writes it."""
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode().rstrip("=")
