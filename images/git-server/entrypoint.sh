#!/bin/bash
# Make the repository from what is mounted at /seed, once, and serve it on port 8080.
set -euo pipefail

if [[ ! -d $GIT_ROOT/dags.git ]]; then
  git init --quiet --initial-branch=main "$GIT_ROOT/work"
  git -C "$GIT_ROOT/work" commit --quiet --allow-empty --message "Begin"
  git clone --quiet --bare "$GIT_ROOT/work" "$GIT_ROOT/dags.git"
  git -C "$GIT_ROOT/work" remote add origin "$GIT_ROOT/dags.git"
  git-server-commit
fi
exec lighttpd -D -f /etc/git-server/lighttpd.conf
