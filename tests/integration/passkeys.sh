#!/usr/bin/env bash
# passkeys.sh - passkeys over HTTP (tests/webauthn/flow.mjs), and what was accepted sent once more after kill -9 and a restart.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
. tests/lib/serving.sh
command -v node > /dev/null || { echo 'skipped: no node here'; exit 0; }
dir=$(mktemp -d); trap 'daemon_kill; rm -rf "$dir"' EXIT
daemon_start --notices "$dir/notices" || exit 1
KEER_KEY_STORE=$key node tests/webauthn/flow.mjs "$url" "$dir/notices" "$dir/state" || { tail -n 20 "$dir/daemon.log"; exit 1; }
daemon_kill; wait "$daemon_pid" 2> /dev/null
daemon_start --notices "$dir/notices" --origin "http://localhost:${url##*:}" || exit 1
node tests/webauthn/flow.mjs "$url" "$dir/notices" "$dir/state" again; code=$?
daemon_stop && exit $code
