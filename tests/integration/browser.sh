#!/usr/bin/env bash
# browser.sh - the hosted pages in Debian's Chromium before a daemon (tests/browser): what people do, what must not work, axe-core's verdict.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in node npm chromium; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
npm_ready tests/browser || exit 0
# Passkeys, the public URL and the issuer have the port in their names: it is chosen before the daemon starts.
port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
listen=127.0.0.1:$port
keys && start --public-url "http://localhost:$port" --issuer "http://localhost:$port" --notices "$dir/messages" || exit 1
KEER_KEY_STORE=$key KEER_KEY_ADMIN=$admin node tests/browser/pages.mjs "http://localhost:$port" "$dir/messages" "$(command -v chromium)"; code=$?
stop && exit $code
