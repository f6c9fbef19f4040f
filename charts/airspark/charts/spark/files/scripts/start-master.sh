#!/bin/sh
# Start the master, after a look at the folder that holds what it must remember across a restart.
#
#   RECOVERY_MODE        ROCKSDB, FILESYSTEM or NONE
#   RECOVERY_DIRECTORY   the claim; the state is in its folder `state`, the file `made-by` names mode and Spark version
#   REST_JWS_KEY         if set, the key that requests to the submission server are signed with
#   $@                   arguments of the master
set -eu
# shellcheck source=charts/spark/files/scripts/say.sh
. "$SPARK_CONF_DIR/say.sh"

umask 0077
conf=${TMPDIR:-/tmp}/spark-defaults.conf
cp "$SPARK_CONF_DIR/spark-defaults.conf" "$conf"

version=$(basename "$SPARK_HOME"/jars/spark-core_*.jar .jar)
version=${version##*-}
mode=$RECOVERY_MODE
if [ "$mode" != NONE ]; then
  cd "$RECOVERY_DIRECTORY"
  made=$(cat made-by 2>/dev/null || true)
  if [ -n "$made" ] && [ "${made%% *}" != "$mode" ]; then
    stop "the recovery claim holds state of mode ${made%% *} and master.recoveryMode is $mode, which cannot read it:" \
      "set it back, or delete the claim and this pod to begin anew (running applications are then forgotten)"
  fi
  if [ -n "$made" ] && [ "${made#* }" != "${version%.*}" ]; then
    say "the recovery claim holds state of Spark ${made#* }, which Spark $version does not read: it is removed, and" \
      "workers register anew"
    rm -rf state made-by
  fi
  if ! trouble=$(head -c 4194304 /dev/zero 2>&1 >probe); then
    say "the recovery claim cannot take 4 MiB (${trouble##*: }): this master starts without it and forgets its applications" \
      "at its next restart; make the claim larger (master.persistence.size) or writable, then delete this pod"
    mode=NONE
  else
    mkdir -p state
    echo "$mode ${version%.*}" >made-by
  fi
  rm -f probe
  cd /
fi
if [ "$mode" != NONE ]; then
  printf 'spark.deploy.recoveryMode %s\nspark.deploy.recoveryDirectory %s/state\n' "$mode" "$RECOVERY_DIRECTORY" >>"$conf"
fi
if [ -n "${REST_JWS_KEY:-}" ]; then
  printf 'spark.org.apache.spark.ui.JWSFilter.param.secretKey %s\n' "$REST_JWS_KEY" >>"$conf"
  unset REST_JWS_KEY
fi

# The full name of the pod: in its own /etc/hosts from the start, in DNS for everybody else.
exec spark-class org.apache.spark.deploy.master.Master --properties-file "$conf" --host "$(hostname -f)" "$@"
