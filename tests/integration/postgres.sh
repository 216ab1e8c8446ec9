#!/usr/bin/env bash
# postgres.sh - PostgreSQL under it all, on a private server: what keer refuses of a server; a password that nobody sees; windows on disk beside it; a server that goes
# away; a synchronous standby that does not answer, and a wait for it that somebody cancels. What runs there as on SQLite: postgres_units.sh, postgres_api.sh.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release}
. tests/lib/postgres.sh
[ -w /dev/shm ] && PG_DIR=/dev/shm
pg_find || { echo 'skipped: no PostgreSQL server to start here (postgresql-15)'; exit 0; }
. tests/lib/daemon.sh
finally() { pg_end; }
# The process that a line of code stands for is expected to end with CODE and to say PATTERN.
refused() { local name=$1 pattern=$2; shift 2; "$@" > "$dir/out" 2>&1; [ $? = 4 ] && grep -qE -- "$pattern" "$dir/out"; ok $? "$name"; }
# `timeout` of GNU would end it in silence: a daemon that does not end by itself is a failure.
ends() { for _ in $(seq "$1"); do kill -0 "$pid" 2>/dev/null || { wait "$pid"; code=$?; pid=; return 0; }; sleep .1; done; return 1; }
serve() { local database=$1; shift; DATABASE=$database start "$@"; }
decide() { # id, seconds
    curl -s -m "${2:-10}" -o "$dir/out" -w '%{http_code}' -H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
        -d '{"id":"'"$1"'","time":"2018-10-01T12:00:00Z","type":"purchase","account":"liu","amount":4900,"currency":"EUR"}' "$u/v1/decisions"
}
set_all() { pg_sql a "ALTER SYSTEM SET $1" 'SELECT pg_reload_conf()' > /dev/null; sleep .3; }

pg_new a || { echo 'not ok - a server'; exit 1; }
a=$(pg_address a)

# --- what is refused
refused 'an empty database has nothing to verify' 'nothing of keer is there' "$KEER" verify --policy policies/store.keer --database "$a"
key=$("$KEER" key new -q --database "$a"); [ -n "$key" ]; ok $? 'a key'
for setting in synchronous_commit=off synchronous_commit=local synchronous_commit=remote_write fsync=off; do
    set_all "$setting"; refused "$setting is refused" "${setting%=*} is ${setting#*=} there" "$KEER" key new --database "$a"
    pg_sql a "ALTER SYSTEM RESET ${setting%=*}" 'SELECT pg_reload_conf()' > /dev/null; sleep .3
done
pg_sql a "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
refused 'a database that is not UTF8' 'encoding is LATIN1' "$KEER" key new --database "$(pg_address a latin)"
"$KEER" serve --policy policies/store.keer --database "$a" --snapshot-every 5 --check-config > "$dir/out" 2>&1; [ $? = 2 ] && grep -q 'wants --snapshot FILE' "$dir/out"; ok $? 'snapshots beside no file'
refused 'a database that is not there' 'database "none" does not exist' "$KEER" key new --database "$(pg_address a none)"

# --- windows on disk beside it
snap=$dir/pg.windows
with_snapshot() { serve "$1" --snapshot "$snap" --snapshot-every 5; }
fill() { local i; for i in $(seq "$2" "$3"); do [ "$(decide "$1$i")" = 200 ] || return 1; done; }
with_snapshot "$a" && grep -q '"used":false,"reason":"there is none"' "$dir/ready"; ok $? 'without a snapshot it starts from the journal'
fill w 1 12 && stop; ok $? 'it decides, and ends'
[ "$(stat -c %a "$snap")" = 600 ]; ok $? 'the snapshot is there, for its owner alone'
"$KEER" verify -q --policy policies/store.keer --database "$a" --snapshot "$snap" > "$dir/out" 2>&1; ok $? "verify finds the windows as rebuilt: $(tail -n 1 "$dir/out")"
with_snapshot "$a" && grep -q '"events":0,.*"snapshot":{"used":true,"seq":12}' "$dir/ready"; ok $? "the next start uses it: $(cat "$dir/ready")"
cp "$snap" "$dir/good"
[ "$(decide w3)" = 200 ] && cp "$dir/out" "$dir/w3" && fill w 13 17; ok $? 'it answers what is stored, and decides on'
written() { curl -s "$u/metrics" | grep -q '^keer_snapshots_written_total [1-9]'; }
until_true 'five events later the snapshot is renewed' written
kill -9 "$pid"; wait "$pid" 2> /dev/null; pid=
cp "$dir/good" "$snap" # as if the kill had come before it was renewed: the rows after it are decided again
with_snapshot "$a" && grep -q '"events":5,"compared":5,"differences":0},"snapshot":{"used":true,"seq":12}' "$dir/ready"; ok $? "killed: from the snapshot, and what came after it: $(cat "$dir/ready")"
[ "$(decide w3)" = 200 ] && cmp -s "$dir/out" "$dir/w3"; ok $? 'a decision from before is answered the same'
stop
# rebuilt NAME REASON DATABASE ROWS: the start says why, decides all rows again, and leaves a good snapshot behind.
rebuilt() {
    with_snapshot "$3" && grep -q "\"events\":$4,\"compared\":$4,\"differences\":0},\"snapshot\":{\"used\":false,\"reason\":\"$2\"}" "$dir/ready"; ok $? "$1: $2"
    grep -qE "warning snapshot .* is refused: $2" "$dir/log"; ok $? "$1: in the log"
    stop
    with_snapshot "$3" && grep -q '"events":0,.*"snapshot":{"used":true' "$dir/ready"; ok $? "$1: replaced by a good one"; stop
}
pg_sql a 'CREATE DATABASE other'; other=$(pg_address a other)
mine=$key; key=$("$KEER" key new -q --database "$other")
serve "$other" --no-snapshot && fill o 1 20 && stop; ok $? 'another database, with more rows'
rebuilt 'the snapshot of another database' 'made from another journal' "$other" 20
key=$mine
rebuilt 'and the other way round' 'it is ahead of the journal' "$a" 17
head -c 1000 "$snap" > "$dir/torn"; cp "$dir/torn" "$snap"
rebuilt 'a torn one' 'torn: its length or a checksum is wrong' "$a" 17
"$KEER" verify -q --policy policies/store.keer --database "$a" --snapshot "$dir/torn" > "$dir/out" 2>&1; [ $? = 1 ]; ok $? "verify refuses the torn one: $(tail -n 1 "$dir/out")"
"$KEER" verify -q --policy policies/store.keer --database "$other" --snapshot "$snap" > "$dir/out" 2>&1; [ $? = 1 ]; ok $? "and another database's: $(tail -n 1 "$dir/out")"
pg_sql a 'DROP DATABASE other' 'DROP DATABASE keer' 'CREATE DATABASE keer'
key=$("$KEER" key new -q --database "$a")

