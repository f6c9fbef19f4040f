"""An external PostgreSQL that speaks TLS only: what the chart and the bootstrap Job make of the values reaches it."""

from __future__ import annotations

import functools
import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, docker, tag
from .metadata import SCRIPTS, wait_until

for folder in (SCRIPTS, ROOT / "tests/charts"):
    sys.path.insert(0, str(folder))
import create_secrets  # noqa: E402  the path comes first
import rendering  # noqa: E402

pytestmark = pytest.mark.long

PASSWORD = 'it\'s "odd" \\ $1 100% {password}@/:?#'
CA_FILE = "/etc/airspark/database/ca.crt"

# Makes an authority, a server's certificate by it, and another authority; prints them as JSON.
CERTIFICATES = """
import datetime, json, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

def issue(name, issuer=None):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer[0] if issuer else subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return subject, key, pem, private

authority, other = issue("authority"), issue("another authority")
server = issue(sys.argv[1], authority)
print(json.dumps({"ca.crt": authority[2], "other.crt": other[2], "server.crt": server[2], "server.key": server[3]}))
"""

# Asks over both of Airflow's engines whether the server's connection is encrypted, and prints the answers.
ASK = """
import asyncio, json
from airflow import settings
from sqlalchemy import text

settings.initialize()
SECURE = text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")

async def ask():
    # Eight at once over fewer connections to the server, each often enough to be prepared; a rollback would forget that.
    async def many():
        answers = set()
        for _ in range(12):
            async with settings.AsyncSession() as session:
                answers.add(await session.scalar(SECURE))
                await session.commit()
        return answers
    return set().union(*await asyncio.gather(*(many() for _ in range(8))))

from airflow.utils.session import create_session
with create_session() as session:
    answers = {"sync": session.scalar(SECURE)}
print(json.dumps(answers | {"async": sorted(asyncio.run(ask()))}))
"""


