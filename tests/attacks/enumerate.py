"""enumerate.py - who has an account here? The same bytes and, within Welch's |t| < 4.5, the same time for names that are known and names that are not.
SAMPLES pairs of each question, one of each kind in random order, so that whatever else the machine does falls on both; of each kind the slowest tenth, which is
the machine's, is left out (Reparaz, Balasch, Verbauwhede, 'Dude, is my code constant time?', section 3). What is above is measured twice more, anew, before
it is a finding. SEED makes the order again. In the short form bytes alone are compared: tests/integration/enumeration.sh has the time of the commonest questions."""
import math, random
from lib import *

SAMPLES = int(os.environ.get('SAMPLES', 0)) or (2000 if FULL else 0)
SEED = int(os.environ.get('SEED', '0')) or secrets.randbelow(1 << 31)
random.seed(SEED)
print(f'# SEED={SEED} SAMPLES={SAMPLES}')
armed, plain, keyless = Person().arm(), Person(), Person()
keyless_mail = f'k{secrets.token_hex(4)}@example.org'
b = Browser()
flow = b.post('/v1/account/sign-up', {'email': keyless_mail}).json['flow']
b.post('/v1/account/sign-up/confirm', {'flow': flow, 'code': code_of(wait_notice(keyless_mail))})


def nobody():
    return f'p{random.randrange(9)}.{secrets.token_hex(4)}@example.org'


def mask(a):
    """All that is sent, but the clock, ids and tokens, which are random for everybody."""
    text = re.sub(rb'"[A-Za-z0-9_-]{22}"', b'"ID"', a.body)
    heads = [(k, re.sub(r'=[A-Za-z0-9_-]{22}', '=ID', v)) for k, v in a.headers if k != 'Date']
    return a.status, heads, text


def welch(x, y):
    x, y = sorted(x)[:max(len(x) * 9 // 10, 3)], sorted(y)[:max(len(y) * 9 // 10, 3)]
    mean = lambda v: sum(v) / len(v)
    var = lambda v, m: sum((i - m) ** 2 for i in v) / (len(v) - 1)
    mx, my = mean(x), mean(y)
    return (mx - my) / math.sqrt(var(x, mx) / len(x) + var(y, my) / len(y) or 1e-30), mx * 1e6, my * 1e6


def forget_counts():
    """Limits would answer instead: they are told apart by their own tests."""
    db('DELETE FROM attempt')


def measure(path, known, unknown, count):
    browser, times = Browser(), ([], [])
    browser.get('/v1/account/me')
    for i in range(count + 3):
        if i % 4 == 0:
            forget_counts()
            time.sleep(.01)
        for kind in random.sample((0, 1), 2):
            body = (known, unknown)[kind]()
            begun = time.perf_counter()
            a = browser.post(path, body, keep=False)
            took = time.perf_counter() - begun
            if a.status == 429:
                raise SystemExit(f'not ok - limits answer: {a}')
            if i >= 3:
                times[kind].append(took)
    return welch(*times)


QUESTIONS = [('sign-in, of an account with a password', '/v1/account/sign-in', lambda n: {'name': n, 'password': 'not the one, surely'}, plain.email),
             ('sign-in, of an account with a second step', '/v1/account/sign-in', lambda n: {'name': n, 'password': 'not the one, surely'}, armed.email),
             ('sign-in, of an account without a password', '/v1/account/sign-in', lambda n: {'name': n, 'password': 'not the one, surely'}, keyless_mail),
             ('sign-up', '/v1/account/sign-up', lambda n: {'email': n, 'password': PASSWORD}, plain.email), ('sign-up without a password', '/v1/account/sign-up', lambda n: {'email': n}, plain.email),
             ('recovery', '/v1/account/recovery', lambda n: {'name': n}, plain.email), ('recovery, of an account with a second step', '/v1/account/recovery', lambda n: {'name': n}, armed.email)]
for name, path, body, known in QUESTIONS:
    forget_counts()
    x, y = Browser().post(path, body(known), keep=False), Browser().post(path, body(nobody()), keep=False)
    ok(x.status in (200, 403) and mask(x) == mask(y), f'{name}: the same bytes', (mask(x), mask(y)))
    if not SAMPLES:
        continue
    tries = []
    while len(tries) < 3 and (not tries or abs(tries[-1][0]) >= 4.5):
        tries.append(measure(path, lambda: body(known), lambda: body(nobody()), SAMPLES))
    t, mine, other = tries[-1]
    ok(abs(t) < 4.5, f"{name}: Welch t = {', '.join(f'{v[0]:+.2f}' for v in tries)} over {SAMPLES} pairs (known {mine:.0f} us, unknown {other:.0f} us)")
a, c = Browser().post('/v1/account/sign-in/passkey/options'), Browser().post('/v1/account/sign-in/passkey/options')
ok(a.json['publicKey']['allowCredentials'] == [] and re.sub(rb'"[A-Za-z0-9_-]{22,}"', b'', a.body) == re.sub(rb'"[A-Za-z0-9_-]{22,}"', b'', c.body), 'a passkey is asked for without a name')

# What comes after the question is the same too, until somebody has the code: word for word, to the last try.
for name, first, more in (('sign-up', lambda n: ('/v1/account/sign-up', {'email': n, 'password': PASSWORD}), ['/v1/account/sign-up/confirm'] * 7),
                          ('recovery', lambda n: ('/v1/account/recovery', {'name': n}), ['/v1/account/recovery/finish'] + ['/v1/account/recovery/code'] * 7 + ['/v1/account/recovery/finish', '/v1/account/recovery/cancel'])):
    said = []
    for who in (plain.email, armed.email, nobody()):
        forget_counts()
        b = Browser()
        flow = b.post(*first(who)).json['flow']
        said.append([mask(b.post(path, {'flow': flow, 'code': '00000000'} if 'finish' not in path and 'cancel' not in path else {'flow': flow, 'password': PASSWORD} if 'finish' in path else {'flow': flow})) for path in more])
    ok(said[0] == said[2] and said[1] == said[2], f'{name}: what follows is the same, {len(more)} questions on', [(x, y, z) for x, y, z in zip(*said) if x != z or y != z][:1])
said = []
for who in (plain.email, armed.email, nobody()):
    forget_counts()
    b = Browser()
    said.append([mask(b.post('/v1/account/sign-in', {'name': who, 'password': 'not the one, surely'}, keep=False)) for _ in range(23)])
ok(said[0] == said[2] and said[1] == said[2] and said[0][22][0] == 429, 'sign-in: the limit comes at the same count, with the same words', said[0][-1])
end()
