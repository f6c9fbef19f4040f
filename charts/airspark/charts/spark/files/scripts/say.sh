# shellcheck shell=sh
# Sentences for people: in the log, and of a start that cannot succeed in the pod's status too.
#
#   TERMINATION_LOG   the file that Kubernetes reads for the status, unless it is the usual one

say() {
  echo "$(hostname): $*" >&2
}

stop() {
  say "$@"
  echo "$*" >"${TERMINATION_LOG:-/dev/termination-log}"
  exit 78
}
