"""replay.py - what is taken once is taken once: codes, assertions, challenges, signed answers, tokens, sent again at once, after a restart, and after kill -9; and
sent by many at the same moment. An assertion is good for its question alone: for no other challenge, kind, amount, account, session, origin."""
import concurrent.futures
from lib import *

MANY = 200
used = []  # (what it is, who sends it, method, path, JSON or form, headers)


def once(name, browser, path, body, headers=None, form=False, keep=True):
    """Does it, and remembers how."""
    a = browser.form(path, body, headers) if form else browser.post(path, body, headers=headers)
    if a.status != 200:
        ok(False, f'{name} is taken', a)
    used.append((name, browser.twin(), path, body, headers, form))
    return a.json


def taken(a):
    """Whether an answer gave anything."""
    return a.status == 200 and a.json.get('next') not in ('denied', 'step', 'code') and a.json.get('state') != 'open' and a.json.get('cancelled') != 0 and not (a.json.get('active') is False)


def again(when):
    bad = []
    for name, browser, path, body, headers, form in used:
        b = browser.twin()
        b.ip = new_net()
        a = b.form(path, body, headers) if form else b.post(path, body, headers=headers, keep=False)
        if taken(a) or a.status >= 500:
            bad.append((name, a))
    ok(not bad, f'{when}: {len(used)} things that were taken: 0 accepted', bad)


