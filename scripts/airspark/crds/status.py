"""What the controller reports: kubeflow's status, standard conditions, and what its own state machine remembers."""

from __future__ import annotations

from airspark.crds.types import Schema, array, integer, mapping, struct, text, time


def conditions() -> Schema:
    """Return the schema of conditions, as every Kubernetes API has them."""
    condition = struct(
        {
            "type": text(),
            "status": text(enum=["True", "False", "Unknown"]),
            "reason": text(),
            "message": text(),
            "lastTransitionTime": text(format="date-time"),
            "observedGeneration": integer(bits=64),
        },
        required=("type", "status"),
    )
    keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return array(condition, "What is known about the object, by type", **keys)


def application() -> Schema:
    """Return the schema of a SparkApplication's status."""
    driver = {
        "podName": text("Name of the driver's pod"),
        "podUID": text("UID of the driver's pod, which tells it from another of that name"),
        "webUIServiceName": text("Service of the user interface"),
        "webUIAddress": text("Address of that Service in the cluster"),
        "webUIPort": integer("Port of that Service"),
        "webUIIngressName": text("Ingress of the user interface"),
        "webUIIngressAddress": text("Address of that Ingress"),
    }
    state = {"state": text("State, for example SUBMITTED, RUNNING, COMPLETED or FAILED"), "errorMessage": text("Why it failed")}
    fields = {
        "applicationState": struct(state, "State of the application", required=("state",)),
        "driverInfo": struct(driver, "The present driver"),
        "executorState": mapping(about="State of executors by the name of their pods"),
        "executorCounts": mapping(integer(), "How many executors are in each state"),
        "executorFailures": integer("How many executors of this submission have failed"),
        "executionAttempts": integer("How often this run was executed"),
        "submissionAttempts": integer("How often this run was submitted"),
        "runNumber": integer("How often the application began anew, by a changed spec or a resume"),
        "sparkApplicationId": text("Id that Spark gives the application"),
        "submissionID": text("Id of the present submission"),
        "lastSubmissionAttemptTime": time("When it was last submitted"),
        "startTime": time("When the driver's container started"),
        "terminationTime": time("When the application ended"),
        "waitingSince": time("Since when the driver has not started, or has not been heard of"),
        "failuresInRow": integer("How often it has failed one after the other, for the pause before another attempt"),
        "nextAttemptTime": time("When the next attempt is due"),
        "reason": text("The state's reason in one word"),
        "specHash": text("Hash of the spec that was submitted"),
        "ignoredFields": array(text(), "Fields of the spec that are accepted and not acted on"),
        "observedGeneration": integer("Generation of the spec that this status is about", bits=64),
        "conditions": conditions(),
    }
    return struct(fields, "What the controller observed")


def scheduled() -> Schema:
    """Return the schema of a ScheduledSparkApplication's status."""
    fields = {
        "lastRun": time("When the last run was due"),
        "nextRun": time("When the next run is due"),
        "lastRunName": text("SparkApplication of the last run"),
        "pastSuccessfulRunNames": array(text(), "Kept runs that succeeded"),
        "pastFailedRunNames": array(text(), "Kept runs that failed"),
        "scheduleState": text("Scheduled or FailedValidation"),
        "reason": text("Why the schedule is in that state"),
        "missedRuns": integer("How many times passed without a run"),
        "observedGeneration": integer("Generation of the spec that this status is about", bits=64),
        "conditions": conditions(),
    }
    return struct(fields, "What the controller observed")
