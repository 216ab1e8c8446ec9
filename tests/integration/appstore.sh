#!/usr/bin/env bash
# appstore.sh - notifications of the App Store over HTTP: every case of tests/lib/appstore_cases.h, what they become, once, also after a restart
# and after a kill in between; prepared consumption answers; Apple's own library as the judge of the cases.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release}
for tool in curl jq sqlite3; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
bundle=com.example.game
keys || exit 1
intake=(--appstore-root "$dir/root.pem" --appstore-bundle "$bundle")
sent() { # NAME STATUS PATTERN JWS
    printf '{"signedPayload":"%s"}' "$4" > "$dir/sent"
    ask "$1" "$2" "$3" -X POST -H 'Content-Type: application/json' -d @"$dir/sent" "$u/v1/intake/appstore"
}
get() { ask "$1" "$2" "$3" -H "Authorization: Bearer $4" "$u/v1/$5"; }
field() { awk -F '\t' -v t="$1" -v n="$2" '$1 == t {print $n}' "$dir/flow"; }
rows() { sqlite3 "$dir/k.db" "$1"; }
refused() { # NAME PATTERN OPTIONS...
    local name=$1 pattern=$2; shift 2
    "$KEER" serve --check-config --policy policies/store.keer --database "$dir/k.db" --listen 127.0.0.1:0 "$@" > "$dir/out" 2>&1; local code=$?
    [ $code != 0 ] && grep -qE -- "$pattern" "$dir/out"; ok $? "$name"
}

# --- without a root nothing is taken
start || exit 1
ask 'an account' 200 '"id":"' -X POST -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '{"subject":"liu"}' "$u/v1/accounts"
account=$(jq -r .id "$dir/body")
bits=$(printf '%s==' "$account" | tr '_-' '/+' | base64 -d | od -An -tx1 | tr -d ' \n') # its 128 bits, as a UUID
token="${bits:0:8}-${bits:8:4}-${bits:12:4}-${bits:16:4}-${bits:20}"
"$BUILD/tests/appstore-make" "$dir" "$(date +%s)000" "$token" || exit 1
sent 'no root, no intake' 404 'NOT_FOUND.*--appstore-root' x
stop; ok $? 'stops'
refused 'a bundle without a root' '--appstore-root' --appstore-bundle $bundle
refused 'a root without a bundle' 'appstore-bundle' --appstore-root "$dir/root.pem"
refused 'a root that is not there' 'nowhere' --appstore-root "$dir/nowhere" --appstore-bundle $bundle
refused 'a root that is none' 'certificates as PEM' --appstore-root "$dir/flow" --appstore-bundle $bundle
refused 'an environment that is none' 'production' "${intake[@]}" --appstore-environment xcode

# --- every case
start "${intake[@]}" || exit 1
while IFS=$'\t' read -r name ours apple jws; do
    case $ours in
    genuine) sent "$name" 200 '^\{\}' "$jws" ;;
    *) sent "$name" 400 BAD_BODY "$jws" ;;
    esac
done < "$dir/cases"
[ "$(rows 'SELECT COUNT(*) FROM appstore_notice')" = 1 ]; ok $? 'one row: the genuine ones have one UUID'
ask 'no body' 400 BAD_BODY -X POST -H 'Content-Type: application/json' -d '' "$u/v1/intake/appstore"
ask 'a member too many' 400 BAD_BODY -X POST -H 'Content-Type: application/json' -d '{"signedPayload":"x","y":1}' "$u/v1/intake/appstore"
ask 'a number' 400 BAD_BODY -X POST -H 'Content-Type: application/json' -d '{"signedPayload":1}' "$u/v1/intake/appstore"
ask 'a form' 415 WRONG_TYPE -X POST -d 'signedPayload=x' "$u/v1/intake/appstore"
ask 'the other method' 405 WRONG_METHOD "$u/v1/intake/appstore"
head -c 3000000 /dev/zero | tr '\0' e > "$dir/zeros"; printf '{"signedPayload":"%s"}' "$(cat "$dir/zeros")" > "$dir/huge"
ask 'huge' 413 TOO_LARGE -X POST -H 'Content-Type: application/json' -d @"$dir/huge" "$u/v1/intake/appstore"

# --- what they become
for type in ONE_TIME_CHARGE CONSUMPTION_REQUEST REFUND REFUND_DECLINED REFUND_REVERSED REVOKE SOMETHING_NEW TEST; do
    sent "$type is taken" 200 '^\{\}' "$(field $type 3)"
done
event() { get "$1 is a decision" 200 '"outcome":"' "$analyst" "decisions/appstore:$(field "$1" 2)"; }
event ONE_TIME_CHARGE; event CONSUMPTION_REQUEST; event REFUND; event REVOKE
body() { rows "SELECT CAST(body AS TEXT) FROM journal WHERE CAST(id AS TEXT) = 'appstore:$(field "$1" 2)'" > "$dir/event"; }
is() { jq -e "$2" "$dir/event" > /dev/null; ok $? "$1"; }
body ONE_TIME_CHARGE; is 'a purchase by the account of the token' ".type == \"purchase\" and .account == \"$account\" and .beneficiary == \"$token\" and .amount == 64800 and .currency == \"CNY\" and .item == \"stone.648\" and .merchant == \"$bundle\""
body CONSUMPTION_REQUEST; is 'a refund was asked for, with its reason' '.type == "refund_requested" and .reason == "UNINTENDED_PURCHASE"'
body REFUND; is 'granted' '.type == "refund_decided" and .outcome == "granted"'
body REFUND_DECLINED; is 'declined' '.type == "refund_decided" and .outcome == "declined"'
body REFUND_REVERSED; is 'reversed' '.type == "refund_decided" and .outcome == "reversed"'
body REVOKE; is 'no longer shared' '.type == "custom.appstore_revoke"'
get 'what nobody knows is no event' 404 NOT_FOUND "$analyst" "decisions/appstore:$(field SOMETHING_NEW 2)"
[ "$(rows "SELECT COUNT(*) FROM appstore_notice WHERE type = 'SOMETHING_NEW'")" = 1 ]; ok $? 'but it is kept'

