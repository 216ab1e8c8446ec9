#!/usr/bin/env bash
# accounts.sh - signing up, in and out, sessions, devices, addresses, families, accounts of stores in a running daemon: what is
# refused as often as what works, cookies, other sites, a session that was planted, what one learns of names, what people write.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl jq python3; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
cat > "$dir/policy.keer" << 'P'
rule risky challenge if sign_in and outcome = 'success' and user_agent = 'risky/1'
rule evil  deny      if user_agent = 'evil/1'
P
POLICY=$dir/policy.keer
json=(-H 'Content-Type: application/json')
jar() { [ -f "$dir/$1.jar" ] || : > "$dir/$1.jar"; who=(-b "$dir/$1.jar" -c "$dir/$1.jar"); }
post() { local name=$1 status=$2 pattern=$3 path=$4 body=$5; shift 5; ask "$name" "$status" "$pattern" "${who[@]}" "${json[@]}" "$@" -d "$body" "$u$path"; }
get() { local name=$1 status=$2 pattern=$3 path=$4; shift 4; ask "$name" "$status" "$pattern" "${who[@]}" "$@" "$u$path"; }
value() { jq -r "$1" "$dir/body"; }
# code ADDRESS: of the newest notice that has one
notices=$dir/notices
code() { local c; for _ in $(seq 2000); do c=$(jq -r --arg to "$1" 'select(.to == $to) | .subject' "$notices" 2> /dev/null | tail -n 1 | grep -oE '[0-9]{8}'); [ -n "$c" ] && break; sleep .02; done; echo "$c"; }
told() { local i; for i in $(seq 2000); do jq -e --arg to "$2" --arg kind "$1" 'select(.to == $to and .kind == $kind)' "$notices" > "$dir/told" 2> /dev/null; [ -s "$dir/told" ] && return 0; sleep .02; done; return 1; }
sign_up() { # JAR EMAIL EXTRA-MEMBERS
    jar "$1"; curl -s "${who[@]}" "${json[@]}" -d "{\"email\":\"$2\"$3}" "$u/v1/account/sign-up" > "$dir/body"
    curl -s "${who[@]}" "${json[@]}" -d "{\"flow\":\"$(value .flow)\",\"code\":\"$(code "$2")\"}" "$u/v1/account/sign-up/confirm" > "$dir/body"
    [ "$(value .next)" = done ] || { echo "not ok - $2 signs up"; cat "$dir/body"; failed=1; }
}
password='orange bicycle under seven lamps'
store=$("$KEER" key new -q --database "${DATABASE:-$dir/k.db}" --role admin --name store)
start --notices "$notices" || exit 1

