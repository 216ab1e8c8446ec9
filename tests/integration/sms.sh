#!/usr/bin/env bash
# sms.sh - messages to phones through an operator's gateway: its options, a sign-up and a sign-in by phone, codes that are bound to the host, notices to every
# contact by its own way, a gateway that is down, refuses or hangs, a restart in between, and that nothing of it is in the log.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl jq node npm python3 sqlite3; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
npm_ready tests/webhooks || exit 0
gateway= sink=
finally() { [ -z "$gateway" ] || kill -9 $gateway 2> /dev/null; [ -z "$sink" ] || kill -9 $sink 2> /dev/null; }
cat > "$dir/policy.keer" << 'P'
rule risky challenge if sign_in and outcome = 'success' and user_agent = 'risky/1'
P
POLICY=$dir/policy.keer
echo "whsec_$(head -c 32 /dev/urandom | base64)" > "$dir/sms.secret"
listen_gateway() { rm -f "$dir/gateway.port"; node tests/webhooks/gateway.mjs "$dir" "${1:-0}" 2> "$dir/gateway.log" & gateway=$!; for _ in $(seq 4000); do [ -s "$dir/gateway.port" ] && return; sleep .01; done; }
deaf() { kill -9 $gateway; wait $gateway 2> /dev/null; gateway=; }
json=(-H 'Content-Type: application/json')
texts() { jq -c --arg to "$1" --arg kind "$2" 'select(.to == $to and .kind == $kind)' "$dir/texts" 2> /dev/null; } # TO KIND
taken() { texts "$@" | jq -c 'select(.status == 200 and .again == false)'; }
text_code() { taken "$@" | tail -n 1 | jq -r .text | tail -n 1 | sed -nE 's/^@[^ ]+ #([0-9]{8})$/\1/p'; }
mails() { python3 - "$dir/mails" "$1" << 'PY'
import email, email.policy, re, sys
for part in re.split(rb"(?m)^(?=From: )", open(sys.argv[1], "rb").read()):
    m = email.message_from_bytes(part, policy=email.policy.default)
    if m["To"] and sys.argv[2] in m["To"]:
        print(m["Subject"], m.get_content(), sep="\n")
PY
} 2> /dev/null # grep -q reads no further than it must
password='orange bicycle under seven lamps' phone=+31612345678