# --- once
before=$(rows 'SELECT COUNT(*) FROM journal')
for type in ONE_TIME_CHARGE REFUND TEST; do sent "$type again" 200 '^\{\}' "$(field $type 3)"; done
pids=(); for i in 1 2 3 4 5 6 7 8; do
    curl -s -o "$dir/one$i" -w '%{http_code}\n' -X POST -H 'Content-Type: application/json' -d "{\"signedPayload\":\"$(field REFUND 3)\"}" "$u/v1/intake/appstore" > "$dir/code$i" & pids+=($!)
done
wait "${pids[@]}"; [ "$(cat "$dir"/code* | sort -u)" = 200 ]; ok $? 'eight at once'
stop; ok $? 'a restart'
start "${intake[@]}" || exit 1
sent 'again, after the restart' 200 '^\{\}' "$(field REFUND 3)"
[ "$(rows 'SELECT COUNT(*) FROM journal')" = "$before" ]; ok $? 'nothing was decided twice'
stop
# As if it had been killed between the row and the decision, and between the decision and the mark.
rows "UPDATE appstore_notice SET event = '' WHERE type IN ('REFUND', 'ONE_TIME_CHARGE'); DELETE FROM appstore_notice WHERE type = 'REVOKE'"
start "${intake[@]}" || exit 1
for type in REFUND ONE_TIME_CHARGE REVOKE; do sent "$type goes on from where it stood" 200 '^\{\}' "$(field $type 3)"; done
[ "$(rows 'SELECT COUNT(*) FROM journal')" = "$before" ] && [ "$(rows "SELECT COUNT(*) FROM appstore_notice WHERE type IN ('REFUND', 'ONE_TIME_CHARGE', 'REVOKE') AND event LIKE 'appstore:%'")" = 3 ]; ok $? 'and is decided once'

# --- consumption answers
request=$(field CONSUMPTION_REQUEST 2)
get 'the prepared answer' 200 '"late":false' "$analyst" "intake/appstore/consumption/$request"
cp "$dir/body" "$dir/event"
is 'of the account' ".account == \"$account\" and .transaction == \"2000000123456789\""
is 'with 12 hours' '((.due | fromdate) - (.asked | fromdate)) == 43200'
is 'that says what it knows' '.answer.v2.customerConsented == false and .answer.v1.accountTenure == 1 and .answer.v1.userStatus == 1'
is 'and recommends by what was decided on the purchase' '.answer.v2.refundPreference == "GRANT_FULL" and .answer.v1.refundPreference == 1 and (.answer.because[0] | test("the policy"))'
is 'and what it does not' '(.answer.missing | length) >= 4'
get 'not for stores' 403 WRONG_ROLE "$key" "intake/appstore/consumption/$request"
ask 'not without a key' 401 NO_KEY "$u/v1/intake/appstore/consumption/$request"
get 'another notice has none' 404 NOT_FOUND "$admin" "intake/appstore/consumption/$(field REFUND 2)"
get 'nor has what is no UUID' 404 NOT_FOUND "$admin" 'intake/appstore/consumption/x'

# --- nothing is acknowledged that is not kept
rows "CREATE TRIGGER broken BEFORE INSERT ON appstore_notice BEGIN SELECT RAISE(ABORT, 'no'); END"
sent 'a database that takes no row' 503 UNKNOWN_OUTCOME "$(field EXPIRED 3)"
rows 'DROP TRIGGER broken'
sent 'takes it later' 200 '^\{\}' "$(field EXPIRED 3)"
stop; ok $? 'stops'

# --- on PostgreSQL
. tests/lib/postgres.sh
[ -w /dev/shm ] && PG_DIR=/dev/shm
if pg_find; then
    finally() { pg_end; }
    DATABASE=
    pg_new a && DATABASE=$(pg_address a) && keys && start "${intake[@]}" || exit 1
    for type in ONE_TIME_CHARGE CONSUMPTION_REQUEST REFUND TEST REFUND; do sent "$type on PostgreSQL" 200 '^\{\}' "$(field $type 3)"; done
    get 'the prepared answer' 200 '"customerConsented":false' "$analyst" "intake/appstore/consumption/$request"
    get 'the decision' 200 '"outcome":"' "$analyst" "decisions/appstore:$(field REFUND 2)"
    stop; ok $? 'stops'
else
    echo 'skipped: no PostgreSQL server to start here (postgresql-15)'
fi

# --- Apple's own library
if npm_ready tests/appstore; then node tests/appstore/judge.mjs "$dir" $bundle || failed=1; fi
exit $failed
