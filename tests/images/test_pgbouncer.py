"""The PgBouncer image: any uid, a read-only root, the chart's two files, TLS to the server, no transaction cut off."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import docker, serving, wait_listening, wait_until

PASSWORD = "p'ss \"word"
DATABASE = """
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
  -keyout /tmp/key.pem -out /tmp/cert.pem 2>/dev/null
exec postgres-entrypoint -c ssl=on -c ssl_cert_file=/tmp/cert.pem -c ssl_key_file=/tmp/key.pem
"""
SETTINGS = """
[databases]
metadata = host=127.0.0.1 port=5432 dbname=airflow

[pgbouncer]
listen_addr = *
listen_port = 6543
unix_socket_dir =
pool_mode = transaction
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/users.txt
query_wait_timeout = 5
server_login_retry = 1
server_tls_sslmode = verify-full
server_tls_ca_file = {authority}
"""
PUBLIC = "/etc/ssl/certs/ca-certificates.crt"
OWN = "/etc/pgbouncer/ca.pem"


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A database with TLS and a certificate of its own."""
    options = ("--tmpfs", "/var/lib/postgresql/data:uid=999,gid=0,mode=2775", "--env", f"POSTGRES_PASSWORD={PASSWORD}")
    with serving("postgres", "bash", "-c", DATABASE, options=options, user="999:0") as container:
        ready = ("exec", container, "pg_isready", "--quiet", "--host", "127.0.0.1")
        wait_until(lambda: docker(*ready, check=False).returncode == 0, container)
        yield container


@contextmanager
def pool(database: str, folder: Path, authority: str = OWN) -> Iterator[str]:
    """Run PgBouncer beside the database with its files mounted as the chart does; yield the container's name."""
    folder.chmod(0o755)
    certificate = docker("exec", database, "cat", "/tmp/cert.pem").stdout
    password = PASSWORD.replace('"', '""')
    for name, text in {
        "pgbouncer.ini": SETTINGS.format(authority=authority),
        "users.txt": f'"airflow" "{password}"\n',
        "ca.pem": certificate,
    }.items():
        (folder / name).write_text(text)
    mount = ("--volume", f"{folder}:/etc/pgbouncer:ro")
    with serving("pgbouncer", options=mount, network=f"container:{database}") as container:
        wait_listening(container, 6543)
        yield container


def psql(database: str, sql: str, password: str = PASSWORD) -> list[str]:
    """Return the command that sends a query through the pool."""
    options = ["--no-align", "--tuples-only", "--host", "127.0.0.1", "--port", "6543", "--username", "airflow"]
    return ["exec", "--env", f"PGPASSWORD={password}", database, "psql", *options, "--dbname", "metadata", "--command", sql]


def test_pool_reaches_the_server_over_verified_tls_and_asks_for_the_password(database: str, tmp_path: Path) -> None:
    with pool(database, tmp_path):
        encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
        assert docker(*psql(database, encrypted)).stdout.strip() == "t"
        assert "SASL authentication failed" in docker(*psql(database, "select 1", "wrong"), check=False).stderr


def test_pool_refuses_a_server_whose_certificate_nobody_vouches_for(database: str, tmp_path: Path) -> None:
    with pool(database, tmp_path, authority=PUBLIC) as container:
        done = docker(*psql(database, "select 1"), check=False)
        assert done.returncode == 2 and not done.stdout
        log = docker("logs", container)
        assert "certificate verify failed" in log.stdout + log.stderr


def test_a_running_transaction_ends_before_the_pool_does(database: str, tmp_path: Path) -> None:
    with pool(database, tmp_path) as container:
        running = "select count(*) from pg_stat_activity where query like '%pg_sleep(3)%' and pid <> pg_backend_pid()"
        query = subprocess.Popen(["docker", *psql(database, "select 'kept', pg_sleep(3)")], stdout=subprocess.PIPE, text=True)
        wait_until(lambda: docker(*psql(database, running)).stdout.strip() == "1", container)
        docker("stop", "--time", "30", container)
        assert query.communicate(timeout=30)[0].strip() == "kept|"
        assert query.returncode == 0


def test_pool_names_the_file_that_is_missing(database: str) -> None:
    with serving("pgbouncer", network=f"container:{database}") as container:
        docker("wait", container)
        log = docker("logs", container)
        assert "/etc/pgbouncer/pgbouncer.ini" in log.stdout + log.stderr
