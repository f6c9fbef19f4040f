#!/usr/bin/env bash
# Make a Python environment from a lock file: the scripts' own, unless another is named.
#
#   scripts/venv.sh python3 .build/venv
#   scripts/venv.sh python3 .build/scan scan
set -euo pipefail
usage="usage: scripts/venv.sh <python> <folder> [<name of requirements/name.txt>]"
python=${1:?$usage} venv=${2:?$usage} lock=requirements/${3:-dev}.txt
log=.build/logs/${venv##*/}.log
mkdir -p "${log%/*}"

fail() {
  printf '✗ %s\n  → %s\n' "$1" "$2" >&2
  exit 1
}

command -v "$python" >/dev/null || fail "there is no $python" "install Python 3.11 or newer"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$python is older than 3.11" "make PYTHON=python3.11 …"

started=$SECONDS
rm -f "$venv/.ready"
"$python" -m venv --clear "$venv" >"$log" 2>&1 ||
  fail "$python cannot make a virtual environment" "install python3-venv, then call make again (details: $log)"
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$lock" >>"$log" 2>&1 ||
  { tail -n 5 "$log" >&2; fail "the Python packages of $lock cannot be installed" "details: $log; then call make again"; }
touch "$venv/.ready"
printf '✓ Python environment of %s %s s\n' "$lock" "$((SECONDS - started))" >&2