# --- signing up
jar anna
post 'no address' 400 'one of them' /v1/account/sign-up '{}'
post 'two addresses' 400 'one of them' /v1/account/sign-up '{"email":"a@example.org","phone":"+31612345678"}'
post 'a member that nobody knows' 400 "'admin' is not known" /v1/account/sign-up '{"email":"a@example.org","admin":true}'
post 'a full-width address' 400 'full-width' /v1/account/sign-up '{"email":"ａnna@example.org"}'
post 'an address of look-alikes' 400 'may look like one' /v1/account/sign-up '{"email":"аnna@example.org"}'
post 'a header in an address' 400 BAD_BODY /v1/account/sign-up '{"email":"a@example.org\r\nBcc: b@example.org"}'
post 'a short password' 422 too_short /v1/account/sign-up '{"email":"a@example.org","password":"P@ssw0rd1"}'
post 'a common one' 422 common /v1/account/sign-up '{"email":"a@example.org","password":"correcthorsebatterystaple"}'
post 'one of the own name' 422 context /v1/account/sign-up '{"email":"annadevries@example.org","password":"annadevries1984"}'
post 'a guessable one' 422 guessable /v1/account/sign-up '{"email":"a@example.org","password":"qwertyqwertyqwertyqwerty"}'
post 'a name that turns the line' 400 'name:' /v1/account/sign-up "{\"email\":\"a@example.org\",\"name\":\"$(printf '\xe2\x80\xae')anna\"}"
post 'a sign-up' 200 '"next":"code"' /v1/account/sign-up "{\"email\":\"Anna@Example.ORG\",\"name\":\"<script>alert(1)</script>\",\"username\":\"anna\",\"password\":\"$password\"}"
flow=$(value .flow); c=$(code anna@example.org); [ -n "$c" ]; ok $? 'the code is sent'
[ "$(stat -c %a "$notices")" = 600 ]; ok $? 'the file of notices is its owner'"'"'s'
jar other; post 'in another browser' 403 WRONG_CODE /v1/account/sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$c\"}"
jar anna
post 'a wrong code' 403 WRONG_CODE /v1/account/sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"12345678\"}"
post 'a flow that never was' 403 WRONG_CODE /v1/account/sign-up/confirm "{\"flow\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"code\":\"$c\"}"
post 'no flow' 400 BAD_BODY /v1/account/sign-up/confirm "{\"flow\":\"<script>\",\"code\":\"$c\"}"
post 'the right one' 200 '"next":"done"' /v1/account/sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"${c:0:4} ${c:4}\"}"
grep -qiE '^set-cookie: keer=[A-Za-z0-9_-]{22}; Path=/; HttpOnly; SameSite=Lax' "$dir/head"; ok $? 'a session cookie, HttpOnly, SameSite=Lax'
account=$(value .account)
post 'once' 403 WRONG_CODE /v1/account/sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$c\"}"
told welcome anna@example.org; ok $? 'a welcome'
get 'the account' 200 '"value":"anna@example.org"' /v1/account/me
[ "$(value .name)" = '<script>alert(1)</script>' ] && grep -qi '^content-type: application/json' "$dir/head" && grep -qi '^x-content-type-options: nosniff' "$dir/head"; ok $? 'a name is data'
jar stranger
post 'a known address: the same answer' 200 '"next":"code"' /v1/account/sign-up '{"email":"anna@example.org"}'; flow=$(value .flow)
sed -E 's/"flow":"[^"]*"/"flow":""/' "$dir/body" > "$dir/known"; grep -viE '^(date|set-cookie)' "$dir/head" > "$dir/known.head"
told sign_up_known anna@example.org; ok $? 'and its owner is told'
post 'an unknown one' 200 '"next":"code"' /v1/account/sign-up '{"email":"nobody@example.org"}'
sed -E 's/"flow":"[^"]*"/"flow":""/' "$dir/body" | cmp -s - "$dir/known" && grep -viE '^(date|set-cookie)' "$dir/head" | cmp -s - "$dir/known.head"; ok $? 'byte for byte'
for i in 1 2 3 4 5 6; do post "no code opens it ($i)" 403 WRONG_CODE /v1/account/sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"0000000$i\"}"; done
sign_up eve eve@example.org ',"username":"Anna"'; [ "$(value .username_taken)" = true ]; ok $? 'a user name is one account'"'"'s; who asks for it learns that last'
jar anna; [ "$(curl -s "${who[@]}" "$u/v1/account/me" | jq -r '.identifiers | length')" = 2 ]; ok $? 'and keeps it'

# --- signing in
jar wrong
post 'a wrong password' 403 WRONG_CREDENTIALS /v1/account/sign-in '{"name":"anna","password":"purple bicycle under seven lamps"}'
cp "$dir/body" "$dir/known"; grep -viE '^(date|set-cookie)' "$dir/head" > "$dir/known.head"
for name in nobody nobody@example.org +31699999999 '<img src=x onerror=alert(1)>' '' 'ａnna' "$account" "$(printf '%0400d' 0)"; do
    post "no name: ${name:0:30}" 403 WRONG_CREDENTIALS /v1/account/sign-in "$(jq -n --arg n "$name" '{name:$n,password:"purple bicycle under seven lamps"}')"
    cmp -s "$dir/body" "$dir/known" && grep -viE '^(date|set-cookie)' "$dir/head" | cmp -s - "$dir/known.head"; ok $? 'the same bytes'
done
post 'a password of a megabyte' 413 '' /v1/account/sign-in "@$dir/policy.keer" -d "$(head -c 70000 /dev/zero | tr '\0' a)" -o "$dir/body"
post 'a long password' 403 WRONG_CREDENTIALS /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$(head -c 20000 /dev/zero | tr '\0' a)\"}"
cmp -s "$dir/body" "$dir/known"; ok $? 'the same bytes'
jar phone
for name in anna ANNA@example.org ' anna '; do post "signing in as $name" 200 '"next":"done","account":"'"$account"'","rights":"full"' /v1/account/sign-in "{\"name\":\"$name\",\"password\":\"$password\"}"; done
told sign_in_new_device anna@example.org && grep -q not_me "$dir/told"; ok $? 'every address is told of a new device, with a way to say not me'
[ "$(jq -s '[.[] | select(.kind == "sign_in_new_device")] | length' "$notices")" = 1 ]; ok $? 'once for each device'

