#!/usr/bin/env bash
# tls.sh - HTTPS: decisions, what is refused (old TLS, CBC, RSA key exchange, plain HTTP), wrong files, a certificate that is renewed by SIGHUP
# while connections live, all of it in the sandbox. Certificates are made here; curl and openssl judge.
set -u
trap '' PIPE
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl openssl; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
old=
finally() { [ -z "$old" ] || kill -9 $old 2> /dev/null; }
# --- a CA of our own, and its certificates ---
quiet() { "$@" > "$dir/openssl" 2>&1 || { echo "not ok - $*"; cat "$dir/openssl"; exit 1; }; }
ec=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
quiet openssl req -x509 "${ec[@]}" -keyout "$dir/ca.key" -out "$dir/ca.pem" -days 30 -subj '/CN=Test CA' -addext basicConstraints=critical,CA:true -addext keyUsage=keyCertSign
printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n' > "$dir/ext"
certificate() { # NAME DAYS REQ-OPTIONS...
    local name=$1 days=$2; shift 2
    quiet openssl req "$@" -keyout "$dir/$name.key" -out "$dir/csr" -subj "/CN=$name"
    quiet openssl x509 -req -in "$dir/csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -out "$dir/$name.crt" -days "$days" -extfile "$dir/ext"
    cat "$dir/ca.pem" >> "$dir/$name.crt"; chmod 600 "$dir/$name.key"
}
certificate first 10 "${ec[@]}"; certificate second 20 "${ec[@]}"; certificate rsa 10 -newkey rsa:2048 -nodes; certificate short 10 -newkey rsa:1024 -nodes
certificate expired -1 "${ec[@]}"
quiet openssl ec -in "$dir/first.key" -aes128 -passout pass:x -out "$dir/locked.key"

# --- files that are refused, before anything starts ---
refused() { # NAME CODE PATTERN OPTIONS...
    local name=$1 code=$2 pattern=$3; shift 3
    "$KEER" serve --check-config --policy policies/store.keer --database "$dir/none.db" "$@" > "$dir/out" 2>&1
    [ $? = "$code" ] && grep -qE -- "$pattern" "$dir/out"; ok $? "refused: $name"
}
: > "$dir/log"
pair() { printf -- '--tls-cert\n%s\n--tls-key\n%s\n' "$dir/$1" "$dir/$2"; }
check() { local name=$1 pattern=$2; mapfile -t files < <(pair "$3" "$4"); refused "$name" 4 "$pattern" "${files[@]}"; }
refused 'a certificate without a key' 2 'belong together' --tls-cert "$dir/first.crt"
refused 'a key without a certificate' 2 'belong together' --tls-key "$dir/first.key"
check 'a certificate that is not there' "cannot read '.*none.crt': No such file" none.crt first.key
check 'a key that is not there' "cannot read '.*none.key': No such file" first.crt none.key
check 'a folder' 'cannot read .*directory' first.crt .
check 'no certificate in PEM' 'no certificate in PEM' ext first.key
check 'no key in PEM' 'no private key in PEM' first.crt ext
check 'a key with a password' 'no private key in PEM, without a password' first.crt locked.key
check "another certificate's key" "the key is not the certificate's" first.crt second.key
check 'a short key' 'RSA wants 2048 bits' short.crt short.key
head -c 70000 /dev/zero > "$dir/large"; check 'a file that is too large' 'larger than 64K' large first.key
cat "$dir"/{first,first,first,first,first,first}.crt > "$dir/many.crt"; check 'more than ten certificates' 'more than 10' many.crt first.key
if [ "$(id -u)" != 0 ]; then chmod 0 "$dir/large"; check 'an unreadable file' 'Permission denied' large first.key; fi
mapfile -t files < <(pair expired.crt expired.key); refused 'no: an expired one is a warning' 0 'certificate has expired' "${files[@]}"
chmod 644 "$dir/second.key"; mapfile -t files < <(pair second.crt second.key); refused 'no: a key that all may read is a warning' 0 'every user of the machine' "${files[@]}"; chmod 600 "$dir/second.key"

