#!/usr/bin/env bash
# Every test of the project, by part.
#
#   scripts/test.sh fast   # lint, scripts, charts, images, DAGs and Spark applications: no cluster
#   scripts/test.sh all    # the same, then the end-to-end tests on an ephemeral kind cluster
#   scripts/test.sh long   # what takes longer: marked `long`, see pyproject.toml
#   scripts/test.sh apps   # the DAGs and Spark applications alone, inside their image
#   scripts/test.sh lint   # ruff, mypy, shellcheck, kube-score, checkov
#
# What it takes (engine, images) is made first. Arguments after the part go to the last pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
part=${1:?usage: scripts/test.sh fast|all|long|apps|lint}
shift
export PYTHONPATH=scripts
python=$PWD/.build/venv/bin/python
failed=()

step() {
  local name=$1
  shift
  printf '\n── %s\n' "$name"
  "$@" || failed+=("$name")
}

lint() {
  step "ruff" "$python" -m ruff check .
  step "DAGs as Airflow 3 wants them" "$python" -m ruff check --preview --select AIR3 dags
  step "ruff format" "$python" -m ruff format --check --quiet
  step "mypy" "$python" -m mypy
  step "shellcheck" .build/venv/bin/shellcheck scripts/*.sh images/*.sh images/*/*.sh images/kind-node/files/entrypoint \
    images/spark/kubernetes/* dags/scripts/*.sh \
    charts/airflow/files/*.sh charts/spark/files/scripts/*.sh charts/spark/files/connect/*.sh
  step "kube-score and checkov" scan
}

# Each finding of theirs has its reason in that file, and each reason a finding.
scan() {
  AIRSPARK_HELM=$("$python" -c 'from airspark.tools import ensure; print(ensure("helm"))') "$python" -m pytest -q tests/charts/test_policy.py
}

# DAGs and Spark applications run inside the image they ship in: same Python, Java, Spark and Airflow. The argument is
# pytest's expression of marks; a second one is how its processes share the tests, by file unless it says otherwise.
inside() {
  local site=$PWD/.build/pytest-site airflow opensearch postgres servers ended=0
  if [[ ! -f $site/.ready || requirements/pytest.txt -nt $site/.ready ]]; then
    rm -rf "$site"
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --target "$site" -r requirements/pytest.txt
    touch "$site/.ready"
  fi
  read -r airflow opensearch postgres < <("$python" -c '
from airspark.images import IMAGES, OPENSEARCH, ensure_built
ensure_built([OPENSEARCH])
print(IMAGES["airflow"].tag, OPENSEARCH.tag, IMAGES["postgres"].tag)') || return 1
  # A search index and a database, reached at 127.0.0.1 by sharing the first one's network, which leads nowhere else.
  servers=$(docker run --detach --rm --network none --hostname localhost --read-only --tmpfs /data:mode=1777 --tmpfs /tmp:exec "$opensearch")
  docker run --detach --rm --network "container:$servers" --read-only --tmpfs /tmp "$postgres" bash -c \
    'initdb --pgdata /tmp/data --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 >/tmp/initdb.log &&
     exec postgres -D /tmp/data -c fsync=off -c unix_socket_directories=/tmp' >"$site/.postgres"
  docker run --rm --network "container:$servers" --user 50000:0 --volume "$PWD:/repo:ro" --volume "$site:/site:ro" \
    --env PYTHONPATH=/site --env PYTHONDONTWRITEBYTECODE=1 --env SPARK_LOCAL_IP=127.0.0.1 --workdir /repo \
    --env AIRSPARK_SEARCH=http://127.0.0.1:9200 --env AIRSPARK_WAREHOUSE=postgresql://postgres@127.0.0.1/postgres \
    "$airflow" python -m pytest -q --numprocesses 2 --dist "${2:-loadfile}" --durations 20 -m "$1" tests/apps tests/dags || ended=$?
  docker rm --force "$(<"$site/.postgres")" "$servers" >/dev/null
  return "$ended"
}

# Images of the tests alone come first: several processes would make them at the same time.
of_images() {
  "$python" -c 'from airspark import images; images.ensure_built([images.PGBOUNCER, images.TLS_PROXY, images.GIT_SERVER])' &&
    AIRSPARK_REQUIRE_IMAGES=1 "$python" -m pytest -q --numprocesses 2 --dist loadfile --durations 8 -m "not long" tests/images
}

# Engine, helm and images first; what it prints points docker to the engine in use.
prepare() {
  local environment
  environment=$("$python" -m airspark prepare)
  eval "$environment"
}

fast() {
  prepare
  lint
  step "tests of scripts and charts" "$python" -m pytest -q --numprocesses auto --dist loadfile -m "not long" \
    --ignore tests/charts/test_policy.py tests/unit tests/charts tests/operator
  step "tests of images" of_images
  step "tests of DAGs and Spark applications" inside "not long"
}

case $part in
  lint) lint ;;
  fast) fast ;;
  apps)
    prepare
    step "tests of DAGs and Spark applications" inside "not long"
    ;;
  all)
    fast
    step "end-to-end tests" "$python" -m pytest -q --durations 60 -m "not long" tests/e2e "$@"
    ;;
  long)
    prepare
    step "long tests of DAGs and Spark applications" inside long worksteal
    step "long tests of scripts and charts" "$python" -m pytest -q --numprocesses auto -m long --durations 20 \
      tests/unit tests/charts tests/operator
    step "long tests" env AIRSPARK_REQUIRE_IMAGES=1 "$python" -m pytest -q -m long --durations 60 tests/images tests/e2e "$@"
    ;;
  *) echo "✗ there is no part '$part': fast, all, long, apps or lint" >&2; exit 2 ;;
esac

if ((${#failed[@]})); then
  printf '\n✗ failed: %s\n' "$(IFS=,; echo "${failed[*]}")" >&2
  exit 1
fi
printf '\n✓ all passed\n'
