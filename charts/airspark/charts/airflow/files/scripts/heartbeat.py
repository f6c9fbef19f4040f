"""Exit 0 if what runs in this pod is at work; what it says otherwise is in the pod's events.

Usage: heartbeat.py JOB_TYPE [--startup]
       heartbeat.py api-server --url http://127.0.0.1:8080/api/v2/monitor/health

A job is at work if it wrote its heartbeat lately, which costs a tenth of a second of CPU to see here and five with
`airflow jobs check --local`; a scheduler's tasks must also start. An API server is at work if it answers. A database
that does not answer is no reason to restart its client, so it fails the start-up probe only.

A container is also restarted when a Secret that its environment came from has changed, or the database refuses the
password it has. AIRSPARK_SECRETS names the files to compare: "VARIABLE=/path;VARIABLE=/path".
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from metadata_database import URL_VARIABLE, DatabaseError, connect, reason, refused

# Airflow itself calls a job unhealthy after 30 s; a busy node may be slower than that and still at work.
MAX_AGE_SECONDS = 120
# More than [scheduler] task_queued_timeout (600 s), after which a scheduler that works queues the task anew.
STUCK_SECONDS = 900
HTTP_SECONDS = 5

JOB = """
    SELECT id, extract(epoch FROM now() - latest_heartbeat), extract(epoch FROM now() - start_date)
    FROM job WHERE job_type = %s AND hostname = %s AND state = 'running' AND latest_heartbeat IS NOT NULL
    ORDER BY latest_heartbeat DESC LIMIT 1
"""
WAITING = """
    SELECT count(*), extract(epoch FROM now() - min(queued_dttm)) FROM task_instance
    WHERE state = 'queued' AND queued_by_job_id = %s AND queued_dttm < now() - make_interval(secs => %s)
"""
# Asked only when tasks wait, because no index helps it.
MOVED = """
    SELECT EXISTS (
        SELECT 1 FROM task_instance WHERE queued_by_job_id = %s
        AND greatest(start_date, end_date) > now() - make_interval(secs => %s)
    )
"""


def hostname() -> str:
    """Return the name under which Airflow registers a job of this pod."""
    name = socket.gethostname()
    if os.environ.get("AIRFLOW__CORE__HOSTNAME_CALLABLE", "").endswith("get_host_ip_address"):
        return socket.gethostbyname(name)
    try:
        found = socket.getaddrinfo(name, None, 0, socket.SOCK_DGRAM, 0, socket.AI_CANONNAME)
    except OSError:
        return name
    return next((entry[3] for entry in found if entry[3]), name)


def changed_secret(pairs: str) -> str:
    """Return the first variable whose file holds another text by now, or an empty text.

    Args:
        pairs: "VARIABLE=/path;VARIABLE=/path"; what is not set or not there is not compared.
    """
    for pair in filter(None, pairs.split(";")):
        name, _, path = pair.strip().partition("=")
        if name in os.environ and Path(path).exists() and Path(path).read_text() != os.environ[name]:
            return name
    return ""


def job_fault(cursor: Any, job_type: str, host: str, stuck_seconds: float) -> str:
    """Return what is wrong with a job, or an empty text.

    Args:
        cursor: of a connection to the metadata database.
        job_type: SchedulerJob, DagProcessorJob or TriggererJob.
        host: the pod's name as Airflow sees it.
        stuck_seconds: how long a scheduler's task may stay queued while none of its tasks starts or ends.
    """
    cursor.execute(JOB, [job_type, host])
    row = cursor.fetchone()
    if row is None:
        return f"no running {job_type} on {host}"
    job, age, uptime = row
    if age > MAX_AGE_SECONDS:
        return f"the last heartbeat of {job_type} on {host} is {age:.0f} s old"
    if job_type != "SchedulerJob" or uptime < stuck_seconds:
        return ""
    cursor.execute(WAITING, [job, stuck_seconds])
    waiting, oldest = cursor.fetchone()
    if not waiting:
        return ""
    cursor.execute(MOVED, [job, stuck_seconds])
    if cursor.fetchone()[0]:
        return ""
    return f"the executor starts no tasks: {waiting} are queued, one for {oldest:.0f} s, and none started or ended meanwhile"


def check_job(job_type: str, startup: bool) -> str:
    """Return why this container should be restarted, or an empty text."""
    try:
        connection = connect(os.environ[URL_VARIABLE], f"heartbeat {job_type}")
        try:
            with connection.cursor() as cursor:
                stuck_seconds = float(os.environ.get("AIRSPARK_STUCK_SECONDS", STUCK_SECONDS))
                return job_fault(cursor, job_type, hostname(), stuck_seconds)
        finally:
            connection.close()
    except psycopg2.Error as error:
        return database_fault(error, startup)


def database_fault(error: Exception, startup: bool = False) -> str:
    """Return why a database error is a reason to restart, or an empty text after saying what is wrong."""
    said = f"the database {'refuses the login' if refused(error) else 'does not answer'}: {reason(error)}"
    if startup or refused(error):
        return said
    print(said)
    return ""


def http_connection(scheme: str, host: str, port: int | None) -> HTTPConnection:
    """Return a connection to a server in this pod; its certificate is made out to another name."""
    if scheme != "https":
        return HTTPConnection(host, port, timeout=HTTP_SECONDS)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(host, port, timeout=HTTP_SECONDS, context=context)


def check_api_server(url: str) -> str:
    """Return why this container should be restarted, or an empty text.

    Args:
        url: of the API server's health; it answers 200 without a database too, and late if that hangs.
    """
    parts = urlsplit(url)
    connection = http_connection(parts.scheme, parts.hostname or "", parts.port)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        healthy = response.status == 200 and b'"metadatabase":{"status":"healthy"}' in response.read()
        fault = "" if response.status == 200 else f"{url} answers {response.status}"
    except TimeoutError:
        healthy, fault = False, f"{url} does not answer within {HTTP_SECONDS} s"
    except (OSError, HTTPException) as error:
        return f"{url}: {reason(error)}"
    finally:
        connection.close()
    if healthy:
        return ""
    try:
        connect(os.environ[URL_VARIABLE], "heartbeat api-server").close()
    except psycopg2.Error as error:
        return database_fault(error)
    return fault


def main(arguments: list[str]) -> int:
    """Return the probe's exit code."""
    startup = "--startup" in arguments
    try:
        if not startup and (name := changed_secret(os.environ.get("AIRSPARK_SECRETS", ""))):
            fault = f"{name} has changed in its Secret since this container started"
        elif arguments[0] == "api-server":
            fault = check_api_server(arguments[arguments.index("--url") + 1])
        else:
            fault = check_job(arguments[0], startup)
    except DatabaseError as error:
        fault = str(error)
    if fault:
        print(fault)
    return 1 if fault else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
