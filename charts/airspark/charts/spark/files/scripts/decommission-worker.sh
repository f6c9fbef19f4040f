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
echo "$(hostname): leaving, with $(executors "$1") executors" >>"$log"
while [ "$SECONDS" -lt "$deadline" ]; do
  left=$(executors "$1")
  [ "$left" -gt 0 ] || break
  sleep 0.5
done
echo "$(hostname): ends with ${left:-0} executors after $SECONDS s" >>"$log"
