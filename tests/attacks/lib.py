"""lib.py - what the attacks share: the daemon that tests/attacks/run started, browsers with cookies and an address of the net of their own,
people with every kind of authenticator, a P-256 authenticator in software, and 'ok' lines. Standard library alone."""
import base64, hashlib, hmac, http.client, json, os, re, secrets, socket, sqlite3, struct, sys, threading, time, urllib.parse

PASSWORD = 'seven grey herons on a barge 41'
URL = os.environ['URL']
PORT = urllib.parse.urlsplit(URL).port
ORIGIN = f'http://localhost:{PORT}'
NOTICES, DATABASE = os.environ['NOTICES'], os.environ['DATABASE']
STORE, ADMIN = os.environ['STORE'], os.environ['ADMIN']
FULL = os.environ.get('FULL') == 'yes'  # make attacks
failed = 0


def ok(good, name, why=''):
    global failed
    failed += not good
    print(f"{'ok' if good else 'not ok'} - {name}" + ('' if good else f': {str(why)[:600]}'), flush=True)
    return good


def end():
    sys.exit(1 if failed else 0)


def daemon(word):
    """The shell starts and ends the daemon (tests/lib/daemon.sh): 'restart' or 'kill', which is kill -9, and a start after it."""
    with open(os.environ['SAY'], 'w') as say:
        say.write(word + '\n')
    with open(os.environ['HEAR']) as hear:
        if (answer := hear.read().strip()) != 'ready':
            raise SystemExit(f'not ok - the daemon does not {word}: {answer}')


def daemon_memory():
    """Kilobytes that the daemon has resident now, and had at most."""
    text = open(f"/proc/{open(os.environ['PID']).read().strip()}/status").read()
    return tuple(int(re.search(rf'{name}:\s+(\d+)', text).group(1)) for name in ('VmRSS', 'VmHWM'))


# --- HTTP ---

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.type = self.header('Content-Type') or ''
        try:
            self.json = json.loads(body) if 'json' in self.type else {}
        except ValueError:
            self.json = None
        self.code = self.json.get('code', '') if isinstance(self.json, dict) and status >= 400 else ''

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    def word(self):
        """Status, and what says why: the code of a problem, OAuth's error, where it leads."""
        where = self.header('Location')
        error = self.json.get('error') if isinstance(self.json, dict) else None
        if where is not None:
            u = urllib.parse.urlsplit(where)
            q = urllib.parse.parse_qs(u.query)
            return f"{self.status}:{q['error'][0] if 'error' in q else 'code' if 'code' in q else re.sub('/[A-Za-z0-9_-]{22}$', '/{id}', u.path)}"
        return f'{self.status}:{self.code or error}' if self.code or error else str(self.status)

    def __repr__(self):
        return f'{self.status} {self.type} {self.body[:300]!r}'


next_net = 0
net_lock = threading.Lock()


def new_net():
    """An address in a /24 of its own: limits by address and network hold for one attack, not for all."""
    global next_net
    with net_lock:
        next_net += 1
        return f'127.{10 + next_net // 250}.{next_net % 250}.9'


class Browser:
    def __init__(self, ip=None, agent='Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'):
        self.ip, self.agent, self.jar, self.local = ip or new_net(), agent, {}, threading.local()

    def twin(self):
        b = Browser(self.ip, self.agent)
        b.jar = dict(self.jar)
        return b

    def ask(self, method, path, body=None, headers=None, raw=None, keep=True):
        h = {'User-Agent': self.agent}
        if self.jar:
            h['Cookie'] = '; '.join(f'{k}={v}' for k, v in self.jar.items())
        if body is not None:
            raw, h['Content-Type'] = json.dumps(body).encode(), 'application/json'
        for k, v in (headers or {}).items():
            h.pop(k, None)
            if v is not None:
                h[k] = v
        for again in (True, False):
            c = getattr(self.local, 'connection', None)
            if not c:
                c = self.local.connection = http.client.HTTPConnection('127.0.0.1', PORT, timeout=60, source_address=(self.ip, 0))
                again = False
            try:
                c.request(method, path, raw, h)
                r = c.getresponse()
                answer = Answer(r.status, r.getheaders(), r.read())
                break
            except (OSError, http.client.HTTPException):
                c.close()
                self.local.connection = None
                if not again:
                    raise
        if keep:
            for k, v in answer.headers:
                if k.lower() == 'set-cookie':
                    pair, _, rest = v.partition(';')
                    name, _, value = pair.partition('=')
                    if 'max-age=0' in rest.lower():
                        self.jar.pop(name, None)
                    else:
                        self.jar[name] = value
        return answer

    def get(self, path, **k): return self.ask('GET', path, **k)
    def delete(self, path, **k): return self.ask('DELETE', path, **k)
    def post(self, path, body=None, **k): return self.ask('POST', path, {} if body is None else body, **k)
    def form(self, path, fields, headers=None):
        return self.ask('POST', path, raw=urllib.parse.urlencode(fields).encode(), headers={'Content-Type': 'application/x-www-form-urlencoded', **(headers or {})})
    def me(self): return self.get('/v1/account/me')


