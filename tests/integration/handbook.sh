#!/usr/bin/env bash
# handbook.sh - the published features and a published result, on the shared data; KEER_SLOW=1 runs all four test folds.
set -u
shared=${KEER_SHARED:-../shared}/data/handbook
[ -f "$shared/handbook_tx.csv.xz" ] || { echo 'skipped: shared data not present'; exit 0; }
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
ok() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi; }
P=policies/handbook-baseline.keer M=policies/handbook.map tx=$shared/handbook_tx.csv.xz
"$KEER" replay --quiet --policy $P --mapping $M --limit 1303778 --features "$dir/f.csv" --out /dev/null "$tx"; ok $? "features of the whole history up to 2018-08-14"
xz -dc "$shared"/ref_features_*.csv.xz >"$dir/ref.csv"
# The reference has nine significant digits.
awk -F, 'NR == FNR { if (FNR > 1) { has[$1] = 1; for (i = 3; i <= NF; i++) ref[$1, i] = $i } next }
    FNR > 1 && ($1 in has) { n++; bad = 0
        for (i = 4; i <= NF; i++) { d = $i - ref[$1, i - 1]; if (d < 0) d = -d; if (d > 1e-8 * (1 + ref[$1, i - 1])) bad = 1 }
        if (bad) odd = odd " " $1 }
    END { print n, odd }' "$dir/ref.csv" "$dir/f.csv" >"$dir/cmp"
[ "$(cat "$dir/cmp")" = "201295  1240489 1240490" ]; ok $? "201,295 rows of the 15 published features equal ours but 1240489 and 1240490: $(cat "$dir/cmp")"
folds=2018-07-25; [ "${KEER_SLOW:-}" = 1 ] && folds=2018-07-25,2018-08-01,2018-08-08,2018-08-15
"$KEER" evaluate --quiet --policy $P --mapping $M --folds $folds --threads 1 --until 2018-09-05 --json "$tx" >"$dir/e.json"; ok $? "train and test on $folds"
read -r auc ap cp < <(sed -E 's/.*"folds":\{"items".*"auc":\{"mean":([0-9.]+).*"average_precision":\{"mean":([0-9.]+).*"card_precision":\{"mean":([0-9.]+).*/\1 \2 \3/' "$dir/e.json")
want="0.8725 0.6827 0.2957"; [ "${KEER_SLOW:-}" = 1 ] && want="0.8708 0.6940 0.3039"
echo "$auc $ap $cp $want" | awk '{ for (i = 1; i <= 3; i++) { d = $i - $(i + 3); if (d < 0) d = -d; if (d > 0.005) exit 1 } }'; ok $? "AUC $auc, AP $ap, CP $cp (published protocol: $want)"
