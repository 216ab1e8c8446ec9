"""matrix.py - every path of the pages, of challenges and of the OpenID provider, asked by whoever may not: what must come back is matrix.txt, a row for each
path and a column for each state of the caller, and what is not in the table fails. Before and after each, everything of the victim's is read from the database: where something changed, the word
ends in !, and only a session of the victim's own account may have one. PRINT=yes prints the table as it is, to be read before it is believed."""
from lib import *

STATES = ['own', 'none', 'garbage', 'key', 'pending', 'restricted', 'other', 'ended', 'frozen', 'revoked', 'foreign', 'cross', 'type']
HERE = os.path.dirname(os.path.abspath(__file__))
doc = Browser().get('/openapi.json').json
ROUTES = [(m.upper(), p) for p, methods in doc['paths'].items() if p.startswith(('/v1/account/', '/v1/challenges', '/oidc')) for m in ('get', 'post', 'delete') if m in methods]
FORM = 'application/x-www-form-urlencoded'
rp = client()


class Victim(Person):
    """A person with something of everything: `things` has an id for each path that names one."""

    def __init__(self, armed):
        super().__init__()
        b = self.home
        self.armed = armed
        if armed:
            self.arm()
        mine = b.post('/v1/account/contacts', {'email': 'two.' + self.email}).json['id']
        code = code_of(wait_notice('two.' + self.email))
        self.change('POST', f'/v1/account/contacts/{mine}/confirm', {'code': code})
        waits = b.post('/v1/account/contacts', {'email': 'three.' + self.email}).json['id']
        self.code = code_of(wait_notice('three.' + self.email))
        family = b.post('/v1/account/family').json['family']
        member = Person()
        b.post('/v1/account/family/invitations', {'name': member.email, 'role': 'adult'})
        invitation = member.home.get('/v1/account/family').json['invitations'][0]['id']
        member.home.post(f'/v1/account/family/invitations/{invitation}', {'accept': True})
        approval = store('POST', '/v1/family-approvals', {'account': member.account, 'what': 'gems', 'amount_minor': 648, 'currency': 'EUR'}).json.get('id', 'A' * 22)
        guest = Person()
        b.post('/v1/account/family/invitations', {'name': guest.email, 'role': 'adult'})
        invitation = guest.home.get('/v1/account/family').json['invitations'][0]['id']
        self.second = self.full() if armed else self.sign_in()[0]
        self.second.me()
        me = b.me().json
        device = next(d['id'] for d in me['devices'] if d['current'])
        self.session = next(s['id'] for s in me['sessions'] if s['current'])
        challenge = self.payment()
        change = b.post('/v1/account/password', {'password': PASSWORD + ' new'}).json['challenge'] if armed else 'A' * 22
        pending = 'A' * 22
        if not armed:
            pending = self.second.post('/v1/account/authenticators/recovery-codes').json.get('pending', 'A' * 22)
        prompt = 'A' * 22
        if armed:
            self.change('POST', f'/v1/account/devices/{device}', {'trusted': True})
            asks = self.pending()
            asks.post(f'/v1/account/challenges/{asks.challenge}/prompt')
            prompt = (b.get('/v1/account/prompts').json['prompts'] or [{'id': 'A' * 22}])[0]['id']
        self.totp_made = self.must(b.post('/v1/account/authenticators/totp'))
        authenticator = next((a['id'] for a in b.me().json['authenticators'] if a['state'] == 'active'), self.totp_made['id'])
        self.things = {'sessions/': next(s['id'] for s in me['sessions'] if not s['current'] and s['rights'] == 'full'), 'devices/': device, 'contacts/{id}/confirm': waits, 'contacts/': mine,
                       'invitations/': invitation, 'members/': member.account, 'approvals/': approval, 'challenges/': challenge, 'prompts/': prompt, 'authenticators/': authenticator, 'changes/{id}/not-me': 'A' * 22, 'activity/': 'A' * 22,  # who may would lock himself out of the rest: tests/integration/step.sh
                       'changes/': pending, 'change': change,
                       'wallets/': 'A' * 22, 'charges/': 'A' * 22}  # there are no wallets here: tests/integration/agreements.sh has what they say to whom
        self.asked = b.post('/v1/account/authenticators/passkey/options').json
        self.recovering = Browser().post('/v1/account/recovery', {'name': self.email}).json['flow']
        self.request = urllib.parse.parse_qs(urllib.parse.urlsplit(urllib.parse.parse_qs(urllib.parse.urlsplit(Browser().get(authorization(rp)).header('Location')).query)['continue'][0]).query)['request'][0]

    def payment(self, browser=None, **more):
        made = Person.must(store('POST', '/v1/challenges', {'account': self.account, 'kind': 'payment', 'amount': '6.48', 'currency': 'EUR', 'payee': 'Game Store', **more}))
        (browser or self.home).get(f"/v1/account/challenges/{made['id']}")
        return made['id']

    def at(self, path):
        return path if '{id}' not in path else path.replace('{id}', next(v for k, v in self.things.items() if k in path))

    def freeze_frame(self):
        """All that is the victim's, but for what only says when it was last seen."""
        ids = "SELECT id FROM authenticator WHERE account = ?"
        rows = []
        for sql in ('SELECT id, state, name, locale FROM account WHERE id = ?', 'SELECT kind, value FROM identifier WHERE account = ?', 'SELECT phc FROM password WHERE account = ?',
                    'SELECT id, name, trusted_us, revoked_us FROM device WHERE account = ? AND id IN (SELECT device FROM session WHERE id IN ({sessions}))', 'SELECT id, value, verified_us, removed_us FROM contact WHERE account = ?',
                    'SELECT id, state, name FROM authenticator WHERE account = ?', f'SELECT authenticator, credential, public_key, payment FROM passkey WHERE authenticator IN ({ids})', f'SELECT * FROM totp WHERE authenticator IN ({ids})',
                    f'SELECT * FROM recovery_code WHERE authenticator IN ({ids})', 'SELECT id, state FROM guard_change WHERE account = ?', 'SELECT id, state, ways FROM recovery WHERE account = ? AND state > 0',
                    "SELECT id, state FROM challenge WHERE account = ? AND id IN ('{challenge}', '{change}')", 'SELECT id, state FROM prompt WHERE account = ?',
                    'SELECT id, rights, acr, ended_us FROM session WHERE account = ? AND id IN ({sessions})', 'SELECT * FROM family WHERE organiser = ?',
                    'SELECT * FROM family_member WHERE family IN (SELECT id FROM family WHERE organiser = ?)', 'SELECT id, state FROM family_approval WHERE family IN (SELECT id FROM family WHERE organiser = ?)',
                    'SELECT id FROM family_invitation WHERE family IN (SELECT id FROM family WHERE organiser = ?)'):
            sql = sql.replace('{sessions}', f"'{self.session}', '{self.things['sessions/']}'").replace('{challenge}', self.things['challenges/']).replace('{change}', self.things['change'])
            rows.append((sql, db(sql + ' ORDER BY 1', self.account)))
        return rows


