#!/usr/bin/env bash
# snapshot.sh - windows on disk from outside: a made-up history is decided by two daemons, one that is stopped and started at random moments
# (SEED=N repeats them) and one that never has a snapshot; every refusal in /readyz and in the log; keer verify --snapshot.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
command -v curl > /dev/null || { echo 'skipped: no curl here'; exit 0; }
. tests/lib/daemon.sh
made=() POLICY=policies/store.keer
RANDOM=${SEED:=$RANDOM}
echo "# SEED=$SEED"
at() { local database=$1; shift; DATABASE=$dir/$database start "$@" || exit 1; }
# send FROM TO ANSWERS: events FROM..TO of the history, one after the other on one connection.
send() {
    sed -n "$1,$2p" "$dir/history" | sed 's/"/\\"/g' | awk -v u="http://$address/v1/decisions" -v k="$key" '
        NR > 1 { print "next" } { printf "url = \"%s\"\nheader = \"Authorization: Bearer %s\"\nheader = \"Content-Type: application/json\"\ndata = \"%s\"\n", u, k, $0 }' > "$dir/config"
    curl -sf -K "$dir/config" >> "$3"
}
awk -v seed=$((SEED + 1)) '
    function rnd(k) { seed = seed * 16807 % 2147483647; return int(seed / 2147483647 * k) }
    BEGIN {
        split("purchase purchase top_up sign_in sign_in fraud_reported", types, " ")
        for (i = 1; i <= 300; i++) {
            type = i == 1 ? "purchase" : types[1 + rnd(6)]; extra = ""
            if (type == "sign_in") extra = ",\"outcome\":\"" (rnd(2) ? "failure" : "success") "\""
            if (type == "fraud_reported") extra = ",\"target\":\"e" (1 + rnd(i - 1)) "\""
            printf "{\"id\":\"e%d\",\"time\":%d,\"type\":\"%s\",\"account\":\"a%d\",\"device\":\"d%d\",\"ip\":\"10.0.0.%d\",\"amount\":%d,\"currency\":\"EUR\"%s}\n",
                i, 1538352000 + i * 300 - (rnd(10) ? 0 : rnd(20000)), type, rnd(12), rnd(20), rnd(9), 100 + rnd(20000), extra
        }
    }' > "$dir/history"
