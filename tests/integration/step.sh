#!/usr/bin/env bash
# step.sh - second steps over HTTP: enrolment that waits, TOTP, recovery codes, prompts, changes, 'not me', recovery, challenges of stores; every
# endpoint in every state of a challenge; a restart in between.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl jq oathtool; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
waits=(--notices "$dir/notices" --guard-first 3s --guard-wait 2s --guard-grace 1s --recovery-wait 2s)
password='correct horse battery staple 9'
# as JAR NAME STATUS PATTERN PATH [BODY [CURL-ARGUMENTS...]]: as the browser of that jar; GET without a body
as() {
    local jar=$dir/$1 name=$2 status=$3 pattern=$4 path=$5 got; shift 5
    local body=(); [ $# -gt 0 ] && { [ -n "$1" ] && body=(-H 'Content-Type: application/json' -d "$1"); shift; }
    got=$(curl -s -o "$dir/body" -w '%{http_code}' -b "$jar" -c "$jar" "${body[@]}" "$@" "$u/v1/account/$path")
    [ "$got" = "$status" ] && grep -qE -- "$pattern" "$dir/body"; ok $? "$name: $got"
}
the() { jq -r "$1" "$dir/body"; }
# until NAME COMMAND: at most 10 seconds
code_of() { jq -rs --arg to "$1" --arg kind "$2" '[.[] | select(.to == $to and .kind == $kind)] | last | .subject | capture("(?<c>[0-9]{8})").c' "$dir/notices"; }
told() { jq -es --arg to "$1" --arg kind "$2" 'any(.[]; .to == $to and .kind == $kind)' "$dir/notices"; }
not_me_of() { jq -rs --arg to "$1" --arg kind "$2" '[.[] | select(.to == $to and .kind == $kind)] | last | .text | capture("not-me[/#?=a-z]*(?<t>[A-Za-z0-9_-]{22})").t' "$dir/notices"; }
sign_up() { # JAR ADDRESS
    as "$1" "$2 signs up" 200 '"next":"code"' sign-up "{\"email\":\"$2\",\"password\":\"$password\"}"; local flow; flow=$(the .flow)
    until_true "a code is sent to $2" told "$2" sign_up_code
    as "$1" 'and shows the code' 200 '"next":"done"' sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$(code_of "$2" sign_up_code)\"}"
}
totp() { oathtool --totp -b -N "@$(($(date +%s) + ${2:-0}))" "$1"; }
wrong() { local c; c=$(totp "$1" 300); [ "$c" = "$(totp "$1")" ] && c=000000; echo "$c"; }

start "${waits[@]}" || exit 1
admin=$("$KEER" key new -q --database "$dir/k2.db" --role store --name shop 2> /dev/null); unset admin
sign_up anna anna@example.org
sleep 1.1 # the grace is over

# --- the first authenticator waits
as anna 'an app is enrolled' 200 '"uri":"otpauth://totp/' authenticators/totp '{"name":"my app"}'; id=$(the .id) secret=$(the .secret)
the .uri | grep -qE '^otpauth://totp/Keersluis:anna%40example.org\?secret=[A-Z2-7]{32}&issuer=Keersluis&'; ok $? 'the app calls it by its address'
the .qr | grep -q '^<svg xmlns='; ok $? 'with a QR code'
as anna 'a wrong code' 403 WRONG_CODE authenticators/totp/confirm "{\"id\":\"$id\",\"code\":\"$(wrong "$secret")\"}"
as anna 'a code that is none' 403 WRONG_CODE authenticators/totp/confirm "{\"id\":\"$id\",\"code\":\"abc\"}"
as anna 'an enrolment that is none' 404 NOT_FOUND authenticators/totp/confirm "{\"id\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"code\":\"123456\"}"
first=$(totp "$secret" -30)
as anna 'the right code: it waits' 200 '"pending":"[^"]+","until":"' authenticators/totp/confirm "{\"id\":\"$id\",\"code\":\"$first\"}"
as anna 'the wait is shown, wallets are paused' 200 '"change":"authenticator_add".*"wallets_paused":true' changes
until_true 'everybody is told' told anna@example.org change_pending
as thief 'meanwhile a password is not asked for a step' 200 '"next":"done"' sign-in "{\"name\":\"anna@example.org\",\"password\":\"$password\"}"
until_true 'it is added when the wait is over' sh -c "curl -s -b '$dir/anna' '$u/v1/account/me' | grep -q '\"kind\":\"totp\",\"state\":\"active\"'"
as anna 'nothing waits any more' 200 '"changes":\[\],"recovery":null,"wallets_paused":false' changes

# --- a sign-in wants it
sign_in() { as "$1" 'a sign-in' 200 '"next":"step"' sign-in "{\"name\":\"anna@example.org\",\"password\":\"$password\"}"; c=$(the .challenge); }
sign_in bob
as bob 'its challenge' 200 '"kind":"sign_in","state":"open".*"methods":\["totp"\]' "challenges/$c"
as carl 'is nobody else'\''s' 404 NOT_FOUND "challenges/$c"
as carl 'also with a code' 409 STEP_OVER "challenges/$c/totp" "{\"code\":\"$(totp "$secret")\"}"
as bob 'pending sessions see nothing' 403 STEP_NEEDED me
as bob 'and change nothing' 403 STEP_NEEDED authenticators/recovery-codes '{}'
as bob 'the code of the enrolment is spent' 403 WRONG_CODE "challenges/$c/totp" "{\"code\":\"$first\"}"
as bob 'a wrong code' 403 WRONG_CODE "challenges/$c/totp" "{\"code\":\"$(wrong "$secret")\"}"
as bob 'a recovery code where there is none' 409 STEP_OVER "challenges/$c/recovery-code" '{"code":"aaaa-aaaa-aaaa-aaaa-aaaa-aaaa"}'
as bob 'a prompt without a trusted device' 409 STEP_OVER "challenges/$c/prompt" '{}'
before=$(awk '/keer$|keer\t/ {print $NF}' "$dir/bob" | head -1)
code=$(totp "$secret")
as bob 'the right code' 200 '"state":"done"' "challenges/$c/totp" "{\"code\":\"$code\"}"
as bob 'signs in with acr 2' 200 'acr:2".*"rights":"full"' me
[ "$before" != "$(awk '/keer$|keer\t/ {print $NF}' "$dir/bob" | head -1)" ]; ok $? 'and changes the session token'
as bob 'again' 409 STEP_OVER "challenges/$c/totp" "{\"code\":\"$code\"}"
sign_in dave
as dave 'a code that somebody used' 403 WRONG_CODE "challenges/$c/totp" "{\"code\":\"$code\"}"
stop; ok $? 'a restart'
start "${waits[@]}" || exit 1
as dave 'a code that somebody used, after the restart' 403 WRONG_CODE "challenges/$c/totp" "{\"code\":\"$code\"}"
for i in 1 2; do as dave "wrong code $((i + 2))" 403 WRONG_CODE "challenges/$c/totp" "{\"code\":\"$(wrong "$secret")\"}"; done
as dave 'the fifth ends the challenge' 409 STEP_OVER "challenges/$c/totp" "{\"code\":\"$(wrong "$secret")\"}"
as dave 'and the right one comes too late' 409 STEP_OVER "challenges/$c/totp" "{\"code\":\"$(totp "$secret" 30)\"}"

# --- a change wants it too
as bob 'recovery codes want a step' 200 '"next":"step"' authenticators/recovery-codes '{}'; c=$(the .challenge)
as bob 'not without it' 403 BAD_STEP authenticators/recovery-codes '{}' -H "Keer-Challenge: $c"
as bob 'nor with a challenge that is none' 403 BAD_STEP authenticators/recovery-codes '{}' -H 'Keer-Challenge: x'
as anna 'another session can'\''t answer it' 409 STEP_OVER "challenges/$c/totp" "{\"code\":\"$(totp "$secret" 30)\"}"
as bob 'the step' 200 '"state":"done"' "challenges/$c/totp" "{\"code\":\"$(totp "$secret" 30)\"}"; used_at=$(date +%s)
as anna 'another session can'\''t use it' 403 BAD_STEP authenticators/recovery-codes '{}' -H "Keer-Challenge: $c"
as bob 'not for another change' 403 BAD_STEP "authenticators/$id" '' -X DELETE -H "Keer-Challenge: $c"
as bob 'for its own' 200 '"codes":\["[a-z2-9-]{29}"' authenticators/recovery-codes '{}' -H "Keer-Challenge: $c"; cp "$dir/body" "$dir/codes"
as bob 'once' 403 BAD_STEP authenticators/recovery-codes '{}' -H "Keer-Challenge: $c"
until_true 'everybody is told' told anna@example.org recovery_codes_made
recovery() { jq -r ".codes[$1]" "$dir/codes"; }

sign_in eve
as eve 'a recovery code' 200 '"state":"done"' "challenges/$c/recovery-code" "{\"code\":\"$(recovery 0 | tr -d - | tr a-z A-Z)\"}"
until_true 'everybody is told' told anna@example.org recovery_code_used
as eve 'nine are left' 200 '"recovery_codes_left":9' me
sign_in dave
as dave 'it is spent' 403 WRONG_CODE "challenges/$c/recovery-code" "{\"code\":\"$(recovery 0)\"}"
as dave 'cancelled' 200 '"state":"refused"' "challenges/$c/cancel" '{}'
as dave 'is over' 409 STEP_OVER "challenges/$c/recovery-code" "{\"code\":\"$(recovery 1)\"}"

# --- a trusted device
step() { # JAR: answers the challenge c with the next recovery code
    as "$1" 'a step' 200 '"state":"done"' "challenges/$c/recovery-code" "{\"code\":\"$(recovery "$next")\"}"; next=$((next + 1))
}
next=1
as eve 'its devices' 200 '"devices"' me; device=$(the '.devices[] | select(.current) | .id')
as eve 'trusting one wants a step' 200 '"next":"step"' "devices/$device" '{"trusted":true}'; c=$(the .challenge); step eve
as eve 'and is done' 200 '^\{' "devices/$device" '{"trusted":true}' -H "Keer-Challenge: $c"
sign_in frank
as frank 'the prompt' 200 '"number":"[0-9]{6}"' "challenges/$c/prompt" '{}'; number=$(the .number)
as frank 'its number stays' 200 "\"number\":\"$number\",\"prompt\":\"waiting\"" "challenges/$c"
as frank 'a pending session sees no prompts' 403 STEP_NEEDED prompts
as bob 'a device that is not trusted none' 200 '"prompts":\[\]' prompts
as eve 'the trusted one does' 200 '"kind":"sign_in"' prompts; prompt=$(the '.prompts[0].id')
! grep -q "$number" "$dir/body"; ok $? 'without the number'
as eve 'a wrong number' 403 WRONG_CODE "prompts/$prompt" "{\"number\":\"$(( (10#$number + 1) % 1000000 ))\"}"
as eve 'neither' 400 BAD_BODY "prompts/$prompt" '{}'
as eve 'both' 400 BAD_BODY "prompts/$prompt" "{\"number\":\"$number\",\"answer\":\"no\"}"
as bob 'from a device that is not trusted' 409 STEP_OVER "prompts/$prompt" "{\"number\":\"$number\"}"
as eve 'the number' 200 '"state":"done"' "prompts/$prompt" "{\"number\":\"$number\"}"
as eve 'once' 409 STEP_OVER "prompts/$prompt" "{\"number\":\"$number\"}"
as carl 'who polls without the session gets nothing' 404 NOT_FOUND "challenges/$c"
as frank 'the screen that asked goes on' 200 '"state":"done"' "challenges/$c"
as frank 'and is signed in' 200 '"rights":"full"' me
sign_in grace
as grace 'a prompt' 200 number "challenges/$c/prompt" '{}'
as eve 'is seen in the account, too' 200 '"prompts":\[\{"id":"[^"]+","kind":"sign_in"' me
as bob 'but not on a device that is not trusted' 200 '"prompts":\[\]' me
as eve 'is refused' 200 '"prompts":\[\{' prompts; prompt=$(the '.prompts[0].id')
as eve 'by: no' 200 '"state":"refused"' "prompts/$prompt" '{"answer":"no"}'
as grace 'its challenge is over' 409 STEP_OVER "challenges/$c/prompt" '{}'
as eve 'which locks nothing' 200 '"rights":"full"' me

# --- a step for one password is for no other
as eve 'a new password wants a step' 200 '"next":"step"' password '{"password":"seven quiet otters paint bridges"}'; c=$(the .challenge)
as eve 'what is bound is not said' 200 '"shown":\{"change":"password","kind":"change","reference":"[^"]*","value":"[^"]{43}"\}' "challenges/$c"; step eve
as eve 'not for another password' 403 BAD_STEP password '{"password":"eight quiet otters paint bridges"}' -H "Keer-Challenge: $c"
as eve 'for its own' 200 '^\{\}' password '{"password":"seven quiet otters paint bridges"}' -H "Keer-Challenge: $c"
as eve 'a password back' 200 '"next":"step"' password "{\"password\":\"$password\"}"; c=$(the .challenge); step eve
as eve 'is set' 200 '^\{\}' password "{\"password\":\"$password\"}" -H "Keer-Challenge: $c"

# --- a challenge of a store
stop
store=$("$KEER" key new -q --database "$dir/k.db" --role store --name shop)
other=$("$KEER" key new -q --database "$dir/k.db" --role store --name other)
start "${waits[@]}" --issuer http://localhost:1 || exit 1
api() { # NAME STATUS PATTERN KEY PATH [BODY]
    local name=$1 status=$2 pattern=$3 key=$4 path=$5 got; shift 5
    local body=(); [ $# -gt 0 ] && body=(-H 'Content-Type: application/json' -d "$1")
    got=$(curl -s -o "$dir/body" -w '%{http_code}' -H "Authorization: Bearer $key" "${body[@]}" "$u$path")
    [ "$got" = "$status" ] && grep -qE -- "$pattern" "$dir/body"; ok $? "$name: $got"
}
account=$(curl -s -b "$dir/eve" "$u/v1/account/me" | jq -r .account)
pay="{\"account\":\"$account\",\"kind\":\"payment\",\"amount\":64800,\"currency\":\"CNY\",\"payee\":\"Game Store\",\"agreement\":\"a1\",\"reference\":\"order-1\",\"return_url\":\"https://shop.example/back?x=1\"}"
api 'a payment' 200 '"amount":"648.00","currency":"CNY","kind":"payment","payee":"Game Store"' "$store" /v1/challenges "$pay"; c=$(the .id)
[ "$(the .url)" = "$u/challenge/$c" ]; ok $? 'has a page'
api 'the same again is the same' 200 "\"id\":\"$c\"" "$store" /v1/challenges "$pay"
api 'another store does not see it' 404 NOT_FOUND "$other" "/v1/challenges/$c"
api 'its store does' 200 '"state":"open".*"done":null' "$store" "/v1/challenges/$c"
as heidi 'the first browser holds it' 200 '"state":"open"' "challenges/$c"
as ivan 'the second does not' 404 NOT_FOUND "challenges/$c"
as ivan 'nor answers it' 409 STEP_OVER "challenges/$c/recovery-code" "{\"code\":\"$(recovery $next)\"}"
as heidi 'it is confirmed' 200 '"state":"done","redirect":"https://shop.example/back\?x=1&challenge=' "challenges/$c/recovery-code" "{\"code\":\"$(recovery $next)\"}"; next=$((next + 1))
as heidi 'it opens no session' 401 NO_SESSION me
api 'the store learns it' 200 '"state":"done"' "$store" "/v1/challenges/$c"
if command -v node > /dev/null; then
    curl -s "$u/oidc/jwks" > "$dir/jwks"; the .answer > "$dir/answer"; the .shown > "$dir/shown"
    node tests/lib/jwt.mjs "$dir/jwks" "$(cat "$dir/answer")" > "$dir/jwt"; ok $? 'by a signed JWT'
    jq -e --arg id "$c" --arg sub "$account" --arg aud "${store:5:12}" '.header.typ == "keer-challenge+jwt" and (.claims | .iss == "http://localhost:1"
        and .sub == $sub and .aud == $aud and .jti == $id and .acr == "urn:keersluis:acr:pay" and .amr == ["otp"] and .kind == "payment"
        and .exp - .auth_time == 600 and .iat >= .auth_time)' "$dir/jwt" > /dev/null; ok $? "that says what was done: $(cat "$dir/jwt")"
    [ "$(jq -j .claims.shown "$dir/jwt" | openssl dgst -sha256 -binary | basenc --base64url | tr -d =)" = "$(jq -r .claims.confirmed "$dir/jwt")" ]; ok $? 'and to what'
    [ "$(jq -cS '.claims.shown | fromjson' "$dir/jwt")" = "$(jq -cS . "$dir/shown")" ]; ok $? 'which is what was shown'
    node tests/lib/jwt.mjs "$dir/jwks" "$(sed 's/\.\(.\{20\}\)./.\1A/' "$dir/answer")" > /dev/null 2>&1; [ $? != 0 ]; ok $? 'a changed one is none'
fi
api 'another amount' 200 '"amount":"648.01"' "$store" /v1/challenges "${pay/64800/64801}"; c2=$(the .id)
[ "$c" != "$c2" ]; ok $? 'is another challenge'
api 'and the first is worth nothing' 200 '"state":"refused".*"why":"other_data"' "$store" "/v1/challenges/$c"
api 'a subject of the store' 200 '"id"' "$store" /v1/challenges '{"subject":"customer-17","kind":"sign_in"}'; c=$(the .id)
as heidi 'has no authenticator yet' 200 '"methods":\[\]' "challenges/$c"
while IFS='|' read -r name body; do api "$name" 400 BAD_BODY "$store" /v1/challenges "$body"; done << EOF2
no kind|{"account":"$account"}
an unknown kind|{"account":"$account","kind":"gift"}
nobody|{"kind":"sign_in"}
two|{"kind":"sign_in","account":"$account","subject":"x"}
an account that is none|{"kind":"sign_in","account":"AAAAAAAAAAAAAAAAAAAAAA"}
no amount|{"account":"$account","kind":"payment","payee":"x"}
no payee|{"account":"$account","kind":"payment","amount":1,"currency":"EUR"}
no currency|{"account":"$account","kind":"payment","amount":1,"payee":"x"}
an unknown currency|{"account":"$account","kind":"payment","amount":1,"currency":"XXY","payee":"x"}
an amount of nothing|{"account":"$account","kind":"payment","amount":0,"currency":"EUR","payee":"x"}
less than nothing|{"account":"$account","kind":"payment","amount":-5,"currency":"EUR","payee":"x"}
a fraction|{"account":"$account","kind":"payment","amount":1.5,"currency":"EUR","payee":"x"}
too many decimals|{"account":"$account","kind":"payment","amount":"1.005","currency":"EUR","payee":"x"}
a change of nothing|{"account":"$account","kind":"change"}
a link to nothing|{"account":"$account","kind":"link"}
a way back by script|{"account":"$account","kind":"sign_in","return_url":"javascript:alert(1)"}
a way back in the clear|{"account":"$account","kind":"sign_in","return_url":"http://shop.example/"}
a way back that is no host|{"account":"$account","kind":"sign_in","return_url":"http://localhost.evil.example/"}
a payee whose origin is a path|{"account":"$account","kind":"payment","amount":100,"currency":"CNY","payee":"Shop","payee_origin":"https://shop.example/path"}
a payee whose origin is in the clear|{"account":"$account","kind":"payment","amount":100,"currency":"CNY","payee":"Shop","payee_origin":"http://shop.example"}
an unknown method|{"account":"$account","kind":"sign_in","methods":["sms"]}
no method|{"account":"$account","kind":"sign_in","methods":[]}
a line feed|{"account":"$account","kind":"payment","amount":1,"currency":"EUR","payee":"a\nb"}
EOF2

# --- every endpoint in every state: only an open challenge is answered, and only by who holds it
pays() { api "a payment $1" 200 '"id"' "$store" /v1/challenges "{\"account\":\"$account\",\"kind\":\"payment\",\"amount\":1,\"currency\":\"EUR\",\"payee\":\"x\",\"reference\":\"m-$1\"}"; c=$(the .id); }
for state in unheld done refused; do
    pays $state
    case $state in
    done) as heidi 'it is looked at' 200 open "challenges/$c"; as heidi 'and done' 200 done "challenges/$c/recovery-code" "{\"code\":\"$(recovery $next)\"}"; next=$((next + 1)) ;;
    refused) as heidi 'it is looked at' 200 open "challenges/$c"; as heidi 'and refused' 200 refused "challenges/$c/cancel" '{}' ;;
    esac
    [ $state = unheld ] && as ivan 'an unheld one is held by who looks' 200 '"state":"open"' "challenges/$c"
    for path in totp recovery-code; do as heidi "$state: $path" 409 STEP_OVER "challenges/$c/$path" "{\"code\":\"$(recovery $next)\"}"; done
    as heidi "$state: prompt" 409 STEP_OVER "challenges/$c/prompt" '{}'
    [ $state = unheld ] && as heidi "$state: cancel" 409 STEP_OVER "challenges/$c/cancel" '{}'
