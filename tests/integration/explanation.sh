#!/usr/bin/env bash
# explanation.sh - GET /v1/decisions/{id}/explanation is what `keer explain` says on the same history, byte for byte: after later events have
# moved the windows, after a restart, with and without a model; and what is refused.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
command -v curl > /dev/null || { echo 'skipped: no curl here'; exit 0; }
. tests/lib/daemon.sh
. tests/lib/store-history.sh
key=$("$KEER" key new -q --database "$dir/k.db"); partner=$("$KEER" key new -q --database "$dir/k.db" --role partner)
analyst=$("$KEER" key new -q --database "$dir/k.db" --role analyst)
bearer() { printf 'Authorization: Bearer %s' "$1"; }
why() { local name=$1 status=$2 pattern=$3 path=$4; shift 4; ask "$name" "$status" "$pattern" -H "$(bearer "${1:-$analyst}")" "$u/v1/decisions/$path"; }
# same WHAT ID...: the API, the replay and the journal's own explanation agree.
same() {
    local what=$1 id n=0 bad=0; shift
    for id in "$@"; do
        curl -sf -H "$(bearer "$analyst")" "$u/v1/decisions/$id/explanation" > "$dir/api"
        "$KEER" explain -q --policy "$POLICY" "${mapping[@]}" --event "$id" --json "$dir/h.ndjson" > "$dir/replayed"
        "$KEER" explain -q --policy "$POLICY" --event "$id" --json --database "$dir/k.db" > "$dir/kept" 2> "$dir/err"
        "$KEER" explain -q --policy "$POLICY" "${mapping[@]}" --event "$id" --top 3 "$dir/h.ndjson" > "$dir/text1"
        "$KEER" explain -q --policy "$POLICY" --event "$id" --top 3 --database "$dir/k.db" > "$dir/text2" 2> "$dir/err"
        n=$((n + 1))
        [ -s "$dir/api" ] && cmp -s "$dir/api" "$dir/replayed" && cmp -s "$dir/api" "$dir/kept" && [ -s "$dir/text1" ] && cmp -s "$dir/text1" "$dir/text2" && continue
        bad=$((bad + 1)); cp "$dir/replayed" "$dir/body"
    done
    [ $n -gt 5 ] && [ $bad = 0 ]; ok $? "$what: $n explanations are those of the replay, $bad are not"
}
ids() { sed -E 's/.*"id":"([^"]*)".*/\1/' "$dir/h.ndjson" | awk "NR % $1 == $2"; }

# --- rules and windows ---
POLICY=policies/store.keer mapping=()
store_history 1200 > "$dir/h.ndjson"
start || exit 1
head -600 "$dir/h.ndjson" > "$dir/half"; post_all "$dir/half"; ok $? 'half of a history is decided'
# shellcheck disable=SC2046
same 'at once' $(head -600 "$dir/h.ndjson" | sed -E 's/.*"id":"([^"]*)".*/\1/' | awk 'NR % 90 == 0')
tail -n +601 "$dir/h.ndjson" > "$dir/rest"; post_all "$dir/rest"; ok $? 'and the rest'
# shellcheck disable=SC2046
same 'when later events have moved the windows' $(ids 110 7) $(grep -o '"id":"f[0-9]*"' "$dir/h.ndjson" | head -2 | cut -d'"' -f4)
stop; start || exit 1
# shellcheck disable=SC2046
same 'after a restart' $(ids 170 11)
why 'an explanation' 200 '"windows":\[\{"name"' e700/explanation
why 'three contributions' 200 '"models":\[' 'e700/explanation?top=3'
why 'by the store' 200 '"rules":' e700/explanation "$key"
why 'a partner may not' 403 '"code":"WRONG_ROLE"' e700/explanation "$partner"
ask 'no key' 401 '"code":"NO_KEY"' "$u/v1/decisions/e700/explanation"
why 'an unknown id' 404 '"code":"NOT_FOUND"' none/explanation
why 'a path below' 404 '"code":"NOT_FOUND"' e700/explanation/x
ask 'no POST' 405 '^Allow: GET, HEAD' -H "$(bearer "$key")" -X POST "$u/v1/decisions/e700/explanation"
while IFS='|' read -r name query pattern; do why "$name" 400 "\"code\":\"BAD_QUERY\".*|$pattern" "e700/explanation?$query"; grep -q -- "$pattern" "$dir/body"; ok $? "$name: says which"; done << 'TABLE'
none at all|top=0|top: 
too many|top=257|top: 
no number|top=x|top: 
an empty one|top=|top: 
one without a value|top|top: 
one twice|top=3&top=3|top: stands twice
one twice, written otherwise|top=3&%74op=3|stands twice
an unknown one|tip=3|tip: there is no
a wrong escape|top=%3|escaped wrongly
a wrong escape of a name|t%zz=3|escaped wrongly
too many parameters|a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=|at most 32
TABLE
why 'an escaped digit' 200 '"models"' 'e700/explanation?%74op=%33'
"$KEER" verify -q --policy $POLICY --database "$dir/k.db" > "$dir/body"; ok $? "verify: $(cat "$dir/body")"

