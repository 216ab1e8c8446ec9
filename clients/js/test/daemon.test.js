// daemon.test.js - the client and a real daemon (KEER_URL, KEER_KEY_STORE, ...: tests/integration/client.sh starts it).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keer, KeerProblem } from '../index.js'

const options = (role) => ({ url: process.env.KEER_URL + '/', key: process.env[`KEER_KEY_${role}`], onUnavailable: 'throw', timeoutMs: 10000 })
const keer = new Keer(options('STORE'))
const purchase = { id: 'c1', time: '2018-10-01T12:00:00Z', type: 'purchase', account: 'liu', device: 'd1', amount: 4900, currency: 'EUR' }

test('a decision, again, and read back', async () => {
    const d = await keer.decide(purchase)
    assert.equal(d.outcome, 'challenge')
    assert.ok(d.rules.length && d.because.length)
    assert.deepEqual(await keer.decide(purchase), d)
    assert.deepEqual(await keer.decision('c1'), d)
})
test('id and time are made', async () => {
    const d = await keer.decide({ type: 'sign_in', account: 'liu', id: undefined })
    assert.match(d.id, /^[0-9a-f-]{36}$/)
    assert.ok(Math.abs(Date.parse(d.time) - Date.now()) < 60000)
    assert.deepEqual(await keer.decision(d.id), d)
})
test('an id that needs escapes', async () => {
    const d = await keer.decide({ ...purchase, id: 'a/b ?#%ü' })
    assert.deepEqual(await keer.decision('a/b ?#%ü'), d)
})
test('the same id for another event', () =>
    assert.rejects(keer.decide({ ...purchase, amount: 1 }), (e) => e instanceof KeerProblem && e.code === 'OTHER_BODY' && e.status === 422 && e.hint.length > 0))
test('an event that is wrong', () =>
    assert.rejects(keer.decide({ ...purchase, id: 'c2', type: 'purchse' }), (e) => e.code === 'BAD_EVENT' && /purchase/.test(e.detail)))
test('no such decision', async () => assert.equal(await keer.decision('nobody'), null))
test('a key that is none, and one of another role', async () => {
    const wrong = new Keer({ ...options('STORE'), key: 'keer_x_y', onUnavailable: 'allow' })
    await assert.rejects(wrong.decide(purchase), (e) => e.code === 'NO_KEY' && e.status === 401)
    await assert.rejects(new Keer(options('PARTNER')).decide(purchase), (e) => e.code === 'WRONG_ROLE' && e.status === 403)
})
const paths = (await (await fetch(process.env.KEER_URL + '/openapi.json')).json()).paths
const with_ = (path) => ({ skip: !(path in paths) && `the daemon has no ${path}` })
test('many', with_('/v1/decisions:batch'), async () => {
    const events = Array.from({ length: 200 }, (_, i) => ({ ...purchase, id: `many${i}`, account: `a${i % 7}`, device: `d${i % 5}` }))
    const all = await keer.decideMany(events)
    assert.deepEqual(all.map((d) => d.id), events.map((e) => e.id))
    assert.deepEqual(await keer.decideMany(events, { size: 30 }), all, 'sent again they are the stored answers')
    const mixed = await keer.decideMany([events[0], { ...purchase, id: 'many0', amount: 1 }, { type: 'purchse' }, { type: 'sign_in', account: 'liu' }])
    assert.deepEqual(mixed.map((d) => d.code ?? d.outcome), [all[0].outcome, 'OTHER_BODY', 'BAD_EVENT', mixed[3].outcome])
    assert.ok(mixed[1] instanceof KeerProblem && mixed[3].id)
})
test('an explanation', with_('/v1/decisions/{id}/explanation'), async () => {
    const why = await keer.explanation('c1')
    assert.deepEqual([why.id, why.outcome], ['c1', 'challenge'])
    assert.ok(why.rules[0].saw.length && why.windows.length)
    assert.equal(await keer.explanation('nobody'), null)
})
test('a label', with_('/v1/labels'), async () => {
    const partner = new Keer(options('PARTNER'))
    const told = await partner.label({ id: 'c1-label', event: 'c1', label: 'fraud', time: '2018-10-02T12:00:00Z' })
    assert.deepEqual([told.id, told.type], ['c1-label', 'label'])
    assert.match((await partner.label({ event: 'c1', label: 'genuine' })).id, /^[0-9a-f-]{36}$/)
    await assert.rejects(partner.label({ event: 'nobody', label: 'fraud' }), (e) => e.code === 'NO_EVENT' && e.status === 404)
    await assert.rejects(partner.label({ event: 'c1', label: 'maybe' }), (e) => e.code === 'BAD_LABEL')
})
