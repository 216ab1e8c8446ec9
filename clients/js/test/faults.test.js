// faults.test.js - what the client does when the daemon, or the way to it, does not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keer, KeerProblem } from '../index.js'
import { faults } from './faults.js'

const event = { type: 'sign_in', account: 'liu' }
// A client of a server with that plan; fn(keer, seen).
function with_(name, plan, options, fn) {
    test(name, async () => {
        const server = await faults(...plan)
        try { await fn(new Keer({ url: server.url, key: 'k', onUnavailable: 'throw', ...options }), server.seen) } finally { server.close() }
    })
}
const same = (seen) => assert.equal(new Set(seen.map((s) => s.text)).size, 1, 'one body in all attempts')
const rejects = (call, code, status) => assert.rejects(call, (e) => e instanceof KeerProblem && e.code === code && e.status === status)

for (const fault of ['reset', 'half', 'cut', 'other', 'starting', 'gateway', 'moved'])
    with_(`${fault} twice, then an answer`, [fault, fault, 'ok'], {}, async (keer, seen) => {
        const d = await keer.decide(event)
        assert.equal(d.outcome, 'allow')
        assert.deepEqual(d.degraded, [])
        assert.equal(seen.length, 3)
        same(seen)
        assert.match(d.id, /^[0-9a-f-]{36}$/)
        assert.equal(JSON.parse(seen[0].text).id, d.id)
    })
with_('silence, then an answer', ['silence', 'ok'], { timeoutMs: 600, attemptMs: 100 }, async (keer, seen) => {
    assert.equal((await keer.decide({ ...event, id: 'mine' })).id, 'mine')
    assert.equal(seen.length, 2)
    same(seen)
})
with_('Retry-After is waited for', ['full', 'ok'], { timeoutMs: 3000 }, async (keer, seen) => {
    assert.equal((await keer.decide(event)).outcome, 'allow')
    assert.ok(seen[1].at - seen[0].at >= 990, `${seen[1].at - seen[0].at} ms`)
})
with_('a Retry-After beyond the deadline is not', ['later', 'ok'], { timeoutMs: 1000 }, async (keer, seen) => {
    const before = performance.now()
    await rejects(keer.decide(event), 'FULL', 429)
    assert.ok(performance.now() - before < 500)
    assert.equal(seen.length, 1)
})
with_('attempts are counted', ['starting'], { retries: 2 }, async (keer, seen) => {
    await assert.rejects(keer.decide(event), (e) => e.code === 'STARTING' && e.attempts === 3 && e.unavailable)
    assert.equal(seen.length, 3)
})
with_('no retries, if so wished', ['reset', 'ok'], { retries: 0 }, async (keer, seen) => {
    await rejects(keer.decide(event), 'UNAVAILABLE', 0)
    assert.equal(seen.length, 1)
})
with_('one deadline for all attempts', ['silence'], { timeoutMs: 400, attemptMs: 150, retries: 100 }, async (keer, seen) => {
    const before = performance.now()
    await rejects(keer.decide(event), 'UNAVAILABLE', 0)
    assert.ok(performance.now() - before < 800, `${performance.now() - before} ms`)
    assert.ok(seen.length >= 2 && seen.length <= 5, `${seen.length} attempts`)
    same(seen)
})
for (const outcome of ['allow', 'challenge', 'deny'])
    for (const fault of ['reset', 'starting', 'internal', 'cut'])
        with_(`${fault}, and ${outcome} was chosen`, [fault], { onUnavailable: outcome, retries: 1 }, async (keer) => {
            const d = await keer.decide({ ...event, id: 'e1' })
            assert.deepEqual([d.id, d.type, d.outcome, d.score, d.degraded], ['e1', 'sign_in', outcome, null, ['unavailable']])
            assert.ok(d.problem instanceof KeerProblem && d.problem.unavailable)
        })
