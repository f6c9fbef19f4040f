"""The address of the Connect server, as PySpark's own client reads it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from airflow.models import Connection
from airflow.providers.apache.spark.hooks.spark_connect import SparkConnectHook
from pyspark.sql.connect.client import DefaultChannelBuilder

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/spark-connect.md").read_text(encoding="utf-8")
OLD_TOKEN = "dGhpcyBpcyBhIHRva2VuIG9mIGFuIG9sZCByZWxlYXNl-_8="


def _bootstrap() -> ModuleType:
    """Return the script that makes the Secret."""
    path = ROOT / "charts/airspark/charts/spark/files/scripts/bootstrap.py"
    spec = importlib.util.spec_from_file_location("spark_bootstrap", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_should_make_a_token_that_an_address_takes_as_it_is() -> None:
    script = _bootstrap()
    for _ in range(20):
        token = script.new_secret("connect-token")
        assert token.isalnum() and token.isascii() and len(token) == 64
        assert DefaultChannelBuilder(f"sc://server:15002/;use_ssl=true;token={token}").token == token


def test_should_keep_the_token_out_of_the_address_as_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", OLD_TOKEN)
    found = re.findall(r"sc://[^`\s\"]+", PAGE)
    assert len(found) >= 2
    for address in found:
        builder = DefaultChannelBuilder(address.replace("<host>", "server"))
        assert builder.token == OLD_TOKEN and builder.endpoint.endswith(":15002")
        assert builder.use_ssl or builder.host == "localhost", "the client sends a token over TLS alone"


def test_should_read_an_old_token_that_is_quoted_as_the_page_says() -> None:
    with pytest.raises(Exception, match="INVALID_CONNECT_URL"):
        DefaultChannelBuilder(f"sc://server:15002/;token={OLD_TOKEN}")
    command = re.search(r"^printf %s .*$", PAGE, re.MULTILINE)
    assert command
    program = f'python3() {{ "{sys.executable}" "$@"; }}; token=\'{OLD_TOKEN}\'; {command[0]}'
    quoted = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert DefaultChannelBuilder(f"sc://server:15002/;token={quoted}").token == OLD_TOKEN


@pytest.mark.parametrize("token", [OLD_TOKEN, "plain", "a;b=c+d%e f"])
def test_should_connect_with_any_token_of_the_connection(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(conn_id="c", conn_type="spark_connect", host="server", port=15002, login="airflow", password=token)
    monkeypatch.setattr(SparkConnectHook, "get_connection", lambda self, name: connection)
    builder = DefaultChannelBuilder(SparkConnectHook("c").get_connection_url())
    assert (builder.token, builder.userId) == (token, "airflow")
