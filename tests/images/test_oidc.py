"""Login by an OpenID Connect provider: the chart's configuration in Airflow's image, against a real provider.

What `helm test` says of such an installation is here too, because a real API server is what it needs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from .conftest import ROOT, docker, packages, tag
from .metadata import HIDDEN, Metadata, wait_until

pytestmark = pytest.mark.long
AIRFLOW, ISSUER, PROVIDER = "http://127.0.0.1:8080/airflow", "http://localhost:5000", "company"
CLIENT_SECRET = f"{HIDDEN}client"
VALUES = {
    "auth": {
        "manager": "oidc",
        "oidc": {
            **{"issuer": ISSUER, "clientId": "airspark", "clientSecretName": "company-sso", "providerName": PROVIDER},
            **{"scopes": "openid email profile groups", "roleMapping": {"data": ["Op"], "guests": ["Viewer"]}},
        },
    },
    "config": {"api": {"base_url": AIRFLOW}},
    "ingress": {"apiServer": {"enabled": True}},
}
USERS = {
    "ada": {"password": f"{HIDDEN}ada", "groups": ["data", "everybody"]},
    "gus": {"password": f"{HIDDEN}gus", "groups": ["guests"]},
    "eve": {"password": f"{HIDDEN}eve", "groups": ["everybody"]},
}
ADMIN = {"role": "Admin", "email": "admin@example.com", "firstName": "Ada", "lastName": "Admin"}
ROLES = """
    SELECT u.username || ' ' || u.email || ' ' || string_agg(r.name, ',' ORDER BY r.name) FROM ab_user u
    LEFT JOIN ab_user_role ur ON ur.user_id = u.id LEFT JOIN ab_role r ON r.id = ur.role_id
    GROUP BY u.id ORDER BY u.username
"""


def rendered(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the chart's objects by kind and name."""
    command = [os.environ.get("AIRSPARK_HELM", "helm"), "template", "test", str(ROOT / "charts/airflow"), "--values", "-"]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in yaml.safe_load_all(done.stdout) if item}


def provider_packages() -> Path:
    """Return a folder with the provider's packages."""
    folder = ROOT / ".build/oidc-site"
    return packages(ROOT / "requirements/oidc.txt", folder, "install", "--upgrade", f"--target={folder}")


