#!/usr/bin/env bash
# Resolve requirements/*.in and images/*/*.in into lock files with hashes and without addresses: all of them, or none.
#
#   scripts/lock.sh             # keep what still fits
#   scripts/lock.sh --upgrade   # the newest of everything
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ "${1:-}" == --help || "${1:-}" == -h ]]; then
  sed -n '2,5p' "$0" | cut -c3-
  exit 0
fi

# Everything is resolved in a copy, and lock files come over when the last one is there.
copy=$(mktemp -d)
finish() {
  local status=$?
  rm -rf "$copy"
  if [[ $status != 0 ]]; then
    printf '✗ no lock file was changed, because one of them cannot be resolved\n  → %s\n' "see the lines above, then run make lock again" >&2
  fi
}
trap finish EXIT
cp -R requirements images versions.mk "$copy/"

export UV=${UV:-$PWD/.build/venv/bin/uv}
# The jars are fetched in a container: engine and images come first, and what this prints points docker to the engine.
environment=$(PYTHONPATH=scripts .build/venv/bin/python -m airspark prepare)
eval "$environment"
AIRSPARK_LOCK_COPY=$copy "$copy/images/lock.sh" "$@"
# After the images, because the scripts' own environment has the controller's packages in the versions of its image.
for name in bench dev examples go oidc pytest scan; do
  (cd "$copy" && "$UV" pip compile --quiet --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
    --no-header --output-file "requirements/$name.txt" "$@" "requirements/$name.in" >/dev/null)
  echo "✓ requirements/$name.txt" >&2
done

changed=()
while read -r file; do
  cmp --quiet "$copy/$file" "$file" || changed+=("$file")
done < <(cd "$copy" && find requirements images -name '*.txt' -o -name jars.lock)
# A full disk ends this before the first file is replaced.
for file in "${changed[@]}"; do cp "$copy/$file" "$file.new"; done
for file in "${changed[@]}"; do mv "$file.new" "$file"; done
echo "✓ ${#changed[@]} lock files changed" >&2
