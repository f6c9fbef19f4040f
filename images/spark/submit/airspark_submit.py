"""The images' `spark-submit`: says before the JVM starts what Spark would say late, badly or never.

It stands first on the PATH, looks at submissions to a standalone master in client mode, and becomes
$SPARK_HOME/bin/spark-submit with the same arguments. A failed check ends it with one sentence on stderr and with
exit code 78 where a retry alone mends nothing, or 69 where no master answers. The checks, in their order:

1. the application file can be read;
2. Spark, Python, Java and the secret are the cluster's, as far as $AIRSPARK_SPARK_CLUSTER states them;
3. a master answers within $AIRSPARK_MASTER_DEADLINE seconds (60);
4. a worker is big enough for one executor, and the job may use enough cores for one.

All of them together take 0.07 s, 0.045 s of CPU, on a busy machine with 2 cores (2026-11-26).
What an application sets in its own code is not seen. `SparkSession.builder.master("spark://…")` in a Python process
calls $SPARK_HOME/bin/spark-submit and is not checked either.

The file of facts, every key optional, is by default /opt/spark-cluster/cluster.json:
    {"spark": "4.2.1", "python": "3.11", "java": "17", "authentication": true, "secretFingerprint": "ab12",
     "defaultCores": 2, "masterUi": "http://airspark-spark-master:8080"}
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from airspark_submission import Submission, effective, local_path, parse, parse_properties, property_files

CONFIG = 78
UNAVAILABLE = 69
SECRET = "spark.authenticate.secret"
SECRET_VARIABLE = "_SPARK_AUTH_SECRET"
#: A driver starts only if the property is there, and takes the variable's value first; Spark does not expand this text.
SECRET_REFERENCE = "${env:_SPARK_AUTH_SECRET}"
UNITS = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "p": 2**50}


class Refusal(Exception):
    """A sentence for the user, and the exit code that goes with it."""

    def __init__(self, sentence: str, code: int = CONFIG) -> None:
        super().__init__(sentence)
        self.code = code


class Client(NamedTuple):
    """What this side brings: versions ("" where unknown), and whether and with which secret it authenticates."""

    spark: str
    python: str
    java: str
    authenticate: bool
    secret: str


class Worker(NamedTuple):
    """What a worker offers: cores, and memory in MiB."""

    cores: int
    memory: int


def check_application(path: str) -> None:
    """Raise a Refusal if a local file is not there or not readable."""
    if os.path.isdir(path):
        raise Refusal(f"the application {path} is a folder; name the .py or .jar file in it")
    if not os.path.exists(path):
        raise Refusal(
            f"the application {os.path.abspath(path)} is not in this container; mount it or build it into the image, "
            f"and look with `ls -l {os.path.dirname(os.path.abspath(path))}`"
        )
    if not os.access(path, os.R_OK):
        raise Refusal(
            f"the application {path} cannot be read by uid {os.getuid()} and gid {os.getgid()}; run `chmod a+r {path}` "
            "where the file comes from"
        )


def fingerprint(secret: str) -> str:
    """Return 4 hex digits of a secret: they tell a wrong one from the right one, and are too few to give it away."""
    return hashlib.sha256(b"airspark:" + secret.encode()).hexdigest()[:4]


def check_versions(facts: Mapping[str, Any], client: Client, master: str) -> None:
    """Raise a Refusal if Spark, Python (minor) or Java (major) differ from the cluster's; unknown ones agree."""
    both = "give both images the same version (airflow.images.airflow.tag and spark.image.tag)"
    for name, ours, cure in (
        ("Spark", client.spark, both),
        ("Python", client.python, f"{both}, or point PYSPARK_PYTHON at that Python"),
        ("Java", client.java, f"{both}, or point JAVA_HOME at that Java"),
    ):
        theirs = str(facts.get(name.lower(), ""))
        if ours and theirs and ours != theirs:
            raise Refusal(f"{name} is {ours} in this container and {theirs} in the cluster {master}; {cure}")


