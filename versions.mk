# Every version of Airspark, once. Make includes this file, scripts/versions.py reads it,
# image builds get it as build arguments, and `make generate` writes it into the charts.
AIRSPARK_VERSION    := 0.1.0

# What runs in the images (Python packages are locked in images/*/requirements.txt)
AIRFLOW_VERSION     := 3.3.2
SPARK_VERSION       := 4.2.1
# Jars beside Spark's own, locked in images/spark/jars.lock. S3A must be of the Hadoop client that PySpark carries,
# and the AWS SDK of the version that S3A names.
DELTA_VERSION       := 4.4.0
HADOOP_VERSION      := 3.5.0
AWS_SDK_VERSION     := 2.35.4
POSTGRESQL_JDBC_VERSION := 42.7.14
PYTHON_VERSION      := 3.11
JAVA_VERSION        := 17
POSTGRES_VERSION    := 15
DEBIAN_SUITE        := bookworm
STATSD_EXPORTER_VERSION := 0.31.0

# The oldest that the charts run on: tests hold every object against its schemas and those of every newer one
KUBERNETES_OLDEST   := 1.30
# The cluster
KUBERNETES_VERSION  := 1.37.2
KIND_VERSION        := 0.33.0
HELM_VERSION        := 4.3.1
ETCD_VERSION        := 3.7.3
COREDNS_VERSION     := 1.15.0
CONTAINERD_VERSION  := 2.4.2
LOCAL_PATH_VERSION  := 0.0.30
NETWORK_POLICIES_VERSION := 0.8.0
# What kind publishes for that minor version, for machines that reach a registry
KIND_NODE_IMAGE     := kindest/node:v1.37.0

# Tools that only builds and tests use
UV_VERSION          := 0.13.9
GO_VERSION          := 1.26.6
GO_MINIMUM          := 1.26.0
KUBECONFORM_VERSION := 0.8.0
KUBE_SCORE_VERSION  := 1.20.0
DISTRIBUTION_VERSION := 3.1.2
ENGINE_SUITE        := trixie
# Servers that tests run against
MINIO_VERSION       := 0.0.0-20260212201848-7aac2a2c5b7c
PROMETHEUS_VERSION  := 0.315.0
# The last that runs on Java 17
OPENSEARCH_VERSION  := 2.19.1
