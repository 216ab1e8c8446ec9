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

// What a charge or refund can still become something else from.
const OPEN = new Set(['submitted', 'unknown'])
const WAIT_MS = 30000, LOOK_MS = 100, LOOK_MAX_MS = 5000

// An id of the caller's own: what was made under an id that died with the process could never be asked for again.
function owned(what, body) {
    if (typeof body?.id !== 'string' || !body.id) throw new TypeError(`${what}: an id of your own is needed, the order's for example: asking again with it is what makes asking again safe`)
    return body
}

export class Keer {
    #o
    constructor(options) {
        this.#o = settings(options)
        this.agreements = this.#agreements()
        this.charges = this.#charges()
        this.refunds = this.#refunds()
    }

    #agreements() {
        const at = (id, verb = '') => `/v1/agreements/${encodeURIComponent(id)}${verb}`
        const post = (id, verb, body = {}) => this.#call('POST', at(id, '/' + verb), { body })
        return Object.freeze({
            link: async (agreement) => {
                const body = owned('agreements.link', agreement)
                return this.#call('POST', '/v1/agreements', { body, fits: (a) => a?.reference === body.id })
            },
            get: (id) => this.#orNull(this.#call('GET', at(id))),
            sign: (id, auth_code) => post(id, 'sign', auth_code === undefined ? {} : { auth_code }),
            caps: (id, limits) => post(id, 'caps', limits),
            pause: (id) => post(id, 'pause'),
            resume: (id) => post(id, 'resume'),
            end: (id) => post(id, 'end'),
            sync: (id) => post(id, 'sync')
        })
    }

    #charges() {
        const at = (id, verb = '') => `/v1/charges/${encodeURIComponent(id)}${verb}`
        const post = (id, verb) => this.#money({ id }, this.#call('POST', at(id, '/' + verb), { body: {}, fits: (a) => a?.id === id }))
        const get = (id) => this.#orNull(this.#call('GET', at(id)))
        return Object.freeze({
            make: async (charge) => {
                const body = owned('charges.make', charge)
                return this.#money({ key: body.id }, this.#call('POST', '/v1/charges', { body, fits: (a) => a?.key === body.id }))
            },
            get,
            confirm: (id) => post(id, 'confirm'),
            cancel: (id) => post(id, 'cancel'),
            wait: (id, o) => this.#settled(id, get, o)
        })
    }

    #refunds() {
        const get = (id) => this.#orNull(this.#call('GET', `/v1/refunds/${encodeURIComponent(id)}`))
        return Object.freeze({
            make: async (refund) => {
                const body = owned('refunds.make', refund)
                return this.#money({ key: body.id }, this.#call('POST', '/v1/refunds', { body, fits: (a) => a?.key === body.id }))
            },
            get,
            wait: (id, o) => this.#settled(id, get, o)
        })
    }

    // No answer says nothing of the money: it is told as what it is, with the way to ask.
    #money(named, call) {
        return call.catch((e) => {
            if (!(e instanceof KeerProblem) || !e.unavailable) throw e
            return { ...named, state: 'unknown', problem: e }
        })
    }

    // Asked until it has ended or the time is over; then as it stands.
    async #settled(id, get, { timeoutMs = WAIT_MS } = {}) {
        const deadline = performance.now() + timeoutMs
        for (let look = LOOK_MS, a; ; look = Math.min(LOOK_MAX_MS, 2 * look)) {
            a = await this.#money({ id }, get(id))
            if (a === null || !OPEN.has(a.state) || performance.now() + look >= deadline) return a
            await sleep(look)
        }
    }

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
        if (status < 200 || status > 299)
            return { problem: problemOf(status, text, attempts), again: AGAIN.has(status), waitMs: retryAfterMs(after) }
        const answer = read(text)
        if (answer !== undefined) return { answer }
        return { problem: noAnswer(new Error('the answer is not what was asked for, or half of it'), attempts), again: true, waitMs: 0 }
    }
}