# --- a token that somebody planted, and the one before
old=$(awk '$6 == "keer" {print $7}' "$dir/phone.jar")
ask 'the token works' 200 '"account"' -b "keer=$old" "$u/v1/account/me"
post 'signing in again' 200 '"next":"done"' /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$password\"}"
ask 'the one before is nothing any more' 401 NO_SESSION -b "keer=$old" "$u/v1/account/me"
planted=AAAAAAAAAAAAAAAAAAAAAA
ask 'signing in with a planted token' 200 '"next":"done"' "${json[@]}" -b "keer=$planted; keer-device=$planted" -d "{\"name\":\"anna\",\"password\":\"$password\"}" "$u/v1/account/sign-in"
! grep -q "keer=$planted" "$dir/head"; ok $? 'gives another'
ask 'the planted one is nothing' 401 NO_SESSION -b "keer=$planted" "$u/v1/account/me"
ask 'two cookies of a name are none' 401 NO_SESSION -b "keer=$(awk '$6 == "keer" {print $7}' "$dir/phone.jar"); keer=$planted" "$u/v1/account/me"

# --- other sites
signed_in=("${json[@]}" -d "{\"name\":\"anna\",\"password\":\"$password\"}" "$u/v1/account/sign-in")
ask 'an Origin of another site' 403 FOREIGN_ORIGIN -H 'Origin: https://evil.example' "${signed_in[@]}"
ask 'Origin null' 403 FOREIGN_ORIGIN -H 'Origin: null' "${signed_in[@]}"
ask 'of another scheme' 403 FOREIGN_ORIGIN -H "Origin: https${u#http}" "${signed_in[@]}"
ask 'of a longer host' 403 FOREIGN_ORIGIN -H "Origin: $u.evil.example" "${signed_in[@]}"
ask 'Sec-Fetch-Site: cross-site' 403 FOREIGN_ORIGIN -H 'Sec-Fetch-Site: cross-site' "${signed_in[@]}"
ask 'Sec-Fetch-Site: same-site' 403 FOREIGN_ORIGIN -H 'Sec-Fetch-Site: same-site' "${signed_in[@]}"
ask 'a form' 415 WRONG_TYPE -d 'name=anna&password=x' "$u/v1/account/sign-in"
ask 'a form that says it is JSON' 400 BAD_BODY "${json[@]}" -d 'name=anna&password=x' "$u/v1/account/sign-in"
jar phone
for r in 'POST sign-out' 'POST sessions:end-others' "DELETE sessions/$planted" "DELETE devices/$planted" "POST devices/$planted" 'POST contacts' "DELETE contacts/$planted" 'POST password' 'POST family' 'POST family/invitations'; do
    get "$r from another site" 403 FOREIGN_ORIGIN "/v1/account/${r#* }" -X "${r% *}" "${json[@]}" -d '{}' -H 'Origin: https://evil.example'
done
get 'its own Origin' 200 '"next":"done"' /v1/account/sign-in "${json[@]}" -d "{\"name\":\"anna\",\"password\":\"$password\"}" -H "Origin: $u" -H 'Sec-Fetch-Site: same-origin'

# --- what the policy decides
jar risky
post 'a challenge, and no second factor: a code' 200 '"next":"code".*"sent_to":"a\*\*\*@e\*\*\*.org"' /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$password\"}" -A risky/1
flow=$(value .flow)
for r in 'GET me' 'POST sessions:end-others' 'POST password' 'POST contacts' 'POST family' 'GET family' "DELETE devices/$planted"; do
    get "$r before the code" 403 STEP_NEEDED "/v1/account/${r#* }" -X "${r% *}" "${json[@]}" -d '{}'
