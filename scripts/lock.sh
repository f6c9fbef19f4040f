#!/usr/bin/env bash
# Resolve requirements/*.in and images/*/*.in into lock files with hashes and without addresses.
#
#   scripts/lock.sh             # keep what still fits
#   scripts/lock.sh --upgrade   # the newest of everything
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ "${1:-}" == --help || "${1:-}" == -h ]]; then
  sed -n '2,5p' "$0" | cut -c3-
  exit 0
fi

tool=.build/lock
[[ -x $tool/bin/uv ]] || {
  python3 -m venv "$tool"
  "$tool/bin/pip" install --quiet --require-hashes -r requirements/lock.txt
}
for name in bench dev go lock oidc pytest; do
  "$tool/bin/uv" pip compile --quiet --generate-hashes --python-version 3.11 --no-emit-index-url --no-header \
    --output-file "requirements/$name.txt" "$@" "requirements/$name.in" >/dev/null
  echo "✓ requirements/$name.txt" >&2
done
# The jars are fetched in a container: engine and images come first, and what this prints points docker to the engine.
environment=$(PYTHONPATH=scripts .build/venv/bin/python -m airspark prepare)
eval "$environment"
UV=$PWD/$tool/bin/uv images/lock.sh "$@"
