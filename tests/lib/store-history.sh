# store-history.sh - `store_history N > FILE`: a made-up store history of N events as NDJSON, with label events, late events and missing
# attributes. A little generator of its own (Park and Miller), so that every awk makes the same history.
# shellcheck shell=bash
store_history() {
    awk -v n="$1" '
    function rnd(k) { seed = seed * 16807 % 2147483647; return int(seed / 2147483647 * k) }
    BEGIN {
        seed = 11; t = 1538352000
        split("sign_in sign_in purchase purchase purchase top_up second_step password_changed refund_requested wallet_linked family_joined", T, " ")
        for (i = 1; i <= n; i++) {
            t += rnd(120); at = rnd(20) ? t : t - rnd(3000); y = T[1 + rnd(11)]
            printf "{\"id\":\"e%d\",\"time\":%d,\"type\":\"%s\",\"account\":\"a%d\"", i, at, y, rnd(60)
            if (rnd(10)) printf ",\"device\":\"d%d\"", rnd(90)
            if (rnd(5)) printf ",\"ip\":\"203.0.113.%d\"", rnd(30)
            if (y == "sign_in" || y == "second_step") printf ",\"outcome\":\"%s\",\"ip_country\":\"%s\"", rnd(3) ? "success" : "failure", rnd(10) ? "CN" : "NL"
            if (y == "purchase") printf ",\"item\":\"i%d\",\"beneficiary\":\"g%d\"", rnd(20), rnd(25)
            if (y == "refund_requested") printf ",\"reason\":\"r%d\",\"play_time\":%d", rnd(3), rnd(9)
            if (y ~ /purchase|top_up|refund/) printf ",\"amount\":%d,\"currency\":\"%s\"", 300 * (1 + rnd(300)), rnd(10) ? "CNY" : "USD"
            print (rnd(10) ? "}" : ",\"step_up\":\"passkey\"}")
            if (!rnd(30)) printf "{\"id\":\"f%d\",\"time\":%d,\"type\":\"fraud_reported\",\"target\":\"e%d\"}\n", i, t, 1 + rnd(i)
        }
    }'
}
# post_all FILE: every line of FILE as a decision of the daemon at $u, in order, on one connection.
post_all() {
    sed 's/[\\"]/\\&/g' "$1" | awk -v u="$u" -v key="$key" '{ printf "%surl = \"%s/v1/decisions\"\nheader = \"Authorization: Bearer %s\"\nheader = \"Content-Type: application/json\"\ndata = \"%s\"\noutput = \"/dev/null\"\nfail\n", (NR == 1 ? "" : "next\n"), u, key, $0 }' > "$dir/post"
    curl -s --fail-early -K "$dir/post"
}