done
for path in challenges/AAAAAAAAAAAAAAAAAAAAAA challenges/x; do as heidi "GET $path" 404 NOT_FOUND "$path"; done
for path in prompts changes me; do as nobody "GET $path without a session" 401 NO_SESSION "$path"; done
for path in authenticators/totp authenticators/recovery-codes changes/AAAAAAAAAAAAAAAAAAAAAA/cancel prompts/AAAAAAAAAAAAAAAAAAAAAA; do
    as nobody "POST $path without a session" 401 NO_SESSION "$path" '{}'
    as eve "POST $path from another site" 403 FOREIGN_ORIGIN "$path" '{}' -H 'Origin: https://evil.example'
    as eve "POST $path by a form" 415 WRONG_TYPE "$path" '' -X POST -H 'Content-Type: text/plain' -d '{}'
done
for path in "challenges/$c/totp" "challenges/$c/recovery-code" "challenges/$c/prompt" "challenges/$c/cancel" recovery recovery/code recovery/finish recovery/cancel not-me; do
    as heidi "POST $path from another site" 403 FOREIGN_ORIGIN "$path" '{}' -H 'Sec-Fetch-Site: cross-site'
    as heidi "POST $path with what is unknown" 400 BAD_BODY "$path" '{"x":1}'
done

