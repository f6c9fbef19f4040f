"""The network policy of an application: its driver and executors reach each other, and no other application does."""

from __future__ import annotations

from airspark_operator import kinds, names, spec
from airspark_operator.kinds import Object
from airspark_operator.settings import Defaults


def policies(app: Object, submission_id: str, defaults: Defaults) -> list[Object]:
    """Return the NetworkPolicy that lets the pods of an application reach each other, if the chart makes policies.

    The chart's own policy of the namespace selects the pods of all applications and says what else they may reach, and who
    reaches them; policies add up. Executors and driver choose their ports themselves, so any port is open.

    Args:
        app: the SparkApplication.
        submission_id: the submission's id.
        defaults: whether there is to be one.
    """
    if not defaults.network_policy:
        return []
    own = {"podSelector": {"matchLabels": names.pods(app)}}
    wanted = own | {"policyTypes": ["Ingress", "Egress"], "ingress": [{"from": [own]}], "egress": [{"to": [own]}]}
    metadata = spec.metadata(app, names.network_policy_name(app), submission_id)
    return [{"apiVersion": "networking.k8s.io/v1", "kind": kinds.NETWORK_POLICY, "metadata": metadata, "spec": wanted}]
