"""Going on through an outage: one rule for everything the commands ask of Airflow and of Kubernetes."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from airspark import cluster, console
from airspark.console import say
from airspark.project import Failure

T = TypeVar("T")

#: How long a command waits for something that does not answer, in seconds.
PATIENCE = 300.0
#: Pauses between two tries, the first and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
#: A silence of this many seconds is worth a line.
NOTABLE = 2.0
KUBERNETES = "the Kubernetes API server"
#: What is known to be away: threads that wait for the same say so once.
_known: set[str] = set()
_lock = threading.Lock()

#: What kubectl says where the API server, or what it stands on, is away for a while. kubeadm's administrator may do
#: everything, so the API server refuses it only until it has read its roles.
_AWAY = re.compile(
    r"connection refused|was refused - did you specify|Unable to connect to the server|TLS handshake timeout|i/o timeout"
    r"|unexpected EOF|: EOF$|error: EOF|connection reset by peer|broken pipe|http2: |no route to host|network is unreachable"
    r"|\(ServiceUnavailable\)|\(InternalError\)|\(Timeout\)|\(ServerTimeout\)|\(TooManyRequests\)|\(BadGateway\)"
    r"|etcdserver: |server is currently unable to handle|apiserver not ready|context deadline exceeded|request timed out"
    r"|Client\.Timeout exceeded|an error on the server|unable to upgrade connection|error dialing backend|lost connection to pod"
    r"|starting up|RBAC: |leader changed|is forbidden: User .kubernetes-admin. cannot",
    re.MULTILINE,
)


class Unavailable(Exception):
    """There was no answer that counts: the same question may be asked again.

    Args:
        message: a few words on what happened.
        after: seconds that the other side asks to wait.
    """

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


def until_answered(who: str, ask: Callable[[], T], look: str = "make status") -> T:
    """Ask again until there is an answer, for PATIENCE seconds; say once what is waited for, and once that it is back.

    Args:
        who: what is asked, for example `the Airflow API server`.
        ask: asks once; must be safe to repeat.
        look: the command that shows more if no answer comes.

    Returns:
        The answer.

    Raises:
        Failure: if none came in time.
    """
    began, said, pause = 0.0, False, FIRST_PAUSE
    while True:
        asked = time.monotonic()
        try:
            answer = ask()
        except Unavailable as problem:
            now = time.monotonic()
            if not said and (began or now - asked > NOTABLE):
                said = True
                if _changes(who, away=True):
                    say(f"{who} does not answer ({problem}): waiting for it, {_span(PATIENCE)} at most.")
            began = began or asked
            left = began + PATIENCE - now
            if left <= 0:
                _changes(who, away=False)
                hint = f"{look}; to go on: {console.next_command}"
                raise Failure(f"{who} has not answered for {_span(PATIENCE)}: {problem}", hint) from problem
            time.sleep(min(max(pause, problem.after), left))
            pause = min(2 * pause, LONGEST_PAUSE)
        else:
            if said and _changes(who, away=False):
                say(f"{who} answers again after {time.monotonic() - began:.0f} s.")
            return answer


def _changes(who: str, *, away: bool) -> bool:
    """Note that something is away or back, and return whether that is news."""
    with _lock:
        if (who in _known) is away:
            return False
        _known.symmetric_difference_update({who})
        return True


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"


def away(said: str) -> bool:
    """Whether kubectl's error means that the same command may work in a moment.

    Args:
        said: its standard error.
    """
    return bool(_AWAY.search(said.strip())) and "certificate" not in said


def brief(said: str) -> str:
    """Return the last line of an error, without addresses in front and not too long."""
    lines = [line.strip() for line in said.strip().splitlines() if line.strip()] or ["no answer"]
    return re.sub(r"^(error: |Error from server )+", "", lines[-1])[:160]


def attempt(run: Callable[[], T]) -> T:
    """Run something that calls kubectl once, and tell an outage from an error.

    Raises:
        Unavailable: if the API server is away.
        subprocess.CalledProcessError: if it answers with an error.
    """
    try:
        return run()
    except subprocess.TimeoutExpired as problem:
        raise Unavailable(f"no answer within {problem.timeout:.0f} s") from problem
    except subprocess.CalledProcessError as problem:
        if away(str(problem.stderr or "")):
            raise Unavailable(brief(str(problem.stderr))) from problem
        raise


def kubectl(*arguments: str, timeout: float = 30) -> str:
    """Return the output of a kubectl command that is safe to repeat, through an outage of the API server.

    Args:
        arguments: as of `cluster.kubectl`.
        timeout: seconds for one try.

    Raises:
        subprocess.CalledProcessError: if the API server answers with an error.
        Failure: if it does not answer for PATIENCE seconds.
    """
    return until_answered(KUBERNETES, lambda: attempt(lambda: cluster.kubectl(*arguments, timeout=timeout)), "make doctor")


def send(command: list[str], manifest: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a kubectl command that reads a manifest, through an outage of the API server.

    Args:
        command: the whole command, safe to repeat.
        manifest: what it reads from standard input.
        timeout: seconds for one try.

    Returns:
        The process as it ended, whatever its exit code.

    Raises:
        Failure: if the API server does not answer for PATIENCE seconds.
    """

    def once() -> subprocess.CompletedProcess[str]:
        try:
            done = subprocess.run(command, input=manifest, text=True, capture_output=True, check=False, timeout=timeout)
        except subprocess.TimeoutExpired as problem:
            raise Unavailable(f"no answer within {timeout:.0f} s") from problem
        if done.returncode and away(done.stderr):
            raise Unavailable(brief(done.stderr))
        return done

    return until_answered(KUBERNETES, once, "make doctor")
