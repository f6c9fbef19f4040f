#!/bin/bash
# Initialise PGDATA once, keep the application role's password equal to the one given, and run PostgreSQL.
#
#   POSTGRES_USER          role that owns the database                       (default airflow)
#   POSTGRES_DB            database                                          (default: POSTGRES_USER)
#   POSTGRES_PASSWORD      its password, or POSTGRES_PASSWORD_FILE: a file that holds it
#   PGDATA                 data folder                                       (default /var/lib/postgresql/data/pgdata)
#   POSTGRES_TLS           folder with tls.crt and tls.key; without it the server speaks no TLS
#
# Arguments that start with - go to the server (-c max_connections=200); anything else runs instead of it.
set -euo pipefail

fail() {
  echo "postgres: $1" >&2
  exit 1
}

if [[ $# -gt 0 && $1 != -* ]]; then
  exec "$@"
fi

user=${POSTGRES_USER:-airflow}
database=${POSTGRES_DB:-$user}
password=${POSTGRES_PASSWORD:-}
if [[ -n ${POSTGRES_PASSWORD_FILE:-} ]]; then
  [[ -r $POSTGRES_PASSWORD_FILE ]] || fail "POSTGRES_PASSWORD_FILE names $POSTGRES_PASSWORD_FILE, which cannot be read"
  password=$(<"$POSTGRES_PASSWORD_FILE")
fi
[[ -n $password ]] || fail "no password: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"
[[ $user != postgres ]] || fail "POSTGRES_USER must not be postgres: that role is the server's own"
for word in "$user" "$database" "$password"; do
  [[ $word != *$'\n'* ]] || fail "POSTGRES_USER, POSTGRES_DB and the password must each be one line"
done
unset POSTGRES_PASSWORD

identifier() { printf '"%s"' "${1//\"/\"\"}"; }
literal() { printf "'%s'" "${1//\'/\'\'}"; }

# One statement a line on stdin, run by the server's own binary: no socket, no log, nothing in an argument list.
run_sql() {
  local output
  output=$(postgres --single -D "$1" -c log_min_messages=error -c log_min_error_statement=panic \
    -c exit_on_error=on postgres 2>&1 >/dev/null) ||
    fail "setting up the role $user failed: $output"
}

initialise() {
  # A start that was killed leaves this folder behind; it holds nothing anyone has seen.
  local fresh=$PGDATA.init
  rm -rf "$fresh"
  initdb --pgdata "$fresh" --username postgres --auth-local peer --auth-host scram-sha-256 \
    --encoding UTF8 --locale C.UTF-8 --data-checksums >/dev/null
  echo "host all all all scram-sha-256" >>"$fresh/pg_hba.conf"
  run_sql "$fresh" <<EOF
CREATE ROLE $(identifier "$user") LOGIN
CREATE DATABASE $(identifier "$database") OWNER $(identifier "$user")
EOF
  sync --file-system "$fresh"
  mv "$fresh" "$PGDATA"
  echo "postgres: created database $database for role $user in $PGDATA"
}

claim=$(dirname "$PGDATA")
[[ -w $claim ]] || fail "$claim is not writable for uid $(id -u), group $(id -g): set fsGroup: 0 or mount a claim there"

# Process ids mean nothing between containers, so postmaster.pid cannot tell a dead server from a living one. This lock
# can: the server inherits it, and the kernel drops it with the last of the server's processes.
exec 9>"$PGDATA.lock"
flock --timeout 5 9 || fail "another server runs on $PGDATA; stop it first"
rm -f "$PGDATA/postmaster.pid"

if [[ ! -s $PGDATA/PG_VERSION ]]; then
  if [[ -d $PGDATA ]] && ! rmdir "$PGDATA" 2>/dev/null; then
    fail "$PGDATA holds files that are not a database; move them away and start again"
  fi
  initialise
fi

found=$(<"$PGDATA/PG_VERSION")
[[ $found == "$PG_MAJOR" ]] || fail "$PGDATA was written by PostgreSQL $found, this image is $PG_MAJOR: dump and restore it"

[[ -O $PGDATA ]] || fail "$PGDATA belongs to uid $(stat -c %u "$PGDATA"), this server runs as uid $(id -u): run it as the owner"
# A storage driver that applies fsGroup at every mount makes the folder group-writable, which the server refuses.
chmod 0700 "$PGDATA"
# The Secret is the truth: a changed password takes effect with the next start.
run_sql "$PGDATA" <<EOF
ALTER ROLE $(identifier "$user") PASSWORD $(literal "$password")
EOF

tls=()
if [[ -n ${POSTGRES_TLS:-} ]]; then
  [[ -r $POSTGRES_TLS/tls.crt && -r $POSTGRES_TLS/tls.key ]] || fail "POSTGRES_TLS names $POSTGRES_TLS, which has no tls.crt and tls.key"
  # The server refuses a key that its group may read, and a Secret's files belong to root.
  install -d -m 0700 "$PGHOST/tls"
  install -m 0600 "$POSTGRES_TLS/tls.crt" "$POSTGRES_TLS/tls.key" "$PGHOST/tls/"
  tls=(-c ssl=on -c "ssl_cert_file=$PGHOST/tls/tls.crt" -c "ssl_key_file=$PGHOST/tls/tls.key")
fi

exec postgres -D "$PGDATA" "${tls[@]}" -c listen_addresses='*' -c unix_socket_directories="$PGHOST" -c jit=off "$@"
