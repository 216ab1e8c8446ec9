"""hostile.py - values that no page sends, for every member of every body, every parameter of every form, every id in a path: all are refused as problem
documents or OAuth errors, none is a fault (5xx) or the end of a connection; and what text is taken comes back as text, under types and policies that run nothing."""
import random
from lib import *

SEED = int(os.environ.get('SEED', '0')) or secrets.randbelow(1 << 31)
random.seed(SEED)
print(f'# SEED={SEED}')
doc = Browser().get('/openapi.json').json
routes = [(method.upper(), path, operation) for path, methods in doc['paths'].items() if path.startswith(('/v1/account/', '/v1/challenges', '/oidc', '/v1/oidc'))
          for method, operation in methods.items() if method in ('get', 'post', 'delete')]
person = Person().arm()
home, rp = person.home, client()
challenge = store('POST', '/v1/challenges', {'account': person.account, 'kind': 'payment', 'amount': '6.48', 'currency': 'EUR', 'payee': 'Game Store'}).json['id']


def schema(operation, kind):
    found = operation.get('requestBody', {}).get('content', {}).get(kind, {}).get('schema', {})
    return doc['components']['schemas'][found['$ref'].split('/')[-1]].get('properties', {}) if '$ref' in found else {}


def send(method, path, **more):
    """As who may: a session for the pages, a key for the rest; each in a net of its own, so that limits don't hide what comes after them."""
    b = home.twin()
    b.ip = new_net()
    headers = dict(more.pop('headers', {}))
    if not path.startswith(('/v1/account/', '/oidc')):
        headers['Authorization'] = f'Bearer {ADMIN}'
    return b.ask(method, path, headers=headers, keep=False, **more)


def at(path, what=None):
    return path.replace('{id}', what or (challenge if 'challenges' in path else person.account))


def refused(a):
    """A refusal in the form that it must have: RFC 9457 or, of the OpenID provider, RFC 6749 section 5.2."""
    if 300 <= a.status < 400:
        return True
    return 400 <= a.status < 500 and (('problem+json' in a.type and a.code) or ('application/json' in a.type and a.json.get('error')) or
                                      ('text/html' in a.type and a.header('Content-Security-Policy')))


def harmless(a):
    """Nothing that a browser would run, wherever it comes from."""
    return a.status in (204, 303, 302) or (a.header('X-Content-Type-Options') == 'nosniff' and
           (a.type.split(';')[0] in ('application/json', 'application/problem+json') or ('text/html' in a.type and "default-src 'none'" in (a.header('Content-Security-Policy') or ''))))


WRONG = [[], {}, [[[]]], {'a': 1}, ['x'], 1, -1, 0.5, 1e308, 9007199254740993, True, False, None]
RAW = [b'1e999', b'-0', b'1' * 4000, b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff\xfe"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"a\x00b"', b'"\\u0000"', b'nul', b'NaN', b"'x'", b'"x', b'[' * 3000 + b']' * 3000,
       b'{"__proto__":{}}', b'""', b'"\x7f"', b'"\\u000a\\u000d"', b'"' + b'x' * 40000 + b'"', b'"' + 'é'.encode() * 9000 + b'"', b'"\xe2\x80\xae\xef\xbb\xbf"']
TYPES = {'string': str, 'integer': int, 'number': (int, float), 'boolean': bool, 'array': list, 'object': dict}
ID = re.compile(r'(^|_)(flow|id|account|session|challenge)$')