def check_secret(facts: Mapping[str, Any], client: Client, properties: Mapping[str, str], master: str) -> None:
    """Raise a Refusal if the cluster authenticates and this side would not, or with another secret."""
    if not facts.get("authentication"):
        return
    if not client.secret:
        raise Refusal(
            f"the cluster {master} asks for a secret and this pod has none; ask for the pod template that has it: "
            'executor_config={"pod_template_file": "/opt/airflow/pod_templates/spark.yaml"}, or have `sparkSecret: true` set in '
            f"the values of the template; outside of a task's pod, set {SECRET_VARIABLE} from the cluster's Secret"
        )
    theirs = facts.get("secretFingerprint")
    if theirs and fingerprint(client.secret) != theirs:
        raise Refusal(
            f"the secret of this pod is not the cluster's ({master}); set {SECRET_VARIABLE} from the cluster's Secret, "
            "and restart what was started before that Secret changed"
        )
    if not client.authenticate:
        raise Refusal(
            f"the cluster {master} asks for a secret and spark.authenticate is not true here; "
            "add `spark.authenticate: true` to airflow.sparkClient.conf"
        )
    if SECRET not in properties:
        raise Refusal(
            f"{SECRET_VARIABLE} is set, but a driver starts only with {SECRET} too; "
            f"add `{SECRET}: {SECRET_REFERENCE}` to airflow.sparkClient.conf"
        )


def masters(url: str) -> list[tuple[str, int]]:
    """Return the hosts and ports of a master's URL such as spark://one:7077,two:7077; raise a Refusal for a wrong one."""
    found = [re.fullmatch(r"(\[[^\]]+\]|[^:/\s]+):([0-9]{1,5})", part) for part in url.removeprefix("spark://").split(",")]
    pairs = [(match[1].strip("[]"), int(match[2])) for match in found if match]
    if len(pairs) < len(found) or any(port > 65535 for _, port in pairs):
        raise Refusal(
            f"{url} is no address of a master; write spark://host:7077 (host and port of the Airflow connection, or --master)"
        )
    return pairs


def connect(host: str, port: int, timeout: float) -> str:
    """Return "" if a TCP connection opens within so many seconds, else what went wrong."""
    try:
        socket.create_connection((host, port), timeout).close()
    except socket.gaierror:
        return f"{host} is no known name"
    except OSError as error:
        return f"{host}:{port}: {(error.strerror or str(error)).lower()}"
    return ""