# --- removal ends what it opened, and 'not me'
until [ $(($(date +%s) / 30)) -gt $((used_at / 30)) ]; do sleep .5; done # a code of later than the last
sign_in otto; as otto 'by the app' 200 '"state":"done"' "challenges/$c/totp" "{\"code\":\"$(totp "$secret" 30)\"}"
sign_in paul; step paul
sign_in quin; as quin 'by the trusted device' 200 '"number"' "challenges/$c/prompt" '{}'; number=$(the .number)
as eve 'which is asked' 200 '"kind":"sign_in"' prompts; as eve 'and approves' 200 '"state":"done"' "prompts/$(the '.prompts[0].id')" "{\"number\":\"$number\"}"
as quin 'signs in' 200 '"state":"done"' "challenges/$c"
as eve 'removing the app wants a step' 200 '"next":"step"' "authenticators/$id" '' -X DELETE; c=$(the .challenge); step eve
as eve 'and is done' 200 '^\{\}' "authenticators/$id" '' -X DELETE -H "Keer-Challenge: $c"
as otto 'who signed in with it is signed out' 401 NO_SESSION me
for jar in eve paul quin; do as $jar "$jar, who did not, is not" 200 '"rights":"full"' me; done
as eve 'trust is taken from her device' 200 '^\{' "devices/$device" '{"trusted":false}'
as quin 'whom it let in is signed out' 401 NO_SESSION me
for jar in eve paul; do as $jar "$jar is not" 200 '"rights":"full"' me; done
until_true 'everybody is told' told anna@example.org authenticator_removed
token=$(not_me_of anna@example.org authenticator_removed)
as nobody 'a token that is none' 404 NOT_FOUND not-me '{"token":"AAAAAAAAAAAAAAAAAAAAAA"}'
as nobody 'it was not me' 200 '"told_of":"authenticator_removed","undone":true,"frozen":true' not-me "{\"token\":\"$token\"}"
as nobody 'once' 404 NOT_FOUND not-me "{\"token\":\"$token\"}"
for jar in anna bob eve frank paul; do as $jar "$jar is signed out" 401 NO_SESSION me; done
as eve 'and nobody gets in' 200 '"next":"denied","frozen":true' sign-in "{\"name\":\"anna@example.org\",\"password\":\"$password\"}"
until_true 'everybody is told' told anna@example.org account_frozen

