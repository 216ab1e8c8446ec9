#!/usr/bin/env bash
# docs.sh - the reference pages in docs/reference are what the program prints now.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
tools/print-docs "$KEER" "$work" || { echo 'not ok - the program prints its tables'; exit 1; }
failed=0
for page in "$work"/*.md; do
    name=${page##*/}
    if diff -u "docs/reference/$name" "$page" > "$work/diff" 2>&1; then
        echo "ok - docs/reference/$name is fresh"
    else
        echo "not ok - docs/reference/$name is stale: run \`make docs\`"; head -20 "$work/diff"; failed=1
    fi
done
# Links between pages of the documentation lead somewhere.
dead=0
while IFS=: read -r file link; do
    case $link in http*|'#'*|mailto:*) continue ;; esac
    [ -e "$(dirname "$file")/${link%%#*}" ] || { echo "not ok - $file links to $link, which is not there"; dead=1; }
done < <(grep -roE '\]\([^) ]+\)' --include='*.md' docs ./*.md | sed -E 's/\]\(([^)]*)\)$/\1/')
[ $dead = 0 ] && echo 'ok - links between pages'
exit $((failed | dead))
