#!/usr/bin/env bash
# guide.sh - every ```keer block of the guide is a policy that checks.
set -u
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cp -r policies/rates.txt "$dir/"
awk -v d="$dir" '/^```keer$/ { n++; on = 1; next } /^```$/ { on = 0 } on { print > (d "/block" n ".keer") }' docs/guides/policy.md
found=0
for f in "$dir"/block*.keer; do
    [ -f "$f" ] || continue
    found=$((found + 1))
    if "$KEER" check --quiet "$f" >"$dir/out" 2>&1; then echo "ok - ${f##*/} of the guide"; else echo "not ok - ${f##*/} of the guide"; cat "$dir/out"; fi
done
[ $found -gt 0 ] && echo "ok - the guide has $found policies" || echo "not ok - the guide has no policies"