# --- the same from a session: what waits, recent activity, a prompt
waiting() { # JAR ADDRESS: a new account in which an app waits: $change
    sign_up "$1" "$2" # the grace is for this session alone
    as "$1" 'another session' 200 '"next":"done"' sign-in "{\"name\":\"$2\",\"password\":\"$password\"}"
    as "$1" 'an app' 200 '"uri"' authenticators/totp '{"name":"my app"}'; local id secret; id=$(the .id) secret=$(the .secret)
    as "$1" 'waits' 200 '"pending"' authenticators/totp/confirm "{\"id\":\"$id\",\"code\":\"$(totp "$secret")\"}"; change=$(the .pending)
    as "$1" 'which the account shows' 200 "\"pending_changes\":\\[\\{\"id\":\"$change\",\"change\":\"authenticator_add\".*\"until\":\"[^\"]+\"\\}\\],\"pending_recovery\":null,\"wallets_paused\":true,\"prompts\":\\[\\]" me
}
locked() { # JAR ADDRESS
    as "$1" "$2 is signed out" 401 NO_SESSION me
    as "$1" 'and nobody gets in' 200 '"next":"denied","frozen":true' sign-in "{\"name\":\"$2\",\"password\":\"$password\"}"
    until_true 'everybody is told' told "$2" account_frozen
}
stop; start --notices "$dir/notices" --guard-first 1h --guard-wait 1h --guard-grace 1h --recovery-wait 1h || exit 1
waiting kurt kurt@example.org
for path in "changes/$change/not-me" activity/AAAAAAAAAAAAAAAAAAAAAA/not-me; do
    as nobody "POST $path without a session" 401 NO_SESSION "$path" '{}'
    as kurt "POST $path from another site" 403 FOREIGN_ORIGIN "$path" '{}' -H 'Origin: https://evil.example'
    as kurt "POST $path by a form" 415 WRONG_TYPE "$path" '' -X POST -H 'Content-Type: text/plain' -d '{}'
    as bob "POST $path of somebody else's" 401 NO_SESSION "$path" '{}'
