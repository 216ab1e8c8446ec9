"""strangers.py - what a stranger can't take away from the owner of a name, what a client can't take from another, and what ends with an account."""
from lib import *


def lock_out():
    p = Person()
    bad = []
    for _ in range(12):
        a = Browser().post('/v1/account/recovery', {'name': p.email})
        bad += [a] if a.status not in (200, 429) else []
    for i in range(30):
        Browser().post('/v1/account/sign-in', {'name': p.email, 'password': f'not the one, surely {i}'})
    a = Browser().post('/v1/account/sign-in', {'name': p.email, 'password': PASSWORD})
    ok(not bad and a.code == 'TOO_MANY_TRIES', 'strangers have used up the tries of strangers', (bad, a))
    deadline = time.monotonic() + 20  # the codes of recoveries are sent a moment later
    while time.monotonic() < deadline and sum(n['kind'] == 'recovery_code' for n in notices(p.email)) < 10:
        time.sleep(.1)
    a = p.home.post('/v1/account/contacts', {'email': 'two.' + p.email})
    ok(a.status == 200, 'the owner has messages left for another address', a)
    known = p.home.twin()
    known.jar.pop('keer')
    a = known.post('/v1/account/sign-in', {'name': p.email, 'password': PASSWORD})
    ok(a.status == 200 and a.json['next'] == 'done', 'and signs in from a browser that is known', a)
    known.jar.pop('keer')
    known.agent = 'ask'
    a = known.post('/v1/account/sign-in', {'name': p.email, 'password': PASSWORD})
    ok(a.status == 200 and a.json['next'] == 'code', 'where a code is asked for too', a)
    before = len(notices(p.email))
    flow = known.post('/v1/account/recovery', {'name': p.email}).json['flow']
    code = code_of(wait_notice(p.email, lambda n: n['kind'] == 'recovery_code', before))
    a = known.post('/v1/account/recovery/code', {'flow': flow, 'code': code})
    ok(a.status == 200 and a.json['ready'], 'and recovers the account from there', a)


def void():
    """What somebody else begins for the same name does not end what its owner has begun."""
    p = Person()
    mine, before = Browser(), len(notices(p.email))
    flow = mine.post('/v1/account/recovery', {'name': p.email}).json['flow']
    code = code_of(wait_notice(p.email, lambda n: n['kind'] == 'recovery_code', before))
    theirs = Browser().post('/v1/account/recovery', {'name': p.email}).json['flow']
    time.sleep(1)
    other = Browser().post('/v1/account/recovery/code', {'flow': theirs, 'code': code})
    a = mine.post('/v1/account/recovery/code', {'flow': flow, 'code': code})
    ok(other.status == 403 and a.status == 200 and a.json['proved'] == ['email'], "a stranger's recovery does not void the owner's code, nor is it good in it", (other, a))
    email = f's{secrets.token_hex(4)}@example.org'
    flow = mine.post('/v1/account/sign-up', {'email': email}).json['flow']
    code = code_of(wait_notice(email))
    before, thief = len(notices(email)), Browser()
    theirs = thief.post('/v1/account/sign-up', {'email': email}).json['flow']
    second = code_of(wait_notice(email, after=before))
    other = Browser().post('/v1/account/sign-up/confirm', {'flow': theirs, 'code': code})
    a = mine.post('/v1/account/sign-up/confirm', {'flow': flow, 'code': code})
    ok(other.status == 403 and a.status == 200, "a stranger's sign-up does not void the owner's code, nor is it good in it", (other, a))
    b = thief.post('/v1/account/sign-up/confirm', {'flow': theirs, 'code': second})
    ok(400 <= b.status < 500 and db('SELECT account FROM identifier WHERE value = ?', email) == [(a.json['account'],)] and thief.me().status == 401, 'whose own code opens nothing when the account is there', b)


def mail_bomb():
    """Whoever has an account must not make the service write to somebody else all day, from however many browsers of his own."""
    p, target = Person(), f'target.{secrets.token_hex(4)}@example.org'
    for _ in range(3):
        b = p.sign_in()[0]
        for _ in range(8):
            b.post('/v1/account/contacts', {'email': target})
    time.sleep(2)
    ok(len(notices(target)) <= 10, 'an account has ten codes a day sent to addresses that it names', len(notices(target)))


