// index.js - a client of the Keersluis daemon, on Node's own fetch.
//
// One call is one body: it is made once, with its id, and sent again as it is, so that the daemon decides it once however often it is sent.
// Sent again is what may work later: no answer, half an answer, 429, 502, 503, 504. All attempts together have one deadline.
import { randomUUID } from 'node:crypto'

const OUTCOMES = ['allow', 'challenge', 'deny'], BACKOFF_MS = 50, BACKOFF_MAX_MS = 2000
const AGAIN = new Set([429, 502, 503, 504])

/** What did not work: a problem of the daemon (docs/reference/routes.md), or code UNAVAILABLE, status 0, when there was no answer. */
export class KeerProblem extends Error {
    constructor({ code, status, title, detail, hint, attempts = 1, cause }) {
        super(`${code}: ${detail || title}`, { cause })
        this.name = 'KeerProblem'
        Object.assign(this, { code, status, title, detail, hint, attempts })
    }
    /** The daemon could not answer; the request itself may be right. */
    get unavailable() { return this.status === 0 || this.status === 429 || this.status >= 500 }
}

function settings(o) {
    const number = (name, least, standard) => {
        const v = o[name] ?? standard
        if (!Number.isFinite(v) || v < least) throw new TypeError(`${name}: a number of at least ${least} is needed`)
        return v
    }
    if (typeof o?.url !== 'string' || !/^https?:/.test(o.url)) throw new TypeError('url: http://... or https://... is needed')
    if (typeof o.key !== 'string' || !o.key) throw new TypeError('key: an API key is needed (keer key new)')
    if (![...OUTCOMES, 'throw'].includes(o.onUnavailable))
        throw new TypeError("onUnavailable: 'allow', 'challenge', 'deny' or 'throw': what should happen when the daemon can't be reached is your choice to make")
    const timeoutMs = number('timeoutMs', 1, 2000)
    return {
        base: o.url.replace(/\/+$/, ''), key: o.key, onUnavailable: o.onUnavailable, timeoutMs,
        attemptMs: number('attemptMs', 1, timeoutMs / 2), retries: number('retries', 0, 3)
    }
}

// Seconds or a date (RFC 9110 section 10.2.3), as milliseconds from now.
function retryAfterMs(value) {
    if (!value) return 0
    const ms = /^\d+$/.test(value) ? 1000 * Number(value) : Date.parse(value) - Date.now()
    return Number.isNaN(ms) ? 0 : Math.max(0, ms)
}

// What is sent: made once for all attempts.
const complete = (event) => ({ ...event, id: event.id ?? randomUUID(), time: event.time ?? new Date().toISOString() })
const isDecision = (a, sent) => a?.id === String(sent.id) && typeof a.outcome === 'string'
const sleep = (ms) => new Promise((done) => setTimeout(done, ms))

function parse(text) {
    try { return JSON.parse(text) } catch { return undefined }
}

function problemOf(status, text, attempts) {
    const p = parse(text) ?? {}
    const title = p.title ?? `an answer of status ${status} that is not the daemon's`
    return new KeerProblem({ code: p.code ?? `HTTP_${status}`, status, title, detail: p.detail, hint: p.hint, attempts })
}

function noAnswer(cause, attempts) {
    const why = cause?.cause?.code ?? cause?.cause?.message ?? cause?.message ?? 'no answer'
    return new KeerProblem({
        code: 'UNAVAILABLE', status: 0, title: 'The daemon did not answer', detail: String(why),
        hint: 'the same id may be sent again: it is decided once', attempts, cause
    })
}

