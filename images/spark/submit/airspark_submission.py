"""Read what spark-submit is asked to do from where it reads it: arguments, properties files, environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

SWITCHES = frozenset(("--supervise", "--verbose", "-v", "--load-spark-defaults"))
#: Options with a value, and the property that each stands for; an empty one is of no concern here.
OPTIONS = {
    "--master": "spark.master",
    "--remote": "spark.remote",
    "--deploy-mode": "spark.submit.deployMode",
    "--executor-memory": "spark.executor.memory",
    "--executor-cores": "spark.executor.cores",
    "--total-executor-cores": "spark.cores.max",
} | dict.fromkeys(
    (
        *("--archives", "--class", "--driver-class-path", "--driver-cores", "--driver-default-class-path"),
        *("--driver-java-options", "--driver-library-path", "--driver-memory", "--exclude-packages"),
        *("--extra-properties-file", "--files", "--jars", "--keytab", "--name", "--num-executors", "--packages"),
        *("--principal", "--properties-file", "--proxy-user", "--py-files", "--queue", "--repositories"),
    ),
    "",
)
VARIABLES = {
    "spark.master": "MASTER",
    "spark.remote": "SPARK_REMOTE",
    "spark.submit.deployMode": "DEPLOY_MODE",
    "spark.executor.memory": "SPARK_EXECUTOR_MEMORY",
    "spark.executor.cores": "SPARK_EXECUTOR_CORES",
}
ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class Submission(NamedTuple):
    """A command line: the application's address, its options by name, and the values of --conf."""

    application: str
    options: dict[str, str]
    conf: dict[str, str]


def parse(arguments: Sequence[str]) -> Submission | None:
    """Read a command line as Spark's SparkSubmitOptionParser does.

    Args:
        arguments: what follows the command's name.

    Returns:
        The submission, or None for what spark-submit itself answers: --help, --status, a wrong option, no application.
    """
    options: dict[str, str] = {}
    conf: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=") if argument.startswith("--") else (argument, "", "")
        if argument in SWITCHES:
            options[argument] = ""
        elif name in OPTIONS or name in ("--conf", "-c"):
            given = value or None if equals else next(rest, None)
            key, assigned, text = (given or "").partition("=")
            if given is None or (name not in OPTIONS and not assigned):
                return None
            if name in OPTIONS:
                options[name] = given
            else:
                conf[key] = text
        elif argument.startswith("-"):
            return None
        else:
            return Submission(argument, options, conf)
    return None


def parse_properties(text: str) -> dict[str, str]:
    """Return the keys and values of a Java properties file such as spark-defaults.conf."""
    properties = {}
    lines = iter(text.splitlines())
    for line in lines:
        line = line.lstrip()
        if not line or line[0] in "#!":
            continue
        while (len(line) - len(line.rstrip("\\"))) % 2:
            line = line[:-1] + next(lines, "").lstrip()
        key, value = re.findall(r"^((?:\\.|[^\\\s=:])*)\s*[=:]?\s*(.*)", line)[0]
        properties[unescape(key)] = unescape(value).strip()
    return properties


def unescape(text: str) -> str:
    """Return a part of a properties file without its backslashes."""

    def plain(match: re.Match[str]) -> str:
        found = match[1]
        return chr(int(found[1:], 16)) if len(found) > 1 else ESCAPES.get(found, found)

    return re.sub(r"\\(u[0-9a-fA-F]{4}|.)", plain, text)


def effective(submission: Submission, files: Iterable[Mapping[str, str]], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that Spark will see; the first of these to name one wins.

    Options, --conf, the properties files in their order, environment variables.
    """
    named = {OPTIONS[name]: value for name, value in submission.options.items() if OPTIONS.get(name)}
    variables = {key: environment[name] for key, name in VARIABLES.items() if name in environment}
    merged: dict[str, str] = {}
    for layer in (named, submission.conf, *files, variables):
        merged = {**layer, **merged}
    return merged


def property_files(submission: Submission, environment: Mapping[str, str]) -> list[str]:
    """Return the properties files that spark-submit reads, the one that wins first."""
    options = submission.options
    named = [options[name] for name in ("--extra-properties-file", "--properties-file") if name in options]
    if "--properties-file" in options and "--load-spark-defaults" not in options:
        return named
    folder = environment.get("SPARK_CONF_DIR") or f"{environment['SPARK_HOME']}/conf"
    defaults = f"{folder}/spark-defaults.conf"
    return [*named, defaults] if os.path.isfile(defaults) else named


def local_path(application: str) -> str:
    """Return the path of an application on this machine, "" for one that is elsewhere or is no file (pyspark-shell)."""
    if application in ("spark-internal", "spark-shell", "pyspark-shell", "sparkr-shell"):
        return ""
    scheme, colon, rest = application.partition(":")
    if not colon or "/" in scheme:
        return application
    if scheme not in ("file", "local"):
        return ""
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(rest).path)