def body(path, v):
    """What would do it, if the caller might."""
    wrong = {'name': v.email, 'password': 'not the one, surely'}
    return {'/v1/account/sign-up': {'email': f'{secrets.token_hex(6)}@example.org', 'password': PASSWORD}, '/v1/account/sign-up/confirm': {'flow': 'A' * 22, 'code': '12345678'}, '/v1/account/sign-in': wrong,
            '/v1/account/sign-in/code': {'flow': 'A' * 22, 'code': '12345678'}, '/v1/account/sign-in/passkey': lambda: {'flow': 'A' * 22, 'credential': stray()},
            '/v1/account/devices/{id}': {'name': 'mine now', 'trusted': True}, '/v1/account/contacts': {'email': f'{secrets.token_hex(6)}@evil.example'}, '/v1/account/contacts/{id}/confirm': {'code': v.code},
            '/v1/account/password': {'password': 'whoever has this has all of it'}, '/v1/account/family/invitations': {'name': attacker.email, 'role': 'adult'}, '/v1/account/family/invitations/{id}': {'accept': True},
            '/v1/account/family/approvals/{id}': {'granted': True}, '/v1/account/challenges/{id}/totp': lambda: {'code': totp(v.secret) if v.armed else '123456'}, '/v1/account/challenges/{id}/recovery-code': lambda: {'code': v.codes[0] if v.armed else 'aaaa'},
            '/v1/account/challenges/{id}/passkey': lambda: {'credential': signed(v)}, '/v1/account/prompts/{id}': {'answer': 'no'}, '/v1/account/authenticators/totp/confirm': {'id': v.totp_made['id'], 'code': totp(v.totp_made['secret'])},
            '/v1/account/authenticators/passkey': lambda: {'flow': v.asked['flow'], 'credential': Passkey().create(v.asked['publicKey'])}, '/v1/account/not-me': {'token': 'A' * 22}, '/v1/account/visit': {'token': 'A' * 22}, '/v1/account/wallets/{id}/caps': {'caps': {'charge': '9999.00'}}, '/v1/account/recovery': {'name': v.email},
            '/v1/account/recovery/code': {'flow': v.recovering, 'code': '12345678'}, '/v1/account/recovery/finish': {'flow': v.recovering, 'password': 'whoever has this has all of it'}, '/v1/account/recovery/cancel': {},
            '/v1/challenges': {'account': v.account, 'kind': 'payment', 'amount': '6.48', 'currency': 'EUR', 'payee': 'Game Store'}}.get(path, {})


