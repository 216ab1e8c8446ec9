#!/usr/bin/env bash
# postgres_units.sh - the unit tests that use a database, on a private PostgreSQL instead of SQLite.
set -u
cd "$(dirname "$0")/../.." || exit
BUILD=${BUILD:-build/release}
. tests/lib/postgres.sh
[ -w /dev/shm ] && PG_DIR=/dev/shm
pg_find || { echo 'skipped: no PostgreSQL server to start here (postgresql-15)'; exit 0; }
unit=$(mktemp); trap 'rm -f "$unit"; pg_end' EXIT
failed=0
pg_new a || { echo 'not ok - a server'; exit 1; }
a=$(pg_address a)
for t in store_test serve_test account_test notice_test attempts_test stepup_test guard_test recovery_test passkey_test removal_test oidc_test ledger_test agreement_test charge_test refund_test pay_test; do
    KEER_TEST_POSTGRES=$a "$BUILD/tests/$t" > "$unit" 2>&1; code=$?
    grep -vE '^1\.\.' "$unit"; [ $code = 0 ] || failed=1
done
exit $failed
