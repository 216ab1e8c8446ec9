// client_types.mts - a program that uses every part of clients/js, for the compiler alone.
import { Keer, KeerProblem, type Decision, type Outcome } from '../../clients/js/index.js'

const keer = new Keer({ url: 'http://127.0.0.1:1', key: 'k', onUnavailable: 'deny', timeoutMs: 1, attemptMs: 1, retries: 0 })
const d: Decision = await keer.decide({ type: 'purchase', amount: 4900, currency: 'EUR', play_time: 3 })
const outcome: Outcome = d.outcome
const many: (Decision | KeerProblem)[] = await keer.decideMany([{ type: 'sign_in' }], { size: 2 })
const one: Decision | null = await keer.decision('a')
const why: string[] = (await keer.explanation('a'))?.rules.map((r) => `${r.name}: ${r.because ?? r.condition}`) ?? []
await keer.label({ event: d.id, label: 'fraud' })
try { await keer.decide({ type: 'sign_in' }) } catch (e) {
    if (e instanceof KeerProblem && !e.unavailable) { const text: string = e.code + e.status + (e.detail ?? '') + (e.hint ?? ''); void text }
}
void [outcome, many, one, why]
