#!/usr/bin/env bash
# enrich.sh - country, network, e-mail and user agent are added before an event is decided; the journal decided again without the databases
# gives the same bytes; the client's own body stays what is compared.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release}
. tests/lib/daemon.sh
make() { "$BUILD/tests/mmdb-make" "$@"; }
make "$dir/c.mmdb" 203.0.113.0/24 NL 0 2001:db8::/32 DE 0 && make "$dir/a.mmdb" 203.0.113.0/24 - 64496; ok $? 'databases are made'
cat > "$dir/p.keer" << 'END'
rule abroad     challenge if ip_country = 'NL'
rule network    review    if asn = 64496
rule throwaway  deny      if email_class = 'disposable'
rule script     deny      if user_agent_kind = 'bot'
END
key=$("$KEER" key new -q --database "$dir/k.db")
ask() { curl -s -o "$dir/out" -w '%{http_code}' -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "{\"id\":\"$1\",\"time\":1538352000,\"type\":\"purchase\"$2}" "$u/v1/decisions" > "$dir/status"; }
# decides NAME ID MEMBERS STATUS PATTERN
decides() { ask "$2" "$3"; [ "$(cat "$dir/status")" = "$4" ] && grep -qE -- "$5" "$dir/out"; ok $? "$1"; }
POLICY=$dir/p.keer
start --geoip-country "$dir/c.mmdb" --geoip-asn "$dir/a.mmdb" --own-domains shop.example; ok $? 'it starts'
decides 'country and network of the address' e1 ',"ip":"203.0.113.9"' 200 '"rules":\["abroad","network"\]|"outcome":"challenge"'
decides 'what the event brings stays' e2 ',"ip":"203.0.113.9","ip_country":"FR","asn":1' 200 '"outcome":"allow"'
decides 'null too' e3 ',"ip":"203.0.113.9","ip_country":null,"asn":null' 200 '"outcome":"allow"'
decides 'an address that is not there is no fault' e4 ',"ip":"10.0.0.1"' 200 '"outcome":"allow".*"degraded":\[\]'
decides 'a disposable e-mail address' e5 ',"email":"x@Yopmail.com"' 200 '"rules":\["throwaway"\]'
decides 'a script' e6 ',"user_agent":"python-requests/2.31"' 200 '"rules":\["script"\]'
printf '{"id":"%s","time":1538352000,"type":"purchase","ip":"203.0.113.9"}\n' b1 b2 | curl -s -o "$dir/out" -H "Authorization: Bearer $key" \
    -H 'Content-Type: application/x-ndjson' --data-binary @- "$u/v1/decisions:batch"
[ "$(grep -c '"rules":\["abroad","network"\]' "$dir/out")" = 2 ]; ok $? 'lines of a batch get it too'
stop; ok $? 'it ends'
cp "$dir/k.db" "$dir/before.db"
"$KEER" verify -q --policy "$dir/p.keer" --database "$dir/k.db" > "$dir/out" 2>&1; ok $? "verify needs no databases: $(cat "$dir/out")"
# Other data, as of another day: what was decided stays, and the same body is the same request.
make "$dir/c.mmdb" 203.0.113.0/24 FR 0
start --geoip-country "$dir/c.mmdb"; ok $? "it starts from the journal: $(grep -o 'journal decided.*' "$dir/log")"
grep -q ' 0 differences' "$dir/log"; ok $? 'without a difference'
grep -q 'no database adds asn' "$dir/log"; ok $? 'the log says what no database adds'
decides 'the same body is the stored answer' e1 ',"ip":"203.0.113.9"' 200 '"outcome":"challenge"'
decides 'another body is refused' e1 ',"ip":"203.0.113.9","asn":64496' 422 OTHER_BODY
decides 'a new one sees the new data' e7 ',"ip":"203.0.113.9"' 200 '"outcome":"allow"'
stop
# A database that is there and can't be read: its entry is damaged.
LC_ALL=C sed 's/\x4Ccountry_code/\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF/' "$dir/c.mmdb" > "$dir/bad.mmdb"
start --geoip-country "$dir/bad.mmdb"; ok $? 'a damaged entry is no reason not to start'
decides 'but the decision says so' e8 ',"ip":"203.0.113.9"' 200 '"degraded":\["input"\]'
stop
"$KEER" verify -q --policy "$dir/p.keer" --database "$dir/k.db" > "$dir/out" 2>&1; ok $? "which is decided again as well: $(cat "$dir/out")"
printf x > "$dir/none.mmdb"; "$KEER" serve --policy "$dir/p.keer" --database "$dir/k.db" --geoip-asn "$dir/none.mmdb" --check-config > "$dir/out" 2>&1; [ $? = 4 ] && grep -q none.mmdb "$dir/out"; ok $? 'what is no database is refused by --check-config'
exit $failed
