"""people.py COUNT LIMIT WALLET... - COUNT people for the money-safety rig: each with an authenticator app and an agreement with each of the wallets, all by the way
that people go: sign-up, code, recovery codes, app, link with a step, signing at the wallet. LIMIT may be charged without another step. Prints for each agreement
AGREEMENT TAB ADDRESS TAB COOKIE TAB SECRET (hex) TAB NEWEST STEP USED, as money-load wants it. The daemon and its keys come from the environment (tests/attacks/lib.py)."""
import base64, os, sys, time, urllib.request
sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'attacks'))
import lib

WIDE = {'charge': '1000.00', 'day': '9000000.00', 'month': '9000000.00', 'count': 1000}


class Payer(lib.Person):
    def arm(self):
        self.codes = self.must(self.home.post('/v1/account/authenticators/recovery-codes'))['codes']
        made = self.must(self.home.post('/v1/account/authenticators/totp'))
        self.secret, self.used = made['secret'], set()
        self.change('POST', '/v1/account/authenticators/totp/confirm', {'id': made['id'], 'code': self.totp()})
        return self

    def step(self, browser, challenge):
        at = f'/v1/account/challenges/{challenge}'
        self.must(browser.get(at))
        return self.must(browser.post(at + '/recovery-code', {'code': self.codes.pop()}))

    def lift(self):
        self.must(lib.store('POST', f'/v1/accounts/{self.account}/ceiling', {'currency': 'CNY', 'caps': WIDE}, lib.ADMIN))
        return self

    def link(self, wallet, limit):
        made = lib.store('POST', '/v1/agreements', {'id': f'{wallet}-{self.account}', 'account': self.account, 'wallet': wallet, 'currency': 'CNY', 'caps': WIDE,
                                                    'unverified_spend_limit': limit, 'return_url': 'https://shop.example/back'})
        if made.status != 201:
            raise SystemExit(f'not ok - an agreement can not be asked for: {made}')
        id = made.json['id']
        self.step(self.home, made.json['challenge']['id'])
        page = self.must(lib.store('POST', f'/v1/agreements/{id}/sign', {}))['url']
        urllib.request.urlopen(urllib.request.Request(os.environ['WALLET'] + '/emulator/sign', lib.json.dumps({'url': page}).encode())).read()
        for _ in range(400):
            if self.must(lib.store('GET', f'/v1/agreements/{id}'))['state'] == 'active':
                return id
            time.sleep(.02)
        raise SystemExit(f'not ok - {wallet} is not linked')


for _ in range(int(sys.argv[1])):
    p = Payer().arm().lift()
    for wallet in sys.argv[3:]:
        agreement = p.link(wallet, sys.argv[2])
        print(agreement, p.home.ip, '; '.join(f'{k}={v}' for k, v in p.home.jar.items()),
              base64.b32decode(p.secret + '=' * (-len(p.secret) % 8)).hex(), max(p.used), sep='\t', flush=True)