def may_take(rule, value):
    kinds = rule.get('type', [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return not kinds or any(isinstance(value, TYPES.get(k, object)) and not (k in ('integer', 'number') and isinstance(value, bool)) for k in kinds if k != 'null')


def good(name, rule):
    if 'enum' in rule:
        return rule['enum'][0]
    kind = rule.get('type', 'object')
    kind = kind[0] if isinstance(kind, list) else kind
    if name in ('flow', 'account') or name == 'id':
        return person.account
    return {'email': f'{secrets.token_hex(6)}@example.org', 'phone': '+31612345678', 'password': PASSWORD, 'code': '12345678', 'token': 'x' * 22, 'currency': 'EUR', 'amount': '6.48',
            'return_url': 'https://store.example/', 'locale': 'nl', 'subject': 'liu', 'number': '123456', 'accept': True}.get(name, {'boolean': True, 'array': [], 'object': {}, 'integer': 1}.get(kind, 'x'))


def types():
    tried, bad, loud = 0, [], []
    for method, path, operation in routes:
        fields = schema(operation, 'application/json')
        for name, rule in fields.items():
            rest = {k: good(k, r) for k, r in fields.items() if k != name}
            for value in [json.dumps(w).encode() for w in WRONG if not may_take(rule, w)] + (RAW if FULL else random.sample(RAW, 8)):
                body = json.dumps(rest).encode()[:-1] + (b',' if rest else b'') + json.dumps(name).encode() + b':' + value + b'}'
                a = send(method, at(path), raw=body, headers={'Content-Type': 'application/json'})
                tried += 1
                if a.status >= 500 or not harmless(a):
                    loud.append((method, path, name, value[:40], a))
                elif not refused(a) and value not in RAW:
                    bad.append((method, path, name, value[:40], a))
    ok(not loud, f'{tried} values of a wrong type, number, length or encoding, one member at a time: no fault', loud[:3])
    ok(not bad, 'each of a wrong type is refused', bad[:3])


def bodies():
    whole = [b'', b'[]', b'null', b'1', b'"x"', b'{', b'{}}', b'{"a":1}', b'\xef\xbb\xbf{}', b'{"name":"a","name":"b"}', b'\x00', b'[' * 100000, b'{"a":' * 5000, b'{"' + b'k' * 60000 + b'":1}', b'<x/>', b'name=a']
    kinds = ['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x', 'application/json; charset=utf-16', None, 'application/jsonx', 'text/json']
    bad, tried = [], 0
    for method, path, operation in routes:
        if method != 'POST':
            continue
        form = 'application/x-www-form-urlencoded' in operation.get('requestBody', {}).get('content', {})
        for body in whole:
            for kind in kinds if FULL else kinds[:1] + random.sample(kinds[1:], 1):
                a = send(method, at(path), raw=body, headers={'Content-Type': kind})
                tried += 1
                json_taken = not form and kind and kind.split(';')[0] == 'application/json'
                if a.status >= 500 or not harmless(a) or (a.status == 200 and not (form and path in ('/oidc/logout', '/oidc/revoke'))) or \
                        (not form and not json_taken and a.code not in ('WRONG_TYPE', 'TOO_LARGE')):
                    bad.append((path, kind, body[:30], a))
    ok(not bad, f'{tried} bodies that are none, or of another type: refused', bad[:3])


def forms():
    odd = ['', ' ', '\0', 'a\0b', '\r\nSet-Cookie: keer=1', 'é', '\u202e', '[]', '{}', '{"a":', 'null', '-1', '1' * 400, 'x' * 9000, "' OR 1=1 --", '<script>', '%00', '../..', 'a b c', 'openid ' * 300, '[' * 2000]
    raw = ['%', '%zz', '%ff%fe', '%00', '%c0%af', '%ed%a0%80', '&&&&', '=', '%0d%0aX:+y']
    bad, tried = [], 0
    c = basic(rp)
    for method, path, operation in routes:
        fields = schema(operation, 'application/x-www-form-urlencoded') or {p['name']: {} for p in operation.get('parameters', []) if p['in'] == 'query'}
        if not path.startswith('/oidc') or not fields:
            continue
        usual = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(authorization(rp)).query)) if 'authorize' in path or 'par' in path else {}
        for name in list(fields) + list(usual):
            every = [urllib.parse.quote(v) for v in odd] + raw
            for value in (every if FULL else random.sample(every, 8)) + ['x&' + name + '=x']:
                pairs = '&'.join([f'{k}={urllib.parse.quote(v)}' for k, v in usual.items() if k != name] + [f'{name}={value}'])
                if path == '/oidc/token' and name != 'grant_type':
                    pairs += '&grant_type=authorization_code'
                tried += 1
                if method == 'GET':
                    a = send(method, f'{path}?{pairs}')
                else:
                    a = send(method, path, raw=pairs.encode(), headers={'Content-Type': 'application/x-www-form-urlencoded', **c})
                where = a.header('Location') or ''
                there = where.startswith(('https://store.example/cb', 'https://store.example/bye', '/')) and not where.startswith('//')
                if a.status >= 500 or not harmless(a) or (where and not there) or b'<script>' in a.body or any(k.lower() == 'set-cookie' and 'keer=1' in v for k, v in a.headers):
                    bad.append((method, path, name, value[:40], a, where))
    ok(not bad, f'{tried} parameters of the OpenID provider, odd, escaped wrongly, too long, twice: no fault, nowhere else', bad[:3])


