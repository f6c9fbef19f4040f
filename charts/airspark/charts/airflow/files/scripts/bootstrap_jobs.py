"""Remove the bootstrap Jobs that came before this one.

Helm forgets what a failed upgrade made, and `kubectl apply` removes nothing: a Job with an image that does not exist would
wait forever, and one that waited for its database would put older values over newer ones. Once an older Job is gone,
applying its manifest again makes it anew, so that its values are applied again.
"""

from __future__ import annotations

from typing import Any


def remove_older(api: Any, namespace: str, release: str, own: str) -> list[str]:
    """Remove the release's bootstrap Jobs that are older than one of them.

    Args:
        api: the batch/v1 API.
        namespace: of the release.
        release: its name.
        own: name of the Job that runs this.

    Returns:
        A line for each that was removed, or one that says why none can be.
    """
    from kubernetes.client import ApiException

    try:
        jobs = api.list_namespaced_job(namespace, label_selector=f"component=bootstrap,release={release}").items
        mine = next((job for job in jobs if job.metadata.name == own), None)
        older = [job for job in jobs if mine and job.metadata.creation_timestamp < mine.metadata.creation_timestamp]
        for job in older:
            api.delete_namespaced_job(job.metadata.name, namespace, propagation_policy="Background")
    except ApiException as error:
        # Somebody else, Helm for one, may be removing the same Job; an account of one's own need not have the right.
        return [] if error.status == 404 else [f"older bootstrap Jobs stay: {error.reason}"]
    return [f"Job {job.metadata.name}: removed, it came before" for job in older]
