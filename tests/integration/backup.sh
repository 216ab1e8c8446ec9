#!/usr/bin/env bash
# backup.sh - a backup under load is restored and decides as it did; what is there is not overwritten; damage, a newer schema and foreign files are
# refused, and nothing is left behind.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release} P=policies/store.keer
. tests/lib/daemon.sh
# refused NAME CODE PATTERN COMMAND...
refused() { local name=$1 code=$2 pattern=$3; shift 3; "$KEER" "$@" > "$dir/out" 2>&1; [ $? = "$code" ] && grep -qE -- "$pattern" "$dir/out"; ok $? "$name"; }
key=$("$KEER" key new -q --database "$dir/k.db")
start || exit 1
"$BUILD/bench/http-load" --to "$address" --key "$key" --connections 16 --seconds 60 --acks "$dir/acks" > "$dir/load" & load=$!
until [ -s "$dir/acks" ]; do sleep .01; done
events=0 rising=0
for i in 1 2 3 4; do
    sleep .3
    # The last line may be half written; with 16 connections at most 16 answers overtake each other.
    head -n -1 "$dir/acks" > "$dir/acks$i"
    "$KEER" backup --database "$dir/k.db" --to "$dir/b$i" > "$dir/out" 2>&1; ok $? "a backup under load: $(cat "$dir/out")"
    now=$(sed 's/ .*//' "$dir/out"); [ "$now" -gt "$events" ] && rising=$((rising + 1)); events=$now
    "$KEER" restore --from "$dir/b$i" --database "$dir/r$i.db" > "$dir/out" 2>&1; ok $? 'is restored'
    "$KEER" verify -q --policy $P --database "$dir/r$i.db" > "$dir/out" 2>&1 && grep -q "^$events events, $events decisions compared, 0 differences" "$dir/out"; ok $? "and verified: $(cat "$dir/out")"
done
[ $rising = 4 ]; ok $? 'each has more events than the one before'
[ "$(stat -c %a "$dir/b1")" = 600 ]; ok $? 'a backup is for its owner alone'
kill "$load" 2>/dev/null; wait "$load" 2>/dev/null; stop; ok $? 'the daemon took no harm'
"$KEER" verify -q --policy $P --database "$dir/k.db" > "$dir/out" 2>&1; ok $? "its journal is clean: $(cat "$dir/out")"
DATABASE=$dir/r4.db start || exit 1
"$BUILD/bench/http-load" --to "$address" --key "$key" --check "$dir/acks4" > "$dir/out"; ok $? "a daemon on the restored one has what was acknowledged before the backup: $(cat "$dir/out")"
refused 'no restore over a database in use' 4 'stop it first' restore --from "$dir/b1" --database "$dir/r4.db"
stop
sum=$(md5sum < "$dir/r1.db") b2=$(md5sum < "$dir/b2")
refused 'no restore over a database' 4 'is there already' restore --from "$dir/b2" --database "$dir/r1.db"
refused 'no backup over a file' 4 'is there already' backup --database "$dir/k.db" --to "$dir/b2"
[ "$sum" = "$(md5sum < "$dir/r1.db")" ] && [ "$b2" = "$(md5sum < "$dir/b2")" ]; ok $? 'both are untouched'
touch "$dir/n.db-wal"; refused "no restore beside another database's WAL" 4 'n.db-wal: is there already' restore --from "$dir/b2" --database "$dir/n.db"
refused 'no backup of what is not there' 4 'no such database' backup --database "$dir/none.db" --to "$dir/x"
refused 'nor into a folder that is not' 4 'No such file' backup --database "$dir/k.db" --to "$dir/none/x"
head -c 100000 /dev/urandom > "$dir/noise"; refused 'noise is no backup' 4 'not a database' restore --from "$dir/noise" --database "$dir/x.db"
: > "$dir/empty"; refused 'an empty file is none' 4 'no database of keer' restore --from "$dir/empty" --database "$dir/x.db"
head -c 100000 "$dir/b4" > "$dir/half"; refused 'half a backup is refused' 4 'malformed|corrupt' restore --from "$dir/half" --database "$dir/x.db"
cp "$dir/b4" "$dir/bent"; printf 'XXXXXXXXXXXXXXXX' | dd of="$dir/bent" bs=1 seek=$(($(stat -c %s "$dir/bent") / 16384 * 8192)) conv=notrunc status=none
refused 'a damaged page is seen' 4 'bent: ' restore --from "$dir/bent" --database "$dir/x.db"
if command -v sqlite3 > /dev/null; then
    cp "$dir/b1" "$dir/newer"; sqlite3 "$dir/newer" "INSERT INTO keer_schema VALUES (999, 'later', 1)"
    refused 'a newer schema is refused' 4 'schema 999' restore --from "$dir/newer" --database "$dir/x.db"
    sqlite3 "$dir/other" 'CREATE TABLE x (y)'; refused 'a database of something else' 4 'no database of keer' restore --from "$dir/other" --database "$dir/x.db"
fi
[ ! -e "$dir/x.db" ] && ! ls "$dir"/*.tmp > /dev/null 2>&1; ok $? 'what was refused left nothing behind'
refused 'PostgreSQL: pg_dump' 2 'pg_dump' backup --database postgres://keer:geheim@host/keer --to "$dir/x"
refused 'PostgreSQL: pg_restore' 2 'pg_restore' restore --from "$dir/b1" --database postgres://keer:geheim@host/keer
! grep -q geheim "$dir/out"; ok $? 'without the password'
exit $failed
