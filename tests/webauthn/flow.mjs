// flow.mjs URL NOTICES STATE [again] - passkeys over HTTP, with a browser and an authenticator in software: signs up, registers, signs in, confirms
// payments, and tries what must be refused. `again`: what was accepted before a crash and a restart is sent once more.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { Authenticator, b64 } from './authenticator.mjs'

const [url, notices, stateFile, again] = process.argv.slice(2)
const origin = `http://localhost:${new URL(url).port}`
let failed = 0
const ok = (good, name, why = '') => { console.log(`${good ? 'ok' : 'not ok'} - ${name}${good ? '' : ': ' + JSON.stringify(why)}`); failed += !good }

class Browser {
  cookies = {}
  constructor(headers = {}) { this.headers = headers }
  async ask(method, path, body, headers = {}) {
    const cookie = Object.entries(this.cookies).map(([k, v]) => `${k}=${v}`).join('; ')
    const answer = await fetch(url + path, { method, body: body && JSON.stringify(body),
      headers: { ...(body ? { 'Content-Type': 'application/json' } : {}), ...(cookie ? { Cookie: cookie } : {}), ...this.headers, ...headers } })
    for (const c of answer.headers.getSetCookie()) { const [, name, value] = c.match(/^([^=]+)=([^;]*)/); this.cookies[name] = value }
    return { status: answer.status, json: await answer.json() }
  }
  clone(other) { this.cookies = { ...other.cookies }; return this }
  post(path, body = {}, headers) { return this.ask('POST', path, body, headers) }
}

const lastCode = () => readFileSync(notices, 'utf8').match(/\d{4}[ -]?\d{4}/g).at(-1)
const key = process.env.KEER_KEY_STORE

async function replay() {
  const state = JSON.parse(readFileSync(stateFile, 'utf8'))
  const browser = new Browser()
  browser.cookies = state.cookies
  for (const { path, body, name } of state.used) {
    const r = await browser.post(path, body)
    ok([403, 404, 409, 422].includes(r.status), `after a crash and a restart: ${name} is refused`, r)
  }
}