class Login:
    """An API server and a provider on the loopback of a metadata database's container."""

    def __init__(self, metadata: Metadata, folder: Path) -> None:
        self.metadata = metadata
        self.folder = folder
        self.provider, self.api = f"{metadata.name}-provider", f"{metadata.name}-api"
        chart = rendered(VALUES)
        pod = chart["Deployment/test-api-server"]["spec"]["template"]["spec"]
        self.container = pod["containers"][0]
        for name in ("airflow.cfg", "webserver_config.py"):
            (folder / name).write_text(chart["ConfigMap/test-config"]["data"][name])

    def mounts(self) -> list[str]:
        """Return the options that mount the chart's configuration."""
        names = ("airflow.cfg", "webserver_config.py")
        return [f"--volume={self.folder / name}:/opt/airflow/{name}:ro" for name in names]

    def start(self) -> None:
        """Migrate the database, and start provider and API server."""
        client = {"id": "airspark", "secret": CLIENT_SECRET, "uri": "http://127.0.0.1:8080"}
        client["redirects"] = [f"{AIRFLOW}/auth/oauth-authorized/{PROVIDER}"]  # type: ignore[assignment]
        settings = {"address": ISSUER.removeprefix("http://"), "port": 5000, "client": client, "users": USERS}
        (self.folder / "provider.json").write_text(json.dumps(settings))
        docker(
            *("run", "--detach", "--name", self.provider, "--network", f"container:{self.metadata.name}"),
            *("--read-only", "--tmpfs", "/tmp", "--volume", f"{provider_packages()}:/site:ro"),
            *("--volume", f"{Path(__file__).with_name('oidc_provider.py')}:/oidc_provider.py:ro"),
            *("--volume", f"{self.folder / 'provider.json'}:/provider.json:ro"),
            *("--env", "PYTHONPATH=/site", "--env", "AUTHLIB_INSECURE_TRANSPORT=1", "--env", "PYTHONDONTWRITEBYTECODE=1"),
            *(tag("base"), "bash", "-c", "exec python /oidc_provider.py </provider.json"),
        )
        bootstrap = {"migrate": True, "user": ADMIN, "databaseDeadlineSeconds": 30}
        command = ("python", "/scripts/bootstrap.py", "/dev/stdin")
        arguments = self.metadata.arguments({})
        docker("run", "--rm", "--interactive", *self.mounts(), *arguments, *command, stdin=json.dumps(bootstrap))
        env = {item["name"]: item["value"] for item in self.container["env"] if "value" in item}
        secrets = {"AIRFLOW__API__SECRET_KEY": f"{HIDDEN}key", "AIRFLOW__API_AUTH__JWT_SECRET": f"{HIDDEN}jwt" * 8}
        secrets |= {"AIRSPARK_OIDC_CLIENT_SECRET": CLIENT_SECRET, "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"}
        arguments = self.metadata.arguments(env | secrets)
        docker("run", "--detach", "--name", self.api, *self.mounts(), *arguments, *self.container["args"])
        wait_until(self.answers, f"the API server's start; its log: {self.api}", 90)

    def answers(self) -> bool:
        """Tell whether the API server answers below its sub-path."""
        code = f"import httpx; httpx.get('{AIRFLOW}/api/v2/monitor/health').raise_for_status()"
        assert docker("inspect", "--format", "{{.State.Running}}", self.api).stdout == "true\n", self.log()
        return docker("exec", self.api, "python", "-c", code, check=False).returncode == 0

    def log(self) -> str:
        """Return what the API server said."""
        done = docker("logs", self.api)
        return done.stdout + done.stderr

    def stop(self) -> None:
        """Remove both servers."""
        docker("rm", "--force", "--volumes", self.api, self.provider, check=False)

    def python(self, code: str, *arguments: str) -> Any:
        """Return what code prints as JSON, run beside the API server."""
        done = docker("exec", "--interactive", self.api, "python", "-", *arguments, stdin=code, check=False)
        assert not done.returncode, f"{done.stderr}\n{self.log()}\n{docker('logs', self.provider).stderr}"
        return json.loads(done.stdout)

    def person(self, name: str) -> dict[str, Any]:
        """Log in through the provider's pages and return where that ends."""
        code = Path(__file__).with_name("oidc_login.py").read_text()
        found: dict[str, Any] = self.python(code, AIRFLOW, PROVIDER, name, USERS[name]["password"])  # type: ignore[arg-type]
        return found

    def helm_test(self, logs: str = "/opt/airflow/logs", **env: str) -> tuple[int, list[str]]:
        """Run the chart's test as its pod does, with no scheduler to ask for.

        Returns:
            The exit code, and the lines without their seconds.
        """
        told = {
            **{
                "CHECK_URL": AIRFLOW,
                "CHECK_NAMESPACE": "prod",
                "CHECK_RELEASE": "test",
                "CHECK_AUTH": "oidc",
                "CHECK_LOGS": logs,
            },
            **{"CHECK_PARTS": "metadatabase", "CHECK_SECONDS": "2", "CHECK_DAG": "no", "CHECK_USERNAME": "admin"},
        }
        done = self.metadata.script("helm_test", **{**told, "CHECK_PASSWORD": f"{HIDDEN}admin", **env})
        return done.returncode, [re.sub(r" \([\d.]+ s\)$", "", line) for line in (done.stdout + done.stderr).splitlines()]


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Login]:
    """Yield both servers, with a first user made by the bootstrap."""
    metadata = Metadata()
    found = Login(metadata, tmp_path_factory.mktemp("oidc"))
    try:
        metadata.start()
        found.start()
        yield found
    finally:
        found.stop()
        metadata.stop()


def test_a_person_logs_in_by_the_provider_and_has_the_role_of_the_group(login: Login) -> None:
    ada = login.person("ada")
    assert (ada["page"], ada["status"]) == (f"{AIRFLOW}/", 200), ada
    assert ada["me"]["username"] == "ada"
    assert (ada["dags"], ada["connections"]) == (200, 200)
    gus = login.person("gus")
    assert gus["me"]["username"] == "gus"
    assert (gus["dags"], gus["connections"]) == (200, 403)
    assert "ada ada@example.com Op" in login.metadata.sql(ROLES).splitlines()
    assert "gus gus@example.com Viewer" in login.metadata.sql(ROLES).splitlines()


def test_a_person_without_a_mapped_group_is_refused_and_made_no_user(login: Login) -> None:
    eve = login.person("eve")
    assert (eve["me"], eve["dags"]) == (401, 401)
    assert eve["page"].startswith(f"{AIRFLOW}/auth/login/")
    assert "eve, none of your groups has a role in Airflow: ask its administrators for one." in eve["said"]
    assert "eve" not in login.metadata.sql("SELECT username FROM ab_user").splitlines()
    assert re.search(r"eve may not log in: no group of \['everybody'\] is in auth.oidc.roleMapping", login.log())


