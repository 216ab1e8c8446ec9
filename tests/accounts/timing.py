#!/usr/bin/env python3
"""timing.py URL SAMPLES SEED CASE... - whether the time of an answer tells a known from an unknown name.

Two groups of names, both of the same length and asked equally often, in random order, one request at a time, from addresses of the whole
127/8, so that no limit is met. Prints Welch's t for each case: sign-in, sign-up, recovery; |t| of 4.5 and more is told (ISO 17825).
"""
import http.client
import json
import math
import random
import statistics
import sys
import time

url, samples, seed, cases = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
host, port = url.removeprefix("http://").split(":")
rng = random.Random(seed)
EACH = 8  # of one name: less than any limit of it
FROM_ONE = 60  # of one address and network
PATHS = {"sign-in": "/v1/account/sign-in", "sign-up": "/v1/account/sign-up", "recovery": "/v1/account/recovery"}


def body(case, name):
    if case == "sign-in":
        return json.dumps({"name": name, "password": "a wrong phrase of quiet words"})
    return json.dumps({"email": name} if case == "sign-up" else {"name": name})


def welch(a, b):
    va, vb = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
    return (statistics.fmean(a) - statistics.fmean(b)) / math.sqrt(va + vb)


address, answers, told = 0, {}, False
for case in cases:
    names = [(kind, f"{kind}{i:06d}@example.org") for i in range(-(-samples // EACH)) for kind in ("known", "other")]
    asks = [n for n in names for _ in range(EACH)]
    rng.shuffle(asks)
    took = {"known": [], "other": []}
    connection = None
    for i, (kind, name) in enumerate(asks[: 2 * samples]):
        if i % FROM_ONE == 0:
            address += 1
            connection = http.client.HTTPConnection(host, int(port), source_address=(f"127.{1 + address // 250}.{address % 250}.1", 0))
            connection.connect()
        begun = time.perf_counter_ns()
        connection.request("POST", PATHS[case], body(case, name), {"Content-Type": "application/json", "Cookie": "keer-device=AAAAAAAAAAAAAAAAAAAAAA"})
        answer = connection.getresponse()
        text = answer.read()
        took[kind].append((time.perf_counter_ns() - begun) / 1000)
        answers.setdefault((case, kind), set()).add((answer.status, len(text)))
    t = welch(took["known"], took["other"])
    same = answers[case, "known"] == answers[case, "other"] and len(answers[case, "known"]) == 1
    told = told or abs(t) >= 4.5 or not same
    means = ", ".join(f"{k} {statistics.fmean(v):.0f} us of {len(v)}" for k, v in took.items())
    print(f"{'ok' if abs(t) < 4.5 and same else 'not ok'} - {case}: t = {t:.2f} ({means}); answers {sorted(answers[case, 'known'])}{'' if same else ' and ' + str(sorted(answers[case, 'other']))}")
sys.exit(told)
