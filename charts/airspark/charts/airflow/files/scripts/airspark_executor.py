"""The KubernetesExecutor, which holds task pods to a policy and says in a task's own log why its pod did not start or was lost.

Airflow leaves that in the scheduler's log, and an empty log to the task. The scheduler alone runs this class, under the
name of the one it extends; a reason that cannot be written is never a reason to stop.

A pod that the Kubernetes API server cannot take for the moment, because it restarts for example, is asked for again.
Airflow fails the task at once there, with `kubernetes_executor.task_publish_max_retries` at its default of 0.

A DAG's author changes the pod of a task by `pod_override` and chooses its template, a file of any path. What the pod would have
beyond the templates of the chart is looked at by pod_policy.py: the platform's own Secrets, accounts, claims and labels, and the
node's, are not a task's to take.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import pod_policy
import yaml
from airflow.providers.cncf.kubernetes.exceptions import PodMutationHookException
from airflow.providers.cncf.kubernetes.executors import kubernetes_executor
from airflow.utils.state import TaskInstanceState

# How often pods that wait for a node or a volume are looked at, and how long one may wait unmentioned.
LOOK_SECONDS = 15.0
# How long a pod is asked for again while the Kubernetes API server is away, and the pause between two tries.
PATIENCE = timedelta(minutes=5)
PAUSE = timedelta(seconds=5)
# Statuses of an API server that is overloaded, restarts, or cannot reach what it stands on.
AWAY = {429, 500, 502, 503, 504}
# Waiting states of every start, which say nothing.
ORDINARY = {"ContainerCreating", "PodInitializing", ""}
# The table of pod_policy as JSON, from the chart, and the key of the values that holds its lists.
POLICY, ALLOWED = "AIRSPARK_POD_POLICY", "workers.kubernetes.allowed"
# Labels by which the platform's Services and network policies know its pods: a task's are those of its template.
PLATFORM_LABELS = ("tier", "component", "release")
# Bytes of a pod template that is not the chart's: more than Kubernetes stores of a pod.
LARGEST_TEMPLATE = 1024 * 1024
# The container of the task itself, as the executor names it.
TASK = "base"
# Signals as exit codes: 128 and the signal's number.
SIGNALS = {137: "was killed (SIGKILL)", 143: "was asked to stop (SIGTERM)"}
LIMITS = {
    "task": "`workers.kubernetes.resources.limits.memory` or ask for a larger pod template",
    "init": "its limit under `workers.kubernetes.extraInitContainers`",
    "side": "its limit under `workers.kubernetes.extraContainers`",
}


def _ended(container: dict[str, Any], kind: str, well: bool) -> str:
    """Return how a container failed, or an empty text if it did not.

    Args:
        container: its status in the Kubernetes API.
        kind: task, init or side.
        well: whether the task's own container had ended with code 0.
    """
    ended = container.get("state", {}).get("terminated") or {}
    after = ", after the task's own container had ended with code 0" if well else ""
    if ended.get("reason") == "OOMKilled":
        return (
            f"container {container['name']} used more memory than its limit and was killed (OOMKilled){after}; "
            f"raise {LIMITS[kind]}"
        )
    if code := ended.get("exitCode"):
        why = ended.get("reason", "Error")
        said = SIGNALS.get(code, "") if why == "Error" else ""
        return f"container {container['name']} ended with code {code}: {said or why}{after}"
    return ""


def _disruption(status: dict[str, Any]) -> str:
    """Return why Kubernetes itself ended a pod (eviction, preemption, a lost node, a deadline), or an empty text."""
    if status.get("reason"):
        return ": ".join(filter(None, [status["reason"], status.get("message")]))
    for condition in status.get("conditions", []):
        if condition["type"] == "DisruptionTarget" and condition["status"] == "True":
            return ": ".join(filter(None, [condition.get("reason", "DisruptionTarget"), condition.get("message")]))
    return ""


def reason(pod: dict[str, Any]) -> str:
    """Return in one sentence what keeps a pod from running or what ended it, or an empty text.

    The task's own container decides before all others: a sidecar that Kubernetes stops afterwards ends with 143, which
    is an effect. Only a disruption of the whole pod goes before an exit code, which is its effect in turn.

    Args:
        pod: a Pod as the Kubernetes API describes it (names in camel case).
    """
    status = pod.get("status", {})
    started, running = status.get("initContainerStatuses", []), status.get("containerStatuses", [])
    task = [container for container in running if container["name"] == TASK]
    sides = [container for container in running if container["name"] != TASK]
    ends = [container.get("state", {}).get("terminated") or {} for container in task]
    if any(end.get("reason") == "OOMKilled" for end in ends):
        return _ended(task[0], "task", well=False)
    if why := _disruption(status):
        return why
    if why := next(filter(None, (_ended(container, "task", well=False) for container in task)), ""):
        return why
    for container in started + running:
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason", "") not in ORDINARY:
            return f"container {container['name']} waits: {waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    well = any(end.get("exitCode") == 0 for end in ends)
    for kind, containers in (("init", started), ("side", sides)):
        if why := next(filter(None, (_ended(container, kind, well) for container in containers)), ""):
            return why
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"no node takes it: {condition.get('message', '')}"
    return str(status.get("message") or "")


def refusal(error: Exception) -> str:
    """Return what the Kubernetes API says about a pod that it refused."""
    body = getattr(error, "body", None)
    try:
        return str(json.loads(body)["message"]) if body else str(error)
    except (ValueError, KeyError, TypeError):
        return str(body or error)


class PodRefused(PodMutationHookException):  # type: ignore[misc]  # Airflow brings no types
    """A task pod has what the policy does not allow. Airflow fails the task for an error of this kind, and tries no more."""


def refused(pod: dict[str, Any], templates: Iterable[dict[str, Any]], table: pod_policy.Table, namespace: str) -> str:
    """Return in one sentence why a task may not have a pod, or an empty text.

    Args:
        pod: the pod as the Kubernetes API would get it (names in camel case).
        templates: the pods of the chart's templates; what one of them has, every task may have.
        table: what is allowed beside that.
        namespace: where task pods run; empty if they may run anywhere.
    """
    known = list(templates)
    usual = {refusal.why for template in known for refusal in pod_policy.refusals(template, table)}
    found = next((refusal for refusal in pod_policy.refusals(pod, table, ALLOWED) if refusal.why not in usual), None)
    if found:
        return str(found)
    metadata = pod.get("metadata") or {}
    if namespace and metadata.get("namespace") not in (None, "", namespace):
        return f"metadata.namespace: task pods run in {namespace}; remove it"
    labels = [_platform_labels(one) for one in (pod, *known)]
    if known and labels[0] not in labels[1:]:
        return f"metadata.labels: {', '.join(PLATFORM_LABELS)} are how the platform knows its pods; give yours other names"
    return ""


def _platform_labels(pod: dict[str, Any]) -> list[Any]:
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return [labels.get(name) for name in PLATFORM_LABELS]


def away(error: Exception) -> bool:
    """Return whether the same pod may be accepted in a moment: no connection, or a status that says so.

    Args:
        error: of the synchronous or the asynchronous Kubernetes client, or of the connection below it.
    """
    import aiohttp
    from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import TRANSIENT_CONNECTION_ERRORS

    lost = (*TRANSIENT_CONNECTION_ERRORS, aiohttp.ClientConnectionError, ConnectionError, TimeoutError)
    return isinstance(error, lost) or getattr(error, "status", None) in AWAY


def append(key: Any, text: str) -> None:
    """Append a line to the log of one try of a task, where the API server reads it, an object store included.

    Args:
        key: of the task instance, with its try.
        text: what happened, and what to do.
    """
    from airflow.configuration import conf
    from airflow.logging_config import get_remote_task_log
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.log.file_task_handler import FileTaskHandler
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        instance = session.scalar(select(TaskInstance).where(TaskInstance.filter_for_tis([key])))
        if instance is None:
            return
        folder = conf.get_mandatory_value("logging", "base_log_folder")
        name = FileTaskHandler(folder)._render_filename(instance, key.try_number, session=session)
        path = Path(folder, name)
        line = {"timestamp": datetime.now(UTC).isoformat(), "level": "error", "logger": "airspark.pod", "event": text}
        with open_log(Path(folder), path) as log:
            log.write(json.dumps(line) + "\n")
        if remote := get_remote_task_log():
            remote.upload(name, instance)


def open_log(folder: Path, path: Path) -> TextIO:
    """Open a log to append to it, and never what a link leads to: tasks write to the same claim.

    Args:
        folder: of all logs.
        path: the log in it.

    Raises:
        OSError: if the log is a link, or a folder above it is one that leads out of all logs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise OSError(errno.ELOOP, "a link leads out of the folder of logs", str(path))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o664)
    return open(descriptor, "a")


