# shellcheck shell=sh
# Sentences for people: in the log, and of a start that cannot succeed in the pod's status too.

say() {
  echo "$(hostname): $*" >&2
}

stop() {
  say "$@"
  echo "$*" >/dev/termination-log
  exit 78
}
