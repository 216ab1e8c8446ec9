#!/usr/bin/env bash
# wallets_page.sh - the person's page of linked wallets in Debian's Chromium, before a daemon and the emulator of wallets (tests/browser/wallets.mjs).
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in node npm chromium; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
npm_ready tests/browser || exit 0
emulator=
finally() { [ -z "$emulator" ] || kill "$emulator" 2> /dev/null; }
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
listen=127.0.0.1:$port
"$KEER" emulate wallet --folder "$dir/wallet" --notify "http://127.0.0.1:$port" > "$dir/emulator" 2>&1 & emulator=$!
for _ in $(seq 3000); do grep -q 'listening on' "$dir/emulator" && break; sleep .02; done
keys && start --public-url "http://localhost:$port" --notices "$dir/messages" --wallets "$dir/wallet/wallets.json" --guard-first 1s || exit 1
KEER_KEY_STORE=$key node tests/browser/wallets.mjs "http://localhost:$port" "$dir/messages" "$(command -v chromium)" ${PICTURES:+"$PICTURES"}; code=$?
[ $code = 0 ] || { tail -n 5 "$dir/log"; tail -n 5 "$dir/emulator"; }
stop && exit $code