done
post 'a wrong code' 403 WRONG_CODE /v1/account/sign-in/code "{\"flow\":\"$flow\",\"code\":\"11111111\"}"
jar phone; post 'from another session' 403 WRONG_CODE /v1/account/sign-in/code "{\"flow\":\"$flow\",\"code\":\"$(code anna@example.org)\"}"
jar risky; pending=$(awk '$6 == "keer" {print $7}' "$dir/risky.jar")
post 'the right one' 200 '"rights":"restricted"' /v1/account/sign-in/code "{\"flow\":\"$flow\",\"code\":\"$(code anna@example.org)\"}" -A risky/1
ask 'the pending token is nothing any more' 401 NO_SESSION -b "keer=$pending" "$u/v1/account/me"
get 'it may look' 200 '"rights":"restricted"' /v1/account/me
for r in 'POST sessions:end-others' 'POST password' 'POST contacts' 'POST family' 'POST family/invitations' "DELETE devices/$planted" "POST devices/$planted" "DELETE contacts/$planted"; do
    get "$r with an e-mail code alone" 403 RESTRICTED "/v1/account/${r#* }" -X "${r% *}" "${json[@]}" -d '{}'
done
me=$(curl -s "${who[@]}" "$u/v1/account/me" | jq -r '.sessions[] | select(.current | not) | .id' | head -n 1)
get 'it ends no other session' 403 RESTRICTED "/v1/account/sessions/$me" -X DELETE
jar evil
post 'a denial' 200 '"next":"denied","frozen":false' /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$password\"}" -A evil/1
! grep -qi 'set-cookie: keer=' "$dir/head"; ok $? 'without a session'
told sign_in_refused anna@example.org; ok $? 'and every address is told'
jar evil2; curl -s "${who[@]}" "${json[@]}" -A evil/1 -d '{"email":"evil@example.org"}' "$u/v1/account/sign-up" > "$dir/body"
post 'a sign-up that is denied' 200 '"next":"denied"' /v1/account/sign-up/confirm "{\"flow\":\"$(value .flow)\",\"code\":\"$(code evil@example.org)\"}" -A evil/1
for o in allow challenge deny; do ask "a sign-in is an event: $o" 200 "\"type\":\"sign_in\",\"outcome\":\"$o\"" -H "Authorization: Bearer $store" "$u/v1/decisions?type=sign_in&outcome=$o&limit=5"; done

# --- sessions and devices
jar anna; get 'sessions are listed' 200 '"sessions":\[' /v1/account/me
device=$(value '.devices[] | select(.current | not) | .id' | head -n 1); current=$(value '.devices[] | select(.current) | .id')
session=$(jar phone; curl -s "${who[@]}" "$u/v1/account/me" | jq -r '.sessions[] | select(.current) | .id')
jar eve; get 'a session of somebody else' 404 NOT_FOUND "/v1/account/sessions/$session" -X DELETE
get 'a device of somebody else' 404 NOT_FOUND "/v1/account/devices/$device" -X DELETE
post 'and its name' 404 NOT_FOUND "/v1/account/devices/$device" '{"name":"mine"}'
jar anna; get 'one session is ended' 200 '^\{\}' "/v1/account/sessions/$session" -X DELETE
jar phone; get 'and is gone' 401 NO_SESSION /v1/account/me
jar anna; get 'again' 404 NOT_FOUND "/v1/account/sessions/$session" -X DELETE
post 'a device gets a name' 200 '^\{\}' "/v1/account/devices/$current" "{\"name\":\"<img src=x>\"}"
post 'not an empty one' 400 BAD_BODY "/v1/account/devices/$current" '{"name":" "}'
post 'trusted is a word' 400 'true or false' "/v1/account/devices/$current" '{"trusted":"yes"}'
curl -s "${who[@]}" "$u/v1/account/me" | jq -e '.devices[] | select(.current and .name == "<img src=x>")' > /dev/null; ok $? 'as it was written'
jar phone; post 'the phone signs in again' 200 '"next":"done"' /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$password\"}"
phone=$(curl -s "${who[@]}" "$u/v1/account/me" | jq -r '.devices[] | select(.current) | .id')
token=$(awk '$6 == "keer-device" {print $7}' "$dir/phone.jar")
jar anna; get 'its device is removed' 200 '^\{\}' "/v1/account/devices/$phone" -X DELETE
told device_revoked anna@example.org; ok $? 'and every address is told'
jar phone; get 'and signed out with it' 401 NO_SESSION /v1/account/me
post 'it comes again' 200 '"next":"done"' /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$password\"}"
[ "$(awk '$6 == "keer-device" {print $7}' "$dir/phone.jar")" != "$token" ]; ok $? 'as a new device'
jar anna; post 'all others are ended' 200 '"ended":[1-9]' /v1/account/sessions:end-others '{}'
jar phone; get 'and are gone' 401 NO_SESSION /v1/account/me
jar anna; get 'this one stays' 200 '"account"' /v1/account/me

