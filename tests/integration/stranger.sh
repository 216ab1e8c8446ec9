#!/usr/bin/env bash
# stranger.sh - the first integration of README.md, line by line as a stranger types it: in a copy of the tree that has no build/, with nothing of ours in the environment, and
# a stopwatch. From the first line to the explanation it may take WITHIN seconds (300), less what other programs had of the processors meanwhile. What is downloaded is not ours
# to time: the packages are there already.
# STRANGER=FILE, for .ci/run, which builds only once: what was built is kept as build/ when there is none, and what was said in FILE; when FILE is there, it is said again.
set -u
cd "$(dirname "$0")/../.." || exit
for t in curl jq make; do command -v $t > /dev/null || { echo "skipped: no $t here"; exit 0; }; done
[ -z "${STRANGER:-}" ] || [ ! -e "$STRANGER" ] || { cat "$STRANGER"; exit 0; }
tools/deps build > /dev/null 2>&1 || { echo 'skipped: what the build needs is not here'; exit 0; }
dir=$(mktemp -d); trap '[ -s "$dir/jobs" ] && kill -9 $(cat "$dir/jobs") 2> /dev/null; rm -rf "$dir"' EXIT
failed=0 within=${WITHIN:-300}
ok() { if [ "$1" = 0 ]; then echo "ok - $2" | tee -a "$dir/said"; else echo "not ok - $2"; failed=1; grep -m 5 -A 4 'error:' "$dir/out"; tail -n 20 "$dir/out"; fi; }
mkdir "$dir/clone"
if git rev-parse --is-inside-work-tree > /dev/null 2>&1; then git ls-files -z; else find . \( -path ./build -o -path ./.git \) -prune -o -name node_modules -prune -o -type f -print0; fi |
    tar --null -T - -cf - 2> /dev/null | tar -xf - -C "$dir/clone"
port=28080; while (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do port=$((port + RANDOM % 5000 + 1)); done
awk '/^## / { here = $0 == "## A first integration" } here && $0 == "```sh" { on = 1; next } /^```$/ { on = 0 } on' README.md > "$dir/lines"
[ "$(wc -l < "$dir/lines")" -le 10 ] && [ "$(head -c 16 "$dir/lines")" = 'tools/deps build' ]; ok $? "README.md's first integration is ten lines at most"
grep -q 'as root `export KEER_ALLOW_ROOT=yes` first' README.md; ok $? 'and says what root needs'
{   echo 'stamp() { echo "$(date +%s%N) $1" >> ../times; jobs -p > ../jobs; }'
    [ "$(id -u)" != 0 ] || echo 'export KEER_ALLOW_ROOT=yes'
    echo 'stamp start'
    n=0; while IFS= read -r line; do n=$((n + 1)); echo "$line"; echo "stamp $n"; done < <(sed "s/127\.0\.0\.1:8080/127.0.0.1:$port/g" "$dir/lines")
    echo 'kill %1; wait'
} > "$dir/typed"
# Ticks that all processors worked, and that what this script started did.
worked() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }
ours() { awk '{ sub(/.*\) /, ""); print $14 + $15 }' /proc/$$/stat; } # of children that ended
all=$(worked) mine=$(ours)
(cd "$dir/clone" && env -i HOME="$HOME" PATH="$PATH" LANG=C.UTF-8 ${SUDO_USER:+SUDO_USER="$SUDO_USER"} ${WERROR:+WERROR="$WERROR"} bash -eu -o pipefail ../typed) > "$dir/out" 2>&1; ok $? 'its lines run as they stand'
: > "$dir/jobs"
others=$((($(worked) - all - $(ours) + mine) * 1000 / $(getconf CLK_TCK) / $(nproc))) # ms of each processor
# ms FROM TO: between two lines.
ms() { awk -v a="$1" -v b="$2" '$2 == a { x = $1 } $2 == b { y = $1 } END { printf "%d", (y - x) / 1e6 }' "$dir/times"; }
grep -q '"outcome": "challenge"' "$dir/out"; ok $? 'a decision'
grep -q '"name": "new_device_charge"' "$dir/out" && grep -q '"expression": "new_here"' "$dir/out"; ok $? 'and why: the rule, and what it saw'
total=$(ms start "$(wc -l < "$dir/lines")")
[ "$total" -gt 0 ] && [ $((total - others)) -le $((within * 1000)) ]; ok $? "from the first line to the explanation in $total ms: building $(ms start 1), a key $(ms 1 2), serving $(ms 2 4), a decision $(ms 5 6), its explanation $(ms 6 7); other programs had $others ms of each processor"
[ -z "${STRANGER:-}" ] || [ $failed != 0 ] || [ -e build ] || { mv "$dir/clone/build" build && mv "$dir/said" "$STRANGER"; }
exit $failed
