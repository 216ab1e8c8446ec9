// answers_step.mjs - second steps, for answers.mjs: what their paths answer, refusals as well.
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'

const notices = () => readFileSync(process.env.KEER_NOTICES, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l))
// The latest notice of a kind to an address, when there are `count` of them.
async function notice(to, kind, count = 1) {
    for (let i = 0; i < 400; i++) {
        const all = notices().filter((n) => n.to === to && n.kind === kind)
        if (all.length >= count) return all.at(-1)
        await new Promise((done) => setTimeout(done, 25))
    }
    throw new Error(`no ${kind} to ${to}`)
}
const digits = (n) => n.subject.match(/\d{8}/)[0]

function totp(secret, steps = 0) {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', bits = [...secret].map((c) => letters.indexOf(c).toString(2).padStart(5, '0')).join('')
    const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2))), counter = Buffer.alloc(8)
    counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000) + steps))
    const mac = createHmac('sha1', key).update(counter).digest()
    return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, '0')
}

const password = 'orange bicycle under seven lamps'
export async function signUp(ask, email) {
    const jar = {}
    const { flow } = await ask('a sign-up', 200, 'POST', '/v1/account/sign-up', { body: { email, password }, jar })
    const code = digits(await notice(email, 'sign_up_code'))
    const { account } = await ask('its code', 200, 'POST', '/v1/account/sign-up/confirm', { body: { flow, code }, jar })
    return { account, jar, email }
}

