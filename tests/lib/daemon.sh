# daemon.sh - for tests that ask a daemon: `. tests/lib/daemon.sh` gives $dir (a scratch folder with the database k.db), ok, start, stop, ask.
# shellcheck shell=bash
export KEER_ALLOW_ROOT=yes
dir=$(mktemp -d); pid=
trap '[ -n "$pid" ] && kill -9 "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
failed=0
ok() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; [ -f "$dir/body" ] && head -c 600 "$dir/body"; [ -f "$dir/log" ] && tail -n 3 "$dir/log"; fi; }
# start OPTIONS...: sets pid and u, the address as http://...; POLICY is the policy, DATABASE another database.
start() {
    : > "$dir/log"
    "$KEER" serve --policy "${POLICY:-policies/store.keer}" --database "${DATABASE:-$dir/k.db}" --listen 127.0.0.1:0 "$@" 2>> "$dir/log" & pid=$!
    for _ in $(seq 500); do
        u=$(sed -nE 's|.*listens on (http://[^ ]+) .*|\1|p' "$dir/log")
        [ -n "$u" ] && curl -sf -o "$dir/ready" "$u/readyz" && return 0
        sleep .01
    done
    echo 'not ok - the daemon is not ready'; cat "$dir/log"; return 1
}
stop() { kill "$pid"; wait "$pid"; local code=$?; pid=; return $code; }
# ask NAME STATUS PATTERN CURL-ARGUMENTS...: the status, and a pattern in head or body; the body stays in $dir/body.
ask() {
    local name=$1 status=$2 pattern=$3 got; shift 3
    got=$(curl -s -D "$dir/head" -o "$dir/body" -w '%{http_code}' "$@")
    [ "$got" = "$status" ] && grep -qE -- "$pattern" "$dir/head" "$dir/body"; ok $? "$name: $got"
    case $status in 4* | 5*) [ ! -s "$dir/body" ] || { grep -qi '^content-type: application/problem+json' "$dir/head"; ok $? "$name: a problem document"; } ;; esac
}
