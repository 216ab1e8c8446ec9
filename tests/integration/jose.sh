#!/usr/bin/env bash
# jose.sh - src/jose before npm jose (tests/oidc), both ways.
set -u
cd "$(dirname "$0")/../.." || exit
BUILD=${BUILD:-build/release}
for tool in node npm; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
npm_ready tests/oidc || exit 0
[ -x "$BUILD/tests/jose-tool" ] || { echo "skipped: $BUILD/tests/jose-tool is not built"; exit 0; }
node tests/oidc/jose.mjs "$BUILD/tests/jose-tool"
