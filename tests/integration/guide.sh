#!/usr/bin/env bash
# guide.sh - every ```keer block of the guide is a policy that checks without a warning, and the guide names every aggregate and function.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
guide=docs/guides/policy.md
cp -r policies/rates.txt policies/lists "$dir/"
awk -v d="$dir" '/^```keer$/ { n++; on = 1; next } /^```$/ { on = 0 } on { print > (d "/block" n ".keer") }' $guide
found=0 failed=0
for f in "$dir"/block*.keer; do
    [ -f "$f" ] || continue
    found=$((found + 1))
    if "$KEER" check "$f" >"$dir/out" 2>&1 && ! grep -q warning "$dir/out"; then echo "ok - ${f##*/} of the guide"
    else echo "not ok - ${f##*/} of the guide"; cat "$dir/out"; failed=1; fi
done
if [ $found -gt 5 ]; then echo "ok - the guide has $found policies"; else echo "not ok - the guide has $found policies"; failed=1; fi
for table in aggregates functions; do
    missing=
    while read -r name; do grep -qE "\`$name[\`(]" $guide || missing="$missing '$name'"; done \
        < <("$KEER" --describe=$table --format=json | sed -nE 's/^\{"name":"([^"]*)".*/\1/p')
    if [ -z "$missing" ]; then echo "ok - the guide names all $table"; else echo "not ok - the guide lacks the $table$missing"; failed=1; fi
done
# The control: a block that must not pass.
echo 'rule a deny if purchse' > "$dir/control.keer"
"$KEER" check "$dir/control.keer" >/dev/null 2>&1 && { echo 'not ok - the control passes: this test sees nothing'; failed=1; }
exit $failed
