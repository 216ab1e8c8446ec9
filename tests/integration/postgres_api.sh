#!/usr/bin/env bash
# postgres_api.sh - tests of the daemon's interface once more, on a private PostgreSQL instead of SQLite.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/lib/postgres.sh
[ -w /dev/shm ] && PG_DIR=/dev/shm
pg_find || { echo 'skipped: no PostgreSQL server to start here (postgresql-15)'; exit 0; }
trap pg_end EXIT
failed=0
pg_new a || { echo 'not ok - a server'; exit 1; }
a=$(pg_address a)
for t in serve policies passkeys accounts; do
    DATABASE=$a bash "tests/integration/$t.sh" || failed=1
    pg_sql a 'DROP DATABASE keer' 'CREATE DATABASE keer'
done
exit $failed