export class Keer {
    #o
    constructor(options) { this.#o = settings(options) }

    /** Decides an event. `id` and `time` are made when absent. */
    async decide(event) {
        const sent = complete(event)
        return this.#call('POST', '/v1/decisions', { body: sent, fits: (a) => isDecision(a, sent) }).catch((e) => this.#without(sent, e))
    }

    /**
     * Decides many, `size` in one request, `timeoutMs` for each request with its repetitions. A result for each event, in their order: its decision, or the
     * KeerProblem that `decide` would throw. Only what keeps the whole request out (401, 403) is thrown.
     */
    async decideMany(events, { size = 1000, timeoutMs = 15 * this.#o.timeoutMs } = {}) {
        const all = Array.from(events, complete), results = []
        for (let at = 0; at < all.length; at += size) results.push(...await this.#batch(all.slice(at, at + size), timeoutMs))
        return results
    }

    /** The stored decision on an event; null when there is none. */
    async decision(id) { return this.#orNull(this.#call('GET', `/v1/decisions/${encodeURIComponent(id)}`)) }

    /** How the decision came about: windows, rules, contributions; null when there is no such event. */
    async explanation(id) { return this.#orNull(this.#call('GET', `/v1/decisions/${encodeURIComponent(id)}/explanation`)) }

    /** Tells what an event turned out to be: { event, label: 'fraud' | 'genuine' }. `id` and `time` are made when absent. */
    async label(label) {
        const sent = complete(label)
        return this.#call('POST', '/v1/labels', { body: sent, fits: (a) => isDecision(a, sent) })
    }

    // The outcome that the caller chose for when there is none.
    #without(event, e) {
        if (!(e instanceof KeerProblem) || !e.unavailable || this.#o.onUnavailable === 'throw') throw e
        return {
            id: String(event.id), time: event.time, type: event.type, outcome: this.#o.onUnavailable, review: false, score: null,
            rules: [], because: [], reasons: [], degraded: ['unavailable'], problem: e
        }
    }

    #orNull(call) {
        return call.catch((e) => { if (e.code === 'NOT_FOUND') return null; throw e })
    }

    #call(method, path, { body, fits = (a) => a !== null && typeof a === 'object' } = {}) {
        const text = body === undefined ? undefined : JSON.stringify(body)
        return this.#persist(this.#o.timeoutMs, this.#o.attemptMs, (ms, attempt) => this.#once(method, path, text, ms, attempt, (answer) => {
            const value = parse(answer)
            return fits(value) ? value : undefined
        }))
    }

    // What is decided leaves the batch; what may work later is sent again, alone.
    async #batch(events, timeoutMs) {
        const results = new Array(events.length)
        let open = events.map((_, i) => i)
        const once = async (ms, attempt) => {
            const text = open.map((i) => JSON.stringify(events[i]) + '\n').join('')
            const r = await this.#once('POST', '/v1/decisions:batch', text, ms, attempt, (answer) => {
                const lines = answer.trim().split('\n').map(parse)
                return lines.length === open.length && lines.every((a, n) => isDecision(a, events[open[n]]) || typeof a?.status === 'number') ? lines : undefined
            })
            if (r.problem) return r
            let last
            open = open.filter((i, n) => {
                const a = r.answer[n]
                results[i] = a.outcome ? a : new KeerProblem({ ...a, attempts: attempt })
                const again = !a.outcome && (AGAIN.has(a.status) || a.code === 'ANSWERS_LARGE')
                if (again) last = results[i]
                return again
            })
            return last ? { problem: last, again: true, waitMs: 0 } : { answer: true }
        }
        try {
            await this.#persist(timeoutMs, timeoutMs / 2, once)
        } catch (e) {
            if (!(e instanceof KeerProblem) || (!e.unavailable && e.code !== 'ANSWERS_LARGE')) throw e
            for (const i of open) results[i] = e.unavailable && this.#o.onUnavailable !== 'throw' ? this.#without(events[i], e) : e
        }
        return results
    }

    // Attempts until one is good, may not be made again, or time or number are used up.
    async #persist(timeoutMs, attemptMs, once) {
        const deadline = performance.now() + timeoutMs
        for (let attempt = 1; ; attempt++) {
            const last = attempt > this.#o.retries, left = deadline - performance.now()
            const r = await once(Math.max(1, last ? left : Math.min(left, attemptMs)), attempt)
            if (!r.problem) return r.answer
            const wait = Math.max(r.waitMs, Math.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** attempt))
            if (!r.again || last || performance.now() + wait >= deadline) throw r.problem
            await sleep(wait)
        }
    }

    // One attempt: { answer }, or { problem, again, waitMs }.
    async #once(method, path, body, ms, attempts, read) {
        const signal = AbortSignal.timeout(Math.ceil(ms)) // a whole number, says Node
        let status, text, after
        try {
            const headers = { authorization: `Bearer ${this.#o.key}` }
            if (body !== undefined) headers['content-type'] = path.endsWith(':batch') ? 'application/x-ndjson' : 'application/json'
            const r = await fetch(this.#o.base + path, { method, headers, body, redirect: 'error', signal })
            text = await r.text()
            status = r.status
            after = r.headers.get('retry-after')
        } catch (e) {
            return { problem: noAnswer(e, attempts), again: true, waitMs: 0 }
        }
        if (status !== 200)
            return { problem: problemOf(status, text, attempts), again: AGAIN.has(status), waitMs: retryAfterMs(after) }
        const answer = read(text)
        if (answer !== undefined) return { answer }
        return { problem: noAnswer(new Error('the answer is not what was asked for, or half of it'), attempts), again: true, waitMs: 0 }
    }
}
