#!/usr/bin/env bash
# Resolve images/*/requirements.in and */jars.in into lock files of names, versions and hashes, without an address.
#
#   images/lock.sh             # as scripts/lock.sh, which calls this in a copy of the checkout
#   images/lock.sh --upgrade   # move every package to its newest allowed version
set -euo pipefail
cd "$(dirname "$0")"

if [[ "${1:-}" == --help || "${1:-}" == -h ]]; then
  sed -n '2,5p' "$0" | cut -c3-
  exit 0
fi
# In the checkout itself, a failure would leave some lock files new and some old.
[[ -n ${AIRSPARK_LOCK_COPY:-} ]] || exec ../scripts/lock.sh "$@"

uv=${UV:-uv}

version() { sed -n "s/^$1[[:space:]]*:=[[:space:]]*//p" ../versions.mk; }

render() {
  sed -e "s/\${AIRFLOW_VERSION}/$(version AIRFLOW_VERSION)/" \
      -e "s/\${SPARK_VERSION}/$(version SPARK_VERSION)/" \
      -e "s/\${UV_VERSION}/$(version UV_VERSION)/" "$1"
}

resolve() {
  local source=$1 lock=$2
  shift 2
  render "$source" | "$uv" pip compile --quiet --generate-hashes --python-platform linux \
    --python-version "$(version PYTHON_VERSION)" --no-emit-index-url --no-emit-find-links --no-annotate \
    --no-header --output-file "$lock" "$@" - >/dev/null
}

report() { echo "✓ images/$1: $(grep -c '==' "$1") packages" >&2; }

compile() {
  resolve "$@"
  report "$2"
}

compile base/build.in base/build.txt "$@"
# Both layers are one environment: they are resolved together, and the Spark layer takes its part of that.
compile <(cat spark/requirements.in airflow/requirements.in) airflow/requirements.txt \
  --override airflow/overrides.txt "$@"
compile spark/requirements.in spark/requirements.txt --constraint airflow/requirements.txt
compile operator/requirements.in operator/requirements.txt "$@"
# The cloud providers fit older versions of a few packages only: everything is resolved anew, and the lock holds what differs.
whole=$(mktemp)
trap 'rm -f "$whole"' EXIT
cat airflow/requirements.txt airflow/cloud.txt >"$whole"
resolve <(cat spark/requirements.in airflow/requirements.in airflow/cloud.in) "$whole" \
  --override airflow/overrides.txt "$@"
awk 'NR == FNR { if (/^[^ ]/) known[$1]; next } /^[^ ]/ { differs = !($1 in known) } differs' \
  airflow/requirements.txt "$whole" >airflow/cloud.txt
report airflow/cloud.txt

# The jars are fetched and hashed by a stage of the image's own build. It is called anew each time: nothing is known in advance.
bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
mapfile -t arguments < <(sed -n 's/^\([A-Z_]*\)[[:space:]]*:=[[:space:]]*\(.*\)/--build-arg=\1=\2/p' ../versions.mk)
[[ -s $bundle ]] && arguments+=(--secret "id=ca,src=$bundle")
for folder in spark opensearch jmx-exporter; do
  docker buildx build --quiet --no-cache-filter jars-resolved --file "$folder/Dockerfile" --target jars-lock --output "$folder" \
    --build-arg "BASE=airspark/base:$(version AIRSPARK_VERSION)" --build-arg "SPARK=airspark/spark:$(version AIRSPARK_VERSION)" \
    "${arguments[@]}" .. >/dev/null
  echo "✓ images/$folder/jars.lock: $(wc -l <"$folder/jars.lock") jars" >&2
done