def read_template(path: str) -> bytes:
    """Return a pod template that is not the chart's own.

    Args:
        path: as the task names it.

    Raises:
        PodRefused: if it cannot be read, is not a regular file, is larger than a pod may be, or is not a pod. The sentence holds
            nothing of the file, which may be one that the task's author cannot read.
    """
    try:
        # A pipe that nobody writes into would keep the scheduler waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise PodRefused(f"the template {path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PodRefused(f"the template {path} is not a regular file")
    with open(descriptor, "rb") as file:
        content = file.read(LARGEST_TEMPLATE + 1)
    if len(content) > LARGEST_TEMPLATE:
        raise PodRefused(f"the template {path} has more than {LARGEST_TEMPLATE} bytes, which is larger than a pod may be")
    try:
        pod = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        pod = None
    if not isinstance(pod, dict) or not isinstance(pod.get("spec"), dict):
        raise PodRefused(f"the template {path} is not a pod in YAML, with a spec")
    return content


class KubernetesExecutor(kubernetes_executor.KubernetesExecutor):
    """The KubernetesExecutor with launch failures in the task's log, which goes on through an outage of the API server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._said: dict[Any, str] = {}
        self._away_since: dict[Any, datetime] = {}
        self._next_look = 0.0

    def start(self) -> None:
        """Start as Airflow does, and look at each pod before it is built."""
        super().start()
        self._table = pod_policy.from_object(json.loads(os.environ.get(POLICY, "{}")))
        self._folder = Path(self.kube_config.pod_template_file).parent
        self._templates = [dict(yaml.safe_load(file.read_text())) for file in sorted(self._folder.glob("*.yaml"))]
        build = self.kube_scheduler._build_pod_request

        def build_allowed(task: Any) -> Any:
            with self._own_copy(task) as task:
                self._check(task)
                return build(task)

        self.kube_scheduler._build_pod_request = build_allowed

    @contextmanager
    def _own_copy(self, task: Any) -> Iterator[Any]:
        """Yield a task whose template is read once: a file that tasks may write could be another when the pod is built.

        Raises:
            PodRefused: if the file is not a pod's.
        """
        if not task.pod_template_file or Path(task.pod_template_file).parent == self._folder:
            yield task
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "pod.yaml")
            copy.write_bytes(read_template(task.pod_template_file))
            yield task._replace(pod_template_file=str(copy))

    def _check(self, task: Any) -> None:
        """Look at what a task asks for, before the installer's own pod_mutation_hook changes it.

        Raises:
            PodRefused: if the policy does not allow it.
        """
        from airflow.providers.cncf.kubernetes.executors.kubernetes_executor_utils import get_base_pod_from_template
        from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

        if not task.kube_executor_config and not task.pod_template_file:
            return
        base = get_base_pod_from_template(task.pod_template_file, self.kube_config)
        pod = PodGenerator.reconcile_pods(base, task.kube_executor_config) if task.kube_executor_config else base
        namespace = "" if self.kube_config.multi_namespace_mode else self.kube_config.kube_namespace
        why = refused(self._plain(pod), self._templates, self._table, namespace)
        if why:
            raise PodRefused(why)

    def _say(self, key: Any, text: str) -> None:
        """Write a reason once into the log of a task."""
        if not text or self._said.get(key) == text:
            return
        self._said[key] = text
        try:
            append(key, text)
        except Exception:
            self.log.exception("Could not write into the log of %s: %s", key, text)

    def _pod(self, name: str, namespace: str) -> dict[str, Any]:
        """Return a pod as the API describes it, or nothing if it is gone."""
        from kubernetes.client.rest import ApiException

        try:
            return self._plain(self.kube_client.read_namespaced_pod(name, namespace))
        except ApiException:
            return {}

    def _plain(self, found: Any) -> dict[str, Any]:
        return dict(self.kube_client.api_client.sanitize_for_serialization(found))

    def _change_state(self, results: Any, **kwargs: Any) -> None:
        if results.state == TaskInstanceState.FAILED:
            why = reason(self._pod(results.pod_name, results.namespace)) or "it was deleted, or its node was lost"
            self._say(results.key, f"The pod {results.pod_name} of this task failed: {why}")
        super()._change_state(results, **kwargs)
        if results.key not in self.running:
            self._said.pop(results.key, None)
            self._away_since.pop(results.key, None)

    def _handle_pod_publish_error(self, task: Any, e: Exception) -> bool:
        # Airflow compares `create_pods_after` with the local time without a zone.
        now = datetime.now()
        since = self._away_since.setdefault(task.key, now)
        if away(e) and now - since < PATIENCE:
            if since is now:
                self._say(
                    task.key,
                    "The Kubernetes API server cannot take the pod of this task at the moment; it is asked again for "
                    f"{PATIENCE.seconds // 60} minutes: {refusal(e)}",
                )
            self.task_queue.put(task)
            self.create_pods_after = now + PAUSE
            return True
        self._away_since.pop(task.key, None)
        if isinstance(e, PodRefused):
            self._say(task.key, f"The pod that this task asks for is not allowed: {e}")
            return bool(super()._handle_pod_publish_error(task, e))
        self._say(task.key, f"The Kubernetes API refused the pod of this task: {refusal(e)}")
        return super()._handle_pod_publish_error(task, e)

    def sync(self) -> None:
        """Do one round of the executor's work, and now and then look at pods that wait."""
        super().sync()
        if self.running and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_SECONDS
            try:
                self._look_at_waiting_pods()
            except Exception:
                self.log.exception("Could not look at waiting pods")

    def _look_at_waiting_pods(self) -> None:
        """Say of each pending pod what it waits for."""
        from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import annotations_to_key

        found = self.kube_client.list_namespaced_pod(
            self.kube_config.kube_namespace,
            field_selector="status.phase=Pending",
            label_selector=f"kubernetes_executor=True,airflow-worker={self.scheduler_job_id}",
        )
        for pod in self._plain(found).get("items", []):
            key = annotations_to_key(pod["metadata"].get("annotations", {}))
            why = reason(pod)
            if key and why:
                self._say(key, f"The pod {pod['metadata']['name']} of this task waits: {why}")
