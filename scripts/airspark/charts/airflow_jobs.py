"""Values of charts/airflow's CronJobs."""

from __future__ import annotations

from pydantic import Field

from airspark.charts.airflow_pods import CronJob, optional
from airspark.charts.common import Count, FixedServiceAccount, Image, Positive, Quantity, Resources, TokenServiceAccount, Values


class Cleanup(CronJob):
    """Removal of task pods that nobody removed."""

    serviceAccount: TokenServiceAccount | None = optional("Account of the pod")
    ttlSecondsAfterFinished: Count | None = optional("Seconds a finished Job is kept")


class DatabaseCleanup(CronJob):
    """Removal of old rows of the metadata database."""

    retentionDays: Positive
    skipArchive: bool
    tables: list[str] | None = optional("Tables to clean; empty cleans all that Airflow knows to")
    batchSize: Positive | None = optional("Rows removed at once")
    verbose: bool | None = optional("Whether each statement is printed")
    applyCustomEnv: bool | None = optional("Whether it gets `env`, `secret`, `extraEnv` and `extraEnvFrom`; it does by default")
    ttlSecondsAfterFinished: Count | None = optional("Seconds a finished Job is kept")


class BackupPersistence(Values):
    """The claim that dumps are kept on."""

    size: Quantity = Field(description="Size of the claim")
    storageClassName: str = Field(description="Storage class; empty takes the cluster's default")
    existingClaim: str = Field(description="Name of a claim to use instead of making one (template)")


class Backup(CronJob):
    """Dumps of the metadata database."""

    serviceAccount: FixedServiceAccount | None = optional("Account of the pod")
    retention: Positive
    image: Image
    persistence: BackupPersistence
    resources: Resources
    ttlSecondsAfterFinished: Count | None = optional("Seconds a finished Job is kept")
