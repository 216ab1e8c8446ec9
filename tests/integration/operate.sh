#!/usr/bin/env bash
# operate.sh - running the daemon: settings and where they come from, --check-config, SIGHUP, logs without secrets, root.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=$(realpath "${KEER:-build/release/keer}")
for tool in curl jq sqlite3; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
check() { "$KEER" serve --check-config "$@" > "$dir/out" 2>&1; }
# refused NAME CODE PATTERN OPTIONS...
refused() { local name=$1 code=$2 pattern=$3; shift 3; check "$@"; [ $? = "$code" ] && grep -qE -- "$pattern" "$dir/out"; ok $? "$name"; }
setting() { jq -r ".settings[]? | select(.name == \"$1\") | \"\(.value) \(.source)\"" "$dir/out"; }

# --- settings ---
both=(--policy policies/store.keer --database "$dir/k.db")
(cd "$dir" && cp -r "$OLDPWD/policies" . && "$KEER" serve --config "$OLDPWD/docs/keer.conf" --check-config) > "$dir/out" 2>&1; ok $? 'the sample, docs/keer.conf'
[ ! -e "$dir/keer.db" ]; ok $? '--check-config makes no database'
printf 'queue=7\n  batch = 9 # no remark here\n' > "$dir/c"; refused 'a remark behind a value' 2 "c:2: --batch=9 # no remark here: must be a whole number" --config "$dir/c" "${both[@]}"
printf 'queue = 7\nbatch = 9\nlog = json\r\n\n# listen = x\nallow-root = yes\nlisten = 127.0.0.1:1' > "$dir/c"
KEER_BATCH=11 KEER_QUEUE=12 check --json --config "$dir/c" "${both[@]}" --queue 13; ok $? 'file, environment and options'
for want in queue:13:flag batch:11:environment log:json:file listen:127.0.0.1-1:file connections:1000:default memory:null:default allow-root:yes:environment; do
    IFS=: read -r name value source <<< "$want"; [ "$(setting "$name")" = "${value/-/:} $source" ]; ok $? "$name is $(setting "$name")"
done
KEER_CONFIG=$dir/c check --json "${both[@]}" && [ "$(setting queue)" = '7 file' ]; ok $? 'KEER_CONFIG'
KEER_POLICY=policies/store.keer KEER_DATABASE=$dir/k.db check; ok $? 'what is required may come from the environment'
KEER_DATABASE=$dir/k.db "$KEER" key list > "$dir/out" 2>&1; [ $? = 4 ] && grep -q 'no such database' "$dir/out"; ok $? 'keer key reads KEER_DATABASE'
bad() { printf '%b' "$2" > "$dir/c"; refused "$1" 2 "$3" --config "$dir/c" "${both[@]}"; }
bad 'an unknown setting' 'queue = 7\nquue = 7\n' "c:2: there is no setting 'quue'; did you mean 'queue'"
bad 'an option that is no setting' 'json = yes\n' 'c:1: json is no setting'
bad 'a file in a file' 'config = x\n' 'c:1: config is no setting'
bad 'no value' 'queue\n' "c:1: 'queue': expected name = value"
bad 'an empty value' 'queue =\n' 'c:1: --queue has an empty value'
bad 'out of range' '\n\nqueue = 0\n' 'c:3: --queue=0: must be 1 to 1000000'
bad 'twice' 'queue = 1\nqueue = 1\n' 'c:2: queue stands twice'
bad 'a wrong word' 'log = jsn\n' "must be one of text.json; did you mean 'json'"
bad 'a flag that is neither' 'allow-root = maybe\n' 'c:1: allow-root: must be yes or no'
bad 'a NUL' 'queue = 7\0\n' 'holds a NUL'
bad 'an address that is none' 'listen = here\n' "'here' is not ADDRESS:PORT"
KEER_QUEUE=x refused 'a wrong variable' 2 'KEER_QUEUE: --queue=x: must be a whole number' "${both[@]}"
refused 'a file that is not there' 4 'cannot read' --config "$dir/none" "${both[@]}"
head -c 70000 /dev/zero | tr '\0' '#' > "$dir/c"; refused 'a file that is too large' 5 'cannot read' --config "$dir/c" "${both[@]}"
refused 'a policy that is not there' 4 'none.keer' --policy "$dir/none.keer" --database "$dir/k.db"
printf 'rule x deny if ((' > "$dir/bad.keer"; refused 'a policy with an error' 1 '1 error' --policy "$dir/bad.keer" --database "$dir/k.db"
refused 'a password in an address is not told' 4 '.' --policy policies/store.keer --database 'postgres://keer:hunter2@127.0.0.1:1/keer'; ! grep -q hunter2 "$dir/out"; ok $? 'nowhere'
sqlite3 "$dir/new.db" "CREATE TABLE keer_schema (version INTEGER PRIMARY KEY, what TEXT, applied_us BIGINT); INSERT INTO keer_schema VALUES (99, 'x', 0)"
refused 'a newer schema' 4 'schema 99' --policy policies/store.keer --database "$dir/new.db"
if [ "$(id -u)" = 0 ]; then
    KEER_ALLOW_ROOT=no refused 'root' 2 'does not run as root' "${both[@]}"
    refused 'a user that is not there' 2 "no user 'nobody-here'" --user nobody-here "${both[@]}"