def paths():
    ids = ['A' * 22, 'A' * 21, 'A' * 23, '%00', '..', '%2e%2e', '%2E%2E%2Fme', '%ff', '%c0%af', 'a%2fb', "'", '%22%3E%3Cscript%3E', 'x' * 4000, '%', '%zz', '{id}', '~', ';a=b', '%0d%0aX:y', ' '.replace(' ', '%20'), '0', '-1', '*']
    bad, tried = [], 0
    for method, path, operation in routes:
        fields = schema(operation, 'application/json')
        for what in (ids if FULL else random.sample(ids, 8)) if '{id}' in path else []:
            body = {k: good(k, r) for k, r in fields.items()} if method == 'POST' else None
            a = send(method, path.replace('{id}', what), body=body)
            tried += 1
            if a.status >= 500 or not refused(a) or b'<script' in a.body:
                bad.append((method, path, what[:30], a))
    ok(not bad, f'{tried} ids that nothing has: refused', bad[:3])


PAYLOADS = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "';alert(1)//", '</title><script>alert(1)</script>', 'javascript:alert(1)', '<svg/onload=alert(1)>', '{{7*7}}', '${7*7}',
            '%3Cscript%3E', '&lt;script&gt;', '\u2028alert(1)\u2029', '<!--', ']]>', '\\u003cscript\\u003e', '"+alert(1)+"', '<iframe srcdoc="<script>alert(1)</script>">', '=cmd()', '\u202egpj.exe', '<a href="data:text/html,x">', '‮‭<b>']