def clients():
    p, mine, other = Person(), client(), client()

    def code(**more):
        return urllib.parse.parse_qs(urllib.parse.urlsplit(p.home.get(authorization(mine, **more)).header('Location')).query)['code'][0]

    def swap(c, **more):
        return Browser().form('/oidc/token', {'grant_type': 'authorization_code', 'redirect_uri': 'https://store.example/cb', 'code_verifier': VERIFIER, **more}, basic(c))

    cases = [('by another client', swap(other, code=code())), ('with another verifier', swap(mine, code=code(), code_verifier='w' * 43)), ('without one', swap(mine, code=code(), code_verifier='')),
             ('for another redirect URI', swap(mine, code=code(), redirect_uri=f'{ORIGIN}/callback')), ('with a wrong secret', swap({**mine, 'client_secret': 'x'}, code=code())), ('with the secret of another', swap({**mine, 'client_secret': other['client_secret']}, code=code()))]
    ok(all(a.status in (400, 401) for name, a in cases), 'a code is not taken ' + ', '.join(name for name, a in cases), [(n, a) for n, a in cases if a.status == 200])
    plain = p.home.get(authorization(mine, code_challenge=VERIFIER, code_challenge_method='plain')).word(), p.home.get(authorization(mine, code_challenge=None, code_challenge_method=None)).word()
    ok(all('code' not in w or 'invalid' in w for w in plain), 'no code without PKCE S256', plain)
    tokens = swap(mine, code=code()).json
    ask = lambda c, token: Browser().form('/oidc/introspect', {'token': token}, basic(c)).json.get('active')
    info = lambda: Browser().get('/oidc/userinfo', headers={'Authorization': f"Bearer {tokens['access_token']}"})
    ok(ask(mine, tokens['access_token']) and not ask(other, tokens['access_token']) and info().status == 200, "a token is no other client's")
    a = Browser().form('/oidc/token', {'grant_type': 'refresh_token', 'refresh_token': tokens['refresh_token']}, basic(other))
    ok(a.status == 400 and ask(mine, tokens['refresh_token']), "nor refreshed by it, and it ends nothing", a)
    Browser().form('/oidc/revoke', {'token': tokens['refresh_token']}, basic(other))
    ok(ask(mine, tokens['refresh_token']), 'nor revoked by it')
    a = Browser().form('/oidc/token', {'grant_type': 'refresh_token', 'refresh_token': tokens['refresh_token'], 'scope': 'openid email phone offline_access'}, basic(mine))
    ok(a.status == 400, 'a refresh does not widen what was granted', a)
    # A hint that nobody signed signs nobody out.
    head, body, signature = tokens['id_token'].split('.')
    turned = [f"{b64(json.dumps({'alg': alg, 'typ': 'JWT'}).encode())}.{body}.{s}" for alg, s in (('none', ''), ('None', ''), ('HS256', b64(hmac.new(mine['client_secret'].encode(), b'x', 'sha256').digest())), ('RS256', signature[:-8] + 'AAAAAAAA'), ('RS256', ''))]
    turned += [f"{head}.{b64(json.dumps({**json.loads(unb64(body)), 'sub': 'A' * 22}).encode())}.{signature}", tokens['id_token'] + 'A', 'a.b.c', '..']
    for hint in turned:
        p.home.get('/oidc/logout?' + urllib.parse.urlencode({'id_token_hint': hint, 'post_logout_redirect_uri': 'https://store.example/bye'}))
    ok(p.home.me().status == 200, f'{len(turned)} hints that are no ID token of ours: nobody is signed out')
    a = store('POST', f'/v1/accounts/{p.account}/freeze', {'reason': 'Somebody called.'}, ADMIN)
    refreshed = Browser().form('/oidc/token', {'grant_type': 'refresh_token', 'refresh_token': tokens['refresh_token']}, basic(mine))
    ok(a.status == 200 and info().status == 401 and refreshed.status == 400 and not ask(mine, tokens['access_token']), 'tokens end with the account that is locked', (info(), refreshed))
    pay = store('POST', '/v1/challenges', {'account': p.account, 'kind': 'payment', 'amount': '6.48', 'currency': 'EUR', 'payee': 'Game Store'})
    ok(pay.status != 200 or store('GET', f"/v1/challenges/{pay.json['id']}").json['state'] != 'done', 'and nothing is confirmed by it', pay)


def stores():
    p = Person().arm()
    other = store('POST', '/v1/keys', {'name': 'other', 'role': 'store'}, ADMIN).json
    key = other.get('key') or other.get('secret')
    made = store('POST', '/v1/challenges', {'account': p.account, 'kind': 'payment', 'amount': '6.48', 'currency': 'EUR', 'payee': 'Game Store', 'reference': 'r1'}).json
    a = store('GET', f"/v1/challenges/{made['id']}", key=key)
    ok(key and a.status == 404, "a store does not see another's challenge", (other.keys(), a))
    b = store('POST', '/v1/challenges', {'account': p.account, 'kind': 'payment', 'amount': '648.00', 'currency': 'EUR', 'payee': 'Mallory', 'reference': 'r1'}, key).json
    ok(b['id'] != made['id'] and store('GET', f"/v1/challenges/{made['id']}").json['state'] == 'open', "nor ends it by its reference")
    thief = Browser()
    p.home.get(f"/v1/account/challenges/{made['id']}")
    a = thief.get(f"/v1/account/challenges/{made['id']}")
    ok(a.status == 404 and 'Game Store' not in str(a.body), 'the browser that looked first holds it', a)


lock_out()
void()
mail_bomb()
clients()
stores()
end()
