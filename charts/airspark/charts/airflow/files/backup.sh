#!/bin/bash
# Dump the metadata database to /backups, read the dump back, and keep the newest RETENTION ones.
#
#   DATABASE_URL   SQLAlchemy or libpq URL of the database
#   AIRSPARK_DIRECT_CONNECTION   URL past PgBouncer, where there is one
#   RETENTION      dumps that are kept
set -euo pipefail
shopt -s nullglob

# A dump holds password hashes and, encrypted, the connections' passwords.
umask 0077
file=/backups/airflow-$(date --utc +%Y%m%dT%H%M%SZ).dump
# What a job that was killed left; no two jobs run at a time.
rm -f /backups/airflow-*.part
trap 'rm -f "$file.part"' EXIT

url=${AIRSPARK_DIRECT_CONNECTION:-$DATABASE_URL}
url=${url/#postgresql+psycopg2:/postgresql:}
# Everybody who lists the node's processes reads arguments, so the password goes by the environment, decoded.
if [[ $url =~ ^([a-z]+://[^:/@]*):([^@]*)@(.*)$ ]]; then
  encoded=${BASH_REMATCH[2]//\\/\\\\}
  url=${BASH_REMATCH[1]}@${BASH_REMATCH[3]}
  printf -v PGPASSWORD '%b' "${encoded//%/\\x}"
  export PGPASSWORD
fi
pg_dump --format=custom --no-owner --no-acl --file="$file.part" --dbname="$url"
pg_restore --file=/dev/null "$file.part"
mv "$file.part" "$file"
echo "wrote $file, $(stat --format=%s "$file") bytes"

dumps=(/backups/airflow-*.dump)
for ((old = 0; old < ${#dumps[@]} - RETENTION; old++)); do
  rm "${dumps[old]}"
  echo "removed ${dumps[old]}"
done