class Site:
    """A network with a database that speaks TLS only, under the name its certificate has and another one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"airspark-site-{uuid.uuid4().hex[:8]}"
        self.host, self.alias = f"{self.name}-db.example.org", f"{self.name}-alias.example.org"
        self.containers: list[str] = []

    def start(self) -> None:
        """Make certificates, the network and the server."""
        made = docker("run", "--rm", "--interactive", tag("airflow"), "python", "-", self.host, stdin=CERTIFICATES)
        for name, text in json.loads(made.stdout).items():
            self.write(name, text)
        self.write("pg_hba.conf", "hostssl all all all scram-sha-256\nlocal all all trust\n")
        docker("network", "create", self.name)
        tls = {"ssl": "on", "ssl_cert_file": "/tls/server.crt", "ssl_key_file": "/tls/server.key", "hba_file": "/tls/pg_hba.conf"}
        self.run(
            "database", "postgres", *(word for key, value in tls.items() for word in ("-c", f"{key}={value}")),
            options=("--network-alias", self.host, "--network-alias", self.alias, "--user", "999:0",
                     "--tmpfs", "/var/lib/postgresql/data:uid=999,gid=0,mode=2775",
                     "--env", f"POSTGRES_PASSWORD={PASSWORD}", "--volume", f"{self.folder}:/tls:ro"),
        )  # fmt: skip
        ready = ("exec", self.containers[0], "psql", "--username", "postgres", "--command", "SELECT 1")
        wait_until(lambda: docker(*ready, check=False).returncode == 0, "the database server's start")

    def write(self, name: str, text: str) -> Path:
        """Write a file that a server of group 0 may read, as a Secret's volume has it."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o640)
        return path

    def run(self, name: str, image: str, *command: str, options: tuple[str, ...]) -> str:
        """Start a server in the network, restricted as a pod is, and return its container's name."""
        container = f"{self.name}-{name}"
        self.containers.append(container)
        limits = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
        docker("run", "--detach", "--name", container, "--network", self.name, *limits, *options, tag(image), *command)
        return container

    def stop(self) -> None:
        """Remove everything."""
        for container in self.containers:
            docker("rm", "--force", "--volumes", container, check=False)
        docker("network", "rm", self.name, check=False)

    def values(self, sslmode: str, host: str = "", **more: Any) -> dict[str, Any]:
        """Return the values of a release that uses this database."""
        connection = {"host": host or self.host, "sslmode": sslmode, "passwordSecretName": "db", "caSecretName": "ca"}
        return {"postgresql": {"enabled": False}, "data": {"metadataConnection": connection}, **more}

    def ask(self, values: dict[str, Any], ca: str = "ca.crt", url: str = "") -> tuple[dict[str, Any], str]:
        """Run ASK with the environment of the API server, and return its answers and what it says about errors.

        Args:
            values: of the release.
            ca: file that is mounted as the CA.
            url: in place of the one that the bootstrap Job makes.
        """
        container = rendering.find(rendering.render(values, chart="airflow"), "Deployment", "airspark-api-server")
        container = container["spec"]["template"]["spec"]["containers"][0]
        env = {name: value for name, value in rendering.env(container).items() if name.startswith("AIRFLOW__DATABASE__SQL_")}
        env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = url or secrets(values)["airspark-metadata"]["connection"]
        mounts = {str(self.folder / ca): CA_FILE, str(SCRIPTS): "/opt/airspark"}
        mounts |= {
            str(SCRIPTS / mount["subPath"]): mount["mountPath"]
            for mount in container["volumeMounts"]
            if mount["name"] == "scripts" and "subPath" in mount
        }
        words = [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
        words += [word for source, target in mounts.items() for word in ("--volume", f"{source}:{target}:ro")]
        done = docker(
            *("run", "--rm", "--interactive", "--network", self.name, "--env", "AIRFLOW__LOGGING__LOGGING_LEVEL=CRITICAL"),
            *(*words, tag("airflow"), "python", "-"),
            stdin=ASK,
            check=False,
        )
        lines = done.stdout.strip().splitlines()
        return (json.loads(lines[-1]) if done.returncode == 0 else {}), done.stderr


@functools.cache
def _secrets(values: str) -> dict[str, dict[str, str]]:
    objects = rendering.render(json.loads(values), chart="airflow")
    specs = json.loads(rendering.find(objects, "ConfigMap", "airspark-bootstrap-")["data"]["secrets.json"])
    made: dict[str, dict[str, str]] = {"db": {"password": PASSWORD}}
    for spec in specs:
        if not spec["brought"]:
            made[spec["name"]] = create_secrets.make(spec, list(spec["keys"]), None, lambda name, key: made[name][key], False)
    return made


def secrets(values: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return what the bootstrap Job makes of values, by Secret and key."""
    return _secrets(json.dumps(values))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("tls"))
    found.folder.chmod(0o755)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def bouncer(site: Site) -> dict[str, Any]:
    """PgBouncer in front of the database, as the chart runs it, and the values of its release."""
    if docker("image", "inspect", tag("pgbouncer"), check=False).returncode:
        from airspark import images

        images.ensure_built([images.PGBOUNCER])
    own = {"enabled": True, "metadataPoolSize": 2, "configSecretName": ""}
    values = site.values("verify-full", pgbouncer=own)
    pod = rendering.find(rendering.render(values, chart="airflow"), "Deployment", "airspark-pgbouncer")["spec"]["template"][
        "spec"
    ]
    files = secrets(values)["airspark-pgbouncer-config"]
    for name, text in files.items():
        site.write(name, text)
    volumes = [word for name in files for word in ("--volume", f"{site.folder / name}:/etc/pgbouncer/{name}:ro")]
    security = pod["securityContext"]
    service = "airspark-pgbouncer.airspark.svc"
    container = site.run(
        "pgbouncer", "pgbouncer", *pod["containers"][0]["args"],
        options=("--network-alias", service, "--user", f"{security['runAsUser']}:{security['runAsGroup']}", *volumes,
                 "--volume", f"{site.folder / 'ca.crt'}:{CA_FILE}:ro"),
    )  # fmt: skip
    wait_until(lambda: "process up" in docker("logs", container).stderr, "PgBouncer's start")
    return values


@pytest.mark.parametrize("sslmode", ["require", "verify-full"])
def test_should_encrypt_both_of_airflows_engines_if_sslmode_asks_for_it(site: Site, sslmode: str) -> None:
    answers, said = site.ask(site.values(sslmode))
    assert answers == {"sync": True, "async": [True]}, said


def test_should_be_refused_in_plain_text_if_sslmode_is_disable(site: Site) -> None:
    answers, said = site.ask(site.values("disable"))
    assert not answers and "no encryption" in said, said


def test_should_refuse_the_server_if_another_authority_signed_its_certificate(site: Site) -> None:
    answers, said = site.ask(site.values("verify-full"), ca="other.crt")
    assert not answers and "certificate verify failed" in said, said


def test_should_refuse_the_server_if_its_certificate_has_another_name(site: Site) -> None:
    answers, said = site.ask(site.values("verify-full", host=site.alias))
    assert not answers and "does not match host name" in said, said
    answers, said = site.ask(site.values("verify-ca", host=site.alias))
    assert answers == {"sync": True, "async": [True]}, said


def test_should_reach_the_server_encrypted_and_unprepared_if_pgbouncer_stands_between(
    site: Site, bouncer: dict[str, Any]
) -> None:
    answers, said = site.ask(bouncer)
    assert answers == {"sync": True, "async": [True]}, said
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'airflow'"
    counted = docker("exec", site.containers[0], "psql", "--username", "postgres", "-qAt", "--command", sessions).stdout
    assert 1 <= int(counted) <= 2, "more connections than the pool may have"


def test_should_reach_the_server_without_pgbouncer_if_the_bootstrap_job_asks(site: Site, bouncer: dict[str, Any]) -> None:
    url = secrets(bouncer)["airspark-metadata"]["direct"]
    assert f"@{site.host}:5432/" in url
    answers, said = site.ask(site.values("verify-full"), url=url)
    assert answers == {"sync": True, "async": [True]}, said


def test_should_take_any_password_to_pgbouncer_and_refuse_a_wrong_one(site: Site, bouncer: dict[str, Any]) -> None:
    connection = secrets(bouncer)["airspark-metadata"]["connection"]
    head, _, tail = connection.partition("://airflow:")
    answers, said = site.ask(bouncer, url=f"{head}://airflow:wrong@{tail.split('@', 1)[1]}")
    assert not answers and "authentication failed" in said, said


def test_should_remove_rows_that_are_older_than_retention_days(site: Site) -> None:
    values = site.values("verify-full", databaseCleanup={"enabled": True, "retentionDays": 30, "tables": ["log"]})
    objects = rendering.render(values, chart="airflow")
    job = rendering.find(objects, "CronJob", "airspark-database-cleanup")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    config = site.write("airflow.cfg", rendering.cfg(objects))
    config.chmod(0o644)
    url = secrets(values)["airspark-metadata"]["connection"]

    def airflow(*command: str) -> str:
        done = docker(
            *("run", "--rm", "--network", site.name, "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
            *("--tmpfs", "/opt/airflow/logs:mode=1777", "--env", f"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN={url}"),
            *("--volume", f"{site.folder / 'ca.crt'}:{CA_FILE}:ro", "--volume", f"{config}:/opt/airflow/airflow.cfg:ro"),
            *(tag("airflow"), *command),
        )
        return done.stdout + done.stderr

    def sql(statement: str) -> str:
        psql = ("psql", "--username", "postgres", "--dbname", "airflow", "-qAt", "--command", statement)
        return docker("exec", site.containers[0], *psql).stdout.strip()

    airflow("airflow", "db", "migrate")
    sql("INSERT INTO log (dttm, event) SELECT now() - days * interval '1 day', 'row ' || days FROM unnest(ARRAY[29, 31]) days")
    said = airflow(*job["containers"][0]["args"])
    assert sql("SELECT event FROM log WHERE event LIKE 'row %'") == "row 29", said


def test_should_keep_the_newest_whole_dumps_if_retention_says_how_many(site: Site) -> None:
    values = site.values("verify-full", backup={"enabled": True, "retention": 2})
    objects = rendering.render(values, chart="airflow")
    spec = rendering.find(objects, "CronJob", "airspark-backup")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    container, security = spec["containers"][0], spec["securityContext"]
    claim = f"{site.name}-backups"
    docker("volume", "create", claim)

    def run(*command: str, url: str = secrets(values)["airspark-metadata"]["connection"], check: bool = True) -> str:
        done = docker(
            *("run", "--rm", "--network", site.name, "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
            *("--user", f"{security['runAsUser']}:{security['runAsGroup']}", "--volume", f"{claim}:/backups"),
            *("--volume", f"{site.folder / 'ca.crt'}:{CA_FILE}:ro", "--env", f"DATABASE_URL={url}"),
            *("--env", f"RETENTION={rendering.env(container)['RETENTION']}", tag("postgres"), *command),
            check=check,
        )
        return done.stdout + done.stderr

    try:
        table = "SET ROLE airflow; CREATE TABLE IF NOT EXISTS dumped (n int)"
        docker("exec", site.containers[0], "psql", "--username", "postgres", "--dbname", "airflow", "--command", table)
        docker("run", "--rm", "--user", "0:0", "--volume", f"{claim}:/backups", tag("postgres"), "chmod", "2775", "/backups")
        old = "touch /backups/airflow-20200101T000000Z.dump /backups/airflow-20200102T000000Z.dump /backups/airflow-x.dump.part"
        run("bash", "-c", old)
        said = run(*container["args"])
        assert "removed /backups/airflow-20200101T000000Z.dump" in said, said
        kept = run("ls", "/backups").split()
        assert len(kept) == 2 and kept[0] == "airflow-20200102T000000Z.dump", kept
        assert "TABLE DATA public dumped" in run("pg_restore", "--list", f"/backups/{kept[1]}")
        assert run("stat", "--format=%a", f"/backups/{kept[1]}").strip() == "600"
        said = run(*container["args"], url=f"postgresql://airflow:wrong@{site.host}/airflow?sslmode=require", check=False)
        assert "authentication failed" in said and run("ls", "/backups").split() == kept, said
    finally:
        docker("volume", "rm", claim, check=False)
