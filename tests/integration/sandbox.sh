#!/usr/bin/env bash
# sandbox.sh - the sandboxed daemon serves, checkpoints, reloads, ends and starts again; what it has no use for is refused, and what only an
# attacker does ends it. The control: without the sandbox the same attempts succeed.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release}
. tests/lib/daemon.sh
key=$("$KEER" key new -q --database "$dir/k.db"); printf 'log = text\n' > "$dir/c"
serving=(--config "$dir/c")
hook() { run_by=(env "LD_PRELOAD=$dir/hook.so" "KEER_HOOK=$1"); }
mkdir "$dir/w"
start --threads 2 --snapshot "$dir/w/k.windows" --snapshot-every 200; ok $? 'it starts'
grep -q 'sandbox: none' "$dir/log" && { stop; echo 'skipped: no sandbox in this build'; exit $failed; }
grep -qE 'sandbox: on, Landlock ABI [0-9]' "$dir/log"; ok $? "$(grep -o 'sandbox: .*' "$dir/log")"
grep -q '^Seccomp:.2' "/proc/$pid/status" && grep -q '^NoNewPrivs:.1' "/proc/$pid/status"; ok $? 'the kernel says so'
"$BUILD/bench/http-load" --to "$address" --key "$key" --connections 32 --seconds 3 --prefix s --acks "$dir/acks" > "$dir/load"; ok $? "under load: $(cat "$dir/load")"
rows=$(curl -s "http://$address/metrics" | awk '/^keer_journal_rows_total/ { print $2 }'); [ "$rows" -gt 500 ]; ok $? "$rows rows: more than a checkpoint's 1,000 pages"
mv "$dir/c" "$dir/c.old"; printf 'log = json\n' > "$dir/c"; kill -HUP $pid; sleep .2; grep -q '^{.*SIGHUP' "$dir/log"; ok $? 'SIGHUP reads a file that took another one'"'"'s place'
curl -s "http://$address/metrics" | awk '/^keer_snapshots_written_total/ { n = $2 } /^keer_snapshots_failed_total/ { f = $2 } END { exit !(n > 0 && f == 0) }'; ok $? 'snapshots are renewed, in a folder of their own'
stop; ok $? 'it ends with code 0'
! grep -q refused "$dir/log"; ok $? 'it missed nothing'
start --snapshot "$dir/w/none/k.windows"; ok $? 'it starts again from the journal; the folder of its snapshot is not there'
stop; ok $? 'and ends'
start --snapshot "$dir/w/k.windows" && grep -q '"snapshot":{"used":true' "$dir/ready"; ok $? 'it starts again from the snapshot'
"$BUILD/bench/http-load" --to "$address" --key "$key" --check "$dir/acks" > "$dir/load"; ok $? "every acknowledged decision: $(cat "$dir/load")"
stop; ok $? 'and ends'

command -v gcc > /dev/null && gcc -D_GNU_SOURCE -shared -fPIC -o "$dir/hook.so" tests/sandbox/hook.c -ldl || { echo 'skipped: no gcc to make the hook'; exit $failed; }
printf 'log = text\n' > "$dir/c"
hook none; start; for _ in $(seq 2000); do grep -q 'hook: kill' "$dir/log" && break; sleep .02; done
for want in getpriority:EPERM socket:EPERM 'executable memory:EPERM' kill:EPERM; do grep -q "hook: ${want%:*}: ${want#*:}" "$dir/log"; ok $? "refused: ${want%:*}"; done
if ! grep -q 'no Landlock' "$dir/log"; then for want in open create; do grep -q "hook: $want: EACCES" "$dir/log"; ok $? "refused: $want"; done; fi
grep -q 'warning sandbox: refused system call [0-9]' "$dir/log"; ok $? "and told: $(grep -m1 -o 'sandbox: refused.*' "$dir/log")"
curl -sf -o "$dir/ready" "http://$address/readyz"; ok $? 'it serves all the same'
stop; ok $? 'and ends'
for name in execve ptrace io_uring; do
    hook $name; start > /dev/null 2>&1; wait $pid 2> /dev/null; code=$?; pid=
    [ $code = 159 ]; ok $? "$name ends it (SIGSYS): $code"
done
hook none; start --sandbox off; for _ in $(seq 2000); do grep -q 'hook: kill' "$dir/log" && break; sleep .02; done
[ "$(grep -cE 'hook: (getpriority|socket|open|create|executable memory|kill): done' "$dir/log")" = 6 ]; ok $? 'the control: off, all of it is done'
rm -f /tmp/keer-sandbox-hook; stop; ok $? 'and ends'
hook none; start --sandbox report; for _ in $(seq 2000); do grep -q 'hook: kill' "$dir/log" && break; sleep .02; done
[ "$(grep -c ': done' "$dir/log")" -ge 6 ] && grep -q 'sandbox: report' "$dir/log"; ok $? 'report refuses nothing'
rm -f /tmp/keer-sandbox-hook; stop; ok $? 'and ends'
exit $failed
