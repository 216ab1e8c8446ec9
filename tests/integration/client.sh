#!/usr/bin/env bash
# client.sh - clients/js against a real daemon and against a server that misbehaves; its version is ours; its types hold.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
command -v node > /dev/null || { echo 'skipped: no node here'; exit 0; }
. tests/lib/daemon.sh
[ "keer $(sed -nE 's/.*"version": "(.*)",/\1/p' clients/js/package.json)" = "$("$KEER" --version)" ]; ok $? 'the version of the package is ours'
missing=
for word in $("$KEER" --describe=openapi | jq -r '.components.schemas | (.Decision, .Label, .Explanation, .ExplainedRule, .ExplainedValue, .ExplainedWindow,
    .ExplainedModel, .Contribution).properties | keys[], .outcome.enum[]?, .label.enum[]?, .degraded.items.enum[]?'); do
    grep -qE "\b$word\b" clients/js/index.d.ts || missing="$missing $word"
done
[ -z "$missing" ]; ok $? "index.d.ts names all of decisions, labels and explanations$missing"
keys && start || exit 1
KEER_URL=$u KEER_KEY_STORE=$key KEER_KEY_ANALYST=$analyst KEER_KEY_PARTNER=$partner KEER_KEY_ADMIN=$admin \
    node --test --test-reporter=tap clients/js/test/*.test.js > "$dir/tap"; code=$?
grep -E '^ *(not )?ok [0-9]+ - ' "$dir/tap" | grep -vE '\.test\.js' | sed -E 's/^ *((not )?ok) [0-9]+ - /\1 - client: /'
[ $code = 0 ] || { sed -n '/^not ok/,/^# Subtest/p' "$dir/tap"; failed=1; }
stop; ok $? 'the daemon ends'
if npm_ready tests/npm; then
    types() { node tests/npm/node_modules/typescript/lib/tsc.js --noEmit --strict --target es2022 --module nodenext "$1"; }
    types tests/npm/client_types.mts; ok $? 'the types of a correct program hold'
    sed "s/onUnavailable: 'deny', //; s|'../../|'$PWD/|" tests/npm/client_types.mts > "$dir/control.mts"
    types "$dir/control.mts" > "$dir/tsc"; grep -q "'onUnavailable' is missing" "$dir/tsc"; ok $? 'the control: a program that does not choose is refused'
fi
exit $failed