# --- options: what is wrong is said before anything is opened
check() { local name=$1 code=$2 pattern=$3; shift 3; "$KEER" serve --check-config --policy "$POLICY" --database "$dir/none.db" "$@" > "$dir/body" 2>&1; [ $? = "$code" ] && grep -qE -- "$pattern" "$dir/body"; ok $? "$name"; }
good=(--sms-url https://sms.example.org/send --sms-secret "$dir/sms.secret")
check 'a gateway' 0 ok "${good[@]}"
check 'a gateway without a secret' 2 'sms-secret: with a gateway' --sms-url https://sms.example.org/send
check 'a secret without a gateway' 2 'it is for --sms-url' --sms-secret "$dir/sms.secret"
check 'a gateway in the clear' 2 'on this machine alone' --sms-secret "$dir/sms.secret" --sms-url http://sms.example.org/send
check 'a private address in the clear' 2 'sms-url:' --sms-secret "$dir/sms.secret" --sms-url http://10.0.0.1/send
check 'no address' 2 'sms-url:' --sms-secret "$dir/sms.secret" --sms-url sms.example.org
check 'a login in the address' 2 'user name or a password' --sms-secret "$dir/sms.secret" --sms-url https://a:b@sms.example.org/
check 'a secret that is not there' 4 'none.secret' --sms-url https://sms.example.org/send --sms-secret "$dir/none.secret"
echo whsec_c2hvcnQ= > "$dir/short.secret"; check 'a short secret' 4 '24 to 64 bytes' --sms-url https://sms.example.org/send --sms-secret "$dir/short.secret"
check 'countries' 0 ok "${good[@]}" --sms-countries '+31, +352'
check 'countries that are none' 2 'sms-countries' "${good[@]}" --sms-countries NL
check 'an empty country' 2 'sms-countries' "${good[@]}" --sms-countries '+31,'
check 'a key in the address' 2 'query has no place' --sms-secret "$dir/sms.secret" --sms-url 'https://sms.example.org/send?key=hush'

# --- a gateway alone: phones are the only contacts
listen_gateway
by_phone=(--sms-url "http://127.0.0.1:$(cat "$dir/gateway.port")/send" --sms-secret "$dir/sms.secret" --public-url https://id.example.org --service-name 'Sluis & Co' --guard-grace 1h)
start "${by_phone[@]}" --sms-countries +31,+86 || exit 1
as zoe 'no mails' 400 'no messages to e-mail' sign-up '{"email":"zoe@example.org"}'
as zoe 'no such country' 400 'phones of that country' sign-up '{"phone":"+881612345678"}'
as zoe 'no country' 400 'begins with' sign-up '{"phone":"0612345678"}'
as zoe 'a sign-up by phone' 200 '"next":"code"' sign-up '{"phone":"+86 131-2345-6789","locale":"zh-Hans"}'; flow=$(the .flow)
wait_until eval '[ -n "$(taken +8613123456789 sign_up_code)" ]'; ok $? 'a text, to the canonical number'
taken +8613123456789 sign_up_code | jq -e '.verified and (.changed | not) and (.moved | not) and .same and .method == "POST" and .path == "/send" and .type == "application/json" and .members == "id to text kind"' > /dev/null; ok $? 'the published package takes its signature, and no other body or time'
taken +8613123456789 sign_up_code | jq -e '.text | (contains("验证码") and (split("\n") | length == 2)) and length <= 70' > /dev/null; ok $? "in her language, in one message: $(taken +8613123456789 sign_up_code | jq -r '.text | length') of 70"
code=$(text_code +8613123456789 sign_up_code); [ -n "$code" ]; ok $? 'its last line binds the code to the host'
as zoe 'a wrong code' 403 WRONG_CODE sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"00000000\"}"
as zoe 'the code opens the account' 200 '"next":"done"' sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$code\"}"
as zoe 'another contact that is not reached' 409 'no messages to e-mail' contacts '{"email":"zoe@example.org"}'
as zoe 'a phone of another country' 409 'of that country' contacts '{"phone":"+447700900123"}'
stop; ok $? 'the daemon ends'

# --- both: each contact by its own way
python3 tests/accounts/smtp_sink.py "$dir/mails" > "$dir/smtp.port" & sink=$!
wait_until eval '[ -s "$dir/smtp.port" ]'
both=("${by_phone[@]}" --notices "smtp://127.0.0.1:$(cat "$dir/smtp.port")" --notices-from id@example.org)
start "${both[@]}" || exit 1
as anna 'a sign-up by phone' 200 '"next":"code"' sign-up "{\"phone\":\"$phone\",\"password\":\"$password\"}"; flow=$(the .flow)
wait_until eval '[ -n "$(taken $phone sign_up_code)" ]'
as anna 'the code of the text opens the account' 200 '"next":"done"' sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$(text_code $phone sign_up_code)\"}"
wait_until eval '[ -n "$(taken $phone welcome)" ]'; ok $? 'a welcome, by text'
as anna 'an e-mail address beside it' 200 '"id"' contacts '{"email":"anna@example.org"}'; contact=$(the .id)
wait_until eval 'mails anna@example.org | grep -qE "[0-9]{8}"'; ok $? 'its code comes by mail'
as anna 'is shown' 200 '^\{\}' "contacts/$contact/confirm" "{\"code\":\"$(mails anna@example.org | grep -oE '[0-9]{8}' | head -n 1)\"}"
wait_until eval '[ -n "$(taken $phone contact_added)" ] && mails anna@example.org | grep -q "address was added"'; ok $? 'every contact is told of it, by its own way'
as phone 'a sign-in by phone' 200 '"next":"done"' sign-in "{\"name\":\"+31 6 1234 5678\",\"password\":\"$password\"}"
wait_until eval '[ -n "$(taken $phone sign_in_new_device)" ] && mails anna@example.org | grep -q "New device"'; ok $? 'a new device: both contacts are told'
link=$(taken $phone sign_in_new_device | tail -n 1 | jq -r .text | grep -oE 'https://id.example.org/not-me#[A-Za-z0-9_-]{22}'); [ -n "$link" ]; ok $? "with a way to say not me: $(taken $phone sign_in_new_device | tail -n 1 | jq -r .text)"
as risky 'a sign-in that the policy challenges' 200 '"next":"code".*"sent_to":"\+31\*+78"' sign-in "{\"name\":\"$phone\",\"password\":\"$password\"}" -A risky/1; flow=$(the .flow)
wait_until eval '[ -n "$(taken $phone sign_in_code)" ]'
as risky 'the code of the text: a contact, and no second step' 200 '"rights":"restricted"' sign-in/code "{\"flow\":\"$flow\",\"code\":\"$(text_code $phone sign_in_code)\"}" -A risky/1
as risky 'which changes nothing' 403 RESTRICTED contacts '{"email":"thief@example.org"}' -A risky/1

# --- a gateway that is down: kept, sent again under the same id, across a restart
port=$(cat "$dir/gateway.port"); deaf
mv "$dir/texts" "$dir/all"; : > "$dir/mails"; : > "$dir/texts"
as late 'a sign-up while the gateway is down: the same answer' 200 '"next":"code"' sign-up '{"phone":"+31600000001"}'; flow=$(the .flow)
wait_until eval 'grep -q "sign_up_code) was not sent, and is tried again" "$dir/log"'; ok $? 'the log says that it is tried again'
as tablet 'another new device' 200 '"next":"done"' sign-in "{\"name\":\"$phone\",\"password\":\"$password\"}"
wait_until eval 'mails anna@example.org | grep -q "New device"'; ok $? 'mails are not held up by it'
stop; ok $? 'the daemon ends'
grep -qE '31612345678|31600000001' "$dir/log"; [ $? = 1 ]; ok $? 'no number is in its log'
cp "$dir/log" "$dir/logs"
listen_gateway "$port"; echo 503 > "$dir/gateway.mode"
start "${both[@]}" || exit 1
wait_until eval '[ -n "$(texts +31600000001 sign_up_code)" ]'; ok $? 'after a restart it is tried again'
rm "$dir/gateway.mode"
# The waiting time is what the notifier's own clock says; the test moves the rows, not the clock.
stop; sqlite3 "$dir/k.db" 'UPDATE notice SET due_us = 0 WHERE state = 0'; start "${both[@]}" || exit 1
wait_until eval '[ -n "$(taken +31600000001 sign_up_code)" ] && [ -n "$(taken $phone sign_in_new_device)" ]'; ok $? 'and arrives when the gateway is back'
[ "$(texts +31600000001 sign_up_code | jq -r .id | sort -u | wc -l)" = 1 ] && [ "$(texts +31600000001 sign_up_code | wc -l)" -ge 2 ]; ok $? 'under the same id'
as late 'its code is good' 200 '"next":"done"' sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$(text_code +31600000001 sign_up_code)\"}"
wait_until eval '[ "$(sqlite3 "$dir/k.db" "SELECT COUNT(*) FROM notice WHERE state = 0")" = 0 ]'; ok $? 'nothing waits any more'
count=$(wc -l < "$dir/texts"); stop; start "${both[@]}"; sleep .5; [ "$(wc -l < "$dir/texts")" = "$count" ]; ok $? 'what was taken is not sent again'

# --- one that refuses: given up, told, and not with what it said
echo 400 > "$dir/gateway.mode"
as bad 'a number that the gateway refuses: the same answer' 200 '"next":"code"' sign-up '{"phone":"+31600000002"}'
wait_until eval 'grep -q "sign_up_code) was not sent, for good: the gateway answered 400" "$dir/log"'; ok $? 'it is given up, and the log says so'
[ "$(sqlite3 "$dir/k.db" "SELECT why FROM notice WHERE state = 2 AND to_value = '+31600000002'")" = 'the gateway answered 400' ]; ok $? 'so does the database'
echo 429 > "$dir/gateway.mode"
as busy 'one that is busy' 200 '"next":"code"' sign-up '{"phone":"+31600000003"}'
wait_until eval 'grep -q "was not sent, and is tried again: the gateway answered 429" "$dir/log"'; ok $? 'is asked again'
# A code that is over is not sent: it opens nothing, and only confuses.
stop; rm "$dir/gateway.mode"; sqlite3 "$dir/k.db" "UPDATE notice SET due_us = 0, created_us = created_us - 600000000 WHERE state = 0"; cat "$dir/texts" >> "$dir/all"; : > "$dir/texts"; cat "$dir/log" >> "$dir/logs"
start "${both[@]}" || exit 1
wait_until eval 'grep -q "for good: its code is over" "$dir/log"' && [ ! -s "$dir/texts" ]; ok $? 'a code that is over is not sent'
curl -s "$u/metrics" | grep -q '^keer_notices_dead_total 1'; ok $? 'and counted'

# --- one that hangs: it has 20 s; others go on, texts and mails, and so does a stop
echo '{"+31600000004":"hang","+31600000005":"drip","+31600000006":"body"}' > "$dir/gateway.slow"; cat "$dir/texts" >> "$dir/all"; : > "$dir/texts"; : > "$dir/mails"
began=$(date +%s)
for i in 4 5 6; do as slow$i "a gateway that hangs for ...$i: the same answer" 200 '"next":"code"' sign-up "{\"phone\":\"+3160000000$i\"}"; done
wait_until eval '[ "$(wc -l < "$dir/texts")" = 3 ]'; ok $? 'three are under way at the same time'
as other 'a sign-up meanwhile' 200 '"next":"code"' sign-up '{"phone":"+31600000007"}'
as third 'another new device' 200 '"next":"done"' sign-in "{\"name\":\"$phone\",\"password\":\"$password\"}"
wait_until eval '[ -n "$(taken +31600000007 sign_up_code)" ] && [ -n "$(taken $phone sign_in_new_device)" ]'; ok $? 'other texts go on'
wait_until eval 'mails anna@example.org | grep -q "New device"'; ok $? 'and mails'
! grep -q Timeout "$dir/log" || [ $(($(date +%s) - began)) -ge 20 ]; ok $? 'while nothing of those has ended'
for _ in $(seq 1200); do [ "$(grep -c 'sign_up_code) was not sent, and is tried again: Timeout' "$dir/log")" -ge 2 ] && break; sleep .05; done
[ "$(grep -c 'sign_up_code) was not sent, and is tried again: Timeout' "$dir/log")" = 2 ]; ok $? 'after 20 s they are given up for now'
[ $(($(date +%s) - began)) -ge 19 ]; ok $? 'and not before'
wait_until eval '[ "$(sqlite3 "$dir/k.db" "SELECT group_concat(state || substr(to_value, -1)) FROM (SELECT state, to_value FROM notice WHERE to_value BETWEEN '"'+31600000004' AND '+31600000006'"' ORDER BY 2)")" = 04,05,16 ]'; ok $? 'one whose status came was taken, whatever became of its body'
for _ in $(seq 600); do [ "$(texts +31600000004 sign_up_code | wc -l)" -ge 2 ] && break; sleep .05; done
[ "$(texts +31600000004 sign_up_code | wc -l)" -ge 2 ] && [ "$(texts +31600000004 sign_up_code | jq -r .id | sort -u | wc -l)" = 1 ]; ok $? 'the others come again, under the same id'
[ "$(texts +31600000006 sign_up_code | wc -l)" = 1 ]; ok $? 'that one does not'
began=$(date +%s%N); stop; ok $? 'the daemon ends while texts hang'
took=$((($(date +%s%N) - began) / 1000000)); [ $took -lt 12000 ]; ok $? "without waiting for them: after $took ms"
cat "$dir/log" >> "$dir/logs"

# --- a mail server that hangs: nor does it hold up a stop
kill -9 $sink; wait $sink 2> /dev/null
python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); c, _ = s.accept(); print("come", flush=True); time.sleep(600)' > "$dir/deaf" & sink=$!
wait_until eval '[ -s "$dir/deaf" ]'
start "${by_phone[@]}" --notices "smtp://127.0.0.1:$(head -n 1 "$dir/deaf")" --notices-from id@example.org || exit 1
as fourth 'a mail to one that hangs' 200 '"next":"code"' sign-up '{"email":"ben@example.org"}'
wait_until eval 'grep -q come "$dir/deaf"'; ok $? 'is under way'
began=$(date +%s%N); stop; ok $? 'the daemon ends'
took=$((($(date +%s%N) - began) / 1000000)); [ $took -lt 12000 ]; ok $? "without waiting for it: after $took ms"
cat "$dir/log" >> "$dir/logs"
secret=$(cat "$dir/sms.secret"); grep -qE '\+?31[0-9]{9}|86131|[^0-9][0-9]{8}[^0-9]|not-me#' "$dir/logs"; [ $? = 1 ]; ok $? 'no number, code or link is in any log'
! grep -qF "${secret#whsec_}" "$dir/logs"; ok $? 'nor the secret'
jq -e 'select(.verified != true or .changed or .moved)' "$dir/all" > /dev/null; [ $? = 4 ]; ok $? 'every message was signed'
exit $failed
