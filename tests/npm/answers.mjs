// answers.mjs - what openapi.mjs asks a daemon with policies/store.keer: add a line for each new path, refusals as well.
//
// ask(name, status, method, path, { body, role, type }) holds the answer against the document and returns it; role null sends no key.
import { accounts } from './answers_account.mjs'
import { passkeys } from './answers_passkey.mjs'
import { steps } from './answers_step.mjs'
import { wallets } from './answers_wallets.mjs'
import { appstore } from './answers_appstore.mjs'

export async function cases({ ask, ok, event, doc }) {
    const good = { id: 'o1', time: '2018-10-01T12:00:00Z', type: 'purchase', account: 'liu', device: 'd1', amount: 4900, currency: 'EUR' }
    const sent = async (name, status, body, fits = status < 400 || status === 422) => {
        ok(event(body) === fits, `${name}: the schema of events ${fits ? 'takes' : 'refuses'} it`, JSON.stringify(event.errors))
        return ask(name, status, 'POST', '/v1/decisions', { body })
    }
    await sent('a decision', 200, good)
    await sent('the same id, another body', 422, { ...good, amount: 1 })
    await sent('a time in seconds, a decimal amount, a custom type', 200, { ...good, id: 'o2', time: 1538395200, amount: '49.00', type: 'custom.trial' })
    await sent('attributes apart, and nulls', 200, { id: 'o3', time: good.time, type: 'sign_in', attributes: { account: 'liu' }, custom: {}, ip: null, asn: 3320 })
    await sent('a label', 200, { id: 'o4', time: '2018-10-02', type: 'label', target: 'o1', fraud: true, fraud_known: '2018-10-02' })
    await sent('no time', 400, { id: 'o5', type: 'purchase' })
    await sent('an unknown type', 400, { ...good, id: 'o5', type: 'purchse' })
    await sent('an amount with decimals', 400, { ...good, id: 'o5', amount: 1.5 })
    await sent('a number for a truth', 400, { ...good, id: 'o5', has_second_step: 1 })
    await sent('a list for a text', 400, { ...good, id: 'o5', device: [] })
    await ask('no JSON', 400, 'POST', '/v1/decisions', { body: '{' })
    await ask('another type of body', 415, 'POST', '/v1/decisions', { body: 'x', type: 'text/plain' })
    await ask('too large', 413, 'POST', '/v1/decisions', { body: ' '.repeat(100000) })
    await ask('no key', 401, 'POST', '/v1/decisions', { body: good, role: null })
    await ask('a wrong key', 401, 'GET', '/v1/decisions/o1', { role: 'keer_x_y' })
    await ask('a key of another role', 403, 'POST', '/v1/decisions', { body: good, role: 'partner' })
    await ask('the stored decision', 200, 'GET', '/v1/decisions/o1')
    await ask('no such decision', 404, 'GET', '/v1/decisions/o9')
    const searching = { role: 'analyst' }
    await ask('a search', 200, 'GET', '/v1/decisions?account=liu&outcome=challenge&type=purchase&from=2018-10-01T00:00:00Z&to=2999-01-01T00:00:00Z&limit=1', searching)
    await ask('a search that finds nothing', 200, 'GET', '/v1/decisions?rule=none', searching)
    await ask('a search with a wrong limit', 400, 'GET', '/v1/decisions?limit=501', searching)
    await ask('a search with a cursor that is none', 400, 'GET', '/v1/decisions?cursor=x', searching)
    await ask('an explanation', 200, 'GET', '/v1/decisions/o1/explanation', { role: 'analyst' })
    await ask('of three contributions', 200, 'GET', '/v1/decisions/o1/explanation?top=3')
    await ask('of what was not decided', 404, 'GET', '/v1/decisions/o9/explanation')
    await ask('a parameter that is wrong', 400, 'GET', '/v1/decisions/o1/explanation?top=x')
    const label = { id: 'l1', event: 'o1', time: '2018-10-02T08:00:00Z', label: 'fraud' }
    await ask('a label', 200, 'POST', '/v1/labels', { body: label, role: 'partner' })
    await ask('the same id, another label', 422, 'POST', '/v1/labels', { body: { ...label, label: 'genuine' } })
    await ask('a label of what is not there', 404, 'POST', '/v1/labels', { body: { ...label, id: 'l2', event: 'o9' } })
    await ask('a label that is wrong', 400, 'POST', '/v1/labels', { body: { ...label, id: 'l2', label: 'maybe' } })
    if (doc.paths['/v1/decisions:batch']) {
        const lines = (...events) => events.map((e) => (typeof e === 'string' ? e : JSON.stringify(e)) + '\n').join('')
        const batch = (name, body, status = 200, more = {}) => ask(name, status, 'POST', '/v1/decisions:batch', { body, type: 'application/x-ndjson', ...more })
        await batch('a batch', lines(good, { ...good, amount: 1 }, '{', { ...good, id: 'b1' }))
        await batch('an empty batch', '')
        await batch('a batch of another type', lines(good), 415, { type: 'application/json' })
        await batch('a batch without a key', lines(good), 401, { role: null })
    }
    await events(ask)
    await keys(ask)
    await webhooks(ask, ok, good)
    await accounts(ask) // before: by policies/store.keer
    await policies(ask)
    await passkeys(ask)
    await steps(ask)
    await wallets(ask)
    await appstore(ask)
    await ask('health', 200, 'GET', '/healthz', { role: null })
    await ask('readiness', 200, 'GET', '/readyz', { role: null })
    await ask('metrics', 200, 'GET', '/metrics', { role: null })
    await ask('the document', 200, 'GET', '/openapi.json', { role: null })
    await oidc(ask)
}

