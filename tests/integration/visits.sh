#!/usr/bin/env bash
# visits.sh - a store with accounts of its own sends a customer to the pages: a link that is taken once, an authenticator that is enrolled behind the
# guard, a challenge of the store that it answers, and a step at the next visit.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl jq oathtool; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
keys
cat > "$dir/strict.keer" <<'END'
rule known_bad deny      if sign_in and ip = '127.0.0.66'
rule stranger  challenge if sign_in
END
# as JAR NAME STATUS PATTERN PATH [BODY]: as the browser of that jar; GET without a body
as() {
    local jar=$dir/$1 name=$2 status=$3 pattern=$4 path=$5 got; shift 5
    local body=(); [ $# -gt 0 ] && { [ -n "$1" ] && body=(-H 'Content-Type: application/json' -d "$1"); shift; }
    got=$(curl -s -o "$dir/body" -w '%{http_code}' -b "$jar" -c "$jar" "${body[@]}" "$@" "$u/v1/account/$path")
    [ "$got" = "$status" ] && grep -qE -- "$pattern" "$dir/body"; ok $? "$name: $got"
}
shop() { # NAME STATUS PATTERN PATH [BODY]
    local name=$1 status=$2 pattern=$3 path=$4; shift 4
    ask "$name" "$status" "$pattern" -H "Authorization: Bearer $key" ${1:+-H 'Content-Type: application/json' -d "$1"} "$u$path"
}
the() { jq -r "$1" "$dir/body"; }
link() { shop 'the store gets a link' 201 '/visit#[A-Za-z0-9_-]{22}"' "/v1/accounts/$account/visits" '{}'; token=$(the .url); token=${token#*#}; }
totp() { oathtool --totp -b -N "@$(($(date +%s) + ${2:-0}))" "$1"; }

start --notices "$dir/notices" --guard-first 2s --guard-wait 2s || exit 1
shop 'an account by its subject' 200 '"new":true' /v1/accounts '{"subject":"customer-1"}'; account=$(the .id)
shop 'no link for what is not there' 404 NOT_FOUND /v1/accounts/AAAAAAAAAAAAAAAAAAAAAA/visits '{}'
ask 'nor by an analyst' 403 ROLE -H "Authorization: Bearer $analyst" -H 'Content-Type: application/json' -d '{}' "$u/v1/accounts/$account/visits"
link; first=$token
link
curl -s "$u/visit" | grep -q '<form id="form"'; ok $? 'the page only opens'
as eva 'no token' 400 BAD_BODY visit '{}'
as eva 'a token that is none' 404 NOT_FOUND visit '{"token":"AAAAAAAAAAAAAAAAAAAAAA"}'
as eva 'from another site' 403 FOREIGN_ORIGIN visit "{\"token\":\"$token\"}" -H 'Origin: https://evil.example' -H 'Sec-Fetch-Site: cross-site'
as eva 'one press signs the customer in' 200 '"next":"done".*"rights":"full"' visit "{\"token\":\"$token\"}"
as bob 'the link is taken once' 404 NOT_FOUND visit "{\"token\":\"$token\"}"
as eva 'it is that account' 200 "\"account\":\"$account\"" me
grep -aq "$first" "$dir/k.db" "$dir/log"; [ $? = 1 ]; ok $? 'the link is in no database and no log'

# --- the first authenticator waits; then it answers the store's challenges
as eva 'an app' 200 otpauth authenticators/totp '{}'; id=$(the .id) secret=$(the .secret)
as eva 'is confirmed, and waits' 200 '"pending"' authenticators/totp/confirm "{\"id\":\"$id\",\"code\":\"$(totp "$secret" -30)\"}"
for _ in $(seq 400); do curl -s -b "$dir/eva" "$u/v1/account/me" | grep -q '"kind":"totp","state":"active"' && break; sleep .1; done
as eva 'until it counts' 200 '"kind":"totp","state":"active"' me
shop 'the store asks for a payment' 200 '"url"' /v1/challenges '{"subject":"customer-1","kind":"payment","amount":"6.48","currency":"EUR","payee":"Game"}'; c=$(the .id)
as eva 'she sees it' 200 '"amount":"6.48"' "challenges/$c"
as eva 'and confirms it' 200 '"state":"done"' "challenges/$c/totp" "{\"code\":\"$(totp "$secret")\"}"

# --- at the next visit from elsewhere the store's word is not enough
link
as thief 'who has the store'\''s password is asked for the step' 200 '"next":"step"' visit "{\"token\":\"$token\"}"; c=$(the .challenge)
as thief 'and sees nothing' 403 STEP_NEEDED me
as thief 'nor does a wrong code help' 403 WRONG_CODE "challenges/$c/totp" '{"code":"000000"}'
as eva 'eva is still signed in' 200 "\"account\":\"$account\"" me

# --- no store signs in whose account is not its own
shop 'an account of ours' 200 '"new":true' /v1/accounts '{"subject":"customer-2"}'; other=$(the .id)
shop 'is locked' 200 frozen "/v1/accounts/$other/freeze" '{"reason":"x"}'
shop 'and takes no visit' 409 NOT_THE_STORES "/v1/accounts/$other/visits" '{}'
as kim 'somebody signs up' 200 '"next":"code"' sign-up '{"email":"kim@example.org","password":"correct horse battery staple 9"}'; flow=$(the .flow)
for _ in $(seq 400); do grep -q sign_up_code "$dir/notices" && break; sleep .1; done
code=$(jq -rs '[.[] | select(.kind == "sign_up_code")] | last | .subject | capture("(?<c>[0-9]{8})").c' "$dir/notices")
as kim 'and is there' 200 '"next":"done"' sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$code\"}"; kim=$(the .account)
shop 'a store has no link for her' 409 NOT_THE_STORES "/v1/accounts/$kim/visits" '{}'
stop; ok $? 'the daemon ends'

# --- a policy that wants a step of everybody: without an authenticator the visit may enrol and nothing else
POLICY=$dir/strict.keer start --notices "$dir/notices" || exit 1
shop 'a third customer' 200 '"new":true' /v1/accounts '{"subject":"customer-3"}'; account=$(the .id)
link
as lou 'a restricted session' 200 '"rights":"restricted"' visit "{\"token\":\"$token\"}"
as lou 'may not change the password' 403 RESTRICTED password '{"password":"correct horse battery staple 10"}'
as lou 'may enrol' 200 otpauth authenticators/totp '{}'
account=$(curl -s -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '{"subject":"customer-1"}' "$u/v1/accounts" | jq -r .id)
link
as eva 'who has an authenticator is asked, also where she is known' 200 '"next":"step"' visit "{\"token\":\"$token\"}"
stop; ok $? 'and ends again'
exit $failed
