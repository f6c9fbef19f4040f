#!/bin/bash
# Commit to the branch main of the served repository and print the commit.
#
#   git-server-commit                 # what is mounted at /seed, taken anew
#   git-server-commit <path> <file    # one file of the repository, from standard input
set -euo pipefail

cd "$GIT_ROOT/work"
if [[ $# -eq 0 ]]; then
  find . -mindepth 1 -maxdepth 1 -not -name .git -exec rm -rf {} +
  shopt -s nullglob
  # Kubernetes mounts a ConfigMap as links into a folder whose name begins with a dot.
  for entry in /seed/*; do
    cp -rL "$entry" .
  done
elif [[ $# -eq 1 && $1 != /* && $1 != -* ]]; then
  mkdir -p "$(dirname "$1")"
  cat >"$1"
else
  echo "usage: git-server-commit [<path in the repository> <file]" >&2
  exit 2
fi
git add --all
git diff --cached --quiet || git commit --quiet --message "Change ${1:-everything}"
git push --quiet origin main
git rev-parse HEAD
