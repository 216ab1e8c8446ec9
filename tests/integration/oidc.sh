#!/usr/bin/env bash
# oidc.sh - the OpenID provider before npm openid-client, a certified relying party (tests/oidc): the 38 modules of the Basic OP plan, flows, attacks.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl node npm jq python3; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
npm_ready tests/oidc || exit 0
admin=$("$KEER" key new -q --database "$dir/k.db" --role admin --name first)
head -c 32 /dev/urandom > "$dir/account.key"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
issuer=http://127.0.0.1:$port
begin() { # the issuer's port is part of its name: known before it listens
    "$KEER" serve --policy tests/oidc/allow.keer --database "$dir/k.db" --listen "127.0.0.1:$port" --issuer "$issuer" --account-key "$dir/account.key" \
        --notices "$dir/notices" --oidc-allow 127.0.0.0/8 --workers 32 "$@" 2>> "$dir/log" & pid=$!
    for _ in $(seq 2000); do curl -sf -o "$dir/ready" "$issuer/readyz" && return 0; sleep .02; done
    echo 'not ok - the daemon is not ready'; cat "$dir/log"; return 1
}
begin || exit 1
for part in ${PARTS:-modules flows}; do node "tests/oidc/$part.mjs" "$issuer" "$admin" "$dir/notices" || failed=1; done
replay() { node tests/oidc/restart.mjs "$issuer" "$admin" "$dir/notices" "$1" "$dir/kept" || failed=1; }
replay before; stop; ok $? 'it ends'; begin || exit 1; replay after
grep -qiE ' (error|warning) ' "$dir/log" && { echo 'not ok - the log is quiet'; grep -iE ' (error|warning) ' "$dir/log" | head; failed=1; }
stop; ok $? 'it ends'
head -c 32 /dev/urandom > "$dir/other.key"
refused() { # NAME PATTERN OPTIONS...
    local name=$1 pattern=$2; shift 2
    timeout 60 "$KEER" serve --policy tests/oidc/allow.keer --database "$dir/k.db" --listen 127.0.0.1:0 "$@" > "$dir/out" 2>&1; code=$?
    [ $code != 0 ] && [ $code != 124 ] && grep -qE -- "$pattern" "$dir/out"; ok $? "$name"
}
refused 'keys that were sealed under another account key' 'another than the one that sealed them' --issuer "$issuer" --account-key "$dir/other.key"
for bad in http://id.example.org https://id.example.org/ https://id.example.org/?x ftp://id.example.org id.example.org https://; do
    refused "the issuer $bad" '--issuer: https://HOST' --issuer "$bad" --account-key "$dir/account.key"
done
refused 'networks that are none' '--oidc-allow: networks' --issuer "$issuer" --oidc-allow everywhere --account-key "$dir/account.key"
DATABASE=$dir/k.db POLICY=tests/oidc/allow.keer start --account-key "$dir/account.key" || exit 1
ask 'without an issuer: the keys of answers to challenges' 200 '"alg":"ES256"' "$u/oidc/jwks"
for path in /.well-known/openid-configuration "/oidc/authorize?client_id=x" /oidc/logout; do ask "without an issuer: $path" 404 'without --issuer' "$u$path"; done
stop; exit $failed