def xss():
    bad, shown = [], set()
    for i, p in enumerate(PAYLOADS):
        b = home.twin()
        b.agent = 'Mozilla/5.0 ' + p.encode('ascii', 'ignore').decode()
        device = home.me().json['devices'][0]['id']
        answers = [b.post(f'/v1/account/devices/{device}', {'name': p[:64]}), b.me(), b.get(f'/v1/account/{urllib.parse.quote(p)}'),
                   store('POST', '/v1/challenges', {'account': person.account, 'kind': 'payment', 'amount': '6.48', 'currency': 'EUR', 'payee': p, 'detail': p, 'store': p, 'agreement': p}),
                   store('POST', '/v1/oidc/clients', {'client_name': p, 'redirect_uris': ['https://store.example/cb']}, ADMIN), b.post('/v1/account/authenticators/totp', {'name': p}),
                   b.post('/v1/account/sign-in', {'name': p, 'password': p}), b.post('/v1/account/recovery', {'name': p}), b.get('/oidc/authorize?client_id=' + urllib.parse.quote(p)),
                   b.get('/oidc/logout?state=' + urllib.parse.quote(p)), b.get('/oidc/logout?post_logout_redirect_uri=' + urllib.parse.quote(p) + '&client_id=' + rp['client_id'])]
        if answers[3].status == 200:
            b.get(f"/v1/account/challenges/{answers[3].json['id']}")
            answers.append(b.get(f"/v1/account/challenges/{answers[3].json['id']}"))
            shown.add(answers[-1].json['shown']['payee'] == p)
        made = answers[5].json.get('id')
        if made:
            b.delete(f'/v1/account/authenticators/{made}')
            qr = answers[5].json['qr']
            shown.add('<script' not in qr and 'onerror' not in qr)
        shown.add(p not in (n['name'] for n in home.me().json['devices']) or answers[0].status == 200)
        for a in answers:
            if a.status >= 500 or not harmless(a) or ('text/html' in a.type and ('<script>alert' in a.body.decode() or '<img' in a.body.decode() or 'onload=alert' in re.sub('&lt;[^<]*', '', a.body.decode()))):
                bad.append((p, a))
    ok(not bad and shown <= {True}, f'{len(PAYLOADS)} XSS payloads in names, payees, clients, queries, user agents: as text, under nosniff or a strict policy', bad[:3] or shown)
    name = Person(name=PAYLOADS[1])
    ok(name.home.me().json['name'] == PAYLOADS[1], 'a name comes back as it was written, as JSON')
    bad = []
    for page in ('/sign-up', '/sign-in', '/challenge/' + challenge, '/security', '/recover', '/not-me', '/signed-out'):
        for p in PAYLOADS:
            q = urllib.parse.quote(p)
            a = home.get(f'{page}?return={q}&continue={q}&token={q}&lang={q}&error={q}&login_hint={q}', headers={'Accept-Language': p.encode('ascii', 'ignore').decode()})
            csp = a.header('Content-Security-Policy') or ''
            if a.status != 200 or p in a.body.decode() and len(p) > 6 or "default-src 'none'" not in csp or 'unsafe' in csp or "frame-ancestors 'none'" not in csp or a.header('X-Content-Type-Options') != 'nosniff':
                bad.append((page, p, a, csp))
        text = home.get(page).body.decode()
        if re.search(r'<script(?![^>]*\bsrc=)[^>]*>(?!\s*</script>)|\son\w+\s*=|javascript:', text):
            bad.append((page, 'inline script'))
        for src in re.findall(r'(?:src|href)="([^"]+)"', text):
            a = home.get(src) if src.startswith('/') else None
            if not a and not src.startswith(('#', '?', 'data:image')) or a and src.startswith('/assets') and (a.status != 200 or a.header('X-Content-Type-Options') != 'nosniff' or 'html' in a.type):
                bad.append((page, src, a))
            if a and 'javascript' in a.type and re.search(rb'innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(.on', a.body):
                bad.append((page, src, 'writes HTML'))
    ok(not bad, 'no hosted page repeats a query, runs anything inline, or writes HTML; each has its policy', bad[:3])


def raw_request(text):
    s = socket.create_connection(('127.0.0.1', PORT), 10)
    s.settimeout(3)
    s.sendall(text)
    data = b''
    try:
        while piece := s.recv(65536):
            data += piece
    except TimeoutError:
        pass
    s.close()
    return data


