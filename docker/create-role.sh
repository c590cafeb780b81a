#!/bin/sh
# Runs once, when the data folder is made: a role that may replicate and owns its database, and is no superuser.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$ROWCAST_PASSWORD" --username "${POSTGRES_USER:-postgres}" <<'SQL'
CREATE ROLE rowcast LOGIN REPLICATION PASSWORD :'password';
CREATE DATABASE rowcast OWNER rowcast;
SQL
