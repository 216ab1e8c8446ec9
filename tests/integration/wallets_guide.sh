#!/usr/bin/env bash
# wallets_guide.sh - the commands and the JavaScript of docs/guides/wallets.md, run as they stand; only ports are others, and `open` is a customer who
# signs up, and answers what she is asked.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=$(realpath "${KEER:-build/release/keer}") root=$PWD guide=docs/guides/wallets.md
for t in curl jq; do command -v $t > /dev/null || { echo "skipped: no $t here"; exit 0; }; done
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
export KEER_ALLOW_ROOT=yes
failed=0
ok() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; tail -n 30 "$dir/out"; fi; }
free() { local p; p=$((20000 + RANDOM % 20000)); while (exec 3<> "/dev/tcp/127.0.0.1/$p") 2> /dev/null; do p=$((p + 1)); done; echo $p; }
port=$(free); wallet=$(free)
block() { awk -v l="$1" '$0 == "```" l { on = 1; next } /^```$/ { on = 0 } on' "$2" | sed "s/127\.0\.0\.1:8080/127.0.0.1:$port/g; s/127\.0\.0\.1:8090/127.0.0.1:$wallet/g"; } # language, file
cat > "$dir/customer" << 'END'
# The customer: her browser is ./jar, her recovery codes are ./codes.
make() { :; }
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
mine() { curl --silent --fail-with-body -b jar -c jar -H 'Content-Type: application/json' -d "$2" "$base/v1/account/$1"; }
open() {
    base=$(echo "$1" | sed -E 's|(http://[^/]*)/.*|\1|')
    case $1 in
    */sign-up)
        flow=$(mine sign-up '{"email":"anna@example.org","password":"orange bicycle under seven lamps"}' | jq -r .flow)
        for _ in $(seq 800); do code=$(grep -oE '[0-9]{8} is your code' notices | head -n 1 | cut -c1-8); [ -n "$code" ] && break; sleep .05; done
        mine sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$code\"}" | jq -r .account > account
        mine authenticators/recovery-codes '{}' | jq -r '.codes[]' > codes ;;
    */challenge/*)
        curl --silent --fail -b jar -c jar "$base/v1/account/challenges/${1##*/}" > /dev/null
        mine "challenges/${1##*/}/recovery-code" "{\"code\":\"$(head -n 1 codes)\"}"; sed -i 1d codes ;;
    *) curl --silent --fail "$1&accept=1" > /dev/null ;; # the wallet's page
    esac
}
END
# commands FILE AFTER: runs the commands in a new folder, and AFTER in the same shell.
commands() {
    rm -rf "$dir/here"; mkdir "$dir/here"; ln -s "$root/policies" "$dir/here/policies"
    { cat "$dir/customer"; block sh "$1"; echo "$2"; } > "$dir/commands"
    (cd "$dir/here" && PATH="${KEER%/*}:$PATH" timeout 60 bash -eu -o pipefail "$dir/commands") > "$dir/out" 2>&1
}
# The second block without the function: what an integration of a charge is.
n=$(awk '/^call\(\)/ { on = 1; next } /^```$/ { on = 0 } on' $guide | wc -l); [ "$n" -le 10 ]; ok $? "link, charge, confirm and refund take $n lines"
after='export AGREEMENT; kill %1 %2; wait'
if command -v node > /dev/null; then
    mkdir -p "$dir/js/node_modules/@keersluis"; ln -s "$root/clients/js" "$dir/js/node_modules/@keersluis/client"
    block js $guide > "$dir/js/guide.mjs"
    after="export AGREEMENT; node $dir/js/guide.mjs; kill %1 %2; wait"
fi
commands $guide "$after"; ok $? 'the commands of the guide'
in_it() { jq -e "$2" "$dir/here/$1" > /dev/null; ok $? "$3"; }
in_it link.json '.state == "needs_step" and .caps.charge == "700.00"' 'linking wants a step, and shows the caps'
in_it charge.json '.state == "needs_step"' 'the charge wants a step'
in_it paid.json '.state == "paid" and .amount == "648.00"' 'it is paid'
in_it refund.json '.state == "paid" and .amount == "48.00"' 'part of it is given back'
grep -q '^"48.00"$' "$dir/out"; ok $? 'and the charge says so'
if command -v node > /dev/null; then grep -q '^send her to http' "$dir/out"; ok $? 'the JavaScript of the guide charges, and is asked for a step'; else echo 'skipped: no node here'; fi
# The tables of the guide are the program's.
missing=; for w in $(sed -nE 's/^CHARGE_WHY\([A-Z_]+, *"(cap_[a-z]+|held|denied|agreement_not_active)".*/\1/p' src/wallet/charge_whys.def); do grep -q "\`$w\`" $guide || missing="$missing $w"; done
[ -z "$missing" ]; ok $? "the guide has the codes of refusals$missing"
missing=$(sed -nE 's/^AGREEMENT_CAPS\(([A-Z]{3}), *([0-9]+).*/\1/p' src/wallet/caps.def | while read -r c; do grep -qE "^\| .*$c" $guide || echo " $c"; done)
[ -z "$missing" ]; ok $? "the guide has the currencies with default caps$missing"
# The control: what must not pass.
mkdir "$dir/guide"; sed 's/order-77","agreement/order-77","agrement/' $guide > "$dir/guide/broken.md"
commands "$dir/guide/broken.md" 'kill %1 %2; wait' && { echo 'not ok - the control passes: this test sees nothing'; failed=1; }
exit $failed
