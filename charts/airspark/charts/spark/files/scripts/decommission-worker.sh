#!/bin/bash
# Before a worker's pod ends: no new work, cached and shuffle blocks to other workers, and out when its executors are.
#
#   $1   port of the worker's UI
#   $2   seconds until the pod ends anyway
#   WORKER_LOG   where the sentences go, unless it is the log of the worker itself
set -u
# shellcheck source=charts/spark/files/scripts/http.sh
. "$SPARK_CONF_DIR/http.sh"

executors() {
  get "$1" /json/ | tr -d '\n' | sed 's/.*"executors" : //; s/"finishedexecutors" : .*//' | grep -o '"appid"' | wc -l
}

log=${WORKER_LOG:-/proc/1/fd/2}
deadline=$((SECONDS + $2))
kill -s PWR 1
left=$(executors "$1")
echo "$(hostname): leaving, with $left executors" >>"$log"
while [ "$left" -gt 0 ] && [ "$SECONDS" -lt "$deadline" ]; do
  sleep 0.5
  left=$(executors "$1")
done
echo "$(hostname): ends with $left executors after $SECONDS s" >>"$log"
