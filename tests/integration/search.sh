#!/usr/bin/env bash
# search.sh - GET /v1/decisions, held against a filter over all decisions (search_judge.mjs): every filter and pairs of them, pages of many sizes, pages while decisions
# come in, restarts, a journal that is older than its index, an index that lies, refusals. With SQLite, and with PostgreSQL where it is here.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release}
for t in curl jq node; do command -v $t > /dev/null || { echo "skipped: no $t here"; exit 0; }; done
. tests/lib/daemon.sh
. tests/lib/store-history.sh
. tests/lib/postgres.sh
load() { "$BUILD/bench/http-load" --to "${u#http://}" --key "$key" --connections 16 --seconds 120 "$@" > "$dir/load"; }
get() { curl -s -G -o "$dir/page" -H "Authorization: Bearer $analyst" "$u/v1/decisions" "$@"; }
judge() { U=$u ANALYST=$analyst ADMIN=$admin DIR=$dir node tests/integration/search_judge.mjs "$@" || failed=1; }
table() { judge table "$1"; }
run() { # name
    local name=$1 mark first db=${DATABASE:-$dir/k.db}
    key=$("$KEER" key new -q --database "$db") analyst=$("$KEER" key new -q --database "$db" --role analyst)
    admin=$("$KEER" key new -q --database "$db" --role admin) partner=$("$KEER" key new -q --database "$db" --role partner)
    rm -f "$dir"/h*.ndjson
    start || exit 1
    ask "$name: nothing is there" 200 '^\],"next":null' -H "Authorization: Bearer $analyst" "$u/v1/decisions"
    ask "$name: of no account either" 200 '^\],"next":null' -H "Authorization: Bearer $admin" "$u/v1/decisions?account=x"
    { echo '{"id":"odd1","time":1538352000,"type":"purchase","account":"Li & ü=+%/","amount":5000,"currency":"EUR","device":"q"}'
      echo '{"id":"odd2","time":1538352000,"type":"custom.trial","attributes":{"account":"a7"}}'; store_history 4400; } > "$dir/h.ndjson"
    load --bodies "$dir/h.ndjson"; ok $? "$name: a history is decided"
    sleep .2; mark=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ); sleep .2
    { echo '{"id":"odd3","time":1538352000,"type":"purchase","account":"Li & ü=+%/","amount":5000,"currency":"EUR","device":"q"}'
      store_history 4500 | sed -E 's/"id":"([ef])/"id":"2\1/'; } > "$dir/h2.ndjson"
    load --bodies "$dir/h2.ndjson"; ok $? "$name: and another"
    judge known "$name"
    judge stored "$name" "$mark"
    table "$name"
    judge times "$name" "$mark"
    store_history 3000 | sed -E 's/"id":"([ef])/"id":"3\1/' > "$dir/later"
    load --bodies "$dir/later" & local loading=$!
    judge meanwhile "$name"
    wait $loading; ok $? "$name: and they were decided"
    mv "$dir/later" "$dir/h3.ndjson"
    judge known "$name, and later ones"
    get -d limit=2 -d account=a7; first=$(jq -r .next "$dir/page")
    stop; ok $? "$name: it ends"
    start || exit 1
    get -d limit=3 -d account=a7 --data-urlencode "cursor=$first"; jq -c '.decisions[]' "$dir/page" > "$dir/got"
    judge wants a7 | sed -n 3,5p | cmp -s - "$dir/got"; ok $? "$name: a cursor goes on after a restart, with another limit"
    table "$name, restarted"
    cursor_refusals "$name" "$first"
}
cursor_refusals() {
    local bearer="Authorization: Bearer $analyst" c=$2 t=A
    [ "${c:20:1}" = A ] && t=B
    for q in "account=a8&cursor=$c" "cursor=$c" "account=a7&outcome=deny&cursor=$c" "account=a7&from=2018-01-01&cursor=$c" \
        "account=a7&cursor=${c%?}" "account=a7&cursor=${c:0:20}$t${c:21}" "account=a7&cursor=x" "account=a7&cursor=${c}A"; do
        ask "$1: another cursor: ${q%%cursor=*}" 400 '"code":"BAD_CURSOR"' -H "$bearer" "$u/v1/decisions?$q"
    done
}
refusals() {
    local bearer="Authorization: Bearer $analyst" q
    for q in acount=a7 account= account account=a7\&account=a8 limit=0 limit=501 limit=x limit=-1 limit=1.5 outcome=Deny outcome=allowed type=purchse \
        type=custom. from=yesterday from=1538352000x to=2018-13-01 account=%g0 account=a%; do
        ask "refused: $q" 400 '"code":"BAD_QUERY"' -H "$bearer" "$u/v1/decisions?$q"
    done
    for k in "$key" "$partner"; do ask 'another role' 403 '"code":"WRONG_ROLE"' -H "Authorization: Bearer $k" "$u/v1/decisions?account=a7"; done
    ask 'no key' 401 '"code":"NO_KEY"' "$u/v1/decisions"
    ask 'DELETE' 405 '^Allow:.*GET' -X DELETE -H "$bearer" "$u/v1/decisions"
}
run SQLite
refusals
stop; ok $? 'it ends'
if command -v sqlite3 > /dev/null; then
    buckets=$(($(wc -l < "$dir/all") / 2048))
    dump() { sqlite3 "$dir/k.db" 'SELECT bucket, term, hex(places) FROM found ORDER BY 1, 2' 'SELECT * FROM found_run'; }
    dump > "$dir/runs"; [ "$(sqlite3 "$dir/k.db" 'SELECT COUNT(*) FROM found_run')" = "$buckets" ]; ok $? "$buckets buckets have runs"
    [ "$(sqlite3 "$dir/k.db" 'SELECT COUNT(*) FROM found')" -gt 300 ]; ok $? 'of many terms'
    sqlite3 "$dir/k.db" 'DELETE FROM found; DELETE FROM found_run'
    start || exit 1
    table 'rows older than the index'
    for _ in $(seq 400); do [ "$(sqlite3 "$dir/k.db" 'SELECT COUNT(*) FROM found_run')" = "$buckets" ] && break; sleep .1; done
    stop; dump | cmp -s - "$dir/runs"; ok $? 'and the index is made again, the same'
    # Lists that name every row: what is found is still exact, and a request that has looked at enough rows gives a short page with a cursor.
    printf '%512s' '' | tr ' ' F > "$dir/all-ones"
    sqlite3 "$dir/k.db" "UPDATE found SET places = X'$(cat "$dir/all-ones")'"
    start || exit 1
    table 'an index that lies'
    get -d account=a7 -d outcome=deny -d type=password_changed -d rule=nosuch; [ "$(jq -c . "$dir/page")" = '{"decisions":[],"next":null}' ]; ok $? 'what no list has needs no look'
    sqlite3 "$dir/k.db" 'SELECT COUNT(*) FROM journal' > "$dir/body"
    get -d account=a7 -d outcome=deny -d type=family_joined; [ "$(jq -r '.decisions | length' "$dir/page")" -lt 50 ] && [ "$(jq -r .next "$dir/page")" != null ]; ok $? "a request looks at so many rows at most, of $(cat "$dir/body")"
    stop; ok $? 'it ends'
else
    echo 'skipped: no sqlite3 to change an index with'
fi
[ -w /dev/shm ] && PG_DIR=/dev/shm
if pg_find; then
    finally() { pg_end; }
    pg_new a || { echo 'not ok - a server'; exit 1; }
    DATABASE=$(pg_address a)
    run PostgreSQL
    stop; ok $? 'it ends'
else
    echo 'skipped: no PostgreSQL server to start here (postgresql-15)'
fi
exit $failed