def stray():
    p = Passkey()
    p.user = b64(p.id[:16])
    return p.get({'rpId': 'localhost', 'challenge': b64(p.id)})


def signed(v):
    if not v.armed:
        return stray()
    options = v.home.post(f"/v1/account/challenges/{v.things['challenges/']}/passkey/options").json
    return v.stepped.get(options['publicKey']) if 'publicKey' in options else stray()


def ask(caller, method, path, v, headers):
    where = v.at(path)
    if path.startswith('/oidc') and method == 'GET':
        where += {'/oidc/authorize': authorization(rp)[len('/oidc/authorize'):], '/oidc/authorize/resume': '?request=' + v.request, '/oidc/logout': '?client_id=' + rp['client_id']}.get(path, '')
        return caller.get(where, headers=headers)
    if path.startswith('/oidc'):
        fields = {'/oidc/token': {'grant_type': 'authorization_code', 'code': 'x', 'client_id': rp['client_id']}, '/oidc/logout': {'confirmed': 'yes'}, '/oidc/introspect': {'token': 'x'}, '/oidc/revoke': {'token': 'x'},
                  '/oidc/ciba': {'scope': 'openid', 'login_hint': v.email}}.get(path, dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(authorization(rp)).query)))
        return caller.ask(method, where, raw=urllib.parse.urlencode(fields).encode(), headers={'Content-Type': FORM, **headers})
    given = body(path, v)
    given = given() if callable(given) else given
    if method == 'POST':
        return caller.ask(method, where, raw=json.dumps(given).encode(), headers={'Content-Type': 'application/json', **headers})
    return caller.ask(method, where, headers=headers)