# --- addresses and the password, through the guard (right after the sign-up it lets them)
post 'another address' 200 '"id"' /v1/account/contacts '{"email":"second@example.org"}'; contact=$(value .id)
post 'again: another code' 200 "\"id\":\"$contact\"" /v1/account/contacts '{"email":"second@example.org"}'
post 'one that is there' 409 TAKEN /v1/account/contacts '{"email":"anna@example.org"}'
post 'no address' 400 'email:' /v1/account/contacts '{"email":"<script>alert(1)</script>"}'
post 'a wrong code' 403 WRONG_CODE "/v1/account/contacts/$contact/confirm" '{"code":"00000000"}'
post 'no such address' 404 NOT_FOUND "/v1/account/contacts/$planted/confirm" '{"code":"00000000"}'
sleep .2; post 'the right one' 200 '^\{\}' "/v1/account/contacts/$contact/confirm" "{\"code\":\"$(code second@example.org)\"}"
told contact_added second@example.org && told contact_added anna@example.org; ok $? 'every address is told'
post 'a common password' 422 common /v1/account/password '{"password":"correcthorsebatterystaple"}'
post 'one of the own name' 422 PASSWORD_REFUSED /v1/account/password '{"password":"anna@example.org"}'
post 'another password' 200 '^\{\}' /v1/account/password '{"password":"seven quiet lamps above a canal"}'
told password_changed second@example.org; ok $? 'every address is told'
jar phone; post 'the old one is nothing' 403 WRONG_CREDENTIALS /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$password\"}"
password='seven quiet lamps above a canal'
post 'the new one signs in' 200 '"next":"done"' /v1/account/sign-in "{\"name\":\"second@example.org\",\"password\":\"$password\"}"
jar anna; first=$(curl -s "${who[@]}" "$u/v1/account/me" | jq -r '.contacts[0].id')
get 'an address is removed' 200 '^\{\}' "/v1/account/contacts/$first" -X DELETE
get 'not the last' 409 LAST_CONTACT "/v1/account/contacts/$contact" -X DELETE
told contact_removed anna@example.org; ok $? 'who was removed is told too'

# --- families
jar anna; get 'in none' 200 '"family":null' /v1/account/family
post 'a family' 200 '"family":"' /v1/account/family '{}'
post 'one alone' 409 TAKEN /v1/account/family '{}'
post 'inviting nobody' 200 '^\{\}' /v1/account/family/invitations '{"name":"nobody@example.org","role":"child"}'; cp "$dir/body" "$dir/known"
post 'inviting somebody' 200 '^\{\}' /v1/account/family/invitations '{"name":"eve@example.org","role":"child"}'; cmp -s "$dir/body" "$dir/known"; ok $? 'is the same answer'
post 'as what' 400 'adult and child' /v1/account/family/invitations '{"name":"eve@example.org","role":"organiser"}'
told family_invited eve@example.org && ! grep -q script "$dir/told"; ok $? 'the mail has no words of who invites'
jar eve; eve=$(curl -s "${who[@]}" "$u/v1/account/me" | jq -r .account); get 'the invitation' 200 '"invitations":\[\{' /v1/account/family; invitation=$(value '.invitations[0].id')
jar wrong; get 'without a session' 401 NO_SESSION /v1/account/family
jar anna; post 'by somebody else' 404 NOT_FOUND "/v1/account/family/invitations/$invitation" '{"accept":true}'
jar eve; post 'accepted' 200 '^\{\}' "/v1/account/family/invitations/$invitation" '{"accept":true}'
get 'a child does not leave' 404 NOT_FOUND "/v1/account/family/members/$eve" -X DELETE
key=(-H "Authorization: Bearer $store")
who=("${key[@]}"); buy="{\"account\":\"$eve\",\"what\":\"648 coins\",\"amount_minor\":64800,\"currency\":\"CNY\"}"
post 'an approval is asked' 200 '"id"' /v1/family-approvals "$buy"; approval=$(value .id)
post 'of no amount' 400 amount_minor /v1/family-approvals "{\"account\":\"$eve\",\"what\":\"x\",\"amount_minor\":0,\"currency\":\"CNY\"}"
post 'of no currency' 400 currency /v1/family-approvals "{\"account\":\"$eve\",\"what\":\"x\",\"amount_minor\":1,\"currency\":\"XYZ\"}"
post 'not used before it is granted' 404 NOT_FOUND "/v1/family-approvals/$approval/use" "$buy"
jar eve; post 'not granted by the child' 404 NOT_FOUND "/v1/account/family/approvals/$approval" '{"granted":true}'
jar anna; post 'granted' 200 '^\{\}' "/v1/account/family/approvals/$approval" '{"granted":true}'
who=("${key[@]}")
post 'not for more' 404 NOT_FOUND "/v1/family-approvals/$approval/use" "${buy/64800/64801}"
post 'used' 200 '^\{\}' "/v1/family-approvals/$approval/use" "$buy"
post 'once' 404 NOT_FOUND "/v1/family-approvals/$approval/use" "$buy"
jar anna; get 'the organiser removes a member' 200 '^\{\}' "/v1/account/family/members/$eve" -X DELETE