// Asks until it is so, or for a while.
async function until(ask, path, good) {
    for (let i = 0; i < 300; i++) {
        const r = await ask.quiet('GET', path)
        if (good(r)) return
        await new Promise((done) => setTimeout(done, 20))
    }
}

async function events(ask) {
    const analyst = { role: 'analyst' }
    await ask('a stream', 200, 'GET', '/v1/events?after=0', analyst)
    await ask('of some outcomes', 200, 'GET', '/v1/events?after=0&outcome=allow,challenge,review,deny', analyst)
    await ask('of an unknown outcome', 400, 'GET', '/v1/events?outcome=maybe', analyst)
    await ask('after what is no number', 400, 'GET', '/v1/events?after=x', analyst)
    await ask('a stream for a store', 403, 'GET', '/v1/events')
}

async function keys(ask) {
    const admin = { role: 'admin' }
    const make = (role) => ask(`a key for ${role}`, 200, 'POST', '/v1/keys', { body: { name: 'new', role }, ...admin })
    const { id } = await make('store'), another = await make('admin')
    await ask('no such role', 400, 'POST', '/v1/keys', { body: { name: 'new', role: 'root' }, ...admin })
    await ask('a member that is not known', 400, 'POST', '/v1/keys', { body: { name: 'new', role: 'store', key: 'mine' }, ...admin })
    await ask('no body', 400, 'POST', '/v1/keys', { body: '', ...admin })
    await ask('a key for a store, of a store', 403, 'POST', '/v1/keys', { body: { name: 'new', role: 'store' } })
    await ask('another secret', 200, 'POST', `/v1/keys/${id}/rotate`, { body: { old_valid: '2h' }, ...admin })
    await ask('too long', 400, 'POST', `/v1/keys/${id}/rotate`, { body: { old_valid: '90d' }, ...admin })
    await ask('of no key', 404, 'POST', '/v1/keys/aaaaaaaaaaaa/rotate', { body: {}, ...admin })
    await ask('the keys, one rotated', 200, 'GET', '/v1/keys', admin)
    await ask('it is revoked', 200, 'DELETE', `/v1/keys/${id}`, admin)
    await ask('and not again', 404, 'DELETE', `/v1/keys/${id}`, admin)
    await ask('last_admin says yes or nothing', 400, 'DELETE', `/v1/keys/${another.id}?last_admin=no`, admin)
    await ask('an admin, who need not be the last', 200, 'DELETE', `/v1/keys/${another.id}?last_admin=yes`, admin)
    await ask('the keys, two revoked', 200, 'GET', '/v1/keys', admin)
}

// The daemon may send to 127.0.0.1, where nobody listens on port 1: a delivery is tried twice and dead.
async function webhooks(ask, ok, event) {
    const admin = { role: 'admin' }
    const all = ['allow', 'challenge', 'review', 'deny'].map((o) => `decision.${o}`)
    const make = { url: 'http://127.0.0.1:1/hook', events: all, name: 'closed' }
    const { id } = await ask('a webhook', 200, 'POST', '/v1/webhooks', { body: make, ...admin })
    const hook = `/v1/webhooks/${id}`
    const dead = (r) => r.deliveries?.length > 0
    await ask('a webhook to where none may go', 400, 'POST', '/v1/webhooks', { body: { ...make, url: 'https://10.0.0.1/' }, ...admin })
    await ask('a webhook without events', 400, 'POST', '/v1/webhooks', { body: { url: make.url }, ...admin })
    await ask('a webhook of a store', 403, 'POST', '/v1/webhooks', { body: make })
    await ask('the webhooks', 200, 'GET', '/v1/webhooks', admin)
    await ask('one webhook', 200, 'GET', hook, admin)
    await ask('no such webhook', 404, 'GET', '/v1/webhooks/aaaaaaaaaaaaaaaa', admin)
    await ask('a decision that is sent', 200, 'POST', '/v1/decisions', { body: { ...event, id: 'w1' } })
    await until(ask, `${hook}/deliveries`, dead)
    const { deliveries } = await ask('what is dead', 200, 'GET', `${hook}/deliveries`, admin)
    ok(deliveries?.[0]?.attempts === 2 && deliveries[0].why, 'it was tried twice, and why it is dead is told', JSON.stringify(deliveries))
    await ask('what waits', 200, 'GET', `${hook}/deliveries?state=waiting`, admin)
    await ask('an unknown state', 400, 'GET', `${hook}/deliveries?state=lost`, admin)
    await ask('it is sent again', 200, 'POST', `${hook}/replay`, { body: { seq: deliveries?.[0]?.seq }, ...admin })
    await until(ask, `${hook}/deliveries`, dead)
    await ask('all are', 200, 'POST', `${hook}/replay`, { body: {}, ...admin })
    await ask('what is no number', 400, 'POST', `${hook}/replay`, { body: { seq: 'all' }, ...admin })
    await ask('a new secret', 200, 'POST', `${hook}/rotate`, admin)
    await ask('it is forgotten', 200, 'DELETE', hook, admin)
    await ask('and not again', 404, 'DELETE', hook, admin)
}