def gather():
    p = Person()
    b = Browser()
    email = f'r{secrets.token_hex(4)}@example.org'
    flow = b.post('/v1/account/sign-up', {'email': email, 'password': PASSWORD}).json['flow']
    once("a sign-up's code", b, '/v1/account/sign-up/confirm', {'flow': flow, 'code': code_of(wait_notice(email))})
    mine = p.home.post('/v1/account/contacts', {'email': 'two.' + p.email}).json['id']
    once("an address's code", p.home, f'/v1/account/contacts/{mine}/confirm', {'code': code_of(wait_notice('two.' + p.email))})
    q = Person()
    b, a = q.sign_in(Browser(agent='ask'))
    before = b.twin()
    body = {'flow': a.json['flow'], 'code': code_of(wait_notice(q.email, lambda n: n['kind'] == 'sign_in_code'))}
    once("a sign-in's code", b, '/v1/account/sign-in/code', body)
    used.append(('the same, from before', before, '/v1/account/sign-in/code', body, None, False))
    p.arm()
    used.append(("an app's first code", p.home.twin(), '/v1/account/authenticators/totp/confirm', p.confirmed, None, False))
    b = Browser()
    asked = b.post('/v1/account/sign-in/passkey/options').json
    assertion = {'flow': asked['flow'], 'credential': p.stepped.get(asked['publicKey'])}
    once('an assertion of a sign-in', b, '/v1/account/sign-in/passkey', assertion)
    b = p.pending()
    before = b.twin()
    at = f'/v1/account/challenges/{b.challenge}'
    body = {'credential': p.stepped.get(b.post(at + '/passkey/options').json['publicKey'])}
    once('an assertion of a step', b, at + '/passkey', body)
    used.append(('the same, from before', before, at + '/passkey', body, None, False))
    b = p.pending()
    before, code, at = b.twin(), p.totp(), f'/v1/account/challenges/{b.challenge}'
    once('a TOTP code', b, at + '/totp', {'code': code})
    used.append(('the same, from before', before, at + '/totp', {'code': code}, None, False))
    b = p.pending()
    used.append(('a TOTP code at another challenge', b, f'/v1/account/challenges/{b.challenge}/totp', {'code': code}, None, False))
    b = p.pending()
    once('a recovery code', b, f'/v1/account/challenges/{b.challenge}/recovery-code', {'code': p.codes[0]})
    b = p.pending()
    used.append(('a recovery code at another challenge', b, f'/v1/account/challenges/{b.challenge}/recovery-code', {'code': p.codes[0]}, None, False))
    step = p.home.post('/v1/account/password', {'password': PASSWORD}).json['challenge']
    p.step(p.home, step)
    once('a step for a change', p.home, '/v1/account/password', {'password': PASSWORD}, {'Keer-Challenge': step})
    pay = store('POST', '/v1/challenges', {'account': p.account, 'kind': 'payment', 'amount': '6.48', 'currency': 'EUR', 'payee': 'Game Store'}).json['id']
    p.home.get(f'/v1/account/challenges/{pay}')
    body = {'credential': p.stepped.get(p.home.post(f'/v1/account/challenges/{pay}/passkey/options').json['publicKey'])}
    once('an assertion of a payment', p.home, f'/v1/account/challenges/{pay}/passkey', body)
    said = store('GET', f'/v1/challenges/{pay}').json
    payload = json.loads(unb64(said['answer'].split('.')[1]))
    ok(said['state'] == 'done' and payload['shown' if 'shown' in payload else 'confirmed'] and payload['sub'] == p.account, 'the answer of a payment says who and what', payload)
    # the provider: codes, refresh tokens, pushed requests, resumed requests
    c = client()
    there = p.home.get(authorization(c)).header('Location')
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(there).query)['code'][0]
    tokens = once('an authorization code', Browser(), '/oidc/token', {'grant_type': 'authorization_code', 'code': code, 'redirect_uri': 'https://store.example/cb', 'code_verifier': VERIFIER}, basic(c), True)
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(p.home.get(authorization(c)).header('Location')).query)['code'][0]
    tokens = Browser().form('/oidc/token', {'grant_type': 'authorization_code', 'code': code, 'redirect_uri': 'https://store.example/cb', 'code_verifier': VERIFIER}, basic(c)).json
    if 'refresh_token' in tokens:
        once('a refresh token', Browser(), '/oidc/token', {'grant_type': 'refresh_token', 'refresh_token': tokens['refresh_token']}, basic(c), True)
    else:
        ok(False, 'there is a refresh token', tokens)
    for name, token in (('an ID token as an access token', tokens['id_token']), ('the answer of a payment as an access token', said['answer'])):
        used.append((name, Browser(), '/oidc/userinfo', {}, {'Authorization': f'Bearer {token}'}, True))
        used.append((name + ', asked about', Browser(), '/oidc/introspect', {'token': token}, basic(c), True))
        used.append((name + ', as a code', Browser(), '/oidc/token', {'grant_type': 'authorization_code', 'code': token, 'redirect_uri': 'https://store.example/cb', 'code_verifier': VERIFIER}, basic(c), True))
        used.append((name + ', as a client', Browser(), '/oidc/token', {'grant_type': 'refresh_token', 'refresh_token': 'x', 'client_id': c['client_id'], 'client_assertion_type': 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', 'client_assertion': token}, None, True))
    # what a message gives: once
    victim = Person()
    notices_before = len(notices(victim.email))
    third = victim.home.post('/v1/account/contacts', {'email': 'three.' + victim.email}).json['id']
    victim.home.post(f'/v1/account/contacts/{third}/confirm', {'code': code_of(wait_notice('three.' + victim.email))})
    told = wait_notice(victim.email, lambda n: n.get('not_me'), notices_before)
    once("'not me'", Browser(), '/v1/account/not-me', {'token': told['not_me']})
    ok(victim.home.me().status == 401, "'not me' ended every session")
    r = Person()
    b = Browser()
    before = len(notices(r.email))
    flow = b.post('/v1/account/recovery', {'name': r.email}).json['flow']
    body = {'flow': flow, 'code': code_of(wait_notice(r.email, lambda n: re.search(r'\b\d{4}[ -]?\d{4}\b', n['text']), before))}
    once("a recovery's code", b, '/v1/account/recovery/code', body)
    used.append(("a recovery's code in another flow", b.twin(), '/v1/account/recovery/code', {**body, 'flow': Browser().post('/v1/account/recovery', {'name': r.email}).json['flow']}, None, False))
    return p, c, assertion


def parallel(p, c):
    def race(name, run):
        got = at_once(MANY, run)
        lost = [a for a in got if isinstance(a, Exception)]
        good = [a for a in got if isinstance(a, Answer) and taken(a)]
        loud = [a for a in got if isinstance(a, Answer) and a.status >= 500 and a.code not in ('STARTING',)]
        ok(len(good) == 1 and not loud and not lost, f'{MANY} uses of {name} at once: one is taken', (len(good), loud[:2], lost[:2], sorted({a.word() for a in got if isinstance(a, Answer)})))

    one, two, three = (Person().arm() for _ in range(3))  # wrong answers are counted for each
    b = one.pending()
    at, code = f'/v1/account/challenges/{b.challenge}', one.codes[1]
    race('a recovery code', lambda i: b.twin().post(at + '/recovery-code', {'code': code}, keep=False))
    # A code at as many challenges as there are: what is spent is the code, not the challenge.
    many = [two.pending() for _ in range(4)]
    code = two.codes[2]
    got = at_once(MANY, lambda i: many[i % 4].twin().post(f'/v1/account/challenges/{many[i % 4].challenge}/recovery-code', {'code': code}, keep=False))
    ok(sum(isinstance(a, Answer) and taken(a) for a in got) == 1, f'{MANY} uses of a recovery code at four challenges at once: one is taken', {str(a)[:60] for a in got})
    b = three.pending()
    at, code = f'/v1/account/challenges/{b.challenge}', three.totp()
    race('a TOTP code', lambda i: b.twin().post(at + '/totp', {'code': code}, keep=False))
    q = p.full()
    asked = Browser()
    question = asked.post('/v1/account/sign-in/passkey/options').json
    body = {'flow': question['flow'], 'credential': p.stepped.get(question['publicKey'])}
    race('an assertion', lambda i: asked.twin().post('/v1/account/sign-in/passkey', body, keep=False))
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(q.get(authorization(c)).header('Location')).query)['code'][0]
    body = {'grant_type': 'authorization_code', 'code': code, 'redirect_uri': 'https://store.example/cb', 'code_verifier': VERIFIER}
    race('an authorization code', lambda i: Browser(q.ip).form('/oidc/token', body, basic(c)))
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(q.get(authorization(c)).header('Location')).query)['code'][0]
    tokens = Browser().form('/oidc/token', {'grant_type': 'authorization_code', 'code': code, 'redirect_uri': 'https://store.example/cb', 'code_verifier': VERIFIER}, basic(c)).json
    body = {'grant_type': 'refresh_token', 'refresh_token': tokens['refresh_token']}
    race('a refresh token', lambda i: Browser(q.ip).form('/oidc/token', body, basic(c)))
    email = f'r{secrets.token_hex(4)}@example.org'
    b = Browser()
    flow = b.post('/v1/account/sign-up', {'email': email, 'password': PASSWORD}).json['flow']
    body = {'flow': flow, 'code': code_of(wait_notice(email))}
    race("a sign-up's code", lambda i: b.twin().post('/v1/account/sign-up/confirm', body, keep=False))
    step = q.post('/v1/account/password', {'password': PASSWORD}).json['challenge']
    p.step(q, step)
    body = {'name': 'x'}
    device = next(d['id'] for d in q.me().json['devices'] if d['current'])
    step = q.post(f'/v1/account/devices/{device}', {'trusted': True}).json['challenge']
    p.step(q, step)
    got = at_once(MANY, lambda i: q.twin().post(f'/v1/account/devices/{device}', {'trusted': True}, headers={'Keer-Challenge': step}, keep=False))
    made = db('SELECT COUNT(*) FROM guard_change WHERE account = ? AND thing = ?', p.account, device)
    ok(made == [(1,)], f'{MANY} uses of a step for a change at once: it is made once', (made, {str(a)[:80] for a in got}))


def crossed(p):
    """Assertions where they do not belong."""
    other = Person().arm()
    mine = p.stepped

    def payment(**more):
        a = store('POST', '/v1/challenges', {'account': p.account, 'kind': 'payment', 'amount': '6.48', 'currency': 'EUR', 'payee': 'Game Store', **more})
        p.home.get(f"/v1/account/challenges/{a.json['id']}")
        return a.json['id']

    def options(challenge, browser=None):
        return (browser or p.home).post(f'/v1/account/challenges/{challenge}/passkey/options').json

    def answer(challenge, credential, browser=None):
        b = (browser or p.home).twin()
        b.ip = new_net()
        return b.post(f'/v1/account/challenges/{challenge}/passkey', {'credential': credential}, keep=False)

    def refused(name, a):
        ok(not taken(a) and 400 <= a.status < 500, name, a)

    pay = payment()
    asked = options(pay)['publicKey']
    refused('an assertion for a payment does not sign in', Browser().post('/v1/account/sign-in/passkey', {'flow': 'A' * 22, 'credential': mine.get(asked)}))
    b = Browser()
    question = b.post('/v1/account/sign-in/passkey/options').json
    refused("a sign-in's assertion does not pay", answer(pay, mine.get(question['publicKey'])))
    refused("nor with a payment's type", answer(pay, mine.get(question['publicKey'], kind='payment.get', payment={'rpId': 'localhost'})))
    spc = mine.get(question['publicKey'], kind='payment.get', payment={})
    refused("a payment's assertion does not sign in", b.post('/v1/account/sign-in/passkey', {'flow': question['flow'], 'credential': spc}))
    cheap, dear = payment(reference='order 1'), None
    signed = mine.get(options(cheap)['publicKey'])
    dear = payment(reference='order 1', amount='648.00')
    refused('another amount under the same reference: the old challenge is void', answer(cheap, signed))
    refused('and what was signed for the old amount is no answer to the new one', answer(dear, signed))
    for name, twist in (('of another origin', {'origin': 'https://evil.example'}), ('of this origin in a frame of another', {'crossOrigin': True, 'topOrigin': 'https://evil.example'}), ('without user verification', {'flags': 0x1d & ~4}), ('without user presence', {'flags': 0x1d & ~1}),
                        ('for another relying party', {'rp': 'evil.example'}), ('that says it is a registration', {'kind': 'webauthn.create'})):
        pay = payment()
        refused(f'an assertion {name}', answer(pay, mine.get(options(pay)['publicKey'], **twist)))
    pay = payment()
    asked = options(pay)
    money = {**{k: asked['payment']['data'][k] for k in ('payeeName', 'payeeOrigin', 'instrument') if k in asked['payment']['data']}, 'rpId': 'localhost', 'topOrigin': ORIGIN, 'total': asked['payment']['total']}
    for name, change in (('another amount', {'total': {**money['total'], 'value': '0.01'}}), ('another currency', {'total': {**money['total'], 'currency': 'USD'}}), ('another payee', {'payeeName': 'Mallory'}), ('another top origin', {'topOrigin': 'https://evil.example'}), ('nothing', None)):
        shown = {**money, **change} if change else {}
        refused(f'a payment confirmed with {name} shown', answer(pay, mine.get(asked['publicKey'], kind='payment.get', payment=shown)))
    pay = payment()
    refused("another person's passkey", answer(pay, other.stepped.get(options(pay)['publicKey'])))
    forged = mine.get(options(pay)['publicKey'])
    forged['response']['signature'] = b64(sign(secrets.randbelow(N - 1) + 1, b'x'))
    refused('a signature by another key', answer(pay, forged))
    refused('from a browser that does not hold the challenge', answer(pay, mine.get(options(pay)['publicKey']), Browser()))
    refused("from another person's session", answer(pay, mine.get(options(pay)['publicKey']), other.home))
    refused('from another session of the same person', answer(pay, mine.get(options(pay)['publicKey']), p.full()))
    db('UPDATE challenge SET until_us = ? WHERE id = ?', int(time.time() * 1e6) - 1, pay)
    refused('an expired challenge', answer(pay, mine.get(asked['publicKey'])))
    thief = p.pending()
    change = p.home.post('/v1/account/password', {'password': PASSWORD}).json['challenge']
    refused("a change's challenge is not answered from a session that waits for its step", answer(change, mine.get(options(change)['publicKey']), thief))
    refused('nor is a sign-in done by an assertion for a change', answer(thief.challenge, mine.get(options(change)['publicKey']), thief))
    ok(thief.me().code == 'STEP_NEEDED', 'the session waits still', thief.me())
    only = payment(methods=['passkey'])
    for way, code in (('totp', p.totp()), ('recovery-code', p.codes[3])):
        refused(f'a challenge for a passkey alone is not answered by {way}', p.home.post(f'/v1/account/challenges/{only}/{way}', {'code': code}))


def headers_of_steps(p):
    """Keer-Challenge: a step for one change of one thing, by one session, once."""
    b = p.home
    first, second = (b.post('/v1/account/contacts', {'email': f'{i}.{p.email}'}).json['id'] for i in ('h1', 'h2'))
    codes = [code_of(wait_notice(f'{i}.{p.email}')) for i in ('h1', 'h2')]
    done = b.post('/v1/account/password', {'password': PASSWORD}).json['challenge']
    a = b.post('/v1/account/password', {'password': 'whoever has this has all of it'}, headers={'Keer-Challenge': done})
    ok(a.code == 'BAD_STEP', 'a step that is open still changes nothing', a)
    p.step(b, done)
    pay = store('POST', '/v1/challenges', {'account': p.account, 'kind': 'payment', 'amount': '6.48', 'currency': 'EUR', 'payee': 'Game Store'}).json['id']
    b.get(f'/v1/account/challenges/{pay}')
    p.step(b, pay)
    asked = store('POST', '/v1/challenges', {'account': p.account, 'kind': 'change', 'change': 'password'}).json['id']
    b.get(f'/v1/account/challenges/{asked}')
    p.step(b, asked)
    wait = p.pending()
    other = Person().arm()
    theirs = other.home.post('/v1/account/password', {'password': PASSWORD}).json['challenge']
    other.step(other.home, theirs)
    third = b.post(f'/v1/account/contacts/{first}/confirm', {'code': codes[0]}).json['challenge']
    p.step(b, third)
    before = db('SELECT phc FROM password WHERE account = ?', p.account)
    cases = [('of a payment', b, 'password', pay), ("of a store's", b, 'password', asked), ('of a sign-in', b, 'password', wait.challenge), ("of another account's", b, 'password', theirs), ('that is none', b, 'password', 'A' * 22),
             ('of another session', p.full(), 'password', done), ('of an address', b, 'password', third), ('of a password', b, f'contacts/{second}/confirm', done), ('of another address', b, f'contacts/{second}/confirm', third)]
    bad = []
    for name, browser, path, challenge in cases:
        a = browser.post(f'/v1/account/{path}', {'code': codes[1]} if 'contacts' in path else {'password': 'whoever has this has all of it'}, headers={'Keer-Challenge': challenge}, keep=False)
        if a.code not in ('BAD_STEP', 'WRONG_CODE'):
            bad.append((name, path, a))
    ok(not bad and db('SELECT phc FROM password WHERE account = ?', p.account) == before, f'a change with a step {", ".join(c[0] for c in cases)}: BAD_STEP', bad)
    a = p.pending().post('/v1/account/password', {'password': PASSWORD}, headers={'Keer-Challenge': done})
    ok(a.code == 'STEP_NEEDED', 'nor does a step open what its session may not', a)


p, c, assertion = gather()
again('at once')
crossed(p)
headers_of_steps(p)
parallel(p, c)
daemon('restart')
again('after a restart')
daemon('kill')
again('after kill -9')
ok(p.full().me().status == 200, 'a fresh assertion is taken')
end()