# --- refusals of `keer explain --database` ---
said() { # NAME CODE PATTERN ARGUMENTS...
    local name=$1 want=$2 pattern=$3 got; shift 3
    "$KEER" explain -q "$@" > "$dir/body" 2>&1; got=$?
    [ $got = "$want" ] && grep -qE -- "$pattern" "$dir/body"; ok $? "$name: exit $got"
}
said 'an unknown event' 1 "no event 'none'" --policy $POLICY --event none --database "$dir/k.db"
said 'no such database' 4 'no such database' --policy $POLICY --event e1 --database "$dir/none.db"
said 'neither inputs nor database' 2 'give the history' --policy $POLICY --event e1
said 'both' 2 'takes no inputs' --policy $POLICY --event e1 --database "$dir/k.db" "$dir/h.ndjson"
mkdir "$dir/p" && cp -r policies/* "$dir/p/" && echo '# another hash' >> "$dir/p/store.keer"
said 'a decision of another policy, which the database has' 0 'Decision: challenge' --policy "$dir/p/store.keer" --event e1 --database "$dir/k.db"
stop
POLICY=$dir/p/store.keer; start || exit 1
why 'a decision of another policy' 200 '"id":"e700"' e700/explanation
echo '{"id":"x1","time":1540000000,"type":"purchase","account":"a1"}' > "$dir/one"; post_all "$dir/one"
why 'one of this policy' 200 '"id":"x1"' x1/explanation
stop
if command -v sqlite3 > /dev/null; then
    sqlite3 "$dir/k.db" "UPDATE journal SET saw = NULL WHERE id = CAST('e700' AS BLOB); UPDATE journal SET saw = (SELECT saw FROM journal WHERE id = CAST('e701' AS BLOB)) WHERE id = CAST('e702' AS BLOB);
        UPDATE journal SET saw = CAST('x' AS BLOB) WHERE id = CAST('e704' AS BLOB)"
    POLICY=policies/store.keer; "$KEER" verify --policy $POLICY --database "$dir/k.db" > "$dir/body" 2>&1; [ $? = 1 ] && grep -q 'the windows told something else' "$dir/body"; ok $? 'verify sees a changed record'
    begin || exit 1
    why 'a row from before values were kept' 409 '"code":"NOT_KEPT"' e700/explanation
    why "another decision's values" 500 '"code":"INTERNAL"' e702/explanation
    why 'a torn record' 500 '"code":"INTERNAL"' e704/explanation
    why 'its neighbour' 200 '"id":"e703"' e703/explanation
    stop
else
    echo 'skipped: no sqlite3 to change a row with'
fi

# --- a model ---
rm -f "$dir"/k.db*
key=$("$KEER" key new -q --database "$dir/k.db"); analyst=$("$KEER" key new -q --database "$dir/k.db" --role analyst)
"$KEER" simulate cards -q --customers 60 --terminals 100 --days 60 --out-format ndjson --out "$dir/cards.ndjson"; ok $? 'a history of cards'
POLICY=$dir/p/handbook.keer
"$KEER" train -q --policy "$POLICY" --trees 20 --early-stop 0 --valid-days 0 --out "$dir/p/handbook.model.json" "$dir/cards.ndjson" > "$dir/body" 2>&1; ok $? 'a model'
head -500 "$dir/cards.ndjson" > "$dir/h.ndjson"
start || exit 1
post_all "$dir/h.ndjson"; ok $? '500 payments are decided'
# shellcheck disable=SC2046
same 'with a model' $(ids 70 7)
grep -q '"contribution":' "$dir/api"; ok $? 'with contributions'
stop; ok $? 'and ends'
exit $failed
