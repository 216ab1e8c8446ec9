# emulator.sh - the way in which tests start the wallet emulator; after tests/lib/daemon.sh. It gives
#
#   emulator_start OPTIONS...    an emulator on a free port, its folder is $dir/w: $wallet (its URL), $dir/w/wallets.json
#   emulator_stop                ends it, with its exit code
#   emulator_sign NUMBER         the person agrees (NUMBER: ours, or the URL that was signed)
#   emulator_faults SPEC         what goes wrong from now on
# shellcheck shell=bash disable=SC2034,SC2154  # dir, KEER: daemon.sh
emulator_pid= wallet=
emulator_start() {
    rm -f "$dir/emulator"
    "$KEER" emulate wallet --folder "$dir/w" "$@" > "$dir/emulator" 2>&1 & emulator_pid=$!
    for _ in $(seq 6000); do
        [[ -s $dir/emulator && $(< "$dir/emulator") =~ listening\ on\ (http://[^[:space:]]+) ]] && wallet=${BASH_REMATCH[1]} && return 0
        kill -0 "$emulator_pid" 2> /dev/null || break
        sleep .01
    done
    echo 'not ok - the emulator is not ready'; cat "$dir/emulator"; return 1
}
emulator_stop() {
    [ -n "$emulator_pid" ] || return 0
    kill "$emulator_pid" 2> /dev/null; wait "$emulator_pid" 2> /dev/null; local code=$?
    emulator_pid=; return $code
}
emulator_sign() { case $1 in http*) curl -sf -d "{\"url\":\"$1\"}" "$wallet/emulator/sign" ;; *) curl -sf -d "{\"number\":\"$1\"}" "$wallet/emulator/sign" ;; esac; }
emulator_faults() { curl -sf -d "{\"spec\":\"$1\"}" "$wallet/emulator/faults" > /dev/null; }
