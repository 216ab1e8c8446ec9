#!/usr/bin/env bash
# search.sh - GET /v1/decisions, held against jq over all decisions: every filter and pairs of them, pages of many sizes, pages while decisions
# come in, restarts, a journal that is older than its index, an index that lies, refusals. With SQLite, and with PostgreSQL where it is here.
export KEER_ALLOW_ROOT=yes
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release}
command -v curl > /dev/null && command -v jq > /dev/null || { echo 'skipped: no curl or jq here'; exit 0; }
. tests/lib/daemon.sh
. tests/lib/store-history.sh
. tests/lib/postgres.sh
load() { "$BUILD/bench/http-load" --to "${u#http://}" --key "$key" --connections 16 --seconds 120 "$@" > "$dir/load"; }
get() { curl -s -G -o "$dir/page" -H "Authorization: Bearer $analyst" "$u/v1/decisions" "$@"; }
# pages PARAMETER...: all decisions of a query, a line each, in $dir/got; $pages is the number of pages.
pages() {
    local a=() cursor=() next; for p; do a+=(--data-urlencode "$p"); done
    : > "$dir/got"; pages=0
    while :; do
        get "${a[@]}" "${cursor[@]}" && jq -r '.next, (.decisions[] | tojson)' "$dir/page" > "$dir/lines" && read -r next < "$dir/lines" || return 1
        sed 1d "$dir/lines" >> "$dir/got"
        pages=$((pages + 1)); [ "$next" = null ] && return 0
        cursor=(--data-urlencode "cursor=$next")
    done
}
# known: all decisions, in $dir/all, and each with its event's account in $dir/known.
known() { pages limit=500; mv "$dir/got" "$dir/all"; jq -c --slurpfile accounts "$dir/accounts" '{a: $accounts[0][.id], d: .}' "$dir/all" > "$dir/known"; }
# wanted JQ-CONDITION: the decisions that jq selects, in their order; $a is the account of a decision's event.
wanted() { jq -c '.a as $a | .d | select('"$1"')' "$dir/known"; }
# holds NAME JQ-CONDITION PARAMETER...: the search finds exactly these.
holds() {
    local name=$1 condition=$2; shift 2
    wanted "$condition" > "$dir/want"
    pages "$@"; cmp -s "$dir/want" "$dir/got"; ok $? "$name: $(wc -l < "$dir/got") of $(wc -l < "$dir/want"), $pages pages"
}
table() {
    local when=$1 some most
    some=$(jq -r 'select(.rules != []) | .rules[0]' "$dir/all" | sort | uniq -c | sort -n | awk 'NR == 1 { print $2 }')
    most=$(jq -r '.rules[]' "$dir/all" | sort | uniq -c | sort -n | awk 'END { print $2 }')
    holds "$when: an account" '$a == "a7"' account=a7
    holds "$when: an account, small pages" '$a == "a7"' account=a7 limit=3
    holds "$when: an account, pages of one row of sixteen" '$a == "a8"' account=a8 limit=16
    holds "$when: no such account" 'false' account=a7x
    holds "$when: letters of any kind" '$a == "Li & ü=+%/"' 'account=Li & ü=+%/'
    for o in allow challenge review deny; do holds "$when: outcome $o" ".outcome == \"$o\"" outcome=$o limit=500; done
    holds "$when: a type" '.type == "top_up"' type=top_up limit=100
    holds "$when: another type" '.type == "other"' type=other
    holds "$when: a custom type that no policy mentions" 'false' type=custom.trial
    holds "$when: the rarest rule" ".rules | index(\"$some\") != null" rule="$some"
    holds "$when: the most frequent rule" ".rules | index(\"$most\") != null" rule="$most" limit=499
    holds "$when: no such rule" 'false' rule=nosuch
    holds "$when: account and outcome" '$a == "a9" and .outcome == "challenge"' account=a9 outcome=challenge limit=5
    holds "$when: rule and type" "(.rules | index(\"$most\") != null) and .type == \"purchase\"" rule="$most" type=purchase limit=77
    holds "$when: all four" "\$a == \"a9\" and .outcome == \"challenge\" and .type == \"purchase\" and (.rules | index(\"$most\") != null)" account=a9 outcome=challenge type=purchase rule="$most"
    holds "$when: what never goes together" 'false' type=fraud_reported rule="$most" outcome=deny account=a9
}
run() { # name
    local name=$1 mark n first db=${DATABASE:-$dir/k.db}
    key=$("$KEER" key new -q --database "$db") analyst=$("$KEER" key new -q --database "$db" --role analyst)
    admin=$("$KEER" key new -q --database "$db" --role admin) partner=$("$KEER" key new -q --database "$db" --role partner)
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
    cat "$dir/h.ndjson" "$dir/h2.ndjson" | jq -n 'reduce inputs as $e ({}; .[$e.id] = ($e.account // $e.attributes.account))' > "$dir/accounts"
    known
    n=$(cat "$dir/h.ndjson" "$dir/h2.ndjson" | wc -l)
    [ "$(wc -l < "$dir/all")" = "$n" ] && [ "$(jq -r .id "$dir/all" | sort -u | wc -l)" = "$n" ]; ok $? "$name: without parameters all $n decisions, once"
    head -3 "$dir/all" > "$dir/few"; get -d limit=3 --data-urlencode "from=$mark" -d to=2999-01-01; jq -c ".decisions[]" "$dir/page" | cmp -s - "$dir/few"; ok $? "$name: the newest first"
    for id in odd1 e17 2e2000; do
        curl -s -H "Authorization: Bearer $admin" "$u/v1/decisions/$id" > "$dir/one"; jq -c "select(.id == \"$id\")" "$dir/all" | cmp -s - <(jq -c . "$dir/one"); ok $? "$name: $id as it is stored"
    done
    table "$name"
    holds "$name: from then on" '.id | test("^2|^odd3")' from="$mark" limit=500
    holds "$name: before" '.id | test("^2|^odd3") | not' to="$mark" limit=500
    holds "$name: from, and an account" '$a == "a7" and (.id | test("^2"))' from="$mark" account=a7 limit=4
    holds "$name: to, and an account" '$a == "a7" and (.id | test("^2") | not)' to="$mark" account=a7 limit=4
    holds "$name: from after to" 'false' from="$mark" to=2018-01-01
    holds "$name: from the future" 'false' from=2999-01-01
    # Pages while decisions come in: all that was there, in order, and no row twice.
    store_history 3000 | sed -E 's/"id":"([ef])/"id":"3\1/' > "$dir/h3.ndjson"; cut -d'"' -f4 "$dir/h3.ndjson" | sed 's/^/"/;s/$/"/' > "$dir/ids3"
    load --bodies "$dir/h3.ndjson" & local loading=$!
    for p in outcome=challenge account=a7; do
        [ $p = account=a7 ] && c='$a == "a7"' || c='.outcome == "challenge"'
        wanted "$c" > "$dir/want"
        pages $p limit=50
        grep -v '^{"id":"3' "$dir/got" | cmp -s - "$dir/want" && [ "$(sort "$dir/got" | uniq -d | wc -l)" = 0 ]; ok $? "$name: $p while decisions come in: $(wc -l < "$dir/got"), $pages pages, none skipped, none twice"
    done
    wait $loading; ok $? "$name: and they were decided"
    jq -n --slurpfile a "$dir/accounts" 'reduce inputs as $e ($a[0]; .[$e.id] = $e.account)' "$dir/h3.ndjson" > "$dir/more"; mv "$dir/more" "$dir/accounts"
    known
    get -d limit=2 -d account=a7; first=$(jq -r .next "$dir/page")
    stop; ok $? "$name: it ends"
    start || exit 1
    get -d limit=3 -d account=a7 --data-urlencode "cursor=$first"; jq -c '.decisions[]' "$dir/page" > "$dir/got"
    wanted '$a == "a7"' | sed -n 3,5p | cmp -s - "$dir/got"; ok $? "$name: a cursor goes on after a restart, with another limit"
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
    for _ in $(seq 100); do [ "$(sqlite3 "$dir/k.db" 'SELECT COUNT(*) FROM found_run')" = "$buckets" ] && break; sleep .1; done
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
    trap '[ -n "$pid" ] && kill -9 "$pid" 2>/dev/null; pg_end; rm -rf "$dir"' EXIT
    pg_new a || { echo 'not ok - a server'; exit 1; }
    DATABASE=$(pg_address a)
    run PostgreSQL
    stop; ok $? 'it ends'
else
    echo 'skipped: no PostgreSQL server to start here (postgresql-15)'
fi
exit $failed
