#!/usr/bin/env bash
# enumeration.sh - whether the time of an answer tells a known from an unknown name: Welch's t over TIMING_SAMPLES (60) of each
# group; `make timing` takes 10,000. The control is a daemon's own difference: a name that is refused before its password is hashed.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} samples=${TIMING_SAMPLES:-60} seed=${TIMING_SEED:-$RANDOM}
for tool in curl python3 sqlite3; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
start --notices "$dir/notices" && stop || exit 1
# Accounts that somebody has, as rows: a sign-up for each would take longer than what is measured.
phc='$argon2id$v=19$m=19456,t=2,p=1,keyid=AAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
seq 0 $((samples / 8 + 1)) | awk -v phc="$phc" 'BEGIN { print "BEGIN;" } {
    id = sprintf("AAAAAAAAAAAAAAA%06dA", $1); name = sprintf("known%06d@example.org", $1)
    printf "INSERT INTO account VALUES (\x27%s\x27, 0, \x27\x27, \x27en\x27, \x27\x27, 1, 1);", id
    printf "INSERT INTO identifier VALUES (0, \x27%s\x27, \x27%s\x27, 1);", name, id
    printf "INSERT INTO contact VALUES (\x27C%s\x27, \x27%s\x27, 0, \x27%s\x27, 1, 1, 0);", substr(id, 2), id, name
    printf "INSERT INTO password VALUES (\x27%s\x27, \x27%s\x27, 1);\n", id, phc } END { print "COMMIT;" }' | sqlite3 "$dir/k.db" || exit 1
start --notices "$dir/notices" || exit 1
echo "seed $seed"
# shellcheck disable=SC2086  # a list of words
python3 tests/accounts/timing.py "$u" "$samples" "$seed" ${TIMING_CASES:-sign-in sign-up recovery} || failed=1
exit $failed
