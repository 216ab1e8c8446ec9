#!/usr/bin/env bash
# labels.sh - POST /v1/labels: a label is journaled and fed to the windows as the event that it is, once; what it names must be there.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
command -v curl > /dev/null || { echo 'skipped: no curl here'; exit 0; }
. tests/lib/daemon.sh
key=$("$KEER" key new -q --database "$dir/k.db"); ok $? 'a key is made'
partner=$("$KEER" key new -q --database "$dir/k.db" --role partner); analyst=$("$KEER" key new -q --database "$dir/k.db" --role analyst)
start || exit 1
bearer() { printf 'Authorization: Bearer %s' "$1"; }
json=(-H 'Content-Type: application/json')
purchase() { printf '{"id":"%s","time":"2018-10-%02dT12:00:00Z","type":"purchase","account":"%s","device":"d1","amount":900,"currency":"CNY","item":"i"}' "$1" "$2" "$3"; }
decide() { ask "$1" 200 "$2" -H "$(bearer "$key")" "${json[@]}" -d "$3" "$u/v1/decisions"; }
label() { local name=$1 status=$2 pattern=$3 body=$4; shift 4; ask "$name" "$status" "$pattern" -H "$(bearer "${1:-$partner}")" "${json[@]}" -d "$body" "$u/v1/labels"; }
l1='{"id":"l1","event":"p1","time":"2018-10-02T08:00:00Z","label":"fraud","reason":"wallet report"}'

decide 'a purchase' '"outcome":' "$(purchase p1 1 a)"
label 'a label before its event is there' 404 '"code":"NO_EVENT"' "${l1/p1/p9}"
label 'a label' 200 '"id":"l1".*"type":"label"' "$l1"; cp "$dir/body" "$dir/first"
label 'the same again' 200 '"id":"l1"' "$l1"; cmp -s "$dir/body" "$dir/first"; ok $? 'is the stored answer, byte for byte'
label 'the same, laid out otherwise' 200 '"id":"l1"' "$(sed 's/,/ ,\n /g' <<< "$l1")"; cmp -s "$dir/body" "$dir/first"; ok $? 'is the stored answer too'
label 'by the store itself' 200 '"id":"l1"' "$l1" "$key"
label 'the same id, another label' 422 '"code":"OTHER_BODY"' "${l1/fraud/genuine}"
label 'the same id, another event' 422 '"code":"OTHER_BODY"' "${l1/p1/p2}"
label 'the id of a decision' 422 '"code":"OTHER_BODY"' "${l1/l1/p1}"
decide 'the windows know it: the device was reported' '"outcome":"deny".*reported_device' "$(purchase p2 3 b)"
decide 'the event that it became, sent as such, is the same' '"id":"l1"' '{"id":"l1","target":"p1","time":"2018-10-02T08:00:00Z","type":"label","fraud":true,"reason":"wallet report"}'
label 'that it was genuine after all' 200 '"id":"l2"' '{"id":"l2","event":"p1","time":"2018-10-04T08:00:00Z","label":"genuine"}'
decide 'is known too' '"outcome":"(allow|challenge)"' "$(purchase p3 5 c)"
label 'an event with quotes in its id that is not there' 404 '"code":"NO_EVENT"' '{"id":"l3","event":"p\"1\\","time":1538352000,"label":"fraud"}'
label 'itself' 404 '"code":"NO_EVENT"' '{"id":"l3","event":"l3","time":1538352000,"label":"fraud"}'
label 'an analyst may not' 403 '"code":"WRONG_ROLE"' "$l1" "$analyst"
ask 'no key' 401 '"code":"NO_KEY"' "${json[@]}" -d "$l1" "$u/v1/labels"
ask 'no GET' 405 '^Allow: POST' -H "$(bearer "$key")" "$u/v1/labels"
while IFS='|' read -r name body; do label "$name" 400 '"code":"BAD_LABEL"' "$body"; done << 'TABLE'
an empty object|{}
no JSON|l3
a list|[]
no event|{"id":"l3","time":1538352000,"label":"fraud"}
no label|{"id":"l3","event":"p1","time":1538352000}
no id|{"event":"p1","time":1538352000,"label":"fraud"}
no time|{"id":"l3","event":"p1","label":"fraud"}
another word|{"id":"l3","event":"p1","time":1538352000,"label":"Fraud"}
true|{"id":"l3","event":"p1","time":1538352000,"label":true}
an object as label|{"id":"l3","event":"p1","time":1538352000,"label":{"a":[]}}
an empty event|{"id":"l3","event":"","time":1538352000,"label":"fraud"}
a number as event|{"id":"l3","event":1,"time":1538352000,"label":"fraud"}
a type|{"id":"l3","event":"p1","time":1538352000,"label":"fraud","type":"purchase"}
a target|{"id":"l3","event":"p1","time":1538352000,"label":"fraud","target":"p2"}
fraud|{"id":"l3","event":"p1","time":1538352000,"label":"fraud","fraud":false}
a time in the far future|{"id":"l3","event":"p1","time":"9998-01-01","label":"fraud"}
a key twice|{"id":"l3","event":"p1","event":"p2","time":1538352000,"label":"fraud"}
TABLE
# Labels and the events they name, in one go on many connections: an event that was answered can be labelled.
for i in $(seq 40); do
    printf 'next\nurl = "%s/v1/decisions"\nheader = "%s"\nheader = "Content-Type: application/json"\ndata = "%s"\noutput = "%s"\n' "$u" "$(bearer "$key")" "$(purchase "m$i" 6 d | sed 's/"/\\"/g')" "$dir/m$i"
    printf 'next\nurl = "%s/v1/labels"\nheader = "%s"\nheader = "Content-Type: application/json"\ndata = "{\\"id\\":\\"n%s\\",\\"event\\":\\"m%s\\",\\"time\\":1539000000,\\"label\\":\\"fraud\\"}"\noutput = "%s"\n' "$u" "$(bearer "$key")" "$i" "$i" "$dir/n$i"
done | sed 1d > "$dir/config"
curl -sZ --parallel-max 40 -K "$dir/config" 2> "$dir/err"
[ "$(cat "$dir"/m[0-9]* | grep -o '"type":"purchase"' | wc -l)" = 40 ] && [ "$(cat "$dir"/n[0-9]* | grep -oE '"type":"label"|"code":"NO_EVENT"' | wc -l)" = 40 ]; ok $? 'in parallel every label is taken or told NO_EVENT'
curl -s "$u/metrics" > "$dir/metrics"; rows=$(awk '/^keer_journal_rows_total/ { print $2 }' "$dir/metrics")
stop; ok $? 'it ends'
"$KEER" verify -q --policy policies/store.keer --database "$dir/k.db" > "$dir/body"; ok $? "verify: $(cat "$dir/body")"
grep -q "^$rows events, $rows decisions compared, 0 differences" "$dir/body"; ok $? 'all of them, byte for byte'
start || exit 1
label 'after a restart the same label' 200 '"id":"l1"' "$l1"; cmp -s "$dir/body" "$dir/first"; ok $? 'is the stored answer'
label 'and another body is refused' 422 '"code":"OTHER_BODY"' "${l1/fraud/genuine}"
decide 'and the windows count the same' '"outcome":"(allow|challenge)"' "$(purchase p4 5 e)"
stop; ok $? 'and ends'
exit $failed
