// answers_passkey.mjs - a person's account with a passkey, for answers.mjs: what the paths of passkeys answer, refusals as well.
import { readFileSync } from 'node:fs'
import { Authenticator } from '../webauthn/authenticator.mjs'

// Signs up in a browser of its own; the code comes from the file of notices. Gives { account, jar }.
export async function signUp(ask, email) {
    const notices = () => readFileSync(process.env.KEER_NOTICES, 'utf8'), before = notices().length, jar = {}
    const { flow } = await ask('a sign-up', 200, 'POST', '/v1/account/sign-up', { body: { email, name: 'Anna' }, jar })
    for (let i = 0; i < 200 && notices().length === before; i++) await new Promise((done) => setTimeout(done, 25))
    const code = notices().slice(before).match(/\d{4}[ -]?\d{4}/)[0]
    const { account } = await ask('its code', 200, 'POST', '/v1/account/sign-up/confirm', { body: { flow, code }, jar })
    return { account, jar }
}

export async function passkeys(ask) {
    const { account, jar } = await signUp(ask, 'passkeys@example.org')
    const mine = new Authenticator(process.env.KEER_ORIGIN)
    const post = (name, status, path, body = {}, more = { jar }) => ask(name, status, 'POST', path, { body, ...more })
    const add = '/v1/account/authenticators/passkey', signIn = '/v1/account/sign-in/passkey'
    await post('options of a passkey, without a session', 401, `${add}/options`, {}, { role: null })
    await post('options of a passkey for no known use', 400, `${add}/options`, { use: 'x' })
    await post('options of a passkey for payments', 200, `${add}/options`, { use: 'payment' })
    let q = await post('options of a passkey', 200, `${add}/options`)
    await post('a passkey that is none', 400, add, { flow: q.flow, credential: {} })
    const credential = mine.create(q.publicKey)
    await post('a passkey', 200, add, { flow: q.flow, credential, name: 'Phone' })
    await post('a passkey twice', 422, add, { flow: q.flow, credential, name: 'Phone' })
    q = await post('options of another passkey', 200, `${add}/options`)
    await post('another passkey wants a step', 200, add, { flow: q.flow, credential: new Authenticator(process.env.KEER_ORIGIN).create(q.publicKey) })
    await post('a step that is none', 403, add, { flow: q.flow, credential }, { jar, more: { 'keer-challenge': 'x' } })
    q = await post('options of a sign-in', 200, `${signIn}/options`)
    await post('a sign-in', 200, signIn, { flow: q.flow, credential: mine.get(q.publicKey) })
    await post('a sign-in twice', 403, signIn, { flow: q.flow, credential: mine.get(q.publicKey) })
    const pay = { account, kind: 'payment', amount: '6.48', currency: 'EUR', payee: 'Example store' }
    const { id } = await ask('a payment to be confirmed', 200, 'POST', '/v1/challenges', { body: pay })
    const at = `/v1/account/challenges/${id}`
    q = await post('options of a payment', 200, `${at}/passkey/options`)
    await post('another amount', 403, `${at}/passkey`, { credential: mine.pay(q.payment, { total: { currency: 'EUR', value: '648.00' } }) })
    await post('a confirmed payment', 200, `${at}/passkey`, { credential: mine.pay(q.payment) })
    await post('a payment that was confirmed', 409, `${at}/passkey/options`)
}