def heads():
    me = b'GET /v1/account/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n\r\n'
    mine = home.jar['keer'].encode()
    other = Person().home.jar['keer'].encode()
    tossed = [b'Cookie: keer=%s; keer=%s' % (other, mine), b'Cookie: keer=%s\r\nCookie: keer=%s' % (other, mine), b'Cookie: keer=%s; keer=%s' % (mine, other), b'Cookie: keer=; keer=%s' % mine,
              b'Cookie: Keer=%s' % mine, b'Cookie: __Host-keer=%s' % mine, b'Cookie: keer="%s"' % mine, b'Cookie: keer=%sx' % mine, b'Cookie: keer=%s' % mine[:-1], b'Cookie: keer =%s; keer=%s' % (other, mine)]
    ok(b'HTTP/1.1 200' in raw_request(me % (b'Cookie: a=b; keer=%s; c=d' % mine)), 'one cookie of the name, among others, is a session')
    bad = [t for t in tossed if b'HTTP/1.1 200' in raw_request(me % t)]
    ok(not bad, f'{len(tossed)} ways to toss another cookie beside it: no session at all', bad)
    # What says who asks is the connection, and nothing that is written in a request.
    name = f'{secrets.token_hex(4)}@example.org'
    b = Browser()
    for i in range(25):
        a = b.post('/v1/account/sign-in', {'name': name, 'password': 'not the one, surely'}, keep=False,
                   headers={'X-Forwarded-For': f'9.9.{i}.9', 'Forwarded': f'for=9.8.{i}.9', 'X-Real-IP': f'9.7.{i}.9', 'True-Client-IP': f'9.6.{i}.1', 'User-Agent': f'a{i}'})
    ok(a.code == 'TOO_MANY_TRIES', 'a forwarded address does not begin another count', a)


def fixation():
    p = Person()
    bad = []
    for planted in (secrets.token_urlsafe(32), 'A' * 43, p.home.jar['keer'], '-', '0'):
        b = Browser()
        b.jar['keer'] = planted
        a = b.post('/v1/account/sign-in', {'name': p.email, 'password': PASSWORD})
        if a.status != 200 or b.jar['keer'] == planted or len(b.jar['keer']) < 22:
            bad.append((planted, a))
        c = Browser()
        c.jar['keer'] = planted
        if c.me().status == 200:
            bad.append(('still in', planted))
    ok(not bad, 'a planted session cookie is never the one that is signed in, and one that was ends', bad[:3])
    b = person.pending()
    before = b.jar['keer']
    person.step(b, b.challenge)
    c = Browser()
    c.jar['keer'] = before
    ok(b.jar['keer'] != before and c.me().status == 401 and b.me().status == 200, 'the cookie of before the step is worth nothing after it')
    flags = [v for k, v in Browser().post('/v1/account/sign-in', {'name': p.email, 'password': PASSWORD}).headers if k.lower() == 'set-cookie']
    ok(len(flags) == 2 and all('HttpOnly' in f and 'SameSite=Lax' in f and 'Path=/' in f and 'Domain' not in f for f in flags), 'cookies: HttpOnly, SameSite, no Domain', flags)


def redirects():
    evil = ['https://evil.example', '//evil.example', '/\\evil.example', 'https:evil.example', 'https://store.example.evil.example/cb', 'https://store.example/cb/', 'https://store.example/cb?x=1', 'https://store.example/CB', 'HTTPS://store.example/cb',
            'https://store.example:443/cb', 'https://store.example/cb#x', 'https://store.example/./cb', 'https://store.example/x/../cb', 'https://user@store.example/cb', 'https://store.example@evil.example/cb', 'https://store.example%2f@evil.example', 'https://store.example/cb%00',
            'https://store.example/cb\r\nX: y', 'https://store.example\t/cb', ' https://store.example/cb', 'javascript:alert(1)//https://store.example/cb', 'data:text/html,x', 'http://store.example/cb', 'https://store.example/cb%0a', 'https://store。example/cb', '', 'null', 'https://STORE.example/cb']
    bad = []
    for uri in evil:
        for a in (home.get(authorization(rp, redirect_uri=uri)), home.get(authorization(rp, redirect_uri=uri, prompt='none')), home.get(authorization(rp, redirect_uri=uri, response_type='token')),
                  home.get('/oidc/logout?' + urllib.parse.urlencode({'client_id': rp['client_id'], 'post_logout_redirect_uri': uri})), home.form('/oidc/logout', {'client_id': rp['client_id'], 'post_logout_redirect_uri': uri, 'confirmed': 'yes'}, {'Origin': 'https://evil.example'})):
            if a.status >= 500 or a.header('Location') or (a.status != 400 and not (a.status == 200 and uri == '')):
                bad.append((uri, a, a.header('Location')))
        a = home.form('/oidc/par', {**dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(authorization(rp)).query)), 'redirect_uri': uri}, basic(rp))
        if a.status != 400:
            bad.append((uri, a))
    ok(not bad and home.me().status == 200, f'{len(evil)} variants of redirect_uri and post_logout_redirect_uri: shown, never followed', bad[:3])
    bad = []
    for url in [u for u in evil if u] + ['http://localhost.evil.example/', 'http://127.0.0.1.evil.example/', 'http://localhost@evil.example/', 'http://localhost:80@evil.example/', 'http://127.0.0.1:@evil.example/', 'http://localhost/@evil.example\\', 'http://evil.example/', 'ftp://store.example/']:
        a = store('POST', '/v1/challenges', {'account': person.account, 'kind': 'payment', 'amount': '6.48', 'currency': 'EUR', 'payee': 'Game Store', 'return_url': url})
        if a.status == 200 and not re.match(r'https://[A-Za-z0-9.:@%]+', url):
            bad.append((url, a))
    ok(not bad, 'a return_url is https, or this machine', bad[:3])
    a = home.get('/oidc/authorize/resume?request=' + 'A' * 22)
    ok(a.status == 400 and not a.header('Location'), 'a request that is none is not gone on with')


