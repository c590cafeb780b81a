#!/bin/bash
# Of the stand-in image, which is NOT the official one: the part of its behaviour that testcontainers relies on.
# Makes the data folder for POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB, then becomes the server.
set -euo pipefail
export PGDATA=/var/lib/postgresql/data
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
as_postgres=(setpriv --reuid=999 --regid=999 --clear-groups)

mkdir -p "$PGDATA"
chown 999:999 "$PGDATA"
chmod 700 "$PGDATA"
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password && chown 999:999 /tmp/password)
  "${as_postgres[@]}" initdb --username="$user" --encoding=UTF8 --locale=C --auth=scram-sha-256 --no-sync \
    --pwfile=/tmp/password "$PGDATA"
  rm /tmp/password
  if [ "$database" != postgres ]; then
    printf 'CREATE DATABASE "%s"\n' "$database" | "${as_postgres[@]}" postgres --single -j -D "$PGDATA" postgres
  fi
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo 'host replication all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec "${as_postgres[@]}" "$@" -c listen_addresses='*' -c unix_socket_directories=