done
as kurt 'something that did not happen' 404 NOT_FOUND activity/AAAAAAAAAAAAAAAAAAAAAA/not-me '{}'
as kurt 'a change that was not me' 200 '"told_of":"change_pending","undone":true,"frozen":true' "changes/$change/not-me" '{}'
locked kurt kurt@example.org
waiting lena lena@example.org
as lena 'its activity' 200 '"activity":\[' me; row=$(the '[.activity[] | select(.kind == "change_pending")][0] | select(.not_me) | .id')
welcome=$(the '[.activity[] | select(.kind == "welcome")][0].id')
sign_up mona mona@example.org
as mona 'of somebody else' 404 NOT_FOUND "activity/$row/not-me" '{}'
as mona 'a change of somebody else' 404 NOT_FOUND "changes/$change/not-me" '{}'
as lena 'what can not be taken back' 404 NOT_FOUND "activity/$welcome/not-me" '{}'
as lena 'what was not me' 200 '"told_of":"change_pending","undone":true,"frozen":true' "activity/$row/not-me" '{}'
locked lena lena@example.org
as mona 'a trusted device' 200 '' devices/"$(curl -s -b "$dir/mona" "$u/v1/account/me" | jq -r '.devices[0].id')" '{"trusted":true}'
as rita 'a stranger with the password' 200 '"next":"step"' sign-in "{\"name\":\"mona@example.org\",\"password\":\"$password\"}"; c=$(the .challenge)
as rita 'asks for a prompt' 200 '"number"' "challenges/$c/prompt" '{}'
as mona 'which the account shows' 200 '"prompts":\[\{"id"' me; prompt=$(the '.prompts[0].id')
as mona 'it was not me' 200 '"state":"refused"' "prompts/$prompt" '{"answer":"not_me"}'
as rita 'the session that asked is gone' 401 NO_SESSION me
as rita 'and its challenge' 404 NOT_FOUND "challenges/$c"
until_true 'everybody is told what was said' told mona@example.org step_not_me
locked mona mona@example.org
if command -v sqlite3 > /dev/null; then
    [ "$(sqlite3 "$dir/k.db" "SELECT COUNT(*) FROM journal j JOIN journal t ON t.id = CAST(json_extract(CAST(j.body AS TEXT), '$.target') AS BLOB)
        WHERE json_extract(CAST(j.body AS TEXT), '$.type') = 'fraud_reported' AND json_extract(CAST(t.body AS TEXT), '$.type') = 'sign_in'")" = 1 ]; ok $? 'the sign-in is reported as fraud'
    [ "$(sqlite3 "$dir/k.db" "SELECT COUNT(*) FROM (SELECT CAST(body AS TEXT) AS b FROM journal) WHERE json_extract(b, '$.type') = 'second_step'
        AND json_extract(b, '$.outcome') = 'failure' AND json_extract(b, '$.step_up') = 'device'")" -ge 1 ]; ok $? 'and the step failed'
