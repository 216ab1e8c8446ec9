#!/usr/bin/env bash
# examples.sh - the commands of README.md and docs/guides/first-decision.md, and the JavaScript of README.md and clients/js/README.md, run as they
# stand, each in a folder of its own; only the port is another, and `make` has been run already (stranger.sh builds, too; serve.sh
# runs those of docs/guides/serve.md).
set -u
cd "$(dirname "$0")/../.." || exit
KEER=$(realpath "${KEER:-build/release/keer}") root=$PWD
for t in curl jq; do command -v $t > /dev/null || { echo "skipped: no $t here"; exit 0; }; done
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
export KEER_ALLOW_ROOT=yes
failed=0
ok() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; cat "$dir/out"; fi; }
port=20000; while (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do port=$((port + RANDOM % 5000 + 1)); done
block() { awk -v l="$1" '$0 == "```" l { on = 1; next } /^```$/ { on = 0 } on' "$2" | sed "s/127\.0\.0\.1:8080/127.0.0.1:$port/g"; } # language, file
# commands FILE AFTER: runs the commands in a new folder, and AFTER in the same shell.
commands() {
    rm -rf "$dir/here"; mkdir "$dir/here"; ln -s "$root/policies" "$dir/here/policies"
    { echo 'make() { :; }; trap "kill \$(jobs -p) 2> /dev/null || true" EXIT'; block sh "$1"; echo "$2"; } > "$dir/commands"
    (cd "$dir/here" && PATH="${KEER%/*}:$PATH" timeout 60 bash -eu -o pipefail "$dir/commands") > "$dir/out" 2>&1
}
[ "$(block sh docs/guides/first-decision.md | wc -l)" -le 10 ]; ok $? 'the first decision takes ten lines'
commands docs/guides/first-decision.md 'wait'; ok $? 'the commands of first-decision.md'
grep -q '"outcome": "challenge"' "$dir/out" && grep -q '"name": "new_device_charge"' "$dir/out"; ok $? 'show a decision and why'

program='kill %1; wait'
if command -v node > /dev/null; then
    mkdir -p "$dir/js/node_modules/@keersluis"; ln -s "$root/clients/js" "$dir/js/node_modules/@keersluis/client"
    block js README.md > "$dir/js/readme.mjs"
    { block js clients/js/README.md | sed 's/KEER_KEY/KEY/'; echo 'function refuse() {}'; echo "console.log('then', d.outcome)"; } > "$dir/js/client.mjs"
    program="export KEY; node $dir/js/readme.mjs; node $dir/js/client.mjs; $program"
fi
commands README.md "$program"; ok $? 'the commands of README.md'
grep -q '"outcome": "challenge"' "$dir/out" && grep -q '"name": "new_device_charge"' "$dir/out"; ok $? 'show a decision and why'
if command -v node > /dev/null; then
    grep -qE "^(challenge|allow) \[" "$dir/out" && grep -qE '^then (challenge|allow)' "$dir/out"; ok $? 'the JavaScript of README.md and of the client decides'
else
    echo 'skipped: no node here'
fi
# The control: what must not pass.
mkdir "$dir/guide"; sed 's/-d @event.json/-d @nothing.json/; s/--silent http/--silent --fail http/' docs/guides/first-decision.md > "$dir/guide/broken.md"
commands "$dir/guide/broken.md" 'wait' && { echo 'not ok - the control passes: this test sees nothing'; failed=1; }
exit $failed
