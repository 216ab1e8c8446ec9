// client_types.mts - a program that uses every part of clients/js, for the compiler alone.
import { Keer, KeerProblem, type Agreement, type Charge, type Decision, type Outcome, type Refund } from '../../clients/js/index.js'

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
const linked: Agreement = await keer.agreements.link({ id: 'l', subject: 'user:1', wallet: 'alipay', currency: 'CNY', return_url: 'https://shop.example/', caps: { day: '100.00' } })
const page: string | undefined = (await keer.agreements.sign(linked.id)).url
const charge: Charge = await keer.charges.make({ id: 'o', agreement: linked.id, type: 'purchase', amount: 64800, currency: 'CNY', payee: 'Shop' })
if (charge.state === 'unknown' && charge.problem) { const again: boolean = charge.problem.unavailable; void again }
const settled: Charge | null = charge.id ? await keer.charges.wait(charge.id, { timeoutMs: 1 }) : null
const back: Refund = await keer.refunds.make({ id: 'r', charge: charge.id ?? '' })
void [page, settled, back]
void [outcome, many, one, why]