export async function steps(ask) {
    const anna = await signUp(ask, 'steps@example.org'), { jar } = anna
    const post = (name, status, path, body = {}, more = { jar }) => ask(name, status, 'POST', `/v1/account/${path}`, { body, ...more })
    const get = (name, status, path, more = { jar }) => ask(name, status, 'GET', `/v1/account/${path}`, more)
    const signIn = async (name, where) => (await post(name, 200, 'sign-in', { name: anna.email, password }, { jar: where })).challenge

    // what is added: at once, since the account is new
    const me = await get('who it is', 200, 'me')
    await post('this device is trusted', 200, `devices/${me.devices[0].id}`, { trusted: true })
    await post('an app for nobody', 401, 'authenticators/totp', {}, { role: null })
    await post('an app wants a step now', 200, 'authenticators/recovery-codes') // a trusted device is an authenticator
    const bert = await signUp(ask, 'steps2@example.org')
    const app = await post('an app', 200, 'authenticators/totp', { name: 'my app' }, bert)
    await post('a wrong code of it', 403, 'authenticators/totp/confirm', { id: app.id, code: 'x' }, bert)
    await post('its code', 200, 'authenticators/totp/confirm', { id: app.id, code: totp(app.secret, -1) }, bert)
    await post('recovery codes want a step', 200, 'authenticators/recovery-codes', {}, bert)
    await post('a step that is none', 403, 'authenticators/recovery-codes', {}, { ...bert, more: { 'keer-challenge': 'x' } })

    // challenges
    let { challenge } = await post('codes, again', 200, 'authenticators/recovery-codes', {}, bert)
    await get('somebody else\'s challenge', 404, `challenges/${challenge}`)
    await get('a challenge', 200, `challenges/${challenge}`, bert)
    await post('a wrong answer', 403, `challenges/${challenge}/totp`, { code: '000000x' }, bert)
    await post('a right one', 200, `challenges/${challenge}/totp`, { code: totp(app.secret) }, bert)
    await post('once', 409, `challenges/${challenge}/totp`, { code: totp(app.secret, 1) }, bert)
    const { codes } = await post('codes, after the step', 200, 'authenticators/recovery-codes', {}, { ...bert, more: { 'keer-challenge': challenge } })
    ;({ challenge } = await ask('the removal of the app', 200, 'DELETE', `/v1/account/authenticators/${app.id}`, bert))
    await post('a recovery code', 200, `challenges/${challenge}/recovery-code`, { code: codes[0] }, bert)
    await ask('the app is removed', 200, 'DELETE', `/v1/account/authenticators/${app.id}`, { ...bert, more: { 'keer-challenge': challenge } })

    // prompts
    const other = {}
    challenge = await signIn('a sign-in elsewhere', other)
    const { number } = await post('its prompt', 200, `challenges/${challenge}/prompt`, {}, { jar: other })
    const { prompts } = await get('what waits for the trusted device', 200, 'prompts')
    await post('a prompt with nothing', 400, `prompts/${prompts[0].id}`)
    await post('the number', 200, `prompts/${prompts[0].id}`, { number })
    await post('once', 409, `prompts/${prompts[0].id}`, { number })
    await get('who asked goes on', 200, `challenges/${challenge}`, { jar: other })
    challenge = await signIn('another sign-in', {})
    const third = {}
    challenge = await signIn('a third', third)
    await post('it is given up', 200, `challenges/${challenge}/cancel`, {}, { jar: third })

    // what a store asks
    const pay = { account: bert.account, kind: 'payment', amount: 648, currency: 'EUR', payee: 'Example store', reference: 'o-1', return_url: 'https://shop.example/back' }
    await ask('a payment without a payee', 400, 'POST', '/v1/challenges', { body: { ...pay, payee: undefined } })
    const { id } = await ask('a payment', 200, 'POST', '/v1/challenges', { body: pay })
    await get('its page looks at it', 200, `challenges/${id}`, bert)
    await post('it is confirmed', 200, `challenges/${id}/recovery-code`, { code: codes[1] }, bert)
    await ask('the answer', 200, 'GET', `/v1/challenges/${id}`)
    await ask('no such challenge', 404, 'GET', '/v1/challenges/AAAAAAAAAAAAAAAAAAAAAA')

    // what waits: the account is new, and this is another session of it
    const carl = await signUp(ask, 'steps3@example.org'), again = {}
    await post('signed in again', 200, 'sign-in', { name: carl.email, password }, { jar: again })
    const late = await post('an app', 200, 'authenticators/totp', {}, { jar: again })
    const { pending } = await post('waits', 200, 'authenticators/totp/confirm', { id: late.id, code: totp(late.secret) }, { jar: again })
    await get('what waits', 200, 'changes', { jar: again })
    const { activity } = await get('and in the account', 200, 'me', { jar: again })
    await post('a change that is none', 404, 'changes/AAAAAAAAAAAAAAAAAAAAAA/not-me', {}, { jar: again })
    await post('nothing that happened', 404, 'activity/AAAAAAAAAAAAAAAAAAAAAA/not-me', {}, { jar: again })
    await post('what cannot be taken back', 404, `activity/${activity.find((a) => !a.not_me).id}/not-me`, {}, { jar: again })
    await post('it is called off', 200, `changes/${pending}/cancel`, {}, { jar: again })
    await post('again', 404, `changes/${pending}/cancel`, {}, { jar: again })

    // recovery, and 'not me'
    const lost = {}
    const { flow } = await post('a recovery', 200, 'recovery', { name: carl.email }, { jar: lost })
    await post('a recovery of nobody', 200, 'recovery', { name: 'nobody@example.org' }, { jar: lost })
    await post('a wrong code', 403, 'recovery/code', { flow, code: '00000000' }, { jar: lost })
    await post('nothing shown yet', 403, 'recovery/finish', { flow, password: `${password} 2` }, { jar: lost })
    await post('its code', 200, 'recovery/code', { flow, code: digits(await notice(carl.email, 'recovery_code')) }, { jar: lost })
    await post('a weak password', 422, 'recovery/finish', { flow, password: 'short' }, { jar: lost })
    await post('it waits', 200, 'recovery/finish', { flow, password: `${password} 2` }, { jar: lost })
    await get('which is seen', 200, 'changes', { jar: again })
    await post('it is called off', 200, 'recovery/cancel', {}, { jar: again })
    const token = (await notice(carl.email, 'change_cancelled')).text.match(/not-me[/#?=a-z]*([\w-]{22})/)[1]
    await post('a link that is none', 404, 'not-me', { token: 'AAAAAAAAAAAAAAAAAAAAAA' }, { role: null })
    await post('it was not me', 200, 'not-me', { token }, { role: null })
    await notMeFromASession(post, get, ask)
}

// Of a session: it locks the account, so that each has its own.
async function notMeFromASession(post, get, ask) {
    for (const [email, path] of [['steps4@example.org', (me) => `activity/${me.activity.find((a) => a.not_me).id}/not-me`], ['steps5@example.org', (me) => `changes/${me.pending_changes[0].id}/not-me`]]) {
        const { jar } = await signUp(ask, email), again = {}
        await post('a session that waits', 200, 'sign-in', { name: email, password }, { jar: again })
        await post('a device that waits to be trusted', 200, `devices/${(await get('its devices', 200, 'me', { jar: again })).devices[0].id}`, { trusted: true }, { jar: again })
        await post('not me', 200, path(await get('what waits', 200, 'me', { jar: again })), {}, { jar: again })
        await get('signed out', 401, 'me', { jar })
    }
}