async function first() {
  const used = [], home = new Browser(), mine = new Authenticator(origin)
  let r = await home.post('/v1/account/sign-up', { email: 'anna@example.org', name: 'Anna' })
  for (let i = 0; i < 100 && !readFileSync(notices, 'utf8').length; i++) await new Promise(done => setTimeout(done, 50))
  r = await home.post('/v1/account/sign-up/confirm', { flow: r.json.flow, code: lastCode() })
  ok(r.json.next === 'done', 'an account without a password', r)
  const account = r.json.account

  // registration
  const add = '/v1/account/authenticators/passkey'
  r = await new Browser().post(`${add}/options`)
  ok(r.status === 401 && r.json.code === 'NO_SESSION', 'nobody registers without a session', r)
  r = await home.post(`${add}/options`)
  const o = r.json.publicKey
  ok(r.status === 200 && o.rp.id === 'localhost' && o.user.name === 'anna@example.org' && o.attestation === 'none' &&
    o.authenticatorSelection.userVerification === 'required', 'options of a registration', r)
  r = await home.post(add, { flow: r.json.flow, credential: mine.create(o, { flags: 0x59 }), name: 'Phone' })
  ok(r.status === 422 && r.json.code === 'PASSKEY_REFUSED' && r.json.detail.startsWith('USER_VERIFIED'), 'a passkey without user verification is refused', r)
  r = await home.post(`${add}/options`)
  const relayed = mine.create(r.json.publicKey, { client: { origin: 'http://localhost.evil.example' } })
  r = await home.post(add, { flow: r.json.flow, credential: relayed })
  ok(r.status === 422 && r.json.detail.startsWith('ORIGIN'), 'a passkey of another origin is refused', r)
  r = await home.post(`${add}/options`)
  let body = { flow: r.json.flow, credential: mine.create(r.json.publicKey), name: 'Phone' }
  r = await home.post(add, body)
  ok(r.status === 200 && r.json.id, 'a passkey is registered', r)
  used.push({ path: add, body, name: 'a registration' })
  r = await home.post(add, body)
  ok(r.status === 422 && r.json.detail.startsWith('CHALLENGE'), 'the same answer twice is refused', r)
  r = await home.post(`${add}/options`)
  ok(r.json.publicKey.excludeCredentials[0].id === b64(mine.id), 'what is there is excluded', r)
  r = await home.post(add, { flow: r.json.flow, credential: mine.create(r.json.publicKey) })
  ok(r.status === 409 && r.json.code === 'TAKEN', 'a credential id is registered once', r)

  // signing in
  const other = new Browser(), signIn = '/v1/account/sign-in/passkey'
  r = await other.post(`${signIn}/options`)
  ok(r.status === 200 && r.json.publicKey.allowCredentials.length === 0, 'options of a sign-in name nobody', r)
  body = { flow: r.json.flow, credential: mine.get(r.json.publicKey) }
  r = await new Browser().post(signIn, body)
  ok(r.status === 403 && r.json.code === 'WRONG_CREDENTIALS', "another browser can't use the answer", r)
  r = await other.post(signIn, body)
  ok(r.status === 200 && r.json.next === 'done' && r.json.account === account && r.json.rights === 'full', 'a passkey signs in, without a name', r)
  used.push({ path: signIn, body, name: 'a sign-in' })
  r = await other.post(signIn, body)
  ok(r.status === 403, 'the same sign-in twice is refused', r)
  r = await other.ask('GET', '/v1/account/me')
  ok(r.json.acr === 'urn:keersluis:acr:2' && r.json.amr.includes('swk') && r.json.authenticators.length === 1, 'two factors in one', r)
  const many = (await other.post(`${signIn}/options`)).json
  body = { flow: many.flow, credential: mine.get(many.publicKey) }
  const tabs = Array.from({ length: 60 }, () => new Browser().clone(other))
  const answers = await Promise.all(tabs.map(tab => tab.post(signIn, body)))
  other.clone(tabs[answers.findIndex(a => a.status === 200)])
  ok(answers.filter(a => a.status === 200).length === 1 && answers.filter(a => a.status === 403).length === 59, 'of 60 at once one is taken', answers.map(a => a.status))
  const stranger = new Authenticator(origin)
  stranger.user = mine.user
  for (const [name, twist, who] of [['bogus signature', { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }],
    ['unknown passkey', {}, stranger], ['no user verification', { flags: 0x19 }], ['nobody present', { flags: 0x1c }], ['wrong origin', { client: { origin: `${origin}0` } }],
    ['frame', { client: { crossOrigin: true } }], ['registration', { type: 'webauthn.create' }], ['payment', { type: 'payment.get' }]]) {
    const q = (await other.post(`${signIn}/options`)).json
    r = await other.post(signIn, { flow: q.flow, credential: (who ?? mine).get(q.publicKey, twist) })
    ok(r.status === 403 && r.json.code === 'WRONG_CREDENTIALS', `sign-in refused: ${name}`, r)
  }
  r = await new Browser({ Origin: 'https://evil.example' }).post(`${signIn}/options`)
  ok(r.status === 403 && r.json.code === 'FOREIGN_ORIGIN', 'another site may not ask', r)
  r = await other.post(signIn, { flow: 'x', credential: {} })
  ok(r.status === 400, 'a flow that is none', r)
  const q = (await other.post(`${signIn}/options`)).json
  for (const bad of [{}, null, 7, { rawId: 'AQ', type: 'public-key', response: {} }, { ...mine.get(q.publicKey), rawId: '=' }]) {
    r = await other.post(signIn, { flow: q.flow, credential: bad })
    ok(r.status === 400 && r.json.code === 'BAD_BODY', `a credential that is none: ${JSON.stringify(bad)?.slice(0, 20)}`, r)
  }

  // payments
  const shop = new Browser({ Authorization: `Bearer ${key}` })
  const pay = { account, kind: 'payment', amount: '6.48', currency: 'EUR', payee: 'Example store', payee_origin: 'https://shop.example', agreement: 'Wallet 1234' }
  r = await shop.post('/v1/challenges', pay)
  ok(r.status === 200 && r.json.state === 'open', 'a store asks for a payment', r)
  let id = r.json.id, at = `/v1/account/challenges/${id}`
  r = await other.ask('GET', at)
  ok(r.json.shown.amount === '6.48' && r.json.methods.includes('passkey'), 'it is shown', r)
  r = await other.post(`${at}/passkey/options`)
  const question = r.json
  ok(question.payment.total.value === '6.48' && question.payment.data.payeeName === 'Example store' &&
    question.publicKey.allowCredentials[0].id === b64(mine.id), 'options of a payment', r)
  r = await new Browser().post(`${at}/passkey/options`)
  ok(r.status === 409 || r.status === 404, 'another browser has no such challenge', r)
  for (const [name, twist] of [['amount', { total: { currency: 'EUR', value: '648.00' } }], ['payee', { payeeName: 'Game currency' }],
    ['currency', { total: { currency: 'CNY', value: '6.48' } }]]) {
    r = await other.post(`${at}/passkey`, { credential: mine.pay(question.payment, twist) })
    ok(r.status === 403 && r.json.code === 'WRONG_CODE', `a payment that was shown with another ${name} is refused`, r)
  }
  body = { credential: mine.pay(question.payment) }
  r = await other.post(`${at}/passkey`, body)
  ok(r.status === 200 && r.json.state === 'done', 'Secure Payment Confirmation is taken', r)
  used.push({ path: `${at}/passkey`, body, name: 'a payment' })
  r = await shop.ask('GET', `/v1/challenges/${id}`)
  ok(r.json.state === 'done', 'the store sees it', r)
  r = await shop.post('/v1/challenges', pay)
  id = r.json.id; at = `/v1/account/challenges/${id}`
  r = await other.post(`${at}/passkey/options`)
  ok((await other.post(`${at}/passkey`, body)).status === 403, 'the answer to one payment is none to the next', r)
  r = await other.post(`${at}/passkey`, { credential: mine.get(r.json.publicKey) })
  ok(r.status === 200 && r.json.state === 'done', 'WebAuthn over the same challenge is taken, where the browser has nothing else', r)

  // a second passkey wants a step with the first
  const second = new Authenticator(origin)
  r = await other.post(`${add}/options`)
  body = { flow: r.json.flow, credential: second.create(r.json.publicKey), name: 'Key' }
  r = await other.post(add, body)
  ok(r.json.next === 'step' && r.json.challenge, 'a second passkey wants a step', r)
  const challenge = r.json.challenge
  r = await other.post(add, body, { 'Keer-Challenge': challenge })
  ok(r.status === 403 || r.status === 409, 'not before it was done', r)
  r = await other.post(`/v1/account/challenges/${challenge}/passkey/options`)
  r = await other.post(`/v1/account/challenges/${challenge}/passkey`, { credential: mine.get(r.json.publicKey) })
  ok(r.json.state === 'done', 'the step is done with the first', r)
  r = await other.post(add, body, { 'Keer-Challenge': challenge })
  ok(r.status === 200 && r.json.id, 'then it is added', r)
  r = await other.ask('GET', '/v1/account/me')
  ok(r.json.authenticators.length === 2, 'and is there', r)
  writeFileSync(stateFile, JSON.stringify({ cookies: other.cookies, used }))
}

await (again ? replay() : first())
process.exit(failed ? 1 : 0)
