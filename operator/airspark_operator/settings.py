"""What the chart tells the controller."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from airspark_operator.kinds import Object


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
        ingress_url_format: host and path of an Ingress for the user interface, with `{{$appName}}` and
            `{{$appNamespace}}`; empty for no Ingress.
        ingress_class: class of these Ingresses; empty for the cluster's default.
        cluster_domain: suffix of the names of Services behind `.svc`; empty to leave it to the resolver.
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
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise WrongSettings(f"{path} is not what the chart writes: {problem}") from problem


def from_object(told: Object) -> Settings:
    """Return settings from the chart's keys, which are camelCase; one that is not there has its default."""
    election, defaults = told.get("leaderElection") or {}, told.get("defaults") or {}
    log = told.get("log") or {}
    ours, theirs, without = Settings(), Election(), Defaults()
    return Settings(
        namespaces=tuple(name for name in told.get("namespaces") or () if name),
        election=Election(
            enabled=bool(election.get("enabled", theirs.enabled)),
            name=election.get("leaseName") or theirs.name,
            lease_duration=int(election.get("leaseDurationSeconds", theirs.lease_duration)),
            renew_deadline=float(election.get("renewDeadlineSeconds", theirs.renew_deadline)),
            retry_period=float(election.get("retryPeriodSeconds", theirs.retry_period)),
        ),
        workers=int(told.get("workers", ours.workers)),
        resync=float(told.get("resyncSeconds", ours.resync)),
        port=int(told.get("port", ours.port)),
        max_tracked_executors=int(told.get("maxTrackedExecutorPerApp", ours.max_tracked_executors)),
        missed_run_deadline=float(told.get("missedRunDeadlineSeconds") or 0),
        log_level=log.get("level") or ours.log_level,
        log_format=log.get("format") or ours.log_format,
        defaults=Defaults(
            service_account=defaults.get("serviceAccount") or without.service_account,
            spark_conf={str(key): str(value) for key, value in (defaults.get("sparkConf") or {}).items()},
            image=defaults.get("image") or "",
            pod_security_context=defaults.get("podSecurityContext") or {},
            container_security_context=defaults.get("containerSecurityContext") or {},
            ui_service=bool(defaults.get("uiService", without.ui_service)),
            ingress_url_format=defaults.get("ingressUrlFormat") or "",
            ingress_class=defaults.get("ingressClass") or "",
            cluster_domain=defaults.get("clusterDomain") or "",
        ),
    )
