#!/usr/bin/env bash
# openapi.sh - the OpenAPI document before a public validator, and the daemon's answers before its schemas (tests/npm).
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
command -v node > /dev/null || { echo 'skipped: no node here'; exit 0; }
. tests/lib/daemon.sh
npm_ready tests/npm || exit 0
emulator=
finally() { [ -z "$emulator" ] || kill "$emulator" 2> /dev/null; }
"$KEER" emulate wallet --folder "$dir/wallet" > "$dir/emulator" 2>&1 & emulator=$!
for _ in $(seq 3000); do grep -q 'listening on' "$dir/emulator" && break; sleep .02; done
"${BUILD:-build/release}/tests/appstore-make" "$dir" "$(date +%s)000" 00000000-0000-0000-0000-000000000000 || exit 1
keys && start --appstore-root "$dir/root.pem" --appstore-bundle com.example.game --notices "$dir/notices" --webhooks on --webhook-allow 127.0.0.1/32 --webhook-retries 10ms --issuer http://localhost:8080 --wallets "$dir/wallet/wallets.json" --guard-first 1s || exit 1
"$KEER" --describe=openapi > "$dir/openapi.json"
export KEER_APPSTORE=$dir KEER_NOTICES=$dir/notices KEER_ORIGIN=http://localhost:${address##*:} # the origin of pages without --public-url
KEER_KEY_STORE=$key KEER_KEY_ANALYST=$analyst KEER_KEY_PARTNER=$partner KEER_KEY_ADMIN=$admin node tests/npm/openapi.mjs "$dir/openapi.json" "$u"; code=$?
stop && exit $code
