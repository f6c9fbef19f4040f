"""What the chart tells the controller."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airspark_operator import policy
from airspark_operator.kinds import Object
from airspark_operator.policy import Table
from airspark_operator.state import Limits

LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("json", "plain")


@dataclass(frozen=True)
class Defaults:
    """What an application gets where its spec is silent.

    Args:
        service_account: account of driver pods; executors get no token.
        spark_conf: Spark properties under those of the application.
        image: image of applications that name none; empty for none.
        pod_security_context: security context of the pods, under that of the spec, key by key.
        container_security_context: security context of Spark's containers, under that of the spec, key by key.
        ui_service: whether each application gets a Service for its user interface.
        ingress_url_format: host and path of an Ingress for the user interface, with `{{$appName}}`, `{{$appNamespace}}` and
            `{{$appId}}`; empty for no Ingress.
        ingress_class: class of these Ingresses; empty for the cluster's default.
        cluster_domain: suffix of the names of Services behind `.svc`; empty to leave it to the resolver.
        network_policy: whether each application gets a NetworkPolicy among its own pods.
        policy: what pods and Ingresses may be, whatever the spec says.
    """

    service_account: str = "default"
    spark_conf: dict[str, str] = field(default_factory=dict)
    image: str = ""
    pod_security_context: Object = field(default_factory=dict)
    container_security_context: Object = field(default_factory=dict)
    ui_service: bool = True
    ingress_url_format: str = ""
    ingress_class: str = ""
    cluster_domain: str = ""
    network_policy: bool = False
    policy: Table = field(default_factory=Table)


@dataclass(frozen=True)
class Election:
    """Leader election by a Lease (client-go's meaning of the three durations, seconds).

    Args:
        enabled: whether there is one; without it a single replica must be made sure of otherwise.
        name: name of the Lease, in the controller's own namespace.
        lease_duration: how long others wait after the last renewal before one takes over.
        renew_deadline: how long the leader tries to renew before it gives up and ends.
        retry_period: time between two tries.
    """

    enabled: bool = True
    name: str = "airspark-spark-operator"
    lease_duration: int = 15
    renew_deadline: float = 10
    retry_period: float = 2


@dataclass(frozen=True)
class Settings:
    """Everything the controller is told.

    Args:
        namespaces: namespaces that are watched; none for the whole cluster.
        election: leader election.
        workers: applications looked at at the same time.
        resync: seconds between two comparisons of what the watches told with what the API server lists.
        port: port of metrics and health.
        max_tracked_executors: most executors in a status.
        missed_run_deadline: seconds after its time that a missed run is still made up for; 0 for however late.
        limits: how long drivers may wait to start, and pauses between attempts may be.
        log_level: `debug`, `info`, `warning` or `error`.
        log_format: `json` or `plain`.
        defaults: what applications get where they are silent.
    """

    namespaces: tuple[str, ...] = ()
    election: Election = field(default_factory=Election)
    workers: int = 10
    resync: float = 60
    port: int = 8080
    max_tracked_executors: int = 1000
    missed_run_deadline: float = 0
    limits: Limits = field(default_factory=Limits)
    log_level: str = "info"
    log_format: str = "json"
    defaults: Defaults = field(default_factory=Defaults)


class WrongSettings(Exception):
    """The settings cannot be read; the text is a sentence for people."""


def from_file(path: Path) -> Settings:
    """Read the chart's settings.json.

    Raises:
        WrongSettings: if it is no such file.
    """
    try:
        return from_object(json.loads(path.read_text()))
    except OSError as problem:
        raise WrongSettings(f"{path} cannot be read ({problem.strerror}); the chart mounts it from a ConfigMap") from problem
    except ValueError as problem:
        raise WrongSettings(f"{path} is not what the chart writes: {problem}") from problem


def from_object(told: Object) -> Settings:
    """Return settings from the chart's keys, which are camelCase; one that is not there, or is null, has its default.

    Raises:
        ValueError: if a key has a value that it cannot have; the text names both.
    """
    top = _Keys(told)
    election, defaults, log = top.part("leaderElection"), top.part("defaults"), top.part("log")
    ours, theirs, without = Settings(), Election(), Defaults()
    return Settings(
        namespaces=top.names("namespaces"),
        election=Election(
            enabled=election.flag("enabled", theirs.enabled),
            name=election.text("leaseName", theirs.name),
            lease_duration=int(election.number("leaseDurationSeconds", theirs.lease_duration, least=1)),
            renew_deadline=election.number("renewDeadlineSeconds", theirs.renew_deadline),
            retry_period=election.number("retryPeriodSeconds", theirs.retry_period),
        ),
        workers=int(top.number("workers", ours.workers, least=1)),
        resync=top.number("resyncSeconds", ours.resync, least=1),
        port=int(top.number("port", ours.port, least=1)),
        max_tracked_executors=int(top.number("maxTrackedExecutorPerApp", ours.max_tracked_executors)),
        missed_run_deadline=top.number("missedRunDeadlineSeconds", ours.missed_run_deadline),
        limits=Limits(
            start=top.number("driverStartTimeoutSeconds", ours.limits.start),
            pause=top.number("maxRetryIntervalSeconds", ours.limits.pause, least=1),
            good_run=top.number("retryResetSeconds", ours.limits.good_run, least=1),
        ),
        log_level=log.text("level", ours.log_level, LOG_LEVELS),
        log_format=log.text("format", ours.log_format, LOG_FORMATS),
        defaults=Defaults(
            service_account=defaults.text("serviceAccount", without.service_account),
            spark_conf={key: _property(value) for key, value in defaults.mapping("sparkConf").items() if value is not None},
            image=defaults.text("image", without.image),
            pod_security_context=defaults.mapping("podSecurityContext"),
            container_security_context=defaults.mapping("containerSecurityContext"),
            ui_service=defaults.flag("uiService", without.ui_service),
            ingress_url_format=defaults.text("ingressUrlFormat", without.ingress_url_format),
            ingress_class=defaults.text("ingressClass", without.ingress_class),
            cluster_domain=defaults.text("clusterDomain", without.cluster_domain),
            network_policy=defaults.flag("networkPolicy", without.network_policy),
            policy=policy.from_object(top.mapping("policy")),
        ),
    )


def _property(value: Any) -> str:
    """Return a Spark property as Spark reads it: `true`, not `True`."""
    return json.dumps(value) if isinstance(value, bool) else str(value)


class _Keys:
    """The keys of a part of the file, each taken with its type: a word in place of a list would be read letter by letter."""

    def __init__(self, told: Any, where: str = "") -> None:
        self.where = where
        if not isinstance(told, dict):
            raise ValueError(f"{where.rstrip('.') or 'the whole'} must be an object, not {told!r}")
        self.told: Object = told

    def _take(self, name: str, kind: type | tuple[type, ...], word: str, default: Any) -> Any:
        value = self.told.get(name)
        if value is None:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{self.where}{name} must be {word}, not {value!r}")
        return value

    def part(self, name: str) -> _Keys:
        return _Keys(self.mapping(name), f"{self.where}{name}.")

    def mapping(self, name: str) -> Object:
        found: Object = self._take(name, dict, "an object", {})
        return found

    def names(self, name: str) -> tuple[str, ...]:
        found = self._take(name, list, "a list of names", [])
        if not all(isinstance(entry, str) for entry in found):
            raise ValueError(f"{self.where}{name} must be a list of names, not {found!r}")
        return tuple(entry for entry in found if entry)

    def text(self, name: str, default: str, words: tuple[str, ...] = ()) -> str:
        found: str = self._take(name, str, "a text", "") or default
        if words and found not in words:
            raise ValueError(f"{self.where}{name} must be one of {', '.join(words)}, not {found!r}")
        return found

    def flag(self, name: str, default: bool) -> bool:
        return bool(self._take(name, bool, "true or false", default))

    def number(self, name: str, default: float, least: float = 0) -> float:
        found = float(self._take(name, (int, float), "a number", default))
        if not found >= least:
            raise ValueError(f"{self.where}{name} must be at least {least:g}, not {found:g}")
        return found
