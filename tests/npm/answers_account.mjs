// answers_account.mjs - a person's account, a family and a store's accounts, for answers.mjs: what their paths answer, refusals as well.
import { readFileSync } from 'node:fs'

const nobody = 'AAAAAAAAAAAAAAAAAAAAAA', password = 'orange bicycle under seven lamps'

// The newest code for an address, from the file of notices, when there are as many as that.
async function code(to, count = 1) {
    for (let i = 0; i < 200; i++) {
        const lines = readFileSync(process.env.KEER_NOTICES, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l))
        const codes = lines.filter((n) => n.to === to).map((n) => n.subject.match(/\d{8}/)?.[0]).filter(Boolean)
        if (codes.length >= count) return codes.at(-1)
        await new Promise((done) => setTimeout(done, 25))
    }
}

async function signUp(ask, email, more = {}) {
    const jar = {}
    const { flow } = await ask(`${email} signs up`, 200, 'POST', '/v1/account/sign-up', { body: { email, password, locale: 'nl', ...more }, jar })
    await ask('a code that is wrong', 403, 'POST', '/v1/account/sign-up/confirm', { body: { flow, code: '00000000' }, jar })
    const { account } = await ask('the right one', 200, 'POST', '/v1/account/sign-up/confirm', { body: { flow, code: await code(email) }, jar })
    return { account, jar }
}

export async function accounts(ask) {
    const { account, jar } = await signUp(ask, 'anna@example.org', { name: 'Anna', username: 'anna' })
    const post = (name, status, path, body = {}, more = { jar }) => ask(name, status, 'POST', `/v1/account/${path}`, { body, ...more })
    await post('a sign-up without an address', 400, 'sign-up')
    await post('a password that is too short', 422, 'sign-up', { email: 'b@example.org', password: 'short' })
    await post('a wrong password', 403, 'sign-in', { name: 'anna', password: 'x' }, { jar: {} })
    await post('another site', 403, 'sign-in', { name: 'anna', password }, { jar: {}, more: { origin: 'https://evil.example' } })
    await post('a sign-in', 200, 'sign-in', { name: 'anna', password })
    await post('no code was sent', 403, 'sign-in/code', { flow: nobody, code: '00000000' })
    const me = await ask('the account', 200, 'GET', '/v1/account/me', { jar })
    await ask('the account, without a session', 401, 'GET', '/v1/account/me', { role: null })
    await ask('no such session', 404, 'DELETE', `/v1/account/sessions/${nobody}`, { jar })
    await post('other sessions end', 200, 'sessions:end-others')
    await post('a device gets a name', 200, `devices/${me.devices[0].id}`, { name: 'Desk' })
    await post('no such device', 404, `devices/${nobody}`, { name: 'Desk' })
    const { id } = await post('another address', 200, 'contacts', { email: 'second@example.org' })
    await post('the same as before', 409, 'contacts', { email: 'anna@example.org' })
    await post('a wrong code', 403, `contacts/${id}/confirm`, { code: '00000000' })
    await post('the right one', 200, `contacts/${id}/confirm`, { code: await code('second@example.org') })
    await ask('it is removed', 200, 'DELETE', `/v1/account/contacts/${id}`, { jar })
    await ask('the last one is not', 409, 'DELETE', `/v1/account/contacts/${me.contacts[0].id}`, { jar })
    await post('a common password', 422, 'password', { password: 'correcthorsebatterystaple' })
    await post('another password, which waits', 200, 'password', { password: 'seven quiet lamps above a canal' })
    await family(ask, post, jar)
    await stores(ask, account)
    await coded(ask, post)
    await ask('a device is removed, and signed out with it', 200, 'DELETE', `/v1/account/devices/${me.devices[0].id}`, { jar })
    await ask('no device', 401, 'DELETE', `/v1/account/devices/${nobody}`, { jar })
    await post('signing out', 200, 'sign-out')
}

