# daemon.sh - the way in which all tests start a daemon; `. tests/lib/daemon.sh` in the root of the tree. It gives
#
#   $dir                a scratch folder, which goes at the end, and with it the daemon; `finally` is called in between, if a test makes one
#   ok CODE NAME        the line of a check; of a failure it shows $dir/body, $dir/out and the end of $dir/log; $failed is for the exit code
#   keys                a key of each role in the database: $key (store), $analyst, $partner, $admin
#   start OPTIONS...    a daemon on a free port, and waits until it decides: $pid, $u (its address as a URL), $address; the log is in $dir/log,
#                       what /readyz said in $dir/ready
#   begin OPTIONS...    the same, but it waits only until the journal was decided: for what /readyz must complain about
#   stop                ends it, with its exit code
#   ask NAME STATUS PATTERN CURL-ARGUMENTS...    the status, a pattern in head or body, and problems as problem documents; the body is in $dir/body
#   as JAR NAME STATUS PATTERN PATH [BODY [CURL-ARGUMENTS...]]    the same of /v1/account/PATH, as the browser of that jar; GET without a body
#   the FILTER          what jq finds in $dir/body
#   wait_until COMMAND...       until it succeeds, $patience seconds (60) at the most; its exit code
#   until_true NAME COMMAND...  the same, as a check
#   npm_ready FOLDER    the packages of its lock file are there; else says why not
#
# What a test may set before: POLICY, DATABASE; listen, an address with a port that is known; run_by, a command that starts it, as (env A=b); serving, options of every start; curl_with, of curl.
# shellcheck shell=bash disable=SC2034  # the test reads them
export KEER_ALLOW_ROOT=yes
. tests/lib/node.sh
[ ! -d "${BUILD:-build/release}" ] || { KEER_EMULATOR_KEYS=$(realpath "${BUILD:-build/release}")/emulator.keys; export KEER_EMULATOR_KEYS; } # made once: it takes seconds
dir=$(mktemp -d); pid= u= address= failed=0
run_by=() serving=() curl_with=()
finally() { :; }
trap '[ -n "$pid" ] && kill -9 "$pid" 2>/dev/null; finally; rm -rf "$dir"' EXIT
ok() {
    local f
    if [ "$1" = 0 ]; then echo "ok - $2"; return; fi
    echo "not ok - $2"; failed=1
    for f in body out; do [ -f "$dir/$f" ] && head -c 600 "$dir/$f"; done
    [ -f "$dir/log" ] && tail -n 5 "$dir/log"
}
wait_until() {
    local wait_end=$((SECONDS + ${patience:-60})) # not by counting: a busy machine makes each turn long
    until "$@" > /dev/null 2>&1; do
        [ "$SECONDS" -lt "$wait_end" ] || return 1
        sleep .05
    done
}
until_true() { local wait_name=$1; shift; wait_until "$@"; ok $? "$wait_name"; }
keys() {
    local role made
    for role in store analyst partner admin; do
        made=$("$KEER" key new -q --database "${DATABASE:-$dir/k.db}" --name "$role" --role "$role") || return 1
        case $role in store) key=$made ;; *) printf -v "$role" %s "$made" ;; esac
    done
}
listening() { [[ $(< "$dir/log") =~ listens\ on\ (https?://[^\ ]+)\  ]] && u=${BASH_REMATCH[1]} && address=${u#*://}; }
decided() { listening && grep -q 'decided again' "$dir/log"; }
ready() { listening && curl -sf "${curl_with[@]}" -o "$dir/ready" "$u/readyz"; }
launch() { # UNTIL OPTIONS...
    local until=$1; shift
    : > "$dir/log"
    "${run_by[@]}" "$KEER" serve --policy "${POLICY:-policies/store.keer}" --database "${DATABASE:-$dir/k.db}" --listen "${listen:-127.0.0.1:0}" "${serving[@]}" "$@" 2>> "$dir/log" & pid=$!
    for _ in $(seq 4000); do
        "$until" && return 0
        kill -0 "$pid" 2> /dev/null || break
        sleep .01
    done
    echo 'not ok - the daemon is not ready'; cat "$dir/log"; return 1
}
start() { launch ready "$@"; }
begin() { launch decided "$@"; }
stop() { kill "$pid"; wait "$pid"; local code=$?; pid=; return $code; }
ask() {
    local name=$1 status=$2 pattern=$3 got; shift 3
    got=$(curl -s "${curl_with[@]}" -D "$dir/head" -o "$dir/body" -w '%{http_code}' "$@")
    [ "$got" = "$status" ] && grep -qE -- "$pattern" "$dir/head" "$dir/body"; ok $? "$name: $got"
    case $status in 4* | 5*) [ ! -s "$dir/body" ] || { grep -qi '^content-type: application/problem+json' "$dir/head"; ok $? "$name: a problem document"; } ;; esac
}
as() {
    local jar=$dir/$1.jar name=$2 status=$3 pattern=$4 path=$5 body=(); shift 5
    [ $# -gt 0 ] && { [ -n "$1" ] && body=(-H 'Content-Type: application/json' -d "$1"); shift; }
    ask "$name" "$status" "$pattern" -b "$jar" -c "$jar" "${body[@]}" "$@" "$u/v1/account/$path"
}
the() { jq -r "$1" "$dir/body"; }
npm_ready() {
    local lock
    command -v npm > /dev/null || { echo 'skipped: no npm here'; return 1; }
    node_ready || { echo "skipped: $node_why"; return 1; }
    exec {lock}< "$1/package-lock.json" && flock "$lock" # another test may want the same
    if [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] || (cd "$1" && npm ci --no-audit --no-fund --loglevel=error > "$dir/npm.log" 2>&1); then
        exec {lock}<&-
        return 0
    fi
    exec {lock}<&-
    echo "skipped: npm can't install what $1/package-lock.json lists: $(tail -n 1 "$dir/npm.log")"; return 1
}
