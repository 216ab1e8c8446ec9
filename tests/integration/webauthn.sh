#!/usr/bin/env bash
# webauthn.sh - 1,000 ceremonies and all mutations before two judges, libfido2 and @simplewebauthn/server; tests/webauthn/DIFFERENCES.md
# explains where they say otherwise. KEER_SEED draws others.
set -u
cd "$(dirname "$0")/../.." || exit
BUILD=${BUILD:-build/release}
command -v node > /dev/null || { echo 'skipped: no node here'; exit 0; }
[ -x "$BUILD/tests/webauthn-judge" ] || { echo 'skipped: no libfido2 here, or the judge was not built'; exit 0; }
. tests/lib/daemon.sh
npm_ready tests/webauthn || exit 0
"$BUILD/tests/webauthn-judge" "${KEER_SEED:-20261129}" > "$dir/lines" || { echo 'not ok - the ceremonies could not be made'; exit 1; }
node tests/webauthn/judge.mjs < "$dir/lines" || exit 1
# The control: a judge that refuses everything must be noticed.
sed 's/"ours":"OK"/"ours":"ORIGIN"/' "$dir/lines" > "$dir/broken"
node tests/webauthn/judge.mjs < "$dir/broken" > "$dir/out" && { echo 'not ok - a verifier that refuses everything is noticed'; exit 1; }
grep -q '^not ok - every difference' "$dir/out" && echo 'ok - a verifier that refuses everything is noticed'
