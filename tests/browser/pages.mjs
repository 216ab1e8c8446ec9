// pages.mjs - the hosted pages in Chromium before the real daemon: what people do, and what must not work.
//
//     node pages.mjs URL MESSAGES CHROMIUM     URL http://localhost:PORT; KEER_KEY_STORE, KEER_KEY_ADMIN: keys of those roles
//
// Prints 'ok - ...' lines. The AITM proxy is proxy.mjs; what is shared, lib.mjs.
import { createHmac, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { api, authenticator, failures, launch, messages, ok, person, sleep, until } from './lib.mjs'
import { startProxy } from './proxy.mjs'

const [base, file, chromium] = process.argv.slice(2)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const mail = messages(file), password = 'lantern orbit muffin 27 gravel'
const browser = await launch(chromium)
const people = []
const somebody = async (options) => { const p = await person(browser, base, options); if (process.env.DEBUG) p.page.on('response', async (r) => { if (/v1/.test(r.url())) console.log('#', r.request().method(), r.url().slice(base.length), r.status(), (r.request().postData() ?? '').slice(0, 200), (await r.text().catch(() => '')).slice(0, 400)) }); people.push(p); return p }
const shown = (page, selector) => page.waitForSelector(selector, { state: 'visible' }).then(() => true, () => false)
const at = (page, path) => page.waitForURL((u) => u.pathname === path || (path.endsWith('*') && u.pathname.startsWith(path.slice(0, -1)))).then(() => true, () => false)
const error = async (page, selector = '#error') => await shown(page, `${selector}:not([hidden])`) ? page.textContent(selector) : ''

// RFC 6238, by hand: the app of the tests. A code is taken once, so that each use asks for the step after the one before.
let stepUsed = 0
async function totp(secret) {
    const bits = [...secret.replace(/\s/g, '')].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('')
    const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2))), counter = Buffer.alloc(8)
    stepUsed = Math.max(stepUsed + 1, Math.floor(Date.now() / 30e3)) // one step ahead is taken as well
    while (stepUsed > Math.floor(Date.now() / 30e3) + 1) await sleep(500)
    counter.writeBigUInt64BE(BigInt(stepUsed))
    const h = createHmac('sha1', key).update(counter).digest()
    return String((h.readUInt32BE(h[19] & 15) & 0x7fffffff) % 1e6).padStart(6, '0')
}

async function signUp(who, email) {
    const { page } = who, before = mail.all().length
    await page.goto(base + '/sign-up')
    await page.fill('#name', 'Anna <b>de Vries</b>')
    await page.fill('#contact', email)
    await page.fill('#password', password)
    await page.click('#start [type=submit]')
    await shown(page, '#code')
    await page.fill('#code', await mail.code('sign_up_code', before) ?? '')
    await page.click('#code-form [type=submit]')
    return shown(page, '#passkey-offer')
}
async function byPassword(page, email, secret = password) {
    await page.goto(base + '/sign-in')
    await page.fill('#name', email)
    await page.fill('#password', secret)
    await page.click('#sign-in [type=submit]')
}
// The browser's own offer (conditional mediation) may be quicker than the press: a virtual authenticator answers it by itself.
const pressPasskey = (page) => page.click('#passkey', { timeout: 1000 }).catch(() => {})
const signOut = async (page) => { await page.goto(base + '/security'); await page.click('#who button'); return at(page, '/signed-out') }

// --- pages as such: what they send, that they can be used -----------------------------------------------------------

async function headers() {
    const r = await fetch(base + '/sign-in'), csp = r.headers.get('content-security-policy') ?? ''
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"])
        ok(csp.split('; ').includes(part), `the policy has ${part}`, csp)
    ok(!/unsafe|\*|http/.test(csp), 'and nothing that opens it')
    for (const [name, value] of [['referrer-policy', 'same-origin'], ['cross-origin-opener-policy', 'same-origin'], ['cross-origin-resource-policy', 'same-origin'], ['x-content-type-options', 'nosniff'], ['x-frame-options', 'DENY'], ['cache-control', 'no-cache']])
        ok(r.headers.get(name) === value, `${name}: ${value}`, r.headers.get(name))
    ok(/publickey-credentials-get=\(self\).*payment=\(self\)/.test(r.headers.get('permissions-policy')), 'passkeys and payments are for these pages alone')
    const html = await r.text(), assets = [...html.matchAll(/"(\/assets\/[^"]+)"/g)].map((m) => m[1])
    for (const a of new Set(assets)) {
        const got = await fetch(base + a)
        ok(got.status === 200 && /immutable/.test(got.headers.get('cache-control')), `${a.replace(/[0-9a-f]{8}-/, '')} may be kept`, got.status)
    }
    const again = await fetch(base + '/sign-in', { headers: { 'if-none-match': r.headers.get('etag') } })
    ok(again.status === 304 && (await again.text()) === '', 'a page that is known is not sent again', again.status)
    ok((await fetch(base + '/assets/00000000-ui.js')).status === 404, 'a file of another version is not there')
    const language = async (path, headers) => (await (await fetch(base + path, { headers })).text()).match(/data-lang="(\w+)"/)[1]
    ok(await language('/sign-in', { 'accept-language': 'nl-BE,nl;q=0.9' }) === 'nl', 'Accept-Language says the language')
    ok(await language('/sign-in', { 'accept-language': 'nl', cookie: 'keer-lang=zh' }) === 'zh', 'the cookie before it')
    ok(await language('/sign-in?lang=en', { 'accept-language': 'nl', cookie: 'keer-lang=zh' }) === 'en', '?lang= before both')
    ok(await language('/sign-in?lang=%3Cscript%3E', {}) === 'en', 'a language that is none is English')
    const change = await fetch(base + '/.well-known/change-password', { redirect: 'manual' })
    ok(change.status === 302 && change.headers.get('location') === '/security#password', 'where a password is changed', change.headers.get('location'))
}

