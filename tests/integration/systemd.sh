#!/usr/bin/env bash
# systemd.sh - dist/keer.service: systemd takes it, and its exposure is at most 2.0 of 10 (systemd-analyze security).
set -u
cd "$(dirname "$0")/../.." || exit
command -v systemd-analyze > /dev/null || { echo 'skipped: no systemd-analyze here'; exit 0; }
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
failed=0
ok() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; cat "$dir/out"; fi; }
mkdir -p "$dir/bin"; cp "${KEER:-build/release/keer}" "$dir/bin/keer"
sed "s|@PREFIX@|$dir|g" dist/keer.service > "$dir/keer.service"
systemd-analyze verify --man=no "$dir/keer.service" > "$dir/out" 2>&1; code=$?
grep -q 'Failed to.*\(bus\|cgroup\|manager\)' "$dir/out" && { echo 'skipped: systemd-analyze does not run here'; exit 0; }
[ $code = 0 ] && ! grep -q 'keer.service' "$dir/out"; ok $? 'systemd-analyze verify'
systemd-analyze security --offline=true --threshold=20 "$dir/keer.service" > "$dir/out" 2>&1; code=$?
grep -q "unrecognized option" "$dir/out" && { echo 'skipped: this systemd-analyze has no --offline'; exit $failed; }
ok $code "$(grep -o 'Overall exposure level.*' "$dir/out" | sed 's/ [^ -~]*$//')"
# The control: without its hardening it is over the threshold.
grep -vE '^(Protect|Private|Restrict|SystemCall|Capability|NoNew|Memory|IPAddress|Dynamic|User|Device|Lock)' "$dir/keer.service" > "$dir/bare.service"
! systemd-analyze security --offline=true --threshold=20 "$dir/bare.service" > "$dir/out" 2>&1; ok $? "the control is exposed: $(grep -o 'level for.*' "$dir/out" | sed 's/ [^ -~]*$//')"
exit $failed