def store(method, path, body=None, key=STORE):
    return Browser().ask(method, path, body, headers={'Authorization': f'Bearer {key}'})


def basic(client):
    return {'Authorization': 'Basic ' + base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode()).decode()}


def notices(address):
    # The last line may be half written.
    return [n for n in (json.loads(line) for line in open(NOTICES, encoding='utf-8') if line.endswith('\n')) if address in json.dumps(n)]


def wait_notice(address, test=lambda n: True, after=0):
    for _ in range(600):
        found = [n for n in notices(address)[after:] if test(n)]
        if found:
            return found[-1]
        time.sleep(.02)
    raise SystemExit(f'not ok - no message to {address}')


def code_of(notice):
    return re.search(r'\b(\d{4})[ -]?(\d{4})\b', notice['text']).expand(r'\1\2')


def token_of(notice):
    return re.search(r'/not-me#?(?:\?token=)?([A-Za-z0-9_-]{20,})', notice['text']).group(1)


kept = threading.local()


def db(sql, *args):
    """A look into the database, or a hand in it: what time does otherwise."""
    if not hasattr(kept, 'db'):
        kept.db = sqlite3.connect(DATABASE, timeout=30, isolation_level=None)
    return kept.db.execute(sql, args).fetchall()


# --- authenticators ---

