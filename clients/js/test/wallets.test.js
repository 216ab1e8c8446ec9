// wallets.test.js - money when the answer does not come: told as unknown, asked again under the same id, never made anew.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keer, KeerProblem } from '../index.js'
import { faults } from './faults.js'

const charge = { id: 'o1', agreement: 'a1', type: 'purchase', amount: '648.00', currency: 'CNY', payee: 'Magic Stones Ltd' }
function with_(name, plan, options, fn) {
    test(name, async () => {
        const server = await faults(...plan)
        try { await fn(new Keer({ url: server.url, key: 'k', onUnavailable: 'allow', ...options }), server.seen) } finally { server.close() }
    })
}
const same = (seen) => assert.equal(new Set(seen.map((s) => s.text)).size, 1, 'one body in all attempts')

for (const fault of ['reset', 'half', 'cut', 'starting', 'gateway', 'full'])
    with_(`a charge: ${fault}, then an answer`, [fault, 'charged'], { timeoutMs: 4000 }, async (keer, seen) => {
        assert.deepEqual(await keer.charges.make(charge), { id: 'K1', key: 'o1', state: 'paid' })
        assert.equal(seen.length, 2)
        same(seen)
        assert.deepEqual(JSON.parse(seen[0].text), charge)
    })
for (const fault of ['reset', 'internal', 'cut', 'starting', 'other'])
    with_(`a charge: ${fault} and nothing else is unknown, not what onUnavailable says`, [fault], { retries: 2, timeoutMs: 1500 }, async (keer, seen) => {
        const c = await keer.charges.make(charge)
        assert.deepEqual([c.key, c.state], ['o1', 'unknown'])
        assert.ok(c.problem instanceof KeerProblem && c.problem.unavailable)
        assert.equal(c.id, undefined)
        same(seen)
        assert.ok(seen.every((s) => JSON.parse(s.text).id === 'o1'))
    })
with_('silence is unknown at the deadline', ['silence'], { timeoutMs: 300 }, async (keer) => {
    const before = performance.now()
    assert.equal((await keer.charges.make(charge)).state, 'unknown')
    assert.ok(performance.now() - before < 800)
})
with_('unknown, then the same id again', ['reset', 'charged'], { retries: 0 }, async (keer, seen) => {
    assert.equal((await keer.charges.make(charge)).state, 'unknown')
    assert.equal((await keer.charges.make(charge)).state, 'paid')
    same(seen)
})
with_('no id of the caller\'s, no charge', ['charged'], {}, async (keer, seen) => {
    const { id, ...without } = charge
    await assert.rejects(keer.charges.make(without), TypeError)
    await assert.rejects(keer.refunds.make({ charge: 'K1' }), TypeError)
    await assert.rejects(keer.agreements.link({ wallet: 'alipay' }), TypeError)
    assert.equal(seen.length, 0)
})
with_('what is wrong is thrown, and not sent again', ['refused'], {}, async (keer, seen) => {
    await assert.rejects(keer.charges.make(charge), (e) => e.code === 'KEY_REUSED' && e.status === 422)
    await assert.rejects(keer.refunds.make({ id: 'r1', charge: 'K1' }), (e) => e.code === 'KEY_REUSED')
    assert.equal(seen.length, 2)
})
with_('submitted is an answer, and is waited for', ['submitted', 'submitted', 'reset', 'paid'], {}, async (keer, seen) => {
    const c = await keer.charges.make(charge)
    assert.deepEqual([c.id, c.state], ['K1', 'submitted'])
    assert.equal((await keer.charges.wait(c.id)).state, 'paid')
    assert.deepEqual(seen.map((s) => s.path), ['/v1/charges', '/v1/charges/K1', '/v1/charges/K1', '/v1/charges/K1'])
})
with_('waiting ends as it stands', ['submitted'], {}, async (keer) => {
    const before = performance.now()
    assert.equal((await keer.charges.wait('K1', { timeoutMs: 400 })).state, 'submitted')
    assert.ok(performance.now() - before < 800)
})
with_('confirming without an answer is unknown', ['reset'], { retries: 0 }, async (keer) => {
    const c = await keer.charges.confirm('K1')
    assert.deepEqual([c.id, c.state], ['K1', 'unknown'])
})
with_('a refund without an answer is unknown', ['reset'], { retries: 0 }, async (keer) => {
    const r = await keer.refunds.make({ id: 'r1', charge: 'K1', amount: '1.00', currency: 'CNY' })
    assert.deepEqual([r.key, r.state], ['r1', 'unknown'])
})
