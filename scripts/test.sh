#!/usr/bin/env bash
# Every test of the project, by part.
#
#   scripts/test.sh fast   # lint, scripts, charts, images, DAGs and Spark applications: no cluster
#   scripts/test.sh all    # the same, then the end-to-end tests on an ephemeral kind cluster
#   scripts/test.sh long   # what takes longer: marked `long`, see pyproject.toml
#   scripts/test.sh lint   # ruff, mypy, shellcheck
#
# What it takes (engine, images) is made first. Arguments after the part go to the last pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
part=${1:?usage: scripts/test.sh fast|all|long|lint}
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
  step "ruff format" "$python" -m ruff format --check --quiet
  step "mypy" "$python" -m mypy
  step "shellcheck" .build/venv/bin/shellcheck scripts/*.sh images/*.sh images/*/*.sh images/kind-node/files/entrypoint \
    images/spark/kubernetes/* \
    charts/airflow/files/*.sh charts/spark/files/scripts/*.sh charts/spark/files/connect/*.sh
}

# DAGs and Spark applications run inside the image they ship in: same Python, Java, Spark and Airflow.
inside() {
  local site=$PWD/.build/pytest-site image
  if [[ ! -f $site/.ready || requirements/pytest.txt -nt $site/.ready ]]; then
    rm -rf "$site"
    "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --target "$site" -r requirements/pytest.txt
    touch "$site/.ready"
  fi
  image=$("$python" -c 'from airspark.images import IMAGES; print(IMAGES["airflow"].tag)')
  docker run --rm --user 50000:0 --volume "$PWD:/repo:ro" --volume "$site:/site:ro" --env PYTHONPATH=/site \
    --env PYTHONDONTWRITEBYTECODE=1 --workdir /repo "$image" python -m pytest -q tests/apps tests/dags
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
  step "tests of scripts and charts" "$python" -m pytest -q --numprocesses auto --dist loadfile tests/unit tests/charts tests/operator
  step "tests of images" env AIRSPARK_REQUIRE_IMAGES=1 "$python" -m pytest -q -m "not long" tests/images
  step "tests of DAGs and Spark applications" inside
}

case $part in
  lint) lint ;;
  fast) fast ;;
  all)
    fast
    step "end-to-end tests" "$python" -m pytest -q --durations 12 -m "not long" tests/e2e "$@"
    ;;
  long)
    prepare
    step "long tests" env AIRSPARK_REQUIRE_IMAGES=1 "$python" -m pytest -q -m long tests/images tests/e2e "$@"
    ;;
  *) echo "✗ there is no part '$part': fast, all, long or lint" >&2; exit 2 ;;
esac

if ((${#failed[@]})); then
  printf '\n✗ failed: %s\n' "$(IFS=,; echo "${failed[*]}")" >&2
  exit 1
fi
printf '\n✓ all passed\n'
