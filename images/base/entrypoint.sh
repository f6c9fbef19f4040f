#!/bin/sh
# Entry point of every Airspark image: tini reaps children, files are group-writable, every uid has a name.
set -eu

if [ "$$" -eq 1 ]; then
  exec tini -- "$0" "$@"
fi

# Airflow (50000) and Spark (185) share claims through group 0.
umask 0002

uid=$(id -u)
if ! getent passwd "$uid" >/dev/null; then
  # Airflow, PostgreSQL and the JVM want a name for their uid; /etc may be read-only, so the name is lent by a preload.
  if fresh=$(mktemp -p "${TMPDIR:-/tmp}" .passwd.XXXXXX 2>/dev/null); then
    name=${IMAGE_USER:-default}
    grep -v "^$name:" /etc/passwd >"$fresh"
    echo "$name:x:$uid:$(id -g):$name:${TMPDIR:-/tmp}:/bin/sh" >>"$fresh"
    # One file, however often the container restarts on the same emptyDir.
    passwd=${TMPDIR:-/tmp}/.passwd
    mv -f "$fresh" "$passwd"
    export NSS_WRAPPER_PASSWD="$passwd" NSS_WRAPPER_GROUP=/etc/group
    export LD_PRELOAD="libnss_wrapper.so${LD_PRELOAD:+:$LD_PRELOAD}"
  else
    echo "entrypoint: ${TMPDIR:-/tmp} is not writable, uid $uid stays without a name; mount an emptyDir there" >&2
  fi
fi

if [ ! -w "${HOME:-/}" ]; then
  export HOME="${TMPDIR:-/tmp}"
fi

exec "$@"