# --- accounts of stores, and locking
who=("${key[@]}")
post 'an account of a store' 200 '"new":true' /v1/accounts '{"subject":"user:1","name":"Bob"}'; bob=$(value .id)
post 'the same again' 200 "\"id\":\"$bob\".*\"new\":false" /v1/accounts '{"subject":"user:1"}'
post 'a subject that is none' 400 printable /v1/accounts '{"subject":"a b"}'
post 'a reason with lines' 400 BAD_BODY "/v1/accounts/$account/freeze" '{"reason":"a\nb"}'
post 'locked' 200 '"state":"frozen"' "/v1/accounts/$account/freeze" '{"reason":"Reported by a wallet."}'
post 'no such account' 404 NOT_FOUND "/v1/accounts/$planted/freeze" '{"reason":"x"}'
told account_frozen second@example.org; ok $? 'every address is told'
jar anna; get 'its sessions ended' 401 NO_SESSION /v1/account/me
post 'nobody signs in' 200 '"next":"denied","frozen":true' /v1/account/sign-in "{\"name\":\"second@example.org\",\"password\":\"$password\"}"
post 'a wrong password says nothing of that' 403 WRONG_CREDENTIALS /v1/account/sign-in '{"name":"second@example.org","password":"x"}'
who=("${key[@]}"); post 'unlocked' 200 '"state":"active"' "/v1/accounts/$account/thaw" '{}'
post 'once' 404 NOT_FOUND "/v1/accounts/$account/thaw" '{}'
who=(); get 'without a key' 401 NO_KEY "/v1/accounts/$account"
jar anna; post 'she is back' 200 '"next":"done"' /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$password\"}"
post 'signing out' 200 '^\{\}' /v1/account/sign-out '{}'
grep -qiE '^set-cookie: keer=-;.*Max-Age=0' "$dir/head"; ok $? 'takes the cookie away'
get 'and ends it' 401 NO_SESSION /v1/account/me

# --- strangers use up their own tries, and nobody else's
jar guesser
for i in $(seq 22); do curl -s -o "$dir/body" -w '%{http_code}\n' "${json[@]}" --interface 127.0.0.9 -d '{"name":"eve@example.org","password":"x"}' "$u/v1/account/sign-in"; done > "$dir/codes"
[ "$(grep -c 403 "$dir/codes")" = 20 ] && [ "$(tail -n 1 "$dir/codes")" = 429 ]; ok $? '20 guesses, and no more'
for i in $(seq 22); do curl -s -o "$dir/body" -w '%{http_code}\n' "${json[@]}" --interface 127.0.0.8 -d '{"name":"nobody7@example.org","password":"x"}' "$u/v1/account/sign-in"; done | cmp -s - "$dir/codes"; ok $? 'the same of a name that nobody has'
jar phone; post 'her own device still signs in' 200 '"next":"done"' /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$password\"}"
stop; ok $? 'the daemon ends'