for d in plain cut; do made[${#made[@]}]=$("$KEER" key new -q --database "$dir/$d.db"); done
key=${made[0]}; at plain.db --no-snapshot
send 1 300 "$dir/plain"; grep -q '"reason":"snapshots are off"' "$dir/ready"; ok $? 'without a snapshot'
stop; [ ! -e "$dir/plain.db.windows" ]; ok $? 'none is written'
key=${made[1]} at=1 starts=0 used=0
while [ $at -le 300 ]; do
    at cut.db --snapshot-every $((RANDOM % 2 * 30))
    starts=$((starts + 1)); grep -q "\"events\":0,.*\"snapshot\":{\"used\":true,\"seq\":$((at - 1))}" "$dir/ready" && used=$((used + 1))
    to=$((at + RANDOM % 90)); [ $to -gt 300 ] && to=300
    send $at $to "$dir/cut" || { ok 1 "events $at to $to"; break; }
    at=$((to + 1))
    stop || ok 1 'SIGTERM ends it with code 0'
done
[ $used = $((starts - 1)) ]; ok $? "$starts starts, all but the first from the snapshot and no row decided again"
[ "$(grep -o '"outcome"' "$dir/plain" | wc -l)" = 300 ] && cmp -s "$dir/plain" "$dir/cut"; ok $? '300 decisions are the same, byte for byte, with and without'
verify() { "$KEER" verify --policy $POLICY --database "$dir/cut.db" --snapshot "$dir/cut.db.windows" "$@" > "$dir/ready" 2>&1; }
verify; [ $? = 0 ] && grep -q 'snapshot up to row 300: the same as rebuilt' "$dir/ready"; ok $? 'verify finds the windows as rebuilt'
verify --json; [ $? = 0 ] && grep -q '"differences":0,"policies":1,"snapshot":{"same":true,"seq":300' "$dir/ready"; ok $? 'and says so in JSON'
stat -c %a "$dir/cut.db.windows" | grep -qx 600; ok $? 'nobody else may read it'
cp "$dir/cut.db.windows" "$dir/good"

# refused NAME REASON options...: the start says why, rebuilds all rows, and leaves a good snapshot behind.
refused() {
    local name=$1 reason=$2; shift 2
    at cut.db "$@"
    grep -q "\"events\":300,\"compared\":[0-9]*,\"differences\":0},\"snapshot\":{\"used\":false,\"reason\":\"$reason\"}" "$dir/ready"; ok $? "$name: $reason"
    grep -qE "(warning snapshot .* is refused: $reason|info there is no snapshot)" "$dir/log"; ok $? "$name: in the log"
    curl -s "http://$address/metrics" > "$dir/metrics"; grep -q '^keer_snapshot_loaded_row 0' "$dir/metrics"; ok $? "$name: in the metrics"
    stop
}
w=$dir/cut.db.windows
rm "$w"; refused 'no snapshot' 'there is none'
cmp -s "$w" "$dir/good"; ok $? 'the rebuilt one is the same, byte for byte'
head -c -1 "$dir/good" > "$w"; refused 'one byte short' 'torn: its length or a checksum is wrong'
verify; ok $? 'is replaced at the stop'
head -c 100 "$dir/good" > "$w"; refused 'a stump' 'torn: its length or a checksum is wrong'
cp "$dir/history" "$w"; refused 'another file' 'no snapshot of keer'
{ head -c 5000 "$dir/good"; printf X; tail -c +5002 "$dir/good"; } > "$w"; refused 'a changed byte' 'torn: its length or a checksum is wrong'
{ head -c 5000 "$dir/good"; printf X; tail -c +5002 "$dir/good"; } > "$w"; verify; [ $? = 1 ] && grep -q 'torn' "$dir/ready"; ok $? 'verify sees a changed byte'
cp "$dir/good" "$w"; refused 'another ceiling' 'made with other limits of the windows' --memory 64M
cp "$dir/good" "$w"; verify --memory 64M; [ $? = 1 ] && grep -q 'other limits' "$dir/ready"; ok $? 'verify sees another ceiling'
cp "$dir/good" "$dir/foreign"; at plain.db --snapshot "$dir/foreign"
grep -q '"used":false,"reason":"made from another journal"' "$dir/ready"; ok $? "the snapshot of another database"; stop
mkdir -p "$dir/other"; cp -r policies/rates.txt policies/lists "$dir/other/"; { cat $POLICY; echo '# changed'; } > "$dir/other/store.keer"
POLICY=$dir/other/store.keer
cp "$dir/good" "$w"; at cut.db; grep -q '"reason":"made with another policy"' "$dir/ready"; ok $? 'the snapshot of another policy'; stop
POLICY=policies/store.keer; cp "$dir/good" "$w"
if command -v sqlite3 > /dev/null; then
    sqlite3 "$dir/cut.db" 'DELETE FROM journal WHERE seq > 290'
    at cut.db; grep -q '"events":290,.*"reason":"it is ahead of the journal"' "$dir/ready"; ok $? 'a database that was set back'; stop
    at cut.db --no-snapshot; send 292 300 "$dir/late"; send 291 291 "$dir/late"; stop
    cp "$dir/good" "$w"; at cut.db; grep -q '"events":300,.*"reason":"made from another journal"' "$dir/ready"; ok $? 'and went on otherwise'; stop
    verify; ok $? 'the new snapshot is the same as rebuilt'
else
    echo 'skipped: no sqlite3 to set a database back with'
fi
at cut.db --snapshot "$dir/none/k.windows"
grep -q '"reason":"there is none"' "$dir/ready" && sed 's/"id":"e/"id":"f/' -i "$dir/history" && send 7 7 "$dir/late" && stop; ok $? 'a folder that is not there: it decides and ends well'
grep -q 'warning snapshot up to row .* could not be written' "$dir/log"; ok $? 'and says so'
exit $failed
