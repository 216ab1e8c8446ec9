#!/usr/bin/env bash
# train_evaluate.sh - simulate, train, decide, evaluate, diff on a small history.
set -u
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
ok() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi; }
P=policies/handbook.keer M=policies/handbook.map
sim() { "$KEER" simulate cards --quiet --customers 800 --terminals 1600 --days 75 "$@"; }
sim --seed 5 --out "$dir/tx.csv"; ok $? "a history"
sim --seed 5 | cmp -s - "$dir/tx.csv"; ok $? "same seed, same bytes"
sim --seed 6 | cmp -s - "$dir/tx.csv"; [ $? = 1 ]; ok $? "another seed, other bytes"

train() { "$KEER" train --quiet --policy $P --mapping $M --from 2018-05-10 --until 2018-06-05 --trees 60 --early-stop 20 --threads 1 "$@" "$dir/tx.csv"; }
train --out "$dir/m.json" --card "$dir/card.json" >"$dir/card.txt"; ok $? "a model is trained"
train --out "$dir/m2.json" >/dev/null; cmp -s "$dir/m.json" "$dir/m2.json"; ok $? "the same training gives the same bytes"
grep -q '"importances\|"features"' "$dir/card.json" && grep -q 'later block' "$dir/card.txt"; ok $? "the card tells features and the later block"
train --days 3 --out "$dir/m3.json" >/dev/null 2>"$dir/e"; [ $? != 0 ] && [ -s "$dir/e" ] && [ ! -e "$dir/m3.json" ]; ok $? "too short a span is refused and leaves no file"

use=(--policy $P --mapping $M --model "cards=$dir/m.json")
"$KEER" replay --quiet "${use[@]}" "$dir/tx.csv" --out "$dir/d.ndjson" && grep -q '"outcome":"challenge"\|"outcome":"deny"' "$dir/d.ndjson"; ok $? "decisions with a score"
"$KEER" evaluate --quiet "${use[@]}" --from 2018-06-05 --json --html "$dir/r.html" "$dir/tx.csv" >"$dir/a.json"; ok $? "evaluate a policy"
"$KEER" evaluate --quiet --decisions "$dir/d.ndjson" --from 2018-06-05 --json >"$dir/b.json"; ok $? "evaluate its decisions"
auc() { sed -E 's/.*"auc":([0-9.]{6}).*/\1/' "$1" | head -n 1; }
[ -n "$(auc "$dir/a.json")" ] && [ "$(auc "$dir/a.json")" = "$(auc "$dir/b.json")" ]; ok $? "both give the same AUC: $(auc "$dir/a.json")"
grep -q '<svg' "$dir/r.html" && ! grep -q 'http://\|https://\|<script' "$dir/r.html"; ok $? "the page is self-contained"
"$KEER" evaluate --quiet --policy policies/handbook-baseline.keer --mapping $M --folds 2018-05-20 --threads 1 "$dir/tx.csv" | grep -q 'AUC'; ok $? "a fold is trained and tested"
"$KEER" evaluate --quiet --policy $P --decisions "$dir/d.ndjson" >/dev/null 2>&1; [ $? = 2 ]; ok $? "a policy and decisions together are wrong use"
"$KEER" replay --quiet --policy $P --mapping $M "$dir/tx.csv" >/dev/null 2>"$dir/e"; [ $? = 1 ] && grep -q 'handbook.model.json' "$dir/e"; ok $? "a model that is not there is told"

printf 'rule big challenge if amount > 200 EUR\n' >"$dir/one.keer"; printf 'rule big deny if amount > 200 EUR\nrule mid challenge if amount > 150 EUR\n' >"$dir/two.keer"
"$KEER" diff --quiet --mapping $M "$dir/one.keer" "$dir/two.keer" "$dir/tx.csv" >"$dir/diff"; [ $? = 1 ] && grep -q 'allow *-> challenge' "$dir/diff" && grep -q 'challenge *-> deny' "$dir/diff"; ok $? "diff tells who changes side"
"$KEER" diff --quiet --mapping $M "$dir/one.keer" "$dir/one.keer" "$dir/tx.csv" >/dev/null; ok $? "no difference ends with 0"
for p in policies/*.keer; do "$KEER" check --quiet "$p" >/dev/null; ok $? "check $p"; done