// Many failed sign-ins from here a while ago: the policy asks for more than a password, and the account has nothing else.
async function coded(ask, post) {
    const time = new Date(Date.now() - 15 * 60e3).toISOString(), browser = { jar: {} }, words = { name: 'anna', password } // the other one waits
    const failed = (i) => JSON.stringify({ id: `f${i}`, time, type: 'sign_in', account: `f${i}`, ip: '127.0.0.1', outcome: 'failure' }) + '\n'
    await ask('sign-ins that failed', 200, 'POST', '/v1/decisions:batch', { body: Array.from({ length: 500 }, (_, i) => failed(i)).join(''), type: 'application/x-ndjson' })
    const { flow } = await post('a sign-in that wants a code', 200, 'sign-in', words, browser)
    await ask('the account, before the code', 403, 'GET', '/v1/account/me', browser)
    await post('the code', 200, 'sign-in/code', { flow, code: await code('anna@example.org', 2) }, browser)
    const { sessions } = await ask('a restricted session', 200, 'GET', '/v1/account/me', browser)
    await post('which changes nothing', 403, 'password', { password: 'one more phrase of quiet words' }, browser)
    await ask('a session of others', 403, 'DELETE', `/v1/account/sessions/${sessions.find((s) => !s.current).id}`, browser)
    await ask('its own ends', 200, 'DELETE', `/v1/account/sessions/${sessions.find((s) => s.current).id}`, browser)
}

async function family(ask, post, jar) {
    const child = await signUp(ask, 'bob@example.org')
    const kids = { jar: child.jar }
    await ask('no family', 200, 'GET', '/v1/account/family', { jar })
    await post('a family', 200, 'family')
    await post('a second one', 409, 'family')
    await post('an invitation', 200, 'family/invitations', { name: 'bob@example.org', role: 'child' })
    await post('as what', 400, 'family/invitations', { name: 'bob@example.org', role: 'king' })
    const { invitations } = await ask('the invitation', 200, 'GET', '/v1/account/family', kids)
    await post('nobody\'s', 404, `family/invitations/${nobody}`, { accept: true })
    await post('accepted', 200, `family/invitations/${invitations[0].id}`, { accept: true }, kids)
    const thing = { account: child.account, what: '648 coins', amount_minor: 64800, currency: 'CNY' }
    const { id } = await ask('an approval is asked', 200, 'POST', '/v1/family-approvals', { body: thing })
    await ask('of nothing', 400, 'POST', '/v1/family-approvals', { body: { ...thing, amount_minor: 0 } })
    await ask('not granted yet', 404, 'POST', `/v1/family-approvals/${id}/use`, { body: thing })
    await post('granted', 200, `family/approvals/${id}`, { granted: true })
    await post('once', 404, `family/approvals/${id}`, { granted: true })
    await ask('used', 200, 'POST', `/v1/family-approvals/${id}/use`, { body: thing })
    await ask('a family with an approval', 200, 'GET', '/v1/account/family', { jar })
    await ask('a member is removed', 200, 'DELETE', `/v1/account/family/members/${child.account}`, { jar })
    await ask('no such member', 404, 'DELETE', `/v1/account/family/members/${nobody}`, { jar })
}

async function stores(ask, account) {
    const admin = { role: 'admin' }
    const { id } = await ask('an account of a store', 200, 'POST', '/v1/accounts', { body: { subject: 'user:1', name: 'Bob' } })
    await ask('of no subject', 400, 'POST', '/v1/accounts', { body: { subject: 'a b' } })
    await ask('an account of a store, looked at', 200, 'GET', `/v1/accounts/${id}`)
    await ask('no such account', 404, 'GET', `/v1/accounts/${nobody}`)
    await ask('an account is locked', 200, 'POST', `/v1/accounts/${id}/freeze`, { body: { reason: 'Reported.' } })
    await ask('without a reason', 400, 'POST', `/v1/accounts/${id}/freeze`, { body: {} })
    await ask('unlocked by a store', 403, 'POST', `/v1/accounts/${id}/thaw`, { body: {} })
    await ask('unlocked', 200, 'POST', `/v1/accounts/${id}/thaw`, { body: {}, ...admin })
    await ask('once', 404, 'POST', `/v1/accounts/${id}/thaw`, { body: {}, ...admin })
    await ask('closed by a store', 403, 'POST', `/v1/accounts/${id}/close`, { body: {} })
    await ask('closed', 200, 'POST', `/v1/accounts/${id}/close`, { body: {}, ...admin })
    await ask('closed once', 404, 'POST', `/v1/accounts/${id}/close`, { body: {}, ...admin })
    await ask('a person\'s account', 200, 'GET', `/v1/accounts/${account}`)
}
