#!/usr/bin/env bash
# sign_in_flood.sh - 1,000 sign-ins at once: Argon2 is bounded, who finds no place is told 429 and when to come again, and decisions go on.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
command -v python3 > /dev/null || { echo 'skipped: no python3 here'; exit 0; }
. tests/lib/daemon.sh
key=$("$KEER" key new -q --database "$dir/k.db" --role store --name checkout)
start --connections 3000 || exit 1
python3 tests/accounts/flood.py "$u" "$key" "${FLOOD:-1000}" "${FLOOD_SECONDS:-5}"; ok $? 'decisions go on beside 1,000 sign-ins at once'
memory=$(awk '/VmHWM/ {print $2}' "/proc/$pid/status"); echo "most memory: $((memory / 1024)) MiB"
[ "$memory" -lt 400000 ]; ok $? 'and memory stays bounded'
stop; ok $? 'the daemon ends'
exit $failed