def totp(secret, at=None, step=0):
    key = base64.b32decode(secret + '=' * (-len(secret) % 8))
    d = hmac.new(key, struct.pack('>Q', int(at or time.time()) // 30 + step), 'sha1').digest()
    o = d[19] & 15
    return f"{(struct.unpack('>I', d[o:o + 4])[0] & 0x7fffffff) % 1000000:06d}"


def b64(b): return base64.urlsafe_b64encode(b).rstrip(b'=').decode()
def unb64(s): return base64.urlsafe_b64decode(s + '=' * (-len(s) % 4))


# P-256 (SEC 1): a signature takes milliseconds, which is enough here.
P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296, 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)


def add(a, b):
    if not a or not b:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    m = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (m * m - a[0] - b[0]) % P
    return x, (m * (a[0] - x) - a[1]) % P


def multiply(k, p):
    r = None
    while k:
        if k & 1:
            r = add(r, p)
        p, k = add(p, p), k >> 1
    return r


def der(n):
    b = n.to_bytes(33, 'big').lstrip(b'\0') or b'\0'
    b = b'\0' + b if b[0] & 128 else b
    return b'\2' + bytes([len(b)]) + b


def sign(d, data):
    k = secrets.randbelow(N - 1) + 1
    r = multiply(k, G)[0] % N
    s = pow(k, -1, N) * (int.from_bytes(hashlib.sha256(data).digest(), 'big') + r * d) % N
    return b'\x30' + bytes([len(der(r) + der(s))]) + der(r) + der(s)


def cbor(v):
    def head(major, n):
        return bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | 24, n]) if n < 256 else bytes([major << 5 | 25]) + n.to_bytes(2, 'big')
    if isinstance(v, int):
        return head(1 if v < 0 else 0, -1 - v if v < 0 else v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    return head(5, len(v)) + b''.join(cbor(k) + cbor(x) for k, x in v.items())


class Passkey:
    def __init__(self):
        self.id, self.counter, self.d, self.user = secrets.token_bytes(32), 0, secrets.randbelow(N - 1) + 1, None

    def data(self, rp, flags, rest=b''):
        self.counter += 1
        return hashlib.sha256(rp.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, 'big') + rest

    def client(self, kind, challenge, more):
        return json.dumps({'type': kind, 'challenge': challenge, 'origin': ORIGIN, 'crossOrigin': False, **more}).encode()

    def credential(self, response):
        return {'id': b64(self.id), 'rawId': b64(self.id), 'type': 'public-key', 'clientExtensionResults': {}, 'response': response}

    def create(self, options, **more):
        self.user = options['user']['id']
        x, y = multiply(self.d, G)
        key = cbor({1: 2, 3: -7, -1: 1, -2: x.to_bytes(32, 'big'), -3: y.to_bytes(32, 'big')})
        data = self.data(options['rp']['id'], 0x5d, bytes(16) + len(self.id).to_bytes(2, 'big') + self.id + key)
        return self.credential({'clientDataJSON': b64(self.client('webauthn.create', options['challenge'], more)),
                                'attestationObject': b64(cbor({'fmt': 'none', 'attStmt': {}, 'authData': data})), 'transports': ['internal']})

    def get(self, options, kind='webauthn.get', flags=0x1d, rp=None, **more):
        data, client = self.data(rp or options['rpId'], flags), self.client(kind, options['challenge'], more)
        return self.credential({'clientDataJSON': b64(client), 'authenticatorData': b64(data), 'userHandle': self.user,
                                'signature': b64(sign(self.d, data + hashlib.sha256(client).digest()))})


# --- people ---

people = 0


class Person:
    """An account with a password, signed in at `home`; `arm` gives it an authenticator app, recovery codes and a passkey."""

    def __init__(self, name='Mei Lin', **more):
        global people
        people += 1
        self.email = f'p{people}.{secrets.token_hex(4)}@example.org'
        self.home = Browser()
        flow = self.must(self.home.post('/v1/account/sign-up', {'email': self.email, 'name': name, 'password': PASSWORD, **more}))['flow']
        self.account = self.must(self.home.post('/v1/account/sign-up/confirm', {'flow': flow, 'code': code_of(wait_notice(self.email))}))['account']

    @staticmethod
    def must(answer):
        if answer.status != 200:
            raise SystemExit(f'not ok - a person can not be made: {answer}')
        return answer.json

    def arm(self):
        self.stepped = Passkey()
        asked = self.must(self.home.post('/v1/account/authenticators/passkey/options'))
        self.must(self.home.post('/v1/account/authenticators/passkey', {'flow': asked['flow'], 'credential': self.stepped.create(asked['publicKey'])}))
        made = self.must(self.home.post('/v1/account/authenticators/totp'))
        self.secret, self.used = made['secret'], set()
        self.confirmed = {'id': made['id'], 'code': self.totp()}
        self.change('POST', '/v1/account/authenticators/totp/confirm', self.confirmed)
        self.codes = self.change('POST', '/v1/account/authenticators/recovery-codes', {})['codes']
        return self

    def totp(self):
        """One that was not given before; one step early and one late are taken too."""
        while True:
            for step in (-1, 0, 1):
                at = int(time.time()) // 30 + step
                if not self.used or at > max(self.used):
                    self.used.add(at)
                    return totp(self.secret, step=step)
            time.sleep(.5)

    def step(self, browser, challenge):
        """Answers a challenge with the passkey."""
        at = f'/v1/account/challenges/{challenge}/passkey'
        options = self.must(browser.post(at + '/options'))['publicKey']
        return self.must(browser.post(at, {'credential': self.stepped.get(options)}))

    def change(self, method, path, body=None):
        answer = self.must(self.home.ask(method, path, body))
        if answer.get('next') == 'step':
            self.step(self.home, answer['challenge'])
            answer = self.must(self.home.ask(method, path, body, headers={'Keer-Challenge': answer['challenge']}))
        return answer

    def sign_in(self, browser=None, password=PASSWORD):
        browser = browser or Browser()
        return browser, browser.post('/v1/account/sign-in', {'name': self.email, 'password': password})

    def pending(self):
        """A browser that knows the password: its step is still to come."""
        browser, answer = self.sign_in()
        if self.must(answer).get('next') != 'step':
            raise SystemExit(f'not ok - no step is asked for: {answer}')
        browser.challenge = answer.json['challenge']
        return browser

    def full(self):
        browser = Browser()
        asked = self.must(browser.post('/v1/account/sign-in/passkey/options'))
        self.must(browser.post('/v1/account/sign-in/passkey', {'flow': asked['flow'], 'credential': self.stepped.get(asked['publicKey'])}))
        return browser

    def restricted(self):
        """Of a person without authenticators, where the policy asks: a code by mail, and few rights."""
        before = len(notices(self.email))
        browser, answer = self.sign_in(Browser(agent='ask'))
        if answer.json.get('next') != 'code':
            raise SystemExit(f'not ok - no code is asked for: {answer}')
        notice = wait_notice(self.email, lambda n: n['kind'] == 'sign_in_code', before)
        self.must(browser.post('/v1/account/sign-in/code', {'flow': answer.json['flow'], 'code': code_of(notice)}))
        return browser


def client(**more):
    return Person.must(store('POST', '/v1/oidc/clients', {'client_name': 'Game Store', 'redirect_uris': [f'{ORIGIN}/callback', 'https://store.example/cb'],
        'post_logout_redirect_uris': ['https://store.example/bye'], 'grant_types': ['authorization_code', 'refresh_token', 'urn:openid:params:grant-type:ciba'], **more}, ADMIN))


VERIFIER = 'v' * 43


def authorization(c, **more):
    p = {'client_id': c['client_id'], 'redirect_uri': 'https://store.example/cb', 'response_type': 'code', 'scope': 'openid email offline_access', 'state': 's', 'nonce': 'n',
         'code_challenge': b64(hashlib.sha256(VERIFIER.encode()).digest()), 'code_challenge_method': 'S256', **more}
    return '/oidc/authorize?' + urllib.parse.urlencode({k: v for k, v in p.items() if v is not None})


def at_once(count, run):
    """Runs run(i) in that many threads, let go together; their results."""
    gate, results = threading.Barrier(count), [None] * count

    def one(i):
        gate.wait()
        try:
            results[i] = run(i)
        except Exception as e:
            results[i] = e
    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return results