def test_roles_follow_the_groups_at_the_next_login(login: Login) -> None:
    login.metadata.sql(
        "INSERT INTO ab_user_role (id, user_id, role_id) SELECT 9001, u.id, r.id FROM ab_user u, ab_role r"
        " WHERE u.username = 'gus' AND r.name = 'Admin'"
    )
    login.person("gus")
    assert "gus gus@example.com Viewer" in login.metadata.sql(ROLES).splitlines()


def test_a_claim_is_found_by_its_name_or_by_the_names_that_lead_to_it(login: Login) -> None:
    claims = {"groups": ["a"], "realm_access": {"roles": ["b"]}, "https://example.com/roles": ["c"], "name": "x"}
    names = ["groups", "realm_access.roles", "https://example.com/roles", "name.first", "nothing.there"]
    code = (
        "import json, runpy\n"
        "claim = runpy.run_path('/opt/airflow/webserver_config.py')['claim']\n"
        f"print(json.dumps([claim({claims!r}, name) for name in {names!r}]))"
    )
    assert login.python(code) == [["a"], ["b"], ["c"], None, None]


def test_the_first_user_gets_a_token_with_the_password(login: Login) -> None:
    code = (
        "import httpx, json\n"
        f"answer = httpx.post('{AIRFLOW}/auth/token', json={{'username': 'admin', 'password': '{HIDDEN}admin'}})\n"
        "head = {'Authorization': 'Bearer ' + answer.json()['access_token']}\n"
        f"print(httpx.get('{AIRFLOW}/api/v2/connections', headers=head).status_code)"
    )
    assert login.python(code) == 200


def test_the_provider_sends_back_to_https_if_a_proxy_ends_tls(login: Login) -> None:
    code = (
        "import httpx, json\n"
        "head = {'X-Forwarded-Proto': 'https', 'Host': 'airflow.example.com'}\n"
        f"print(json.dumps(httpx.get('{AIRFLOW}/auth/login/{PROVIDER}', headers=head).headers['location']))"
    )
    location = dict(parse_qsl(urlsplit(login.python(code)).query))
    assert location["redirect_uri"] == f"https://airflow.example.com/airflow/auth/oauth-authorized/{PROVIDER}"
    assert location["code_challenge_method"] == "S256"


def test_no_secret_is_in_a_log_or_in_the_configuration(login: Login) -> None:
    provider = docker("logs", login.provider)
    for said in (login.log(), provider.stdout, (login.folder / "airflow.cfg").read_text()):
        assert HIDDEN not in said


DATABASE = "✓ database: reachable and migrated"
HEALTHY = "✓ API server: it answers; healthy: metadatabase"
ENTERED = "✓ login: admin logs in with the password of the Secret"


def test_helm_test_passes_without_the_dag_where_dags_are_not_the_images(login: Login) -> None:
    code, lines = login.helm_test(logs="/tmp")
    skipped = "- task: skipped: no DAG airspark_check among the DAGs of this installation"
    assert (code, lines) == (0, [DATABASE, HEALTHY, ENTERED, "✓ logs: the claim is writable for the group 0", skipped])


@pytest.mark.parametrize(
    ("env", "passed", "said", "command"),
    [
        (
            {"CHECK_PARTS": "metadatabase scheduler"},
            [DATABASE],
            "✗ API server: the scheduler is unhealthy, 2 s after the test began",
            "get pods -l release=test",
        ),
        (
            {"CHECK_PASSWORD": f"{HIDDEN}wrong"},
            [DATABASE, HEALTHY],
            "✗ login: the password in the Secret is not that of the user admin",
            "logs -l release=test,component=bootstrap --all-containers --tail=50",
        ),
        (
            {"logs": "/opt/airflow"},
            [DATABASE, HEALTHY, ENTERED],
            "✗ logs: the log claim cannot be written: [Errno 30] Read-only file system: '/opt/airflow/.helm-test'",
            "describe pod -l release=test,component=helm-test",
        ),
        (
            {"logs": "/tmp", "CHECK_DAG": "yes"},
            [DATABASE, HEALTHY, ENTERED, "✓ logs: the claim is writable for the group 0"],
            "✗ task: the DAG processor has not read airspark_check, 2 s after the test began",
            "logs -l release=test,component=dag-processor --all-containers --tail=50",
        ),
        (
            {"CHECK_URL": "http://127.0.0.1:1"},
            [DATABASE],
            "✗ API server: the API server does not answer at http://127.0.0.1:1 ([Errno 111] Connection refused)",
            "get pods -l release=test",
        ),
    ],
    ids=["scheduler", "password", "logs", "dag", "server"],
)
def test_helm_test_says_in_a_sentence_what_is_wrong_and_what_to_do(
    login: Login, env: dict[str, str], passed: list[str], said: str, command: str
) -> None:
    assert login.helm_test(**env) == (1, [*passed, said, f"  next: kubectl -n prod {command}"])