# --- a daemon; its files are links, as certificates often are ---
key=$("$KEER" key new -q --database "$dir/k.db")
mkdir "$dir/live" "$dir/archive"
install_pair() { cp "$dir/$1.crt" "$dir/archive/$1.crt"; cp "$dir/$1.key" "$dir/archive/$1.key"; ln -sfn "../archive/$1.crt" "$dir/live/x.crt"; ln -sfn "../archive/$1.key" "$dir/live/x.key"; }
curl_with=(--cacert "$dir/ca.pem") serving=(--threads 2 --tls-cert "$dir/live/x.crt" --tls-key "$dir/live/x.key")
ask() { curl -s --cacert "$dir/ca.pem" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' "$@"; }
event() { printf '{"id":"%s","time":"2018-10-01T12:00:00Z","type":"purchase","account":"a","device":"d","amount":4900,"currency":"EUR"%s}' "$1" "${2:-}"; }
hello() { openssl s_client -connect "$address" -CAfile "$dir/ca.pem" -verify_return_error "$@" < /dev/null > "$dir/out" 2>&1; }
shown() { hello && sed -nE 's/^subject=CN = //p' "$dir/out"; }
install_pair first
start; ok $? "it starts: $(grep -o 'listens on https://[^ ]*' "$dir/log")"
grep -q 'certificate of CN=first, valid until 20' "$dir/log"; ok $? "and tells: $(grep -o 'certificate of.*' "$dir/log")"
grep -qE 'sandbox: (on, Landlock|none)' "$dir/log"; ok $? "$(grep -o 'sandbox: .*' "$dir/log")"
[ "$(ask -D "$dir/head" -o "$dir/out" -w '%{http_code}' -d "$(event p1)" "https://$address/v1/decisions")" = 200 ] && grep -q '"outcome"' "$dir/out"; ok $? 'a decision'
grep -qi '^strict-transport-security: max-age=31536000' "$dir/head"; ok $? 'Strict-Transport-Security'
ask -D "$dir/head" -o "$dir/out" "https://$address/none" && grep -qi '^strict-transport-security' "$dir/head"; ok $? 'on a problem too'
event p2 ",\"user_agent\":\"$(head -c 50000 /dev/zero | tr '\0' u)\"" > "$dir/body"
code=$(ask -o "$dir/out" -w '%{http_code}' -d @"$dir/body" "https://$address/v1/decisions"); [ "$code" = 200 ] || [ "$code" = 400 ]; ok $? "a body of several records: $code"
head -c 200000 /dev/zero | tr '\0' ' ' > "$dir/body"; [ "$(ask -o "$dir/out" -w '%{http_code}' -H 'Transfer-Encoding: chunked' -d @"$dir/body" "https://$address/v1/decisions")" = 413 ]; ok $? 'a body that is too large: 413'
[ "$(ask -o "$dir/out" -w '%{size_download}' "https://$address/openapi.json")" -gt 40000 ]; ok $? "an answer of several records: $(wc -c < "$dir/out") bytes"
for i in $(seq 40); do ask -o "$dir/o$i" -d "$(event "m$i")" "https://$address/v1/decisions" & w[i]=$!; done; for i in $(seq 40); do wait "${w[i]}"; done
[ "$(cat "$dir"/o[0-9]* | grep -o '"outcome"' | wc -l)" = 40 ]; ok $? '40 connections at once'

# --- what is refused ---
hello -tls1_3; grep -q 'Protocol *: TLSv1.3\|New, TLSv1.3' "$dir/out"; ok $? 'TLS 1.3'
hello -tls1_2; grep -q 'New, TLSv1.2, Cipher is ECDHE-ECDSA-AES256-GCM' "$dir/out"; ok $? "TLS 1.2: $(grep -o 'Cipher is .*' "$dir/out")"
old_tls=(-cipher 'ALL:@SECLEVEL=0')
no() { local name=$1; shift; hello "$@"; [ $? != 0 ] && grep -q 'Cipher is (NONE)' "$dir/out" && grep -q 'read 0 bytes and written [1-9]\|alert' "$dir/out"; ok $? "refused: $name"; }
no 'TLS 1.1' -tls1_1 "${old_tls[@]}"; no 'TLS 1.0' -tls1 "${old_tls[@]}"
no 'CBC' -tls1_2 -cipher 'ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0'
curl -s --cacert "$dir/ca.pem" --connect-to "other.test:443:$address" https://other.test/healthz > "$dir/out" 2>&1; [ $? = 60 ]; ok $? 'a caller refuses it under another name'
curl -s --max-time 5 "http://$address/healthz" > "$dir/out" 2>&1; code=$?; [ $code != 0 ] && ! grep -qa 'HTTP/\|status' "$dir/out"; ok $? "plain HTTP gets no answer (curl: $code)"

# --- SIGHUP ---
reload() { local n; n=$(grep -c 'taken by a restart$' "$dir/log"); kill -HUP "$pid"; for _ in $(seq 4000); do [ "$(grep -c 'taken by a restart$' "$dir/log")" -gt "$n" ] && return; sleep .01; done; }
mkfifo "$dir/in"; openssl s_client -quiet -connect "$address" -CAfile "$dir/ca.pem" < "$dir/in" > "$dir/old" 2> "$dir/old.err" & old=$!
exec 7> "$dir/in"
talk() { local n; n=$(grep -c '^HTTP/1.1 200' "$dir/old"); printf 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' >&7; for _ in $(seq 4000); do [ "$(grep -c '^HTTP/1.1 200' "$dir/old")" -gt "$n" ] && return; sleep .01; done; return 1; }
talk; ok $? 'a connection that stays'
[ "$(shown)" = first ]; ok $? 'the first certificate'
install_pair second; reload
grep -q 'SIGHUP: read: certificate of CN=second' "$dir/log" && [ "$(shown)" = second ]; ok $? 'after SIGHUP new connections see the second'
talk; ok $? 'the old connection lives on'
grep -q 'CN = first' "$dir/old.err"; ok $? 'and had the first'
for i in $(seq 10); do if [ $((i % 2)) = 1 ]; then install_pair first; else install_pair second; fi; reload; done; [ "$(shown)" = second ] && talk; ok $? 'and on, over ten more'
cp "$dir/first.key" "$dir/archive/second.key"; reload
grep -q "certificate stays as it was: .*the key is not the certificate's" "$dir/log" && [ "$(shown)" = second ]; ok $? 'a wrong key leaves the certificate that is in force'
rm "$dir/archive/second.crt"; reload; grep -q 'certificate stays as it was: cannot read' "$dir/log" && [ "$(shown)" = second ]; ok $? 'and so does a file that is gone'
install_pair rsa; reload; [ "$(shown)" = rsa ]; ok $? 'from ECDSA to RSA'
hello -tls1_2; grep -q 'Cipher is ECDHE-RSA-AES256-GCM' "$dir/out"; ok $? "$(grep -o 'Cipher is .*' "$dir/out")"
no 'RSA key exchange' -tls1_2 -cipher 'AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:@SECLEVEL=0'
no 'DHE' -tls1_2 -cipher 'DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0'
install_pair expired; reload; grep -q 'certificate has expired' "$dir/log"; ok $? 'an expired one is told'
talk; ok $? 'the old connection still lives'
! grep -q 'BEGIN\|refused system call' "$dir/log"; ok $? 'no key in the log, and the sandbox missed nothing'
kill $old; wait $old 2> /dev/null; old=; exec 7>&-
stop; ok $? 'it ends well'
install_pair first; start --sandbox off; ok $? 'without the sandbox too'; stop; ok $? 'and ends'
exit $failed
