# serving.sh - sourced by tests that need a daemon: daemon_start makes a database and a key of each role in $dir, starts `keer serve` on a
# free port and waits until it decides; $url, $key, $analyst, $partner, $admin say the rest. daemon_stop ends it, with its exit code.
# shellcheck shell=bash disable=SC2154,SC2034  # $dir comes from the test, the keys go there
daemon_pid=
export KEER_ALLOW_ROOT=yes
daemon_start() { # options of serve...
    local role made
    if [ ! -f "$dir/k.db" ]; then
        for role in store analyst partner admin; do
            made=$("$KEER" key new -q --database "$dir/k.db" --name "$role" --role "$role") || return 1
            case $role in store) key=$made ;; *) printf -v "$role" %s "$made" ;; esac
        done
    fi
    : > "$dir/daemon.log"
    "$KEER" serve --policy policies/store.keer --database "$dir/k.db" --listen 127.0.0.1:0 "$@" 2>> "$dir/daemon.log" & daemon_pid=$!
    for _ in $(seq 1000); do
        url=$(sed -nE 's|.*listens on (http://[^ ]+) .*|\1|p' "$dir/daemon.log")
        [ -n "$url" ] && curl -sf -o "$dir/daemon.ready" "$url/readyz" && return 0
        kill -0 "$daemon_pid" 2> /dev/null || break
        sleep .01
    done
    echo 'not ok - the daemon is not ready'; cat "$dir/daemon.log"; return 1
}
daemon_stop() { local code; kill "$daemon_pid"; wait "$daemon_pid"; code=$?; daemon_pid=; return $code; }
daemon_kill() { [ -z "$daemon_pid" ] || kill -9 "$daemon_pid" 2> /dev/null; } # for traps
# npm_ready FOLDER: the packages of its lock file are there; else says why not.
npm_ready() {
    command -v npm > /dev/null || { echo 'skipped: no npm here'; return 1; }
    [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] && return 0
    (cd "$1" && npm ci --no-audit --no-fund --loglevel=error > "$dir/npm.log" 2>&1) && return 0
    echo "skipped: npm can't install what $1/package-lock.json lists: $(tail -n 1 "$dir/npm.log")"; return 1
}
