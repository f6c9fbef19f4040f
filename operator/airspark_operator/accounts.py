"""Service accounts of driver and executors.

A driver makes executors, so it has an account with rights and its token. Executors never call the API server: they get an
account only if the spec names one, and no token without it. Spark gives executors the driver's account otherwise, and reads
an account of the executors' template only under the old name `serviceAccount` (ExecutorKubernetesCredentialsFeatureStep).
"""

from __future__ import annotations

from airspark_operator import kinds, spec
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults

#: Properties that say the account, by role; the spec may not set them, the chart may.
PROPERTIES = {role: f"spark.kubernetes.authenticate.{role}.serviceAccountName" for role in (kinds.DRIVER, kinds.EXECUTOR)}


def driver(app: Object, defaults: Defaults) -> str:
    """Return the driver's account: of the field, of its template, or the chart's."""
    return _named(app, kinds.DRIVER) or defaults.spark_conf.get(PROPERTIES[kinds.DRIVER]) or defaults.service_account


def executor(app: Object, defaults: Defaults) -> str:
    """Return the account that executors are to have for themselves, or nothing."""
    return _named(app, kinds.EXECUTOR) or defaults.spark_conf.get(PROPERTIES[kinds.EXECUTOR], "")


def _named(app: Object, role: str) -> str:
    given = spec.template(app, role)
    return str(spec.of(app, role).get("serviceAccount") or given.get("serviceAccountName") or given.get("serviceAccount") or "")


def put(pod: Object, account: str) -> None:
    """Put an account into a pod's spec, under one name.

    Args:
        pod: changed in place.
        account: empty for none.
    """
    pod.pop("serviceAccount", None)
    pod.pop("serviceAccountName", None)
    if account:
        pod["serviceAccountName"] = account
