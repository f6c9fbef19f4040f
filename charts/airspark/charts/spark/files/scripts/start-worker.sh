#!/bin/sh
# Start a worker that offers what its container's limits leave for executors.
#
#   SPARK_WORKER_CORES    cores offered
#   SPARK_WORKER_MEMORY   memory offered, such as 2g; by default 7/10 of MEMORY_LIMIT_MIB less 256 MiB for the worker itself
#   $@                    arguments of the worker; the last is the master's URL
set -eu
# shellcheck source=charts/spark/files/scripts/say.sh
. "$SPARK_CONF_DIR/say.sh"

if [ -z "${SPARK_WORKER_MEMORY:-}" ]; then
  offered=$(((MEMORY_LIMIT_MIB - 256) * 7 / 10))
  [ "$offered" -ge 512 ] || stop "a memory limit of $MEMORY_LIMIT_MIB MiB leaves $offered MiB for executors, and the smallest" \
    "needs 512: raise worker.resources.limits.memory"
  export SPARK_WORKER_MEMORY="${offered}m"
fi

exec spark-class org.apache.spark.deploy.worker.Worker --host "$POD_IP" "$@"