fi

# --- a daemon, SIGHUP, logs ---
key=$("$KEER" key new -q --database "$dir/k.db" --name test); id=$(cut -d_ -f2 <<< "$key"); secret=$(cut -d_ -f3- <<< "$key")
if [ "$(id -u)" = 0 ]; then chmod 777 "$dir"; chmod 666 "$dir"/k.db*; user=(--user nobody); else user=(); fi
printf 'log = text\nlog-level = info\nqueue = 7\n' > "$dir/c"; chmod 644 "$dir/c"
if command -v python3 > /dev/null; then # a stand-in for systemd
    python3 -c 'import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound",flush=True)
while True: print(s.recv(500).decode().replace("\n"," "),flush=True)' "$dir/notify" > "$dir/told" & notify=$!
    until [ -s "$dir/told" ]; do sleep .01; done; chmod 777 "$dir/notify"; export NOTIFY_SOCKET=$dir/notify
fi
run_by=(env KEER_ALLOW_ROOT=no); start --config "$dir/c" ${user[@]+"${user[@]}"}; run_by=()
curl -sf "$u/readyz" > "$dir/out"; ok $? "it serves${user[0]:+ as nobody}: $(head -1 "$dir/log")"
[ "$(id -u)" != 0 ] || { [ "$(stat -c %U "/proc/$pid/fd" 2> /dev/null)" = nobody ] || grep -q "^Uid:.$(id -u nobody).$(id -u nobody).$(id -u nobody)" "/proc/$pid/status"; }; ok $? 'root is gone'
curl -s "$u/healthz" > /dev/null; ! grep -q request "$dir/log"; ok $? 'requests are not logged unless asked for'
printf 'log = json\nlog-level = info\nlog-requests = on\nqueue = 8\n' > "$dir/c"; kill -HUP $pid
for _ in $(seq 4000); do grep -q 'taken by a restart"' "$dir/log" && break; sleep .01; done; cp "$dir/log" "$dir/out"
grep -q 'other than at the start: log, log-requests' "$dir/log" && grep -q 'a restart only: queue' "$dir/log" && grep -q 'keys read: 1 valid' "$dir/log"; ok $? 'SIGHUP says what was taken and what was not'
asked() { curl -s -o "$dir/body" -w '%{http_code}' -H "Authorization: Bearer $1" "$u$2"; }
[ "$(asked "$key" /v1/decisions/none)" = 404 ]; ok $? 'the key is valid'
asked "$key" "/v1/$key?key=$key" > /dev/null; asked "${key%?}x" /v1/decisions/x > /dev/null; asked "$key" "/v1/decisions/postgres:%2F%2Fa:hunter2@b%0A%22" > /dev/null
curl -s -o /dev/null -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "{\"id\":\"$key\",\"x\":\"$key\"" "$u/v1/decisions"; sleep .1
cp "$dir/log" "$dir/out"; grep -q "\"method\":\"GET\",\"path\":\"/v1/decisions/none\",\"status\":404,\"us\":[0-9]*,\"key\":\"$id\"}" "$dir/log"; ok $? 'a line for each request, with the id of the key'
! grep -qF "$secret" "$dir/log"; ok $? 'no key in the log, wherever it was planted'
tail -n +3 "$dir/log" | grep '^{' | jq -s length > "$dir/out" 2>&1; ok $? "lines of JSON: $(cat "$dir/out")"
printf 'log = jsn\n' > "$dir/c"; kill -HUP $pid; sleep .2; cp "$dir/log" "$dir/out"
grep -q "settings stay as they were.*c:1: --log=jsn" "$dir/log" && kill -0 $pid; ok $? 'a wrong file changes nothing'
printf 'log-level = error\n' > "$dir/c"; kill -HUP $pid; sleep .2; n=$(wc -l < "$dir/log"); kill -HUP $pid; sleep .2; [ "$(wc -l < "$dir/log")" = "$n" ]; ok $? 'log-level = error is quiet'
# What the daemon sees when another node of PostgreSQL revokes a key; the row is changed under a daemon that is idle.
sqlite3 "$dir/k.db" "UPDATE api_key SET revoked_us = 1"; begun=$(date +%s%N)
for _ in $(seq 2000); do [ "$(asked "$key" /v1/decisions/none)" = 401 ] && break; sleep .02; done; ms=$((($(date +%s%N) - begun) / 1000000))
[ $ms -lt 1000 ]; ok $? "a revoked key is refused without a signal, after $ms ms"
stop; ok $? 'it ends well'
if [ -n "${notify:-}" ]; then
    sleep .1; kill $notify; wait $notify 2> /dev/null; cp "$dir/told" "$dir/out"
    grep -q '^READY=1' "$dir/told" && grep -q '^RELOADING=1 MONOTONIC_USEC=[0-9]' "$dir/told" && tail -1 "$dir/told" | grep -q '^STOPPING=1'; ok $? 'systemd is told READY, RELOADING, STOPPING'
    unset NOTIFY_SOCKET
fi
exit $failed
