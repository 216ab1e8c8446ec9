// pages.mjs - the hosted pages in Chromium before the real daemon: what people do, and what must not work.
//
//     node pages.mjs URL MESSAGES CHROMIUM     URL http://localhost:PORT; KEER_KEY_STORE: a key of the role store
//
// Prints 'ok - ...' lines. The AITM proxy is proxy.mjs; what is shared, lib.mjs.
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { api, authenticator, failures, launch, messages, ok, person, sleep, until } from './lib.mjs'
import { startProxy } from './proxy.mjs'

const [base, file, chromium] = process.argv.slice(2)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const mail = messages(file), password = 'lantern orbit muffin 27 gravel'
const browser = await launch(chromium)
const people = []
const somebody = async (options) => { const p = await person(browser, base, options); people.push(p); return p }
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
    const result = await page.evaluate(async (source) => { // by the tests' hand: the page's policy lets no foreign script in
        if (!window.axe) (0, globalThis['ev' + 'al'])(source)
        return (await window.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })).violations
    }, axe).catch((e) => [{ id: 'axe', help: e.message, nodes: [] }])
    ok(!result.length, `${name}: axe finds nothing`, result.map((v) => `${v.id} ${v.nodes.map((n) => n.html.slice(0, 90)).join(' ; ')}`).join(' | '))
}

async function accessible() {
    for (const [scheme, lang] of [['light', 'en'], ['dark', 'zh']]) {
        const p = await browser.newContext({ colorScheme: scheme, bypassCSP: true, viewport: { width: 320, height: 700 } }), page = await p.newPage()
        for (const path of ['sign-in', 'sign-up', 'recover', 'not-me', 'signed-out', 'challenge/nothing']) {
            await page.goto(`${base}/${path}?lang=${lang}`)
            await page.waitForLoadState('networkidle')
            await judged(page, `${path} (${scheme}, ${lang})`)
            ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} (${lang}) fits 320 px`)
        }
        await p.close()
    }
}

// Nothing but the keyboard: Tab leads through name, password, the eye, the button.
async function keyboard(email) {
    const { page } = await somebody()
    await page.goto(base + '/sign-in')
    await page.waitForLoadState('networkidle')
    await page.evaluate(() => document.activeElement.blur())
    const order = []
    for (let i = 0; i < 14; i++) {
        await page.keyboard.press('Tab')
        const here = await page.evaluate(() => { const e = document.activeElement, s = getComputedStyle(e); return { name: e.id || e.className || e.textContent, seen: s.outlineStyle !== 'none' || s.boxShadow !== 'none' } })
        order.push(here.name)
        if (!here.seen) ok(false, `the focus is seen on ${here.name}`)
        if (here.name === 'name') await page.keyboard.type(email)
        if (here.name === 'password') await page.keyboard.type('not my password at all')
    }
    const wanted = ['skip', 'brand', 'name', 'password', 'reveal', 'primary', 'passkey', 'to-recover', 'to-sign-up']
    ok(wanted.every((w, i) => order[i] === w), 'Tab goes through the page in its order, and the focus is seen', order.join(' '))
    await page.focus('#password')
    await page.keyboard.press('Enter')
    ok(/not right/.test(await error(page)), 'Enter signs in; what is wrong is told', await page.textContent('#error'))
    ok(await page.evaluate(() => document.getElementById('error').getAttribute('role') === 'alert' && document.activeElement.id === 'password'), 'read out at once, and the focus is where to correct it')
    await page.keyboard.type(password)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    ok(await page.getAttribute('#password', 'type') === 'text' && await page.inputValue('#password') === password, 'the password is shown when asked for')
    await page.keyboard.press('Enter')
    ok(await at(page, '/security') || await at(page, '/challenge/*') || await shown(page, '#code'), 'signed in by keyboard alone', page.url())
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
    await page.goto(base + '/sign-in?return=%2Fsecurity%23devices')
    await page.click('#passkey').catch(() => {}) // the browser's own offer may have been quicker
    ok(await at(page, '/security') && new URL(page.url()).hash === '#devices', 'sign in with the passkey, and go on where it was wanted', page.url())
    const me = await api(page, 'GET', '/v1/account/me')
    ok(me.acr === 'urn:keersluis:acr:2', 'a passkey that verified its user is two factors', me.acr)
}

export const tests = { headers, accessible, keyboard, signUpAndPasskey, passkeySignIn }

await headers()
await accessible()
const anna = await somebody()
await signUpAndPasskey(anna)
await passkeySignIn(anna)
await keyboard('anna@example.org')
for (const [i, p] of people.entries()) ok(!p.complaints.length, `browser ${i + 1} complains of nothing`, p.complaints.join(' | '))
await browser.close()
process.exit(failures() ? 1 : 0)
