"""starve.py - hashing passwords can't starve decisions: 1,000 browsers sign in at once, again and again, while a store asks for decisions at a steady rate; the latency
of these, from when each was due (bench/load/load.c), beside the same without anybody who signs in."""
import asyncio, subprocess
from lib import *

SECONDS, BROWSERS, RATE = (30, 1000, 200) if FULL else (4, 300, 100)
LOAD = os.environ['BUILD'] + '/bench/http-load'
counts = {}


def decisions():
    out = subprocess.run([LOAD, '--to', f'127.0.0.1:{PORT}', '--key', STORE, '--connections', '16', '--seconds', str(SECONDS), '--rate', str(RATE), '--prefix', secrets.token_hex(4)], capture_output=True, text=True)
    print('#', out.stdout.strip())
    return out


async def one(i, until):
    name = f'{i}.{secrets.token_hex(3)}@example.org'
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection('127.0.0.1', PORT, local_addr=(f'127.{100 + i // 250}.{i % 250}.7', 0))
            while time.monotonic() < until:
                body = json.dumps({'name': name, 'password': f'not the one, surely {i}'}).encode()
                writer.write(b'POST /v1/account/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
                head = await reader.readuntil(b'\r\n\r\n')
                await reader.readexactly(int(re.search(rb'(?i)content-length: (\d+)', head).group(1)))
                status = int(head[9:12])
                counts[status] = counts.get(status, 0) + 1
                await asyncio.sleep(1)
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            counts['lost'] = counts.get('lost', 0) + 1
            await asyncio.sleep(1)


async def everybody(until):
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)  # browsers are other machines: here they may have what is left of this one
    await asyncio.gather(*(one(i, until) for i in range(BROWSERS)))


def percentile(out, name):
    return float(re.search(rf'{name} ([0-9.]+)', out.stdout).group(1))


decisions()
alone = decisions()
before = daemon_memory()[0]
signing = threading.Thread(target=lambda: asyncio.run(everybody(time.monotonic() + SECONDS + 2)))
signing.start()
time.sleep(1)
beside = decisions()
signing.join()
after = daemon_memory()[1]
quiet, busy = percentile(alone, 'p99'), percentile(beside, 'p99')
ok(True, f'decisions at {RATE} a second: p99 {quiet:.2f} ms alone, {busy:.2f} ms beside {BROWSERS} browsers that sign in, ratio {busy / quiet:.2f}')
ok(counts.get(429, 0) > 0 and counts.get(403, 0) > 0 and not counts.get('lost') and not any(isinstance(s, int) and s >= 500 for s in counts), f'sign-ins by status: {counts}', counts)
ok(after - before < 200 * 1024, f'the daemon had {before // 1024} MiB before, {after // 1024} MiB at most', (before, after))
ok(busy < max(20 * quiet, 250), 'no decision waits for a password', (alone.stdout, beside.stdout))
end()