def wait_for_master(
    url: str,
    deadline: float,
    connect: Callable[[str, int, float], str] = connect,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return as soon as one of a URL's masters accepts a connection: a master may be restarting.

    Args:
        url: the masters, such as spark://host:7077.
        deadline: how many seconds to try.
        connect, clock, sleep: the network and the time.

    Raises:
        Refusal: none did in time.
    """
    end = clock() + deadline
    waiting = False
    while True:
        problems = []
        for host, port in masters(url):
            problem = connect(host, port, max(0.1, min(5, end - clock())))
            if not problem:
                return
            problems.append(problem)
        if clock() >= end:
            break
        if not waiting:
            say(f"waiting up to {deadline:g} s for the master {url} ({'; '.join(problems)})")
            waiting = True
        sleep(max(0, min(1, end - clock())))
    raise Refusal(
        f"no master answered at {url} within {deadline:g} s ({'; '.join(problems)}); compare the Airflow connection's host "
        "and port with `kubectl get service,pod -l component=spark-master`, and see that network policies let this pod through",
        UNAVAILABLE,
    )


def memory_mib(text: str) -> int | None:
    """Return a memory string of Spark's, such as 700m, 1g or 2048k, in MiB (rounded down); None if it is none."""
    match = re.fullmatch(r"([0-9]{1,19})([bkmgtp])?b?", text.strip().lower())
    return int(match[1]) * UNITS[match[2] or "m"] // 2**20 if match else None


def alive_workers(state: Mapping[str, Any]) -> list[Worker] | None:
    """Return the workers that can start executors, from the master's /json/; None while the master is recovering."""
    if state.get("status") != "ALIVE":
        return None
    return [Worker(worker["cores"], worker["memory"]) for worker in state["workers"] if worker["state"] == "ALIVE"]


def check_fit(properties: Mapping[str, str], workers: Sequence[Worker], master: str) -> None:
    """Raise a Refusal if no worker can hold one executor: Spark would wait for such a worker without end.

    Args:
        properties: the job's; an executor takes 1 GiB and at least one core if they name nothing else.
        workers: the alive ones, at least one.
        master: the cluster's URL.
    """
    memory = memory_mib(properties.get("spark.executor.memory", "1g"))
    cores = whole(properties.get("spark.executor.cores", "1"))
    if memory is None or cores is None or any(worker.memory >= memory and worker.cores >= cores for worker in workers):
        return
    most_memory, most_cores = max(worker.memory for worker in workers), max(worker.cores for worker in workers)
    if memory > most_memory:
        raise Refusal(
            f"the job asks for {memory} MiB in one executor and the largest worker of {master} has {most_memory} MiB; "
            "lower executor_memory (spark.executor.memory), or raise spark.worker.memoryLimit or the memory limit in "
            "spark.worker.resources"
        )
    if cores > most_cores:
        raise Refusal(
            f"the job asks for {cores} cores in one executor and the largest worker of {master} has {most_cores}; "
            "lower executor_cores (spark.executor.cores), or raise spark.worker.coreLimit"
        )
    raise Refusal(
        f"the job asks for {memory} MiB and {cores} cores in one executor, and no worker of {master} has both; "
        "lower executor_memory or executor_cores"
    )


def check_cores(properties: Mapping[str, str], default: str) -> None:
    """Raise a Refusal if the job may use fewer cores than one executor of its has: Spark would never start one.

    Args:
        properties: the job's.
        default: the cluster's spark.deploy.defaultCores, for a job that sets no spark.cores.max; "" if not known.
    """
    cores = whole(properties.get("spark.executor.cores", "1"))
    total = whole(properties.get("spark.cores.max", default))
    if cores is not None and total is not None and total < cores:
        raise Refusal(
            f"the job asks for executors of {cores} cores and may use {total} in all; "
            "raise total_executor_cores (spark.cores.max) or lower executor_cores (spark.executor.cores)"
        )


def whole(text: str) -> int | None:
    """Return a number of cores; None if the text is none."""
    return int(text) if text.strip().isdecimal() else None


def say(sentence: str) -> None:
    """Print one line on stderr, where Airflow's task log and a terminal show it."""
    print(f"spark-submit: {sentence}", file=sys.stderr, flush=True)


def read(path: str) -> str:
    """Return a file's text, "" if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def driver_python(properties: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Return major and minor version of the Python that runs the driver, such as 3.11; "" if it does not run."""
    named = [properties.get(name) for name in ("spark.pyspark.driver.python", "spark.pyspark.python")]
    named += [environment.get(name) for name in ("PYSPARK_DRIVER_PYTHON", "PYSPARK_PYTHON")]
    python = next(filter(None, named), "python3")
    if os.path.realpath(python) == os.path.realpath(sys.executable):
        return f"{sys.version_info[0]}.{sys.version_info[1]}"
    import subprocess

    try:
        command = [python, "-ISc", "import sys; print('%d.%d' % sys.version_info[:2])"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def this_client(submission: Submission, properties: Mapping[str, str], environment: Mapping[str, str]) -> Client:
    """Look up what this side brings, without starting a JVM or importing PySpark."""
    spark = re.search(r"(?m)^__version__[^'\"\n]*+['\"]([^'\"]+)", read(f"{environment['SPARK_HOME']}/version.py"))
    java = re.search(r'JAVA_VERSION="(\d+)', read(f"{environment.get('JAVA_HOME', '')}/release"))
    # The version of Python is of no concern to an application in a jar.
    python = driver_python(properties, environment) if submission.application.endswith(".py") else ""
    return Client(
        spark=spark[1] if spark else "",
        python=python,
        java=java[1] if java else "",
        authenticate=properties.get("spark.authenticate", "").lower() == "true",
        secret=environment.get(SECRET_VARIABLE) or properties.get(SECRET, "").replace(SECRET_REFERENCE, ""),
    )


def cluster_facts(path: str, hosts: Sequence[str]) -> dict[str, Any]:
    """Return what the file of facts states, {} if there is none or its master is none of these hosts."""
    text = read(path)
    try:
        facts = json.loads(text or "{}")
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        say(f"warning: {path} is no JSON object, so versions and secret are not compared with the cluster's")
        return {}
    ui = re.match(r"https?://([^/:.]+)", facts.get("masterUi", ""))
    return {} if ui and ui[1] not in [host.partition(".")[0] for host in hosts] else facts


def master_state(ui: str) -> dict[str, Any]:
    """Return the master's own account of its workers; {} if its page does not answer within 3 s."""
    import http.client
    from urllib.parse import urlsplit

    address = urlsplit(ui)
    if address.scheme != "http" or not address.hostname:
        return {}
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=3)
    try:
        connection.request("GET", f"{address.path.rstrip('/')}/json/")
        answer = connection.getresponse()
        state = json.loads(answer.read()) if answer.status == 200 else {}
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return state if isinstance(state, dict) else {}


def check(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run every check that applies to a command line.

    Args:
        arguments: what follows the command's name.
        environment: the process's, with SPARK_HOME.

    Raises:
        Refusal: the first check that failed.
    """
    submission = parse(arguments)
    if submission is None:
        return
    files = property_files(submission, environment)
    if not all(os.access(file, os.R_OK) for file in files):
        return  # spark-submit names the file.
    properties = effective(submission, [parse_properties(read(file)) for file in files], environment)
    master = properties.get("spark.master", "")
    mode = properties.get("spark.submit.deployMode", "client")
    if not master.startswith("spark://") or mode != "client" or "spark.remote" in properties:
        return

    if path := local_path(submission.application):
        check_application(path)
    path = environment.get("AIRSPARK_SPARK_CLUSTER", "/opt/spark-cluster/cluster.json")
    facts = cluster_facts(path, [host for host, _ in masters(master)])
    if facts:
        client = this_client(submission, properties, environment)
        check_versions(facts, client, master)
        check_secret(facts, client, properties, master)
    check_cores(properties, str(facts.get("defaultCores", "")))
    wait_for_master(master, deadline(environment.get("AIRSPARK_MASTER_DEADLINE", "60")))
    workers = alive_workers(master_state(facts.get("masterUi", "")))
    if workers:
        check_fit(properties, workers, master)
    elif workers is not None:
        say(f"warning: no worker of {master} is alive; the job waits until one is")


def deadline(text: str) -> float:
    """Return a number of seconds; raise a Refusal if the text is none."""
    try:
        return float(text)
    except ValueError:
        raise Refusal(f"AIRSPARK_MASTER_DEADLINE is {text!r}; set it to a number of seconds, such as 60") from None


def main() -> NoReturn:
    """Check, then become Spark's own spark-submit."""
    # Ctrl-C while waiting ends like a command, not with a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    home = os.environ.setdefault("SPARK_HOME", "/opt/spark")
    try:
        check(sys.argv[1:], os.environ)
    except Refusal as refusal:
        say(str(refusal))
        sys.exit(refusal.code)
    command = f"{home}/bin/spark-submit"
    os.execv(command, [command, *sys.argv[1:]])
