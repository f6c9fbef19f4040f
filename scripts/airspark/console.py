"""What the user sees of long work: a line a step with its seconds, the full output in a log, a spinner on terminals."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.markup import escape

from airspark.project import BUILD, LOGS, Failure

#: Progress goes to standard error, data to standard output.
err = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    out = Console(highlight=False, soft_wrap=True, width=240)

#: The command a failing step offers for going on; the command-line interface sets it.
next_command = "make up"

_active: list[str] = []
_lock = threading.Lock()
_status: Any = None


class Step:
    """One step of work; `run` sends the output of commands to the step's log.

    Args:
        name: short name, which is also the log's name.
        title: what the user reads.
    """

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title, self.note = name, title, ""
        self.log_path = LOGS / f"{name}.log"
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log: IO[str] = self.log_path.open("w")

    def run(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: IO[Any] | int | None = subprocess.DEVNULL,
        timeout: float | None = None,
    ) -> None:
        """Run a command with its output in the log.

        Args:
            command: program and arguments.
            env: variables added to the environment.
            cwd: working folder.
            stdin: standard input, none by default.
            timeout: seconds after which the command is ended.

        Raises:
            subprocess.CalledProcessError: if it exits non-zero.
            subprocess.TimeoutExpired: if it takes longer than `timeout`.
        """
        words = [str(word) for word in command]
        self.write(f"$ {shlex.join(words)}\n")
        subprocess.run(
            words, check=True, cwd=cwd, stdin=stdin, stdout=self.log, stderr=subprocess.STDOUT, timeout=timeout,
            env={**os.environ, **(env or {})},
        )  # fmt: skip

    def write(self, text: str) -> None:
        """Append text to the step's log."""
        self.log.write(text)
        self.log.flush()

    def tail(self, lines: int = 12) -> str:
        """The log's last lines."""
        self.log.flush()
        kept = [line for line in self.log_path.read_text(errors="replace").splitlines() if line.strip()]
        return "\n".join(kept[-lines:])


def _refresh() -> None:
    """Show the spinner with what is running, on terminals only."""
    global _status
    if not err.is_terminal:
        return
    if _active and _status is None:
        _status = err.status("")
        _status.start()
    if _status is not None:
        if _active:
            _status.update(" · ".join(escape(title) for title in _active))
        else:
            _status.stop()
            _status = None


@contextmanager
def step(name: str, title: str) -> Iterator[Step]:
    """Do one step: print `✓ title seconds` when the block ends, `✗` with the log's end when it fails.

    Args:
        name: the log's name, `.build/logs/<name>.log`.
        title: what the user reads; `Step.note` is added behind it.

    Raises:
        Failure: if a command in the block failed, with the log's path as the hint.
    """
    current = Step(name, title)
    started = time.monotonic()
    with _lock:
        _active.append(title)
        _refresh()
    mark, failure = "[green]✓[/]", None
    try:
        yield current
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, Failure) as problem:
        mark, failure = "[red]✗[/]", problem
        raise Failure(*_explain(current, problem)) from problem
    except BaseException:
        mark = "[red]✗[/]"
        raise
    finally:
        with _lock:
            _active.remove(title)
            _refresh()
        note = f" [dim]({escape(current.note)})[/]" if current.note and failure is None else ""
        err.print(f"{mark} {escape(current.title)}{note} [dim]{time.monotonic() - started:.1f} s[/]")
        current.log.close()


def _explain(current: Step, problem: Exception) -> tuple[str, str]:
    """The sentence and the hint for a failed step."""
    where = current.log_path.relative_to(BUILD.parent)
    if isinstance(problem, Failure):
        return str(problem), problem.hint or f"see {where}, then: {next_command}"
    tail = current.tail()
    if tail:
        err.print(f"[dim]{escape(tail)}[/]")
    reason = "took too long" if isinstance(problem, subprocess.TimeoutExpired) else "failed"
    if "No space left on device" in tail or "no space left on device" in tail:
        reason = "failed: the disk is full"
    return f"'{current.title}' {reason}", f"full output: {where}; to go on: {next_command}"


def done(title: str, note: str = "") -> None:
    """Print a line for something that needed no work."""
    suffix = f" [dim]({escape(note)})[/]" if note else ""
    err.print(f"[green]✓[/] {escape(title)}{suffix}")


def say(text: str) -> None:
    """Print one line of progress."""
    err.print(escape(text))


def output(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, timeout: float = 60) -> str:
    """Run a command and return its standard output without the trailing line end.

    Args:
        command: program and arguments.
        env: variables added to the environment.
        timeout: seconds.

    Raises:
        subprocess.CalledProcessError: if it exits non-zero; `stderr` holds what it said.
    """
    done_process = subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, text=True, timeout=timeout,
        stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})},
    )  # fmt: skip
    return done_process.stdout.rstrip("\n")


def succeeds(command: Sequence[str | Path], timeout: float = 30) -> bool:
    """Whether a command can be started and exits zero within `timeout` seconds."""
    try:
        output(command, timeout=timeout)
    except (OSError, subprocess.SubprocessError):
        return False
    return True
