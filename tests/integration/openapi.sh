#!/usr/bin/env bash
# openapi.sh - the OpenAPI document before a public validator, and the daemon's answers before its schemas (tests/npm).
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
. tests/lib/serving.sh
command -v node > /dev/null || { echo 'skipped: no node here'; exit 0; }
dir=$(mktemp -d); trap 'daemon_kill; rm -rf "$dir"' EXIT
npm_ready tests/npm || exit 0
daemon_start --notices "$dir/notices" --webhooks on --webhook-allow 127.0.0.1/32 --webhook-retries 10ms || exit 1
"$KEER" --describe=openapi > "$dir/openapi.json"
KEER_NOTICES=$dir/notices KEER_ORIGIN=http://localhost:${url##*:} KEER_KEY_STORE=$key KEER_KEY_ANALYST=$analyst KEER_KEY_PARTNER=$partner KEER_KEY_ADMIN=$admin node tests/npm/openapi.mjs "$dir/openapi.json" "$url"; code=$?
daemon_stop && exit $code
