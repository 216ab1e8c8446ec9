#!/usr/bin/env bash
# passkeys.sh - passkeys over HTTP (tests/webauthn/flow.mjs), and what was accepted sent once more after kill -9 and a restart.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
command -v node > /dev/null || { echo 'skipped: no node here'; exit 0; }
. tests/lib/daemon.sh
keys && start --notices "$dir/notices" || exit 1
origin=http://localhost:${address##*:}
KEER_KEY_STORE=$key node tests/webauthn/flow.mjs "$u" "$dir/notices" "$dir/state" || { tail -n 20 "$dir/log"; exit 1; }
kill -9 "$pid"; wait "$pid" 2> /dev/null
start --notices "$dir/notices" --origin "$origin" || exit 1
node tests/webauthn/flow.mjs "$u" "$dir/notices" "$dir/state" again || failed=1
stop; ok $? 'the daemon ends'

# --- a maker that vouches: roots that are given, and wanted
command -v openssl > /dev/null || { echo 'skipped: no openssl here'; exit $failed; }
make_maker() { # NAME: a root, and a certificate as packed attestation wants it (WebAuthn L3 section 8.2.1)
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/$1.root.key" -out "$dir/$1.root.pem" -days 30 -subj "/CN=$1 root" -addext basicConstraints=critical,CA:TRUE 2> /dev/null &&
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/$1.key" -out "$dir/$1.csr" -subj "/C=NL/O=$1/OU=Authenticator Attestation/CN=$1 one" 2> /dev/null &&
    openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$1.root.pem" -CAkey "$dir/$1.root.key" -CAcreateserial -days 30 -extfile <(echo basicConstraints=critical,CA:FALSE) -out "$dir/$1.pem" 2> /dev/null
}
make_maker maker && make_maker other; ok $? 'two makers'
printf 'no certificate\n' > "$dir/none.pem"
"$KEER" serve --policy policies/store.keer --database "$dir/x.db" --check-config --attestation-roots "$dir/none.pem" > "$dir/out" 2>&1; [ $? = 2 ] && grep -q 'certificates in PEM' "$dir/out"; ok $? 'roots that are none are refused'
"$KEER" serve --policy policies/store.keer --database "$dir/x.db" --check-config --attestation-required > "$dir/out" 2>&1; [ $? = 2 ] && grep -q -- '--attestation-roots says' "$dir/out"; ok $? 'and wanting what nobody can judge'
rm -f "$dir"/k.db*; : > "$dir/notices"
start --notices "$dir/notices" --attestation-roots "$dir/maker.root.pem" --attestation-required || exit 1
node tests/webauthn/attested.mjs "$u" "$dir/notices" "$dir" || failed=1
stop; ok $? 'and ends'
exit $failed
