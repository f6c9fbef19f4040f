"""Names of the API that the controller serves, shared with kubeflow's operator and read by Airflow's provider."""

from __future__ import annotations

from typing import Any

#: A Kubernetes object or a part of one, as JSON.
Object = dict[str, Any]

GROUP = "sparkoperator.k8s.io"
VERSION = "v1beta2"
API_VERSION = f"{GROUP}/{VERSION}"
APPLICATION = "SparkApplication"
APPLICATIONS = "sparkapplications"
SCHEDULED = "ScheduledSparkApplication"
SCHEDULEDS = "scheduledsparkapplications"
NETWORK_POLICY = "NetworkPolicy"

#: Container of the driver; Airflow reads its logs by this name.
DRIVER_CONTAINER = "spark-kubernetes-driver"
#: Container of an executor, as Spark names it.
EXECUTOR_CONTAINER = "spark-kubernetes-executor"

LABEL_APP_NAME = f"{GROUP}/app-name"
LABEL_SUBMISSION_ID = f"{GROUP}/submission-id"
LABEL_LAUNCHED = f"{GROUP}/launched-by-spark-operator"
LABEL_SCHEDULED_APP = f"{GROUP}/scheduled-app-name"
#: `driver` or `executor`; Spark's own label, and part of Airflow's search for the driver.
LABEL_ROLE = "spark-role"
#: The id of the Spark application: new with every submission; executors get it from Spark.
LABEL_APP_SELECTOR = "spark-app-selector"
LABEL_SPARK_APP_NAME = "spark-app-name"
LABEL_SPARK_VERSION = "spark-version"
#: `spark-exec-id`, Spark's label of an executor.
LABEL_EXECUTOR_ID = "spark-exec-id"

DRIVER = "driver"
EXECUTOR = "executor"