fi

# --- recovery
as judy 'a recovery' 200 '"state":"open","proved":\[\],"ready":false' recovery '{"name":"anna@example.org"}'; flow=$(the .flow)
as judy 'of nobody, the same' 200 '"state":"open","proved":\[\],"ready":false' recovery '{"name":"nobody@example.org"}'; no=$(the .flow)
until_true 'a code is sent' told anna@example.org recovery_code
as judy 'a wrong code' 403 WRONG_CODE recovery/code "{\"flow\":\"$flow\",\"code\":\"00000000\"}"
as judy 'of nobody, the same' 403 WRONG_CODE recovery/code "{\"flow\":\"$no\",\"code\":\"00000000\"}"
as judy 'nothing shown yet' 403 RECOVERY_OVER recovery/finish "{\"flow\":\"$flow\",\"password\":\"another horse battery staple 7\"}"
as judy 'of nobody, the same' 403 RECOVERY_OVER recovery/finish "{\"flow\":\"$no\",\"password\":\"another horse battery staple 7\"}"
as judy 'the code' 200 '"proved":\["email"\],"ready":false' recovery/code "{\"flow\":\"$flow\",\"code\":\"$(code_of anna@example.org recovery_code)\"}"
as judy 'a weak password' 422 PASSWORD_REFUSED recovery/finish "{\"flow\":\"$flow\",\"password\":\"short\"}"
as judy 'one way waits' 200 '"state":"waiting".*"until":"' recovery/finish "{\"flow\":\"$flow\",\"password\":\"another horse battery staple 7\"}"
until_true 'everybody is told' told anna@example.org recovery_started
as mallory 'a stranger can'\''t call it off' 200 '"cancelled":0' recovery/cancel '{}'
as bob 'a browser that the account knows can' 200 '"cancelled":1' recovery/cancel '{}'
as judy 'again' 200 open recovery '{"name":"anna@example.org"}'; flow=$(the .flow)
until_true 'another code is sent' sh -c "[ \$(grep -c '\"kind\":\"recovery_code\"' '$dir/notices') -ge 2 ]"
as judy 'one way' 200 '"ready":false' recovery/code "{\"flow\":\"$flow\",\"code\":\"$(code_of anna@example.org recovery_code)\"}"
as judy 'and another' 200 '"proved":\["email","recovery_code"\],"ready":true' recovery/code "{\"flow\":\"$flow\",\"code\":\"$(recovery $next)\"}"; next=$((next + 1))
as judy 'are enough at once' 200 '"state":"done"' recovery/finish "{\"flow\":\"$flow\",\"password\":\"another horse battery staple 7\"}"
as judy 'the old password is not taken' 403 WRONG_CREDENTIALS sign-in "{\"name\":\"anna@example.org\",\"password\":\"$password\"}"
as judy 'the new one wants a step still' 200 '"next":"step"' sign-in '{"name":"anna@example.org","password":"another horse battery staple 7"}'
stop; ok $? 'it ends'
if command -v sqlite3 > /dev/null; then
    for type in authenticator_added authenticator_removed; do
        [ "$(sqlite3 "$dir/k.db" "SELECT COUNT(*) > 0 FROM journal WHERE json_extract(CAST(body AS TEXT), '$.type') = '$type'")" = 1 ]; ok $? "the engine was told: $type"
    done
fi
"$KEER" verify -q --policy policies/store.keer --database "$dir/k.db" > "$dir/body" 2>&1; ok $? "and decides it all again alike: $(cat "$dir/body")"
! grep -qE "$secret|$(recovery 0)" "$dir/log"; ok $? 'no secret is in the log'
exit $failed
