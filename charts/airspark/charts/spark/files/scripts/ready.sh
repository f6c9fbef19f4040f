#!/bin/bash
# Readiness: the process says of itself what makes it useful.
#
#   $1   port of its UI
#   $2   what its /json/ must hold: a master that is ALIVE and not RECOVERING, a worker that knows its master
set -u
# shellcheck source=charts/spark/files/scripts/http.sh
. "$SPARK_CONF_DIR/http.sh"

get "$1" /json/ | grep -q "$2" || { echo "the answer of port $1 does not hold $2"; exit 1; }