def posts_from_elsewhere():
    """Each that is no GET, from another site: refused before anything is looked at."""
    elsewhere = [{'Origin': 'https://evil.example'}, {'Origin': 'null'}, {'Origin': f'{ORIGIN}.evil.example'}, {'Origin': ORIGIN.replace('http:', 'https:')}, {'Origin': ORIGIN.upper()}, {'Origin': 'http://localhost'}, {'Origin': f'http://127.0.0.1:{PORT}'},
                 {'Origin': ''}, {'Sec-Fetch-Site': 'cross-site'}, {'Sec-Fetch-Site': 'same-site'}, {'Origin': ORIGIN, 'Sec-Fetch-Site': 'cross-site'}, {'Sec-Fetch-Site': 'Same-Origin'}]
    bad, tried, before = [], 0, home.me().json
    for method, path, operation in routes:
        if method == 'GET' or not path.startswith('/v1/account/'):
            continue
        fields = schema(operation, 'application/json')
        body = {k: good(k, r) for k, r in fields.items()}
        for headers in elsewhere:
            tried += 1
            a = send(method, at(path), headers=headers, body=body if method == 'POST' else None)
            if a.code != 'FOREIGN_ORIGIN' or any(k.lower() in ('set-cookie', 'access-control-allow-origin') for k, v in a.headers):
                bad.append((method, path, headers, a))
    ok(not bad, f'{tried} requests from another site: FOREIGN_ORIGIN', bad[:3])
    after = home.me().json
    ok(all(after[k] == before[k] for k in ('name', 'devices', 'contacts', 'authenticators', 'recovery_codes_left')), 'and nothing changed')
    a = home.form('/oidc/logout', {'confirmed': 'yes'}, {'Origin': 'https://evil.example'})
    b = home.form('/oidc/logout', {'confirmed': 'yes'}, {'Sec-Fetch-Site': 'cross-site'})
    ok(home.me().status == 200, 'nobody is signed out from another site', (a, b))
    for path in ('/v1/account/me', '/sign-in', '/oidc/authorize'):
        a = home.ask('OPTIONS', path, headers={'Origin': 'https://evil.example', 'Access-Control-Request-Method': 'POST'})
        ok(not any('access-control-allow' in k.lower() for k, v in a.headers), f'{path}: no CORS', a.headers)


types()
bodies()
forms()
paths()
xss()
heads()
fixation()
redirects()
posts_from_elsewhere()
ok(Person().home.me().status == 200, 'people sign up and in as before')
end()