with_('what is wrong with the event is thrown, whatever was chosen, and not sent again', ['bad'], { onUnavailable: 'allow' }, async (keer, seen) => {
    await assert.rejects(keer.decide(event), (e) => e.code === 'BAD_EVENT' && e.status === 400 && e.hint === 'none' && !e.unavailable)
    assert.equal(seen.length, 1)
})
with_('a fault in keer is not asked again', ['internal'], {}, async (keer, seen) => {
    await rejects(keer.decide(event), 'INTERNAL', 500)
    assert.equal(seen.length, 1)
})
with_('a redirect does not carry the key along', ['moved'], { retries: 0 }, async (keer, seen) => {
    await rejects(keer.decide(event), 'UNAVAILABLE', 0)
    assert.deepEqual(seen.map((s) => s.path), ['/v1/decisions'])
})
with_('reads throw without an answer, whatever was chosen', ['reset'], { onUnavailable: 'allow', retries: 1 }, async (keer) => {
    await rejects(keer.decision('a'), 'UNAVAILABLE', 0)
    await rejects(keer.explanation('a'), 'UNAVAILABLE', 0)
    await rejects(keer.label({ event: 'a', label: 'fraud' }), 'UNAVAILABLE', 0)
})
with_('the answer to another id is no answer to a label', ['other', 'ok'], {}, async (keer, seen) => {
    assert.equal((await keer.label({ id: 'l', event: 'a', label: 'fraud' })).id, 'l')
    assert.equal(seen.length, 2)
})
const many = (n) => Array.from({ length: n }, (_, i) => ({ ...event, id: `m${i}` }))
with_('many, in order, in batches', ['reset', 'lines'], {}, async (keer, seen) => {
    const all = await keer.decideMany(many(25), { size: 10 })
    assert.deepEqual(all.map((d) => d.id), many(25).map((e) => e.id))
    assert.deepEqual(seen.map((s) => s.text.split('\n').length - 1), [10, 10, 10, 5])
    assert.equal(seen[0].text, seen[1].text)
    assert.equal(seen[0].headers['content-type'], 'application/x-ndjson')
})
with_('of a batch, what may work later is sent again alone', ['mixed', 'lines'], {}, async (keer, seen) => {
    const [wrong, full, other] = await keer.decideMany(many(3))
    assert.ok(wrong instanceof KeerProblem && wrong.code === 'BAD_EVENT')
    assert.deepEqual([full.outcome, other.outcome], ['allow', 'allow'])
    assert.deepEqual(JSON.parse(seen[1].text), JSON.parse(seen[0].text.split('\n')[1]))
})
with_('a batch with an answer too few is no answer', ['short'], { onUnavailable: 'deny', retries: 1 }, async (keer, seen) => {
    assert.deepEqual((await keer.decideMany(many(3))).map((d) => [d.id, d.outcome, d.degraded[0]]), ['m0', 'm1', 'm2'].map((id) => [id, 'deny', 'unavailable']))
    assert.equal(seen.length, 2)
})
with_('a batch that got no answer, where that is an error', ['mixed', 'reset'], { retries: 2 }, async (keer) => {
    const [wrong, full, other] = await keer.decideMany(many(3))
    assert.deepEqual([wrong.code, full.code, other.outcome], ['BAD_EVENT', 'UNAVAILABLE', 'allow'])
})
with_('a batch that is refused as a whole', ['bad'], { onUnavailable: 'allow' }, async (keer) => rejects(keer.decideMany(many(2)), 'BAD_EVENT', 400))
with_('no events, no request', ['lines'], {}, async (keer, seen) => {
    assert.deepEqual(await keer.decideMany([]), [])
    assert.equal(seen.length, 0)
})
test('nobody is there', async () => {
    const server = await faults('ok')
    server.close()
    await rejects(new Keer({ url: server.url, key: 'k', onUnavailable: 'throw', retries: 1 }).decide(event), 'UNAVAILABLE', 0)
})
test('options that are missing or wrong', () => {
    const good = { url: 'http://127.0.0.1:1', key: 'k', onUnavailable: 'deny' }
    assert.ok(new Keer(good))
    for (const wrong of [undefined, {}, { ...good, onUnavailable: undefined }, { ...good, onUnavailable: 'review' }, { ...good, url: 'localhost:1' }, { ...good, key: '' },
        { ...good, timeoutMs: 0 }, { ...good, timeoutMs: NaN }, { ...good, retries: -1 }, { ...good, retries: '3' }])
        assert.throws(() => new Keer(wrong), TypeError, JSON.stringify(wrong))
})