// axe-core's rules for WCAG 2.2 A and AA, contrast among them; no page scrolls sideways at 320 px, which is 200 % and more of zoom.
async function judged(page, name) {
    await page.evaluate(() => Promise.all(document.getAnimations().filter((a) => a.effect.getTiming().iterations !== Infinity).map((a) => a.finished)))
    await page.evaluate(axe) // by the browser's hand: the page's own policy lets no such script in
    const result = await page.evaluate(async () => (await window.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })).violations)
    const found = result.map((v) => `${v.id} ${v.nodes.map((n) => n.html.slice(0, 90)).join(' ; ')}`).join(' | ')
    if (name) ok(!result.length, `${name}: axe finds nothing`, found)
    if (name) ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} does not scroll sideways`)
    return found
}

async function accessible() {
    for (const [scheme, lang, paths] of [['light', 'en', ['sign-in', 'recover', 'signed-out']], ['dark', 'zh', ['sign-up', 'not-me', 'challenge/nothing']]]) {
        const p = await browser.newContext({ colorScheme: scheme, viewport: { width: 320, height: 700 } }), page = await p.newPage()
        for (const path of paths) {
            await page.goto(`${base}/${path}?lang=${lang}`)
            await judged(page, `${path} (${scheme}, ${lang})`)
        }
        if (scheme === 'light') {
            await page.goto(base + '/sign-in')
            await page.evaluate(() => { document.querySelector('label[for=name]').remove(); document.querySelector('.links').style.color = '#ccc'; document.querySelector('.links a').style.color = '#ddd' })
            const found = await judged(page, '')
            ok(/label/.test(found) && /color-contrast/.test(found), 'the control: a page without a label and with pale links is found out', found)
        }
        await p.close()
    }
}

// Nothing but the keyboard: Tab leads through name, password, the eye, the button.
async function keyboard(email) {
    const { page } = await somebody()
    await page.goto(base + '/sign-in')
    await page.evaluate(() => { document.body.tabIndex = -1; document.body.focus() })
    const order = []
    for (let i = 0; i < 12; i++) {
        await page.keyboard.press('Tab')
        const here = await page.evaluate(() => { const e = document.activeElement, s = getComputedStyle(e); return { name: e.id || e.className || e.textContent, seen: s.outlineStyle !== 'none' || s.boxShadow !== 'none' } })
        order.push(here.name)
        if (!here.seen) ok(false, `the focus is seen on ${here.name}`)
        if (here.name === 'name') await page.keyboard.type(email)
        if (here.name === 'password') await page.keyboard.type('not my password at all')
    }
    const wanted = ['skip', 'brand', 'name', 'password', 'reveal', 'primary', 'passkey', 'to-recover', 'to-sign-up']
    ok(wanted.every((w, i) => order[i] === w || (w === 'primary' && order[i].startsWith('primary'))), 'Tab goes through the page in its order, and the focus is seen', order.join(' '))
    await page.focus('#password')
    await page.keyboard.press('Enter')
    ok(/not right/.test(await error(page)), 'Enter signs in; what is wrong is told', await page.textContent('#error'))
    ok(await page.evaluate(() => document.getElementById('error').getAttribute('role') === 'alert' && document.activeElement.id === 'password'), 'read out at once, and the focus is where to correct it')
    await page.keyboard.type(password)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    ok(await page.getAttribute('#password', 'type') === 'text' && await page.inputValue('#password') === password, 'the password is shown when asked for')
    await page.keyboard.press('Enter')
    ok(await page.waitForURL((u) => /^\/(security|challenge)/.test(u.pathname)).then(() => true, () => false), 'the password is taken, by keyboard alone', page.url())
}

// --- what people do -----------------------------------------------------------------------------------------------

async function signUpAndPasskey(who) {
    const { page } = who
    who.key = await authenticator(who)
    ok(await signUp(who, 'anna@example.org'), 'sign up with an address, a password and the code that came')
    await page.click('#passkey')
    ok(await at(page, '/security'), 'add a passkey, and be in the security centre', await page.textContent('#error').catch(() => ''))
    ok((await who.key.credentials()).length === 1 && (await who.key.credentials())[0].rpId === 'localhost', 'the authenticator has one, of this host')
    await shown(page, '#ways .row')
    ok((await page.textContent('#ways')).includes('Passkey') || (await page.locator('#ways .row').count()) === 1, 'it is listed')
    ok(await page.evaluate(() => !document.querySelector('main b, #who b')) && (await page.textContent('#who')).includes('<b>'), 'a name with markup is shown as text')
}

async function passkeySignIn(who) {
    const { page } = who
    ok(await signOut(page), 'sign out')
    ok((await api(page, 'GET', '/v1/account/me')).status === 401, 'and there is no session')
    await page.goto(base + '/sign-in?continue=%2Fsecurity%23devices')
    await pressPasskey(page)
    ok(await at(page, '/security') && new URL(page.url()).hash === '#devices', 'sign in with the passkey, and go on where it was wanted', page.url())
    const me = await api(page, 'GET', '/v1/account/me')
    ok(me.acr === 'urn:keersluis:acr:2', 'a passkey that verified its user is two factors', me.acr)
}

async function addTotp(who) {
    const { page } = who
    await page.goto(base + '/security')
    await page.click('#add-totp')
    ok(await shown(page, '.qr') && await page.evaluate(() => document.querySelector('.qr').naturalWidth > 0), 'the QR code is drawn')
    await page.click('summary')
    who.secret = await page.textContent('.secret')
    await page.fill('#totp-code', '000000')
    await page.click('#dialog [type=submit]')
    ok(/not right/.test(await error(page, '#dialog .notice.bad')), 'a wrong first code is refused')
    await page.fill('#totp-code', await totp(who.secret))
    await page.click('#dialog [type=submit]')
    await stepIn(page)
    ok(await until(async () => /Authenticator app/.test(await page.textContent('#ways .rows'))), 'an authenticator app is added', await page.textContent('body'))
}

// A step in the dialog of the security centre, by the passkey of this browser; nothing when none is asked for.
async function stepIn(page) {
    const asked = await until(() => page.evaluate(() => document.querySelector('#dialog .panel') ? 'step' : document.querySelector('#dialog ol.codes') ? 'no' : !document.getElementById('dialog').open && !document.querySelector('.waiting') ? 'no' : ''))
    if (asked === 'step') await page.click('#dialog .panel .primary')
    return asked
}

async function makeCodes(who) {
    const { page } = who
    await page.goto(base + '/security')
    await page.click('#make-codes')
    await stepIn(page)
    ok(await shown(page, 'ol.codes'), 'recovery codes are shown')
    who.codes = await page.locator('ol.codes li').allTextContents()
    ok(who.codes.length === 10 && new Set(who.codes).size === 10, 'ten of them, once', who.codes.join())
    await page.click('#dialog .primary')
    await page.reload()
    ok(!(await page.content()).includes(who.codes[0]), 'and never again')
    await judged(page, 'the security centre')
    ok(await until(async () => /10 codes left/.test(await page.textContent('#ways .rows'))), 'ten are left')
}

// By password on a browser that the account does not know: a step is asked for.
async function stranger(email) {
    const who = await somebody()
    await byPassword(who.page, email)
    ok(await at(who.page, '/challenge/*') && await shown(who.page, '#step .panel'), 'a password alone, on another browser, is asked for a step', who.page.url())
    ok((await api(who.page, 'GET', '/v1/account/me')).code === 'STEP_NEEDED', 'and has no session before it')
    return who
}
const way = (page, name) => page.click(`.way:has-text("${name}")`)

async function signInByTotp(anna) {
    const { page } = await stranger('anna@example.org')
    if (await page.locator('.way:has-text("Authenticator app")').count()) await way(page, 'Authenticator app')
    await page.fill('#step-code', '000000')
    ok(/not right/.test(await error(page, '#step-error')), 'a wrong code is refused')
    const code = await totp(anna.secret)
    await page.fill('#step-code', code)
    ok(await at(page, '/security'), 'sign in with password and app')
    const second = await stranger('anna@example.org')
    if (await second.page.locator('.way:has-text("Authenticator app")').count()) await way(second.page, 'Authenticator app')
    await second.page.fill('#step-code', code)
    ok(/not right/.test(await error(second.page, '#step-error')), 'the same code again is refused')
}

async function signInByCode(anna) {
    const { page } = await stranger('anna@example.org')
    await way(page, 'Recovery codes')
    await page.fill('#step-code', anna.codes[0].toLowerCase().replaceAll('-', ' '))
    await page.click('#step [type=submit]')
    ok(await at(page, '/security'), 'sign in with a recovery code, however it is typed')
    ok(await until(async () => /9 codes left/.test(await page.textContent('#ways .rows'))), 'nine are left')
    const second = await stranger('anna@example.org')
    await way(second.page, 'Recovery codes')
    await second.page.fill('#step-code', anna.codes[0])
    await second.page.click('#step [type=submit]')
    ok(/not right/.test(await error(second.page, '#step-error')), 'the same one again is refused')
}

// The number is shown on one browser and typed on the other, which the account trusts.
async function approval(anna) {
    const { page } = anna
    await page.goto(base + '/security')
    await page.click('#devices .row:has(.badge.good) button:has-text("Trust")')
    await stepIn(page)
    ok(await until(() => page.locator('#devices .row:has(.badge.good) .badge:has-text("Trusted")').count()), 'a device is trusted, after a step')
    const other = await stranger('anna@example.org')
    await way(other.page, 'Trusted device')
    await other.page.click('#step .panel .primary')
    ok(await shown(other.page, '.number'), 'the first screen shows a number')
    const number = (await other.page.textContent('.number .unseen')).replaceAll(' ', ''), wrong = String((Number(number) + 1) % 1e6).padStart(6, '0')
    ok(/^\d{6}$/.test(number), 'of six digits', number)
    await page.reload()
    ok(await shown(page, '.prompt input'), 'the trusted device is asked')
    ok(!(await page.textContent('#prompts')).replaceAll(' ', '').includes(number), 'and is not told the number')
    await page.fill('.prompt input', wrong)
    await page.click('.prompt [type=submit]')
    ok(/not right/.test(await error(page, '.prompt .notice.bad')), 'another number is refused')
    // A poll may fall between 'approved' and 'done': made sure of here, by what the first screen is told once.
    let asked = 0
    await other.page.route('**/v1/account/challenges/*', async (route) => {
        const answer = await route.fetch(), json = await answer.json()
        await route.fulfill({ response: answer, json: asked++ ? json : { ...json, prompt: 'approved' } })
    })
    ok(await until(() => asked > 1) && await shown(other.page, '.number'), 'what is approved, and not done yet, is waited for')
    await other.page.unrouteAll({ behavior: 'wait' })
    await page.fill('.prompt input', number)
    await page.click('.prompt [type=submit]')
    ok(await at(other.page, '/security'), 'with the right one the first screen is signed in, by itself', `${other.page.url()}: ${await other.page.textContent('main')}; the other: ${await page.textContent('#prompts')}`)

    const thief = await stranger('anna@example.org')
    await way(thief.page, 'Trusted device')
    await thief.page.click('#step .panel .primary')
    await shown(thief.page, '.number')
    await page.reload()
    await page.click('.prompt .actions button:not(.danger)')
    ok(await until(() => page.evaluate(() => document.getElementById('prompts').hidden)), "'not now' takes the question away")
    ok((await api(thief.page, 'GET', '/v1/account/me')).status >= 400 && (await api(page, 'GET', '/v1/account/me')).status === 200, 'the other one has no session, and this one has')
}

// --- payments: what a store asks its customer --------------------------------------------------------------------

const bill = { kind: 'payment', amount: '648.00', currency: 'CNY', payee: 'Game Store', payee_origin: 'https://games.example', agreement: 'Family wallet 20181', store: 'App Store' }
async function storeAsks(account, more = {}) {
    const r = await fetch(base + '/v1/challenges', { method: 'POST', headers: { authorization: `Bearer ${process.env.KEER_KEY_STORE}`, 'content-type': 'application/json' }, body: JSON.stringify({ account, ...bill, ...more }) })
    return r.json()
}
const storeSees = async (id) => (await fetch(`${base}/v1/challenges/${id}`, { headers: { authorization: `Bearer ${process.env.KEER_KEY_STORE}` } })).json()
// The claims of the daemon's answer, when its signature is right by the keys that the daemon publishes (RFC 7515, by Node's own crypto).
async function claims(jwt) {
    if (!jwt) return {}
    const { jwks_uri: keys } = await (await fetch(base + '/.well-known/openid-configuration')).json()
    const [head, body, signature] = jwt.split('.'), { kid, alg } = JSON.parse(Buffer.from(head, 'base64url'))
    const jwk = (await (await fetch(keys)).json()).keys.find((k) => k.kid === kid)
    const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }
    if (!verify(alg === 'EdDSA' ? null : 'sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) return {}
    return JSON.parse(Buffer.from(body, 'base64url'))
}

async function payByWebauthn(anna) {
    const { page } = anna
    anna.account ??= (await api(page, 'GET', '/v1/account/me')).account
    const asked = await storeAsks(anna.account)
    await page.goto(`${base}/challenge/${asked.id}`)
    ok(await shown(page, '.amount') && (await page.textContent('.amount')).includes('648.00') && /Game Store/.test(await page.textContent('.payee')) && /Family wallet 20181/.test(await page.textContent('.bill')), 'a payment shows amount, payee and agreement', await page.textContent('main'))
    await judged(page, 'a payment')
    const label = await page.textContent('#step .panel .primary')
    ok(/648\.00/.test(label), 'the button says the amount', label)
    await page.evaluate(() => { window.PaymentRequest = undefined }) // a browser without Secure Payment Confirmation
    await page.click('#step .panel .primary')
    ok(await until(async () => (await page.textContent('h1')) === 'Confirmed'), 'confirm a payment by WebAuthn', await page.textContent('main'))
    const state = await storeSees(asked.id), said = await claims(state.answer), what = JSON.parse(said.shown ?? '{}')
    ok(state.state === 'done' && said.acr === 'urn:keersluis:acr:pay' && what.amount === '648.00' && what.payee === 'Game Store' && said.amr.includes('pop'), 'the store gets a signed answer with what was shown', JSON.stringify(said))
}

async function payBySpc(anna) {
    const { page } = anna
    await page.goto(base + '/security')
    await page.click('#add-passkey')
    ok(await shown(page, '#pays') && await page.isChecked('#pays'), 'a passkey can be for payments that the browser shows')
    await page.fill('#passkey-name', 'Laptop <i>pays</i>')
    await anna.key.remove()
    anna.key = await authenticator(anna)
    await page.click('#dialog [type=submit]')
    const asked = await stepInOther(anna)
    ok(await until(async () => /Laptop <i>pays/.test(await page.textContent('#ways .rows'))), 'and is added', asked)
    await anna.cdp.send('Page.setSPCTransactionMode', { mode: 'autoAccept' })
    const bill = await storeAsks(anna.account, { amount: '30.00', currency: 'EUR' })
    await page.goto(`${base}/challenge/${bill.id}`)
    await shown(page, '#step .panel .primary')
    let body = null
    page.on('request', (r) => { if (/challenges\/[^/]+\/passkey$/.test(r.url())) body = r.postDataJSON() })
    await page.click('#step .panel .primary')
    ok(await until(async () => (await page.textContent('h1')) === 'Confirmed'), 'confirm a payment by Secure Payment Confirmation', await page.textContent('main'))
    const client = body ? JSON.parse(Buffer.from(body.credential.response.clientDataJSON, 'base64url')) : {}
    ok(client.type === 'payment.get' && client.payment.total.value === '30.00' && client.payment.total.currency === 'EUR' && client.payment.payeeName === 'Game Store', 'the browser signed what it showed', JSON.stringify(client))
    ok((await storeSees(bill.id)).state === 'done', 'and the store knows')
    // A sign-in's assertion for a payment, and a payment's twice.
    const next = await storeAsks(anna.account, { amount: '31.00', currency: 'EUR' })
    await page.goto(`${base}/challenge/${next.id}`)
    await shown(page, '#step .panel .primary')
    const replay = await api(page, 'POST', `/v1/account/challenges/${next.id}/passkey`, body)
    ok(replay.status >= 400 && (await storeSees(next.id)).state === 'open', 'its signature is none for another amount', JSON.stringify(replay))
    await anna.cdp.send('Page.setSPCTransactionMode', { mode: 'autoReject' })
    await page.click('#step .panel .primary')
    ok(/No passkey was used/.test(await error(page, '#step-error')) && (await storeSees(next.id)).state === 'open', 'whoever cancels there pays nothing', await page.textContent('main'))
    await page.click('#step > .plain')
    ok(await until(async () => /Not confirmed/.test(await page.textContent('h1'))) && /Nothing was paid/.test(await page.textContent('main')) && (await storeSees(next.id)).state === 'refused', 'and can refuse it', await page.textContent('main'))
}

// The step for adding a second passkey, when this browser's authenticator was exchanged: by a recovery code.
async function stepInOther(anna) {
    const asked = await until(() => anna.page.evaluate(() => document.querySelector('#dialog .panel') ? 'step' : !document.getElementById('dialog').open && !document.querySelector('.waiting') ? 'no' : ''))
    if (asked !== 'step') return asked
    await way(anna.page, 'Recovery codes')
    await anna.page.fill('#step-code', anna.codes[1])
    await anna.page.click('#dialog .panel [type=submit]')
    return asked
}

// A client of the OpenID provider sends somebody here, who comes back to it with a code; and who signs out is asked.
async function openid(anna) {
    const { page } = anna, back = 'http://localhost:1/cb', asAdmin = { authorization: `Bearer ${process.env.KEER_KEY_ADMIN}`, 'content-type': 'application/json' }
    const client = await (await fetch(base + '/v1/oidc/clients', { method: 'POST', headers: asAdmin, body: JSON.stringify({ client_name: 'Shop', redirect_uris: [back], token_endpoint_auth_method: 'none' }) })).json()
    await signOut(page)
    let came = null
    await page.route(back + '**', (route) => { came = new URL(route.request().url()); return route.fulfill({ body: 'back' }) })
    await anna.key.send('setAutomaticPresenceSimulation', { enabled: false }) // nothing is offered while the page is looked at
    await page.goto(`${base}/oidc/authorize?${new URLSearchParams({ client_id: client.client_id, redirect_uri: back, response_type: 'code', scope: 'openid', state: 's1', nonce: 'n1', login_hint: 'anna@example.org', code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' })}`)
    ok(await at(page, '/sign-in') && await page.inputValue('#name') === 'anna@example.org', 'a client sends somebody to sign in, and says whom', page.url())
    await anna.key.send('setAutomaticPresenceSimulation', { enabled: true })
    await pressPasskey(page)
    ok(await until(() => came?.searchParams.get('code') && came.searchParams.get('state') === 's1'), 'who comes back to it with a code', came ?? page.url())
    await page.waitForURL(back + '**').catch(() => {})
    anna.complaints = anna.complaints.filter((c) => !c.includes(back)) // the client is another site
    await page.goto(base + '/oidc/logout')
    ok(/Sign out\?/.test(await page.textContent('h1')) && await page.evaluate(() => getComputedStyle(document.querySelector('.card')).borderRadius !== '0px'), 'signing out is asked first, on a page like the others')
    await page.click('button.primary')
    await until(async () => !/Sign out\?/.test(await page.textContent('h1').catch(() => 'Sign out?')))
    await page.goto(base + '/signed-out')
    ok((await api(page, 'GET', '/v1/account/me')).status === 401, 'and done')
}

// --- the bad day: a message says what somebody did, and there is a way back ----------------------------------------

async function notMe() {
    const who = await somebody(), before = mail.all().length
    who.key = await authenticator(who)
    await signUp(who, 'bob@example.org')
    await who.page.click('#passkey')
    await at(who.page, '/security')
    const told = await until(() => mail.all().slice(before).find((m) => m.kind === 'authenticator_added'))
    const link = /http:\S+\/not-me#\S+/.exec(told?.text)?.[0]
    ok(!!link, 'a message tells of the new passkey, with a way to say that it was somebody else', told?.text)
    const other = await somebody()
    await other.page.goto(link)
    ok(!other.page.url().includes('#') && (await api(who.page, 'GET', '/v1/account/me')).status === 200, 'opening it does nothing, and takes the token out of the address', other.page.url())
    await other.page.click('#form [type=submit]')
    ok(await until(async () => /safe/.test(await other.page.textContent('h1'))), 'one press makes the account safe', await other.page.textContent('main'))
    ok((await who.context.request.get(base + '/v1/account/me')).status() === 401, 'whoever was signed in is out') // the page itself may be on its way to the sign-in
    await byPassword(other.page, 'bob@example.org')
    ok(/locked|stopped/.test(await error(other.page)), 'and nobody signs in by the password', await other.page.textContent('#error'))
    await other.page.goto(link)
    await other.page.click('#form [type=submit]')
    ok(await until(async () => /no longer/.test(await other.page.textContent('h1'))) && await other.page.locator('.danger').count() === 0 && await other.page.locator('a[href="/recover"]').count() === 1, 'the same token again does nothing, is said to be none, and there is a way on', await other.page.textContent('main'))
    await judged(other.page, 'a link that is over')
    await other.page.goto(base + '/sign-in')
    await other.page.goto(base + '/not-me')
    ok(/no longer/.test(await other.page.textContent('h1')), 'so is an address without its token')
    await other.page.goto(link)
    ok(await shown(other.page, '#form [type=submit]'), 'another link in the same tab is read')
}

// The same from the security centre: of something that happened, of a change that waits, of a question that another browser asks.
async function notMeHere() {
    const lock = async (who, what) => {
        await shown(who.page, '#dialog ul.checks')
        await who.page.click('#dialog .plain')
        ok((await api(who.page, 'GET', '/v1/account/me')).status === 200 && await until(() => who.page.evaluate(() => !document.getElementById('dialog').open)), `${what}: it says first what it does, and 'it was me' does nothing`)
        await who.press()
        await shown(who.page, '#dialog ul.checks')
        // What the page asks every few seconds must not lead away while the answer is on its way.
        await who.page.route(/\/not-me$|\/prompts\/.+/, async (r) => { const answer = await r.fetch(); await sleep(5000); await r.fulfill({ response: answer }) })
        await who.page.click('#dialog .danger')
        ok(await until(async () => /safe/.test(await who.page.textContent('h1'))) && await who.page.locator('a[href="/recover"]').count() === 1, `${what}: one more press makes the account safe, and leads to the way back`, await who.page.textContent('main'))
        await judged(who.page, what)
        ok((await api(who.page, 'GET', '/v1/account/me')).status === 401, 'everybody is signed out')
        const after = await somebody()
        await byPassword(after.page, who.email)
        ok(/locked|stopped/.test(await error(after.page)), 'and nobody signs in by the password')
    }
    const newcomer = async (email) => {
        const who = { ...await somebody(), email }
        who.key = await authenticator(who)
        await signUp(who, email)
        await who.page.click('#passkey')
        await at(who.page, '/security')
        return who
    }
    const carol = await newcomer('carol@example.org')
    carol.press = () => carol.page.click('#activity .row:has-text("added") button')
    await shown(carol.page, '#activity .row button')
    await carol.press()
    await lock(carol, 'a row of recent activity')

    const dora = { ...await somebody(), email: 'dora@example.org' }
    await signUp(dora, dora.email)
    await signOut(dora.page)
    await byPassword(dora.page, dora.email)
    await at(dora.page, '/security')
    await dora.page.click('#devices .row:has(.badge.good) button:has-text("Trust")')
    ok(await shown(dora.page, '#changes .row'), 'a change that waits is shown', await dora.page.textContent('main'))
    dora.press = () => dora.page.click('#changes .row button:has-text("Not me")')
    await dora.press()
    await lock(dora, 'a change that waits')

    const erin = await newcomer('erin@example.org')
    await shown(erin.page, '#devices .row')
    await erin.page.click('#devices .row:has(.badge.good) button:has-text("Trust")')
    await stepIn(erin.page)
    await until(() => erin.page.locator('#devices .badge:has-text("Trusted")').count())
    const thief = await stranger(erin.email)
    await way(thief.page, 'Trusted device')
    await thief.page.click('#step .panel .primary')
    await shown(thief.page, '.number')
    await erin.page.reload()
    erin.press = () => erin.page.click('.prompt .danger')
    await shown(erin.page, '.prompt .danger')
    await erin.press()
    await lock(erin, "'it was not me' on a trusted device")
    ok(await until(async () => /Not confirmed|Nothing to confirm|too long/.test(await thief.page.textContent('h1'))), 'ends the other sign-in', await thief.page.textContent('h1'))
    ok((await api(thief.page, 'GET', '/v1/account/me')).status >= 400, 'and it has no session')
}

async function recovery() {
    const { page } = await somebody(), before = mail.all().length
    await page.goto(base + '/recover')
    await page.fill('#name', 'bob@example.org')
    await page.click('#start [type=submit]')
    ok(await shown(page, '#code') && /If there is such an account/.test(await page.textContent('#lead')), 'a recovery tells nobody whether there is an account')
    await page.fill('#code', '00000000')
    await page.click('#code-form [type=submit]')
    ok(/not right/.test(await error(page)), 'a wrong code is refused')
    await page.fill('#code', await mail.code('recovery_code', before) ?? '')
    await page.click('#code-form [type=submit]')
    ok(await shown(page, '#only-one'), 'one way is shown; another is asked for', await page.textContent('main'))
    await page.click('#only-one')
    await page.fill('#password', 'password12345678')
    await page.click('#password-form [type=submit]')
    const flaw = await error(page)
    ok(/guessed|first|theft/.test(flaw), 'the verdict on a bad password is told in words', flaw)
    await page.fill('#password', 'seven quiet otters paint bridges')
    await page.click('#password-form [type=submit]')
    ok(await shown(page, '.until') && /Recovery has begun/.test(await page.textContent('h1')), 'with one way it waits, and says until when', await page.textContent('main'))
    await page.click('#cancel')
    ok(await until(async () => /stopped/.test(await page.textContent('#lead'))), 'and can be stopped', await page.textContent('main'))
}

// --- what must not work -------------------------------------------------------------------------------------------

async function badPasskeys(anna) {
    const { page } = anna
    await signOut(page)
    const attempt = async (name, override, told) => {
        await page.goto(base + '/signed-out')
        await override() // before the page makes its offer
        await page.goto(base + '/sign-in')
        await pressPasskey(page)
        ok(told.test(await error(page)), `${name} is refused`, await page.textContent('#error'))
        ok((await api(page, 'GET', '/v1/account/me')).status === 401, `${name}: no session`)
    }
    const bits = (b) => () => anna.key.send('setResponseOverrideBits', b)
    await attempt('a user whom the device could not verify', () => anna.key.send('setUserVerified', { isUserVerified: false }), /No passkey was used/)
    await anna.key.send('setUserVerified', { isUserVerified: true })
    await attempt('an answer that leaves the verification out', bits({ isBadUV: true, isBogusSignature: false, isBadUP: false }), /./)
    await attempt('an answer that leaves the presence out', bits({ isBadUV: false, isBogusSignature: false, isBadUP: true }), /./)
    await attempt('a bogus signature', bits({ isBadUV: false, isBogusSignature: true, isBadUP: false }), /./)
    await bits({ isBadUV: false, isBogusSignature: false, isBadUP: false })()
    await page.goto(base + '/sign-in')
    await pressPasskey(page)
    ok(await at(page, '/security'), 'the control: the same passkey, left alone, is taken')
}

// An adversary in the middle under another name, who relays everything: he gets the password, and no session.
async function adversary(anna) {
    const own = await anna.key.credentials()
    for (const [name, rewrite] of [
        ['relays the question as it is', (path, text) => text],
        ['asks for a passkey of his own name', (path, text) => /passkey\/options/.test(path) ? text.replace('"rpId":"localhost"', '"rpId":"evil.localhost"') : text]]) {
        const proxy = await startProxy(base, rewrite), evil = `http://evil.localhost:${proxy.port}`
        const victim = await person(browser, evil), key = await authenticator(victim)
        // The worst case: an authenticator that holds the real key for the false name as well.
        for (const c of own) await key.send('addCredential', { credential: { ...c, rpId: 'evil.localhost' } })
        await victim.page.goto(`${evil}/sign-in`)
        await victim.page.fill('#name', 'anna@example.org')
        await victim.page.fill('#password', password)
        await victim.page.click('#sign-in [type=submit]')
        ok(await at(victim.page, '/challenge/*') && proxy.seen.passwords.includes(password), `an adversary who ${name}: the password is relayed, and he has it`)
        await shown(victim.page, '#step .panel .primary')
        await victim.page.click('#step .panel .primary')
        const told = await error(victim.page, '#step-error')
        ok(told !== '', 'the passkey is not', told)
        const before = await proxy.loot('/v1/account/me')
        ok(before.status >= 400 && before.code === 'STEP_NEEDED', 'with all cookies that passed he gets no session', JSON.stringify(before))
        if (rewrite('/passkey/options', '"rpId":"localhost"') !== '"rpId":"localhost"') ok(proxy.seen.answers.some((a) => /\/passkey$/.test(a.path) && a.status >= 400), 'a signature for his name reached the daemon, which refused it', proxy.seen.answers.map((a) => `${a.path} ${a.status}`).join(' '))
        else ok(/address/.test(told), 'the page says to look at the address', told)
        await victim.page.goto(`${evil}/sign-in`)
        await pressPasskey(victim.page)
        ok(await error(victim.page) !== '' && (await proxy.loot('/v1/account/me')).status >= 400, 'nor by a passkey alone')
        await victim.context.close()
        proxy.stop()
    }
}

// Payloads in every field that is shown again, and in addresses.
async function injections(anna) {
    const { page } = anna, evil = '"><img src=x onerror=alert(1)><script>alert(1)</'+'script>{{7*7}}'
    await page.goto(base + '/security')
    await page.click('#devices .row:has(.badge.good) button:has-text("Rename")')
    await page.fill('#new-name', evil.slice(0, 64))
    await page.click('#dialog [type=submit]')
    ok(await until(async () => (await page.textContent('#devices .rows')).includes('onerror')) && await page.evaluate(() => !document.querySelector('img[src=x], main script')), 'markup in a name is text')
    const asked = await storeAsks(anna.account, { payee: evil, agreement: evil, reference: undefined, store: evil })
    await page.goto(`${base}/challenge/${asked.id}`)
    ok(await shown(page, '.amount') && await page.evaluate(() => !document.querySelector('main img, main script') && document.querySelector('.payee').textContent.includes('<script>')), 'and in a payment', JSON.stringify(asked).slice(0, 200))
    for (const to of ['https://evil.example/', '//evil.example/', '/\\evil.example', 'javascript:alert(1)', '/..//evil.example', ' //evil.example', 'data:text/html,x']) {
        await page.goto(`${base}/sign-in?continue=${encodeURIComponent(to)}`)
        await pressPasskey(page)
        await page.waitForURL((u) => u.pathname !== '/sign-in', { timeout: 3000 }).catch(() => {})
        ok(new URL(page.url()).origin === base, `?continue=${to} stays here`, page.url())
    }
}

// --- in this order: each builds on the ones before -----------------------------------------------------------------

const t0 = Date.now(), only = process.env.ONLY && new RegExp(process.env.ONLY)
const run = async (name, work) => {
    if (only && !only.test(name)) return
    const before = people.length
    try {
        await work()
    } catch (e) {
        ok(false, `${name} goes through`, e.stack)
    }
    for (const p of people.slice(before)) await p.context.close() // a page that stays open draws on
    console.log(`# ${name}: ${((Date.now() - t0) / 1000).toFixed(1)} s`)
}
await run('headers', headers)
await run('accessible', accessible)
const anna = await somebody()
await run('sign-up', () => signUpAndPasskey(anna))
await run('passkey', () => passkeySignIn(anna))
await run('keyboard', () => keyboard('anna@example.org'))
await run('totp', () => addTotp(anna))
await run('codes', () => makeCodes(anna))
await run('sign in by totp', () => signInByTotp(anna))
await run('sign in by code', () => signInByCode(anna))
await run('approval', () => approval(anna))
await run('pay by webauthn', () => payByWebauthn(anna))
await run('pay by spc', () => payBySpc(anna))
await run('bad passkeys', () => badPasskeys(anna))
await run('injections', () => injections(anna))
await run('adversary', () => adversary(anna))
await run('openid', () => openid(anna))
await run('not me', notMe)
await run('not me here', notMeHere)
await run('recovery', recovery)
for (const [i, p] of people.entries()) ok(!p.complaints.length, `browser ${i + 1} complains of nothing`, p.complaints.join(' | '))
await browser.close()
process.exit(failures() ? 1 : 0)
