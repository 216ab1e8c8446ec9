// attested.mjs URL NOTICES FOLDER - passkeys whose maker vouches for them, at a daemon that wants it: the maker's certificate in FOLDER (maker.pem, key in
// maker.key), and another maker's (other.pem, other.key).
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Authenticator } from './authenticator.mjs'

const [url, notices, folder] = process.argv.slice(2)
const origin = `http://localhost:${new URL(url).port}`
let failed = 0, cookies = {}
const ok = (good, name, why = '') => { console.log(`${good ? 'ok' : 'not ok'} - ${name}${good ? '' : ': ' + JSON.stringify(why)}`); failed += !good }
const maker = name => ({ key: createPrivateKey(readFileSync(`${folder}/${name}.key`)), x5c: [new X509Certificate(readFileSync(`${folder}/${name}.pem`)).raw] })
async function post(path, body = {}) {
  const cookie = Object.entries(cookies).map(([k, v]) => `${k}=${v}`).join('; ')
  const answer = await fetch(url + path, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', Cookie: cookie } })
  for (const c of answer.headers.getSetCookie()) { const [, name, value] = c.match(/^([^=]+)=([^;]*)/); cookies[name] = value }
  return { status: answer.status, json: await answer.json() }
}

const add = '/v1/account/authenticators/passkey'
let r = await post('/v1/account/sign-up', { email: 'maker@example.org' })
for (let i = 0; i < 100 && !readFileSync(notices, 'utf8').length; i++) await new Promise(done => setTimeout(done, 50))
r = await post('/v1/account/sign-up/confirm', { flow: r.json.flow, code: readFileSync(notices, 'utf8').match(/\d{4}[ -]?\d{4}/g).at(-1) })
ok(r.json.next === 'done', 'an account', r)
for (const [name, attest, status] of [['nobody', undefined, 422], ['another maker', maker('other'), 422], ['the wrong key', { ...maker('maker'), key: maker('other').key }, 422], ['the maker', maker('maker'), 200]]) {
  r = await post(`${add}/options`)
  ok(r.json.publicKey.attestation === 'direct', 'the browser is asked for an attestation', r)
  r = await post(add, { flow: r.json.flow, credential: new Authenticator(origin).create(r.json.publicKey, { attest }) })
  ok(r.status === status && (status === 200 || r.json.code === 'PASSKEY_REFUSED'), `a passkey that ${name} vouches for: ${status}`, r)
}
process.exit(failed ? 1 : 0)