async function policies(ask) {
    const admin = { role: 'admin' }, analyst = { role: 'analyst' }
    const text = { policy: 'list bad = "bad.txt"\nrule bad deny if account in bad\nrule all review if purchase\n', name: 'small', files: { 'bad.txt': 'mallory\n' } }
    await ask('a policy that is right', 200, 'POST', '/v1/policies:check', { body: text, ...analyst })
    await ask('a policy that is wrong', 422, 'POST', '/v1/policies:check', { body: { policy: 'rule a deny if purchse' }, ...analyst })
    await ask('no policy', 400, 'POST', '/v1/policies', { body: {}, ...admin })
    await ask('a member that is not known', 400, 'POST', '/v1/policies', { body: { ...text, file: {} }, ...admin })
    await ask('nothing to roll back to', 404, 'POST', '/v1/policies:rollback', admin)
    await ask('a store keeps a policy', 403, 'POST', '/v1/policies', { body: text })
    const { id } = await ask('a policy is kept', 200, 'POST', '/v1/policies', { body: text, ...admin })
    await ask('the versions', 200, 'GET', '/v1/policies', analyst)
    await ask('a version', 200, 'GET', `/v1/policies/${id}`, analyst)
    await ask('no such version', 404, 'GET', '/v1/policies/99', analyst)
    await ask('promoted out of nothing', 404, 'POST', `/v1/policies/${id}/promote`, admin)
    await ask('what it would have decided', 200, 'POST', `/v1/policies/${id}/diff`, { body: { days: 10 }, ...analyst })
    await ask('a shadow', 200, 'POST', `/v1/policies/${id}/shadow`, { body: { days: 10 }, ...analyst })
    await until(ask, `/v1/policies/${id}/comparison`, (r) => r.state === 'following')
    await ask('its comparison', 200, 'GET', `/v1/policies/${id}/comparison`, analyst)
    await ask('it decides', 200, 'POST', `/v1/policies/${id}/promote`, admin)
    await ask('the lists', 200, 'GET', '/v1/lists', analyst)
    await ask('a list', 200, 'GET', '/v1/lists/bad', analyst)
    await ask('no such list', 404, 'GET', '/v1/lists/good', analyst)
    await ask('another content', 200, 'PUT', '/v1/lists/bad', { body: { content: 'eve\n' }, ...admin })
    await until(ask, '/v1/lists/bad', (r) => r === 'eve\n')
    await ask('back', 200, 'POST', '/v1/policies:rollback', admin)
    await ask('no shadow', 200, 'DELETE', '/v1/policies/shadow', admin)
}

// Without a person: what needs a browser is judged by openid-client (tests/oidc).
async function oidc(ask) {
    const admin = { role: 'admin' }
    await ask('what the OpenID provider can do', 200, 'GET', '/.well-known/openid-configuration', { role: null })
    await ask('its keys', 200, 'GET', '/oidc/jwks', { role: null })
    await ask('a client without an address to come back to', 400, 'POST', '/v1/oidc/clients', { body: { client_name: 'a' }, ...admin })
    await ask('a store registers a client', 403, 'POST', '/v1/oidc/clients', { body: { client_name: 'a' } })
    const { client_id: id } = await ask('a client', 200, 'POST', '/v1/oidc/clients', { body: { client_name: 'a', redirect_uris: ['https://store.example/cb'], scope: 'openid email' }, ...admin })
    await ask('the clients', 200, 'GET', '/v1/oidc/clients', admin)
    await ask('a client that is removed', 200, 'DELETE', `/v1/oidc/clients/${id}`, admin)
    await ask('and is not there any more', 404, 'DELETE', `/v1/oidc/clients/${id}`, admin)
}
