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
        const sent = { ...event, id: event.id ?? randomUUID(), time: event.time ?? new Date().toISOString() }
        const fits = (a) => a?.id === String(sent.id) && typeof a.outcome === 'string'
        return this.#call('POST', '/v1/decisions', { body: sent, fits }).catch((e) => this.#without(sent, e))
    }

    /** Decides many, `concurrency` at a time; the results stand in the order of the events. */
    async decideMany(events, { concurrency = 16 } = {}) {
        const list = [...events], results = new Array(list.length)
        let next = 0
        const worker = async () => { for (let i; (i = next++) < list.length;) results[i] = await this.decide(list[i]) }
        await Promise.all(Array.from({ length: Math.min(concurrency, list.length) }, worker))
        return results
    }

    /** The stored decision on an event; null when there is none. */
    async decision(id) { return this.#orNull(this.#call('GET', `/v1/decisions/${encodeURIComponent(id)}`)) }

    /** How the decision came about: windows, rules, contributions; null when there is no such event. */
    async explanation(id) { return this.#orNull(this.#call('GET', `/v1/decisions/${encodeURIComponent(id)}/explanation`)) }

    /** Tells what an event turned out to be: { event, label: 'fraud' | 'genuine' }. `id` and `time` are made when absent. */
    async label(label) {
        const sent = { ...label, id: label.id ?? randomUUID(), time: label.time ?? new Date().toISOString() }
        return this.#call('POST', '/v1/labels', { body: sent })
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

    async #call(method, path, { body, fits = (a) => a !== null && typeof a === 'object' } = {}) {
        const { timeoutMs, retries } = this.#o, deadline = performance.now() + timeoutMs
        const text = body === undefined ? undefined : JSON.stringify(body)
        for (let attempt = 1; ; attempt++) {
            const left = deadline - performance.now()
            const r = await this.#once(method, path, text, Math.max(1, attempt > retries ? left : Math.min(left, this.#o.attemptMs)), fits, attempt)
            if (!r.problem) return r.answer
            const backoff = Math.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** attempt)
            const wait = Math.max(r.waitMs, backoff)
            if (!r.again || attempt > retries || performance.now() + wait >= deadline) throw r.problem
            await sleep(wait)
        }
    }

    // One attempt: { answer }, or { problem, again, waitMs }.
    async #once(method, path, body, ms, fits, attempts) {
        const signal = AbortSignal.timeout(Math.ceil(ms)) // a whole number, says Node
        let status, text, after
        try {
            const headers = { authorization: `Bearer ${this.#o.key}`, accept: 'application/json' }
            if (body !== undefined) headers['content-type'] = 'application/json'
            const r = await fetch(this.#o.base + path, { method, headers, body, redirect: 'error', signal })
            text = await r.text()
            status = r.status
            after = r.headers.get('retry-after')
        } catch (e) {
            return { problem: noAnswer(e, attempts), again: true, waitMs: 0 }
        }
        if (status !== 200)
            return { problem: problemOf(status, text, attempts), again: AGAIN.has(status), waitMs: retryAfterMs(after) }
        const answer = parse(text)
        return fits(answer) ? { answer } : { problem: noAnswer(new Error('the answer is not what was asked for, or half of it'), attempts), again: true, waitMs: 0 }
    }
}
