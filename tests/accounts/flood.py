#!/usr/bin/env python3
"""flood.py URL KEY PARALLEL SECONDS - sign-ins in parallel while decisions are asked one after the other.

Every sign-in comes from an address of its own in 127/8 and with a name of its own, so that no limit spares the daemon its work. Prints the
decisions' p50 and p99 without and with the flood, and what the sign-ins were answered; fails when a decision is not 200, a sign-in is
anything but 403 (wrong) or 429 with Retry-After, or the p99 is half a second and more.
"""
import asyncio
import http.client
import json
import sys
import threading
import time

url, key, parallel, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
host, port = url.removeprefix("http://").split(":")
answers, bad, numbers = {}, [], iter(range(10**9))


def decide(until):
    took, c = [], http.client.HTTPConnection(host, int(port))
    while time.monotonic() < until:
        n = next(numbers)
        event = {"id": f"e{n}", "time": "2026-11-29T00:00:00Z", "type": "purchase", "account": f"a{n % 50}", "amount": 5, "currency": "EUR"}
        begun = time.perf_counter()
        c.request("POST", "/v1/decisions", json.dumps(event), {"Content-Type": "application/json", "Authorization": "Bearer " + key})
        answer = c.getresponse()
        answer.read()
        took.append((time.perf_counter() - begun) * 1000)
        if answer.status != 200:
            bad.append(f"a decision was answered {answer.status}")
        time.sleep(0.002)
    took.sort()
    return f"p50 {took[len(took) // 2]:.1f} ms, p99 {took[int(len(took) * 0.99)]:.1f} ms of {len(took)}", took[int(len(took) * 0.99)]


async def sign_in(i, until):
    source = (f"127.{1 + i // 250}.{i % 250}.1", 0)
    turn = 0
    while time.monotonic() < until:
        body = json.dumps({"name": f"n{i}x{turn}@example.org", "password": "a wrong phrase of quiet words"})
        turn += 1
        reader, writer = await asyncio.open_connection(host, int(port), local_addr=source)
        writer.write(f"POST /v1/account/sign-in HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        text = (await reader.read()).decode()
        writer.close()
        status = int(text.split(" ", 2)[1]) if text else 0
        answers[status] = answers.get(status, 0) + 1
        if status not in (403, 429) or (status == 429 and "\r\nRetry-After: " not in text):
            bad.append(f"a sign-in was answered {status}")
        if status == 429:
            await asyncio.sleep(0.5)


async def flood(until):
    await asyncio.gather(*(sign_in(i, until) for i in range(parallel)))


alone, _ = decide(time.monotonic() + 2)
until = time.monotonic() + seconds
result = []
decider = threading.Thread(target=lambda: result.append(decide(until)))
decider.start()
asyncio.run(flood(until))
decider.join()
print(f"decisions alone: {alone}; beside {parallel} sign-ins at once: {result[0][0]}; sign-ins answered {dict(sorted(answers.items()))}")
for what in sorted(set(bad)):
    print(f"not ok - {what} ({bad.count(what)} times)")
sys.exit(bool(bad) or result[0][1] >= 500 or not answers.get(403) or not answers.get(429))