def cell(state, method, path):
    v = {'restricted': unarmed, 'own': owner}.get(state, victim)
    headers = {'foreign': {'Origin': 'https://evil.example'}, 'cross': {'Sec-Fetch-Site': 'cross-site'}, 'type': {'Content-Type': 'text/plain'} if method == 'POST' else {}, 'key': {'Authorization': f'Bearer {os.environ["ANALYST"]}'}}.get(state, {})
    caller = callers[state]
    caller.ip = new_net()
    caller.local = threading.local()
    before = frames.get(v) or v.freeze_frame()
    word = ask(caller, method, path, v, headers).word()
    after = frames[v] = v.freeze_frame()
    if before != after and state != 'own':
        word += '!'
        changed[f'{state}: {method} {path}'] = [(a, b) for a, b in zip(before, after) if a != b]
    if 'sign-out' in path and state not in ('own', 'foreign', 'cross', 'type'):
        callers[state] = MAKE[state]()
    return word


def ended():
    b = victim.full()
    b2 = b.twin()
    b.post('/v1/account/sign-out')
    return b2


def frozen():
    p = Person().arm()
    store('POST', f'/v1/accounts/{p.account}/freeze', {'reason': 'Somebody called.'}, ADMIN)
    return p.home


def revoked():
    b = victim.full()
    device = next(d['id'] for d in b.me().json['devices'] if d['current'])
    Person.must(victim.home.delete(f'/v1/account/devices/{device}'))
    return b


def garbage():
    b = Browser()
    b.jar['keer'] = secrets.token_urlsafe(16)
    return b


attacker = Person().arm()
victim, unarmed, owner = Victim(True), Victim(False), Victim(True)
MAKE = {'own': lambda: owner.full(), 'none': Browser, 'garbage': garbage, 'key': Browser, 'pending': victim.pending, 'restricted': unarmed.restricted, 'other': attacker.full, 'ended': ended, 'frozen': frozen, 'revoked': revoked,
        'foreign': lambda: victim.home, 'cross': lambda: victim.home, 'type': lambda: victim.home}
callers = {s: MAKE[s]() for s in STATES if s != 'own'}
table, frames = {}, {}
if os.path.exists(HERE + '/matrix.txt'):
    for line in open(HERE + '/matrix.txt'):
        if line.strip() and line[0] != '#':
            method, path, *words = line.split()
            table[method, path] = dict(zip(STATES, words))
tried, wrong, changed = 0, [], {}
found = {}
for state in STATES[1:] + ['own']:
    for method, path in ROUTES:
        if state == 'type' and method != 'POST':
            found[method, path, state] = '-'
            continue
        if state == 'own':
            if owner.home.me().status != 200:
                owner.home = owner.full()
            if 'challenges/' in path:
                owner.things['challenges/'] = owner.payment()
            if 'totp/confirm' in path:
                owner.totp_made = Person.must(owner.home.post('/v1/account/authenticators/totp'))
            if path.endswith('authenticators/passkey'):
                owner.asked = owner.home.post(path + '/options').json
            frames.clear()
            callers['own'] = owner.home if re.search('challenges/|prompts/|contacts/|confirm|others|authenticators/passkey$', path) else MAKE['own']()
        word = cell(state, method, path)
        found[method, path, state] = word
        want = table.get((method, path), {}).get(state)
        tried += 1
        if word not in (want or '').split('|'):
            wrong.append((state, method, path, f'{word}, want {want}', changed.get(f'{state}: {method} {path}')))
    if state != 'own':
        me = victim.home.me()
        ok(me.status == 200 and unarmed.home.me().status == 200 and me.json['identifiers'][0]['value'] == victim.email, f'{state}: the victim is signed in as before', me)
if os.environ.get('PRINT') == 'yes':
    width = max(len(p) for m, p in ROUTES) + 9
    for where, what in changed.items():
        print('# changed', where, what)
    print('# ' + 'path'.ljust(width - 2), *[s.ljust(22) for s in STATES])
    for method, path in ROUTES:
        print(f'{method} {path}'.ljust(width), *[found[method, path, s].ljust(22) for s in STATES])
ok(not wrong, f'{tried} cells, {len(ROUTES)} paths by {len(STATES)} states of the caller, as matrix.txt says', wrong[:8])
ok(set(table) == set(ROUTES), 'every path has its row, and every row its path', set(table) ^ set(ROUTES))
end()
