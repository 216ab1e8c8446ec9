#!/usr/bin/env bash
# emulator.sh - `keer emulate wallet` before its judges: alipay-sdk, wechatpay-axios-plugin and wechatpay-node-v3 take its answers and notices, refuse them when a
# fault signs wrongly, and are refused when they ask wrongly. Antom has no such client: node's crypto over its documented layout.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=$(realpath "${KEER:-build/release/keer}")
for tool in curl node npm jq openssl; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
. tests/lib/emulator.sh
npm_ready tests/npm || exit 0
finally() { emulator_stop; }
post() { curl -s -o "$dir/body" -w '%{http_code}' -d "$2" "$wallet/emulator/$1"; }

# 1. what is refused at the start
refused() { # NAME CODE PATTERN OPTIONS...
    local name=$1 code=$2 pattern=$3 got; shift 3
    "$KEER" emulate "$@" > "$dir/out" 2>&1; got=$?
    [ $got = "$code" ] && grep -qE -- "$pattern" "$dir/out"; ok $? "$name: $got"
}
refused 'what is emulated is named' 2 'wallet was expected' purse --folder "$dir/w"
refused 'a folder is needed' 2 '\-\-folder=FOLDER is missing' wallet
refused 'loopback alone is listened on' 2 'ADDRESS:PORT of loopback' wallet --folder "$dir/w" --listen 0.0.0.0:0
refused 'an unknown fault' 2 "'fire=1': there is no such fault" wallet --folder "$dir/w" --faults fire=1
refused 'a probability that is none' 2 'a probability from 0 to 1' wallet --folder "$dir/w" --faults drop_after=2
refused 'a folder that can not be made' 4 "can't be written" wallet --folder /proc/none/w
rm -f "$dir/out"

# 2. the judges
emulator_start --record "$dir/record.ndjson" || exit 1
find "$dir/w" -type f ! -perm 600 | grep -q .; [ $? = 1 ]; ok $? 'its files are their owner'\''s alone'
openssl verify -CAfile "$dir/w/alipay-root.crt" "$dir/w/alipay-app.crt" "$dir/w/alipay-public.crt" "$dir/w/wechatpay-platform-1.crt" > /dev/null 2>&1; ok $? 'its certificates are taken by openssl'
for judge in alipay wechatpay antom; do
    TZ=Asia/Shanghai node "tests/npm/emulator_$judge.mjs" "$dir/w" "$wallet" > "$dir/judge" 2>&1 || failed=1
    grep -qE '^ok' "$dir/judge" || failed=1
    sed "s/^\(ok\|not ok\) - /&$judge: /" "$dir/judge"
