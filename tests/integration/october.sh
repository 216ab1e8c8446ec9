#!/usr/bin/env bash
# october.sh - the four victims of October 2018 over the public API: all is taken in 2018's world, nothing today, and the owner pays; the ledger, the
# API and the wallet's journal say the same; what each kind of attacker can take; and that the program sees it when something is wrong.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
command -v jq > /dev/null || { echo 'skipped: no jq here'; exit 0; }
. tests/lib/daemon.sh
is() { local got; got=$(jq -c "$2" "$dir/body"); [ "$got" = "$3" ]; ok $? "$1: $got"; }
of() { echo ".persons[] | select(.person == \"$1\").worlds.\"$2\""; }

"$KEER" simulate october --json --quiet --keep "$dir/stage" --html "$dir/page.html" > "$dir/body" 2> "$dir/out"; ok $? 'both worlds are played, and hold'
is 'five people' '[.persons[].person]' '["liu","wu","hu","student","owner"]'
# --- as it was: what newspapers wrote
is 'Ms Liu, 2018: topped up and spent' "$(of liu 2018) | [.taken_minor, .spent_minor]" '[210000,208700]'
is 'Ms Wu, 2018' "$(of wu 2018) | .taken_minor" 703800
is 'Ms Hu, 2018' "$(of hu 2018) | .taken_minor" 670700
is 'the student, 2018' "$(of student 2018) | .taken_minor" 500000
is 'in 2018 every act passes' '[.persons[].worlds."2018".acts[].result] | unique' '["done"]'
is 'and no step is asked' '[.persons[].worlds."2018".steps_asked] | add' 0
# --- today
is 'today no thief takes anything' '[.persons[] | select(.role == "thief").worlds.today | .taken_minor, .spent_minor, .ledger_minor, .wallet_minor] | unique' '[0]'
is 'no act of a thief passes' '[.persons[] | select(.role == "thief").worlds.today.acts[].result] | map(select(. == "done")) | length' 0
is 'every sign-in of a thief meets a step' '[.persons[] | select(.role == "thief").worlds.today.acts[0].result] | unique' '["step"]'
is 'and he answers none' '[.persons[] | select(.role == "thief").worlds.today.steps_answered] | add' 0
is 'the owner pays' "$(of owner today) | [.taken_minor, .ledger_minor, .wallet_minor]" '[64800,64800,64800]'
is 'with one step for it, beside that of the sign-in' "$(of owner today) | [.acts[] | .steps_asked, .steps_answered]" '[1,1,1,1]'
# --- the books
is 'ledger, API and journal say the same' '[.persons[].worlds[].equal] | unique' '[true]'
for w in 2018 today; do
    paid=$(jq -s '[.[] | select(.kind == "charge" and .what == "paid").amount] | add // 0' "$dir/stage/$w/journal.ndjson")
    [ "$paid" = "$(jq "[.persons[].worlds.\"$w\".taken_minor] | add" "$dir/body")" ]; ok $? "the journal of $w, by another reader: $paid"
done
grep -q '2,100.00' "$dir/page.html" && ! grep -qiE '<script|https?:' "$dir/page.html"; ok $? 'the page has it, and nothing from elsewhere'
# --- it sees what is wrong: today's world with no bound is not today's
"$KEER" simulate october --world 2018 --json --quiet > "$dir/body" 2> "$dir/out"; ok $? 'one world alone'
is 'has no other' '[.persons[].worlds | keys[]] | unique' '["2018"]'
"$KEER" simulate october --keep "$dir/stage" > "$dir/body" 2> "$dir/out"; [ $? = 4 ] && grep -q "can't make the folder" "$dir/out"; ok $? 'what was kept is not overwritten'
"$KEER" simulate october --daemon http://127.0.0.1:1 > "$dir/body" 2> "$dir/out"; [ $? = 2 ] && grep -q -- '--emulator' "$dir/out"; ok $? 'a daemon alone is not enough'
"$KEER" simulate oktober > "$dir/body" 2> "$dir/out"; [ $? = 2 ] && grep -q 'cards, october, attackers' "$dir/out"; ok $? 'another name is none'

# --- who ends it leaves nothing behind: no folder, no daemon, no emulator
mkdir "$dir/tmp"
for end in INT TERM; do
    TMPDIR=$dir/tmp env --default-signal=$end "$KEER" simulate october --world today --quiet > "$dir/body" 2> "$dir/out" & pid=$!
    for _ in $(seq 3000); do grep -qs 'listens on' "$dir"/tmp/keer-october-*/daemon.log && break; sleep .01; done
    mapfile -t children < <(ps -o pid= --ppid $pid)
    [ ${#children[@]} = 2 ]; ok $? "a daemon and an emulator run: ${#children[@]}"
    kill -$end $pid; wait $pid; code=$?; pid=
    [ $code = $((128 + $(kill -l $end))) ]; ok $? "SIG$end ends it: $code"
    [ -z "$(ls "$dir/tmp")" ]; ok $? "the folder is gone: $(ls "$dir/tmp")"
    ! kill -0 "${children[@]}" 2> /dev/null; ok $? 'and so are both'
    kill "${children[@]}" 2> /dev/null
done

# --- on a daemon that runs; and one that runs without its bound is found out
"$KEER" emulate wallet --listen 127.0.0.1:0 --folder "$dir/wallets" --journal "$dir/journal" > "$dir/emulator" 2>&1 & emulator=$!
finally() { kill $emulator 2> /dev/null; }
for _ in $(seq 4000); do e=$(sed -nE 's/.*listening on (http[^ ]*).*/\1/p' "$dir/emulator"); [ -n "$e" ] && break; sleep .01; done
printf 'currency CNY\n' > "$dir/policy.keer"; POLICY=$dir/policy.keer
keys && printf '%s\n%s\n' "$key" "$analyst" > "$dir/keys"
there=(--wallets "$dir/wallets/wallets.json" --notices "$dir/notices" --trusted-proxies 127.0.0.0/8)
start "${there[@]}" || exit 1
on=(simulate october --daemon "$u" --emulator "$e" --api-keys "$dir/keys" --mailbox "$dir/notices" --json --quiet)
"$KEER" "${on[@]}" > "$dir/body" 2> "$dir/out"; ok $? 'on a daemon that runs'
is 'nothing is taken there' '[.persons[] | select(.role == "thief").worlds.today.wallet_minor] | unique' '[0]'
"$KEER" "${on[@]}" > "$dir/body" 2> "$dir/out"; ok $? 'and again: other people'
stop; ok $? 'the daemon ends'
start "${there[@]}" --unsafe-2018 --top-up-hold 1us || exit 1
on[3]=$u
"$KEER" "${on[@]}" > "$dir/body" 2> "$dir/out"; [ $? = 1 ] && grep -q 'a thief with a password took money' "$dir/out"; ok $? 'the control: without the bound it is found out, with code 1'
is 'what he took then, within the caps that the wallet was told' "$(of wu today) | .wallet_minor" 250200
stop; ok $? 'the daemon ends'

# --- what each attacker can take
"$KEER" simulate attackers --json --quiet --markdown "$dir/page.md" > "$dir/body" 2> "$dir/out"; ok $? 'every way of every attacker is played'
most() { echo "[.ways[] | select(.holds == \"$1\").taken_minor] | max"; }
is 'the password' "$(most 'the password')" 0
is 'the cookies of a session' "$(most 'the cookies of a session')" 0
is 'password and one code of the app: one charge' "$(most 'password and one code of the app')" 70000
is 'two codes are a sign-in and an authenticator of his own: the cap of a day, since a new one raises nothing at once' "$(most 'password and two codes of the app')" 100000
is 'a trusted device: the cap of a day' "$(most 'a trusted device, unlocked')" 100000
is 'password and mailbox: after days in which nobody objects' "[.ways[] | select(.holds == \"password and mailbox\" and .taken_minor > 0).waits] | unique" '["3 days, then 24 h"]'
cmp -s "$dir/page.md" docs/reference/loss-bound.md; ok $? 'its page is docs/reference/loss-bound.md'
exit $failed