# --- https: the cookies' names and flags; the guard's other side: nothing is linked, no grace
start --notices "$notices" --public-url https://id.example.org --guard-grace 1us || exit 1
jar safe; post 'behind https' 200 '"next":"done"' /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$password\"}" -H 'Origin: https://id.example.org'
grep -qE '^Set-Cookie: __Host-keer=[A-Za-z0-9_-]{22}; Path=/; HttpOnly; SameSite=Lax; Secure' "$dir/head" && grep -qE '^Set-Cookie: __Host-keer-device=[^;]*; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=' "$dir/head"; ok $? 'cookies are __Host- and Secure'
t=$(sed -nE 's/^Set-Cookie: (__Host-keer=[^;]*).*/\1/p' "$dir/head")
ask 'a cookie without the prefix is none' 401 NO_SESSION -b "${t#__Host-}" "$u/v1/account/me"
ask 'with it' 200 '"account"' -b "$t" "$u/v1/account/me"
ask 'the host that it listens on is another site' 403 FOREIGN_ORIGIN "${json[@]}" -b "$t" -H "Origin: $u" -d '{}' "$u/v1/account/sign-out"
ask 'a password waits' 200 '"pending":"[^"]*","until":"' "${json[@]}" -b "$t" -d '{"password":"a third phrase of quiet words"}' "$u/v1/account/password"
told change_pending second@example.org && grep -q https://id.example.org/not-me "$dir/told"; ok $? 'and every address is told, with a way to stop it'
jar old; post 'until then the old one counts' 200 '"next":"done"' /v1/account/sign-in "{\"name\":\"anna\",\"password\":\"$password\"}"
stop; ok $? 'the daemon ends'

# --- a mail server
python3 tests/accounts/smtp_sink.py "$dir/mails" > "$dir/port" & sink=$!
trap 'kill $sink 2> /dev/null; [ -n "$pid" ] && kill -9 "$pid" 2> /dev/null; rm -rf "$dir"' EXIT
for _ in $(seq 2000); do [ -s "$dir/port" ] && break; sleep .02; done
"$KEER" serve --policy "$POLICY" --database "${DATABASE:-$dir/k.db}" --check-config --notices "smtp://127.0.0.1:$(cat "$dir/port")" 2> "$dir/body"; [ $? = 2 ] && grep -q notices-from "$dir/body"; ok $? 'a mail server wants a sender'
start --notices "smtp://127.0.0.1:$(cat "$dir/port")" --notices-from id@example.org --service-name 'Sluis & Co' || exit 1
jar mail
post 'no phones' 400 'no messages to phones' /v1/account/sign-up '{"phone":"+31612345678"}'
post 'a sign-up by mail' 200 '"next":"code"' /v1/account/sign-up '{"email":"zoe@example.org","locale":"zh-Hans"}'; flow=$(value .flow)
for _ in $(seq 2000); do grep -q 'zoe@' "$dir/mails" 2> /dev/null && break; sleep .02; done
python3 - "$dir/mails" > "$dir/told" << 'PY'
import email, email.policy, sys
m = email.message_from_bytes(open(sys.argv[1], "rb").read(), policy=email.policy.default)
print(m["From"], m["To"], m["Subject"], m["Message-ID"], m["Auto-Submitted"], m.get_content(), sep="\n")
PY
grep -qF 'Sluis & Co <id@example.org>' "$dir/told" && grep -qxF 'zoe@example.org' "$dir/told" && grep -q '您的注册验证码是' "$dir/told"; ok $? 'a mail, read by another library, in the language that was asked for'
c=$(grep -oE '[0-9]{8}' "$dir/told" | head -n 1)
post 'its code opens the account' 200 '"next":"done"' /v1/account/sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$c\"}"
post 'an address that the server refuses' 200 '"next":"code"' /v1/account/sign-up '{"email":"no-body@example.org"}'
post 'one that it takes later' 200 '"next":"code"' /v1/account/sign-up '{"email":"later-on@example.org"}'
for _ in $(seq 800); do [ "$(grep -c 'was not sent' "$dir/log")" -ge 2 ] && break; sleep .05; done
grep -q 'was not sent, for good' "$dir/log" && grep -q 'was not sent, and is tried again' "$dir/log"; ok $? 'what is refused is dead, the other is tried again'
kill $sink; post 'no mail server: the answer is the same' 200 '"next":"code"' /v1/account/sign-up '{"email":"late@example.org"}'
stop; ok $? 'the daemon ends'
start; jar off; post 'without notices nobody signs up' 409 NOTICES_OFF /v1/account/sign-up '{"email":"x@example.org"}'
exit $failed
