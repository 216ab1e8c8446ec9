#!/usr/bin/env bash
# connectors.sh - our drivers against the emulator of wallets: each call of each, in both protocols of Alipay, with faults and without; keys that change; and the daemon
# with --wallets. CHARGES says how many are made while things go wrong (20 with each wallet).
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
CONNECT=${BUILD:-build/release}/tests/wallet-connect
for tool in curl jq; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
. tests/lib/emulator.sh
finally() { emulator_stop; }
emulator_start || exit 1
w=$dir/w

# 1. every call
for file in wallets wallets-certificates; do
    "$CONNECT" walk "$w/$file.json" "$wallet" > "$dir/walk" 2>&1; ok $? "$file: every call of every wallet"
    sed "s/ - / - $file: /" "$dir/walk"
    grep -q '^not ok' "$dir/walk" && failed=1
done
[ "$(grep -c '^ok' "$dir/walk")" -gt 50 ]; ok $? 'all of them were made'

# 2. with faults: what our side knows in the end is what happened there
jq '.wallets[] += {"timeout_ms": 300, "breaker_failures": 20, "breaker_ms": 20}' "$w/wallets.json" > "$w/fast.json"
spec=drop_before=0.1,drop_after=0.1,error_before=0.1,error_after=0.1,bad_signature=0.1,delay=0.05:400,slow_body=0.05:400,waits=0.2:50,waits_closed=0.2
FAULTS=$spec "$CONNECT" storm "$w/fast.json" "$wallet" "${CHARGES:-20}" > "$dir/storm" 2>&1; ok $? "$spec"
grep '^not ok' "$dir/storm"
emulator_faults ''
n=$(grep -c '^charge' "$dir/storm")
[ "$n" = $((3 * ${CHARGES:-20})) ] && ! grep -q ' open ' "$dir/storm"; ok $? "each of $n charges was settled: $(awk '/^charge/ { n[$4]++ } END { for (s in n) printf "%s%d %s", sep, n[s], s; }' sep=', ' "$dir/storm")"
curl -s "$wallet/emulator/journal" > "$dir/journal"
jq -r 'select(.kind == "charge" and .what == "paid") | [.wallet, .number, .amount] | join(" ")' "$dir/journal" | sort > "$dir/there"
sort "$dir/there" | uniq -d | grep -q .; [ $? = 1 ]; ok $? 'nothing was charged twice'
awk '/^charge/ && $4 == "paid" { print $2, $3, $5 }' "$dir/storm" | sort > "$dir/here"
grep -Ff <(awk '/^charge/ { print $3 }' "$dir/storm") "$dir/there" | cmp -s - "$dir/here"; ok $? "what was paid here was paid there, and no more: $(wc -l < "$dir/here")"
back_here=$(awk '/^charge/ { s += $6 } END { print s + 0 }' "$dir/storm")
back_there=$(jq -s --rawfile ours "$dir/storm" '[.[] | select(.kind == "refund" and .what == "paid" and (.charge as $c | $ours | contains($c))) | .amount] | add // 0' "$dir/journal")
[ "$back_here" = "$back_there" ]; ok $? "what went back here went back there: $back_here, $back_there"

# 3. keys
said() { "$CONNECT" call "$w/other.json" "$wallet" 2> "$dir/err" | grep "^$1 "; }
jq '(.wallets[] | select(.name == "alipay")).public_key = ["antom-public.pem", "alipay-public.pem"] | (.wallets[] | select(.name == "antom")).public_key += [{"version": 2, "file": "alipay-public.pem"}]' "$w/wallets.json" > "$w/other.json"
[ "$(said alipay)" = 'alipay yes ' ] && [ "$(said antom)" = 'antom yes ' ]; ok $? 'two keys of the wallet are valid at once'
jq '(.wallets[] | select(.name == "alipay")).public_key = "antom-public.pem" | (.wallets[] | select(.name == "antom")).public_key = [{"version": 1, "file": "alipay-public.pem"}]' "$w/wallets.json" > "$w/other.json"
[ "$(said alipay)" = 'alipay unknown BAD_SIGNATURE' ] && [ "$(said antom)" = 'antom unknown BAD_SIGNATURE' ]; ok $? 'an answer under another key is not believed'
jq '(.wallets[] | select(.name == "antom")).public_key = [{"version": 2, "file": "antom-public.pem"}]' "$w/wallets.json" > "$w/other.json"
[ "$(said antom)" = 'antom unknown BAD_SIGNATURE' ]; ok $? 'a version of a key that we do not have is not believed'
jq '(.wallets[] | select(.name == "antom")).key_version = 2 | (.wallets[] | select(.name == "alipay")).private_key = "antom-merchant.pem"' "$w/wallets.json" > "$w/other.json"
[ "$(said antom)" = 'antom unknown BAD_SIGNATURE' ] && [ "$(said alipay)" = 'alipay unknown BAD_SIGNATURE' ]; ok $? 'a key of ours that the wallet does not have: its refusal is unsigned, and settles nothing'
jq '(.wallets[] | select(.name == "alipay")).api = "v3"' "$w/wallets.json" > "$w/other.json"
[ "$(said alipay)" = 'alipay yes ' ]; ok $? 'a signed refusal of v3 is an answer'
emulator_faults 'unsigned_errors=1'
[ "$(said alipay)" = 'alipay unknown UNSIGNED_REFUSAL' ]; ok $? 'one that is not signed settles nothing'
emulator_faults ''

# 4. the daemon
check() { "$KEER" serve --check-config --policy policies/store.keer --database "$dir/k.db" --wallets "$1" > "$dir/out" 2>&1; }
check "$w/wallets.json"; ok $? 'the file is checked'
chmod 644 "$w/alipay-app.pem"; check "$w/wallets.json"; [ $? = 4 ] && grep -q "wallet 1 'alipay': \"private_key\": others may open .*alipay-app.pem, which holds a secret: chmod 600" "$dir/out"; ok $? 'a key that others may read is refused'
chmod 600 "$w/alipay-app.pem"
jq '.wallets[1].mchid = 1' "$w/wallets.json" > "$w/other.json"; check "$w/other.json"; [ $? = 4 ] && grep -q "wallet 2 'wechatpay': " "$dir/out"; ok $? 'a mistake names wallet and member'
check "$w/nowhere.json"; [ $? = 4 ] && grep -q 'nowhere.json: No such file' "$dir/out"; ok $? 'a file that is not there'
keys || exit 1
start --wallets "$w/wallets.json" || exit 1
[ "$(grep -c 'wallet .* at http://127.0.0.1' "$dir/log")" = 3 ]; ok $? 'the daemon says which wallets it has'
for metric in 'breaker{wallet="alipay"} 0' 'calls_total{wallet="antom",answer="unknown"} 0' 'refused_total{wallet="wechatpay"} 0'; do curl -s "$u/metrics" | grep -qF "keer_wallet_$metric"; ok $? "figures: $metric"; done
grep -q 'sandbox: refused' "$dir/log"; [ $? = 1 ]; ok $? 'its sandbox has what wallets need'
stop; ok $? 'ended'
exit $failed