done
jq -es 'length > 100 and all(.[]; .head and (.body | type == "string"))' "$dir/record.ndjson" > /dev/null; ok $? 'every request was recorded'
node tests/npm/verify_requests.mjs "$dir/w" "$dir/record.ndjson" > "$dir/judge"; grep -q '^wrong' "$dir/judge"; ok $? "the recorder's judge finds the requests that were signed wrongly: $(tail -n 1 "$dir/judge")"
jq -es '[.[] | select(.kind == "charge" and .what == "paid")] | length == (map([.wallet, .number]) | unique | length)' "$dir/w/journal.ndjson" > /dev/null; ok $? 'no number was charged twice'
curl -s "$wallet/emulator/journal" | cmp -s - "$dir/w/journal.ndjson"; ok $? 'the journal over HTTP is the file'
[ "$(post sign '{"number":"nobody"}')" = 404 ] && [ "$(post faults '{"spec":"x"}')" = 400 ] && [ "$(post nothing '{}')" = 404 ] && [ "$(post end '{')" = 400 ]; ok $? 'its own door says what is wrong'
[ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Transfer-Encoding: chunked' -d x "$wallet/gateway.do")" = 411 ]; ok $? 'a body without a length'
emulator_stop; ok $? 'a signal ends it'
keys=$(sha256sum < "$KEER_EMULATOR_KEYS"); cp "$dir/w/alipay-public.pem" "$dir/before"
emulator_start && emulator_stop; cmp -s "$dir/before" "$dir/w/alipay-public.pem" && [ "$keys" = "$(sha256sum < "$KEER_EMULATOR_KEYS")" ] && [ "$(stat -c %a "$KEER_EMULATOR_KEYS")" = 600 ]; ok $? 'keys are kept, for their owner alone'
head -c 3000 "$KEER_EMULATOR_KEYS" > "$dir/half"; KEER_EMULATOR_KEYS=$dir/half emulator_start && emulator_stop; ! cmp -s "$dir/before" "$dir/w/alipay-public.pem"; ok $? 'half of a file of keys is none: new ones are made'

# 3. our own drivers' requests before the packages' verifiers
connect=${BUILD:-build/release}/tests/wallet-connect
if [ -x "$connect" ]; then
    KEER_EMULATOR_KEYS=$dir/fresh emulator_start --record "$dir/ours.ndjson" || exit 1 # under keys that nobody has seen before
    for file in wallets wallets-certificates; do "$connect" walk "$dir/w/$file.json" "$wallet" > "$dir/out" 2>&1 || cat "$dir/out"; done
    emulator_stop; rm -f "$dir/out"
    node tests/npm/verify_requests.mjs "$dir/w" "$dir/ours.ndjson" > "$dir/judge"; code=$?
    [ $code = 0 ] && [ "$(tail -n 1 "$dir/judge" | jq 'length')" = 4 ]; ok $? "what our drivers send is signed as the official packages sign it, byte for byte: $(tail -n 1 "$dir/judge")"
    sed 's/paymentRequestId/paymentRequestld/; s/out_trade_no/out_trade_on/' "$dir/ours.ndjson" > "$dir/changed.ndjson"
    node tests/npm/verify_requests.mjs "$dir/w" "$dir/changed.ndjson" > "$dir/judge"; [ $? = 1 ] && [ "$(grep -c '^wrong' "$dir/judge")" -gt 20 ]; ok $? 'the control fails: requests that were changed'
else
    echo "skipped: no $connect here"
fi

# 4. same seed, same numbers and same faults
spec=drop_after=0.3,error_before=0.3,bad_signature=0.2,waits=0.3,wrong_amount=0.2
run() { emulator_start --seed "$1" --faults "$spec" && TZ=Asia/Shanghai node tests/npm/emulator_seed.mjs "$dir/w" "$wallet"; emulator_stop; }
run 7 > "$dir/one"; run 7 > "$dir/two"; run 8 > "$dir/three"
[ "$(wc -l < "$dir/one")" = 60 ] && cmp -s "$dir/one" "$dir/two"; ok $? 'the same seed, the same faults and numbers'
cmp -s "$dir/one" "$dir/three"; [ $? = 1 ]; ok $? 'another seed, others'

# 5. the guide's commands, as they stand; only the port is another
port=20000; while (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do port=$((port + RANDOM % 5000 + 1)); done
guide() { # FROM TO: one thing in the guide may be another
    rm -rf "$dir/here"; mkdir "$dir/here"
    { echo 'trap "kill \$(jobs -p) 2> /dev/null" EXIT'; awk '$0 == "```sh" { on = 1; next } /^```$/ { on = 0 } on' docs/guides/emulator.md | sed "s/127\.0\.0\.1:9080/127.0.0.1:$port/g; s/$1/$2/"; } > "$dir/commands"
    (cd "$dir/here" && PATH="${KEER%/*}:$PATH" timeout 120 bash -eu -o pipefail "$dir/commands") > "$dir/out" 2>&1
}
guide x x; ok $? 'the commands of the guide'
tr '\n' ' ' < "$dir/out" | grep -q 'wallets.json .* SUCCESS REPEAT_REQ_INCONSISTENT \["agreement","signed","a1",null\] \["charge","paid","c1",64800\] .* no answer: unknown SUCCESS'; ok $? 'show what it says they show'
guide 'keyVersion=1' 'keyVersion=2'; [ $? != 0 ]; ok $? 'the control fails: another version of the key'
exit $failed
