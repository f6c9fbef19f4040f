#!/usr/bin/env bash
# Make the scripts' own Python environment.
#
#   scripts/venv.sh python3 .build/venv
set -euo pipefail
python=${1:?usage: scripts/venv.sh <python> <folder>} venv=${2:?usage: scripts/venv.sh <python> <folder>}
log=.build/logs/venv.log
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
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt >>"$log" 2>&1 ||
  { tail -n 5 "$log" >&2; fail "the Python packages of the scripts cannot be installed" "details: $log; then call make again"; }
touch "$venv/.ready"
printf '✓ Python environment of the scripts %s s\n' "$((SECONDS - started))" >&2