# --- a password that nobody sees
pg_sql a "CREATE ROLE clerk LOGIN PASSWORD 'geheim#1'" 'GRANT ALL ON DATABASE keer TO clerk'
{ echo 'local all clerk scram-sha-256'; echo 'local all all trust'; echo 'local replication all trust'; } | pg_run tee "$pg/a/pg_hba.conf" > /dev/null
pg_sql a 'SELECT pg_reload_conf()' > /dev/null; sleep .3
with=${a/keer@/clerk:geheim%231@}
refused 'a wrong password' 'password authentication failed' "$KEER" key list --database "${with/geheim/andere}"
! grep -q 'andere' "$dir/out"; ok $? 'is not shown'
refused 'a role that may not write there' 'permission denied' "$KEER" key new --database "$with"
! grep -q 'geheim' "$dir/out"; ok $? 'its password is not shown either'
pg_sql a 'ALTER ROLE clerk SUPERUSER' && serve "$with"; ok $? 'with its rights it serves'
! grep -q 'geheim' "$dir/log" && grep -q 'database postgres://clerk@/keer$' "$dir/log"; ok $? "the log's line has no password"
stop

# --- a session that ends
serve "$a"; ok $? 'it serves'
[ "$(decide s1)" = 200 ]; ok $? 'and decides'
pg_sql a "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'" > /dev/null
ends 40 && [ "$code" = 4 ] && grep -q 'the database is gone' "$dir/log"; ok $? 'an idle daemon whose session is ended notices, and ends with code 4'
serve "$a"; ok $? 'it serves again'
refused 'a second one is kept out' 'another keer writes there' "$KEER" key new --database "$a"
pg_sql a "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'" > /dev/null
[ "$(decide s2)" = 503 ]; ok $? 'a decision whose session is gone is not acknowledged'
ends 40 && [ "$code" = 4 ]; ok $? 'and the daemon ends'

# --- a standby
set_all "synchronous_standby_names = 'b'"
# The first commit of a writer waits for the standby: none is there.
refused 'without its standby nothing is opened' 'standby does not confirm' "$KEER" key new --database "$a"
pg_standby b a && serve "$a" && [ "$(decide b1)" = 200 ]; ok $? 'with it a decision is acknowledged'
refused 'the standby itself is not written to' 'hot standby mode' "$KEER" key new --database "$(pg_address b)"
"$KEER" verify -q --policy policies/store.keer --database "$(pg_address b)&target_session_attrs=any" > "$dir/out" 2>&1; ok $? "but can be verified: $(cat "$dir/out")"
pg_kill b
decide b2 30 > "$dir/code" & waits=$!
sleep 1; pg_sql a "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'" > "$dir/out"
wait $waits; [ "$(cat "$dir/code")" = 503 ] && grep -q UNKNOWN_OUTCOME "$dir/out"; ok $? "a commit whose wait for the standby was cancelled is unknown: $(cat "$dir/code")"
ends 40 && [ "$code" = 4 ] && grep -q 'a commit ended unknown: cancel' "$dir/log"; ok $? 'and ends the daemon'
pg_start b && serve "$a" && [ "$(decide b2)" = 200 ]; ok $? 'with the standby back the same id is answered'
pg_sql a 'SELECT count(*) FROM pg_stat_replication' > "$dir/out"
stop; ok $? 'it ends'
"$KEER" verify -q --policy policies/store.keer --database "$a" > "$dir/out" 2>&1; ok $? "verify: $(cat "$dir/out")"
exit $failed
