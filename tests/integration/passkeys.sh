#!/usr/bin/env bash
# passkeys.sh - passkeys over HTTP (tests/webauthn/flow.mjs), and what was accepted sent once more after kill -9 and a restart.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
command -v node > /dev/null || { echo 'skipped: no node here'; exit 0; }
. tests/lib/daemon.sh
keys && start --notices "$dir/notices" || exit 1
origin=http://localhost:${address##*:}
KEER_KEY_STORE=$key node tests/webauthn/flow.mjs "$u" "$dir/notices" "$dir/state" || { tail -n 20 "$dir/log"; exit 1; }
kill -9 "$pid"; wait "$pid" 2> /dev/null
start --notices "$dir/notices" --origin "$origin" || exit 1
node tests/webauthn/flow.mjs "$u" "$dir/notices" "$dir/state" again; code=$?
stop && exit $code
