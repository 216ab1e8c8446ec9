/** index.d.ts - types of @keersluis/client. The attributes of an event: docs/reference/attributes.md. */

export type Outcome = 'allow' | 'challenge' | 'review' | 'deny'
export type Degraded = 'model' | 'window' | 'approximate' | 'rate' | 'late' | 'input' | 'unavailable'

export interface KeerEvent {
    /** Names the event for ever; made when absent. */
    id?: string
    /** ISO 8601, or seconds since 1970; now when absent. */
    time?: string | number
    /** docs/reference/events.md, or `custom.NAME`. */
    type: string
    account?: string | null
    device?: string | null
    ip?: string | null
    /** An integer of minor units, or a text with the decimals of `currency`. */
    amount?: number | string | null
    currency?: string | null
    /** Any other attribute that keer or the policy knows. */
    [attribute: string]: unknown
}

export interface Decision {
    id: string
    time: string
    type: string
    outcome: Outcome
    review: boolean
    score: number | null
    rules: string[]
    because: string[]
    reasons: string[]
    /** What was not as it should be; ['unavailable']: the daemon did not decide this, `onUnavailable` did. */
    degraded: Degraded[]
    /** With ['unavailable']: why. */
    problem?: KeerProblem
}

export interface Label {
    id?: string
    /** The id of the event that is meant. */
    event: string
    label: 'fraud' | 'genuine'
    time?: string | number
    [attribute: string]: unknown
}

/** Number, text or boolean; null when it is missing. Money in major units, times and durations in seconds. */
export type Value = number | string | boolean | null

/** Why a decision came out so. */
export interface Explanation {
    id: string
    time: string
    type: string
    outcome: Outcome
    review: boolean
    score: number | null
    degraded: Degraded[]
    rules: { name: string; action: Outcome; because: string | null; condition: string; saw: { expression: string; value: Value }[] }[]
    windows: { name: string | null; expression: string; part: string | null; by: string; value: Value; approximate: boolean }[]
    /** Named expressions of the policy. */
    lets: Record<string, Value>
    models: {
        name: string; digest: string; score: number | null; margin: number | null; expected_margin: number | null
        /** How far each feature moved the margin, largest first. */
        contributions: { feature: string; value: Value; contribution: number }[]
    }[]
}

export interface Options {
    /** Where the daemon is, as 'http://127.0.0.1:8080'. */
    url: string
    /** An API key (`keer key new`). */
    key: string
    /** The outcome of `decide` when the daemon can't be reached: fail open, half open or closed, or an error. Yours to choose. */
    onUnavailable: 'allow' | 'challenge' | 'deny' | 'throw'
    /** For all attempts of one call together; 2000. */
    timeoutMs?: number
    /** For one attempt that is not the last; half of timeoutMs. */
    attemptMs?: number
    /** Attempts after the first; 3. */
    retries?: number
}

/** What did not work: code, status, detail and hint are the daemon's; code UNAVAILABLE and status 0 when there was no answer. */
export class KeerProblem extends Error {
    readonly code: string
    readonly status: number
    readonly title: string
    readonly detail?: string
    readonly hint?: string
    readonly attempts: number
    /** The daemon could not answer; the request itself may be right. */
    get unavailable(): boolean
}

export class Keer {
    /** TypeError when an option is missing or wrong. */
    constructor(options: Options)
    /** Throws KeerProblem for what is wrong with the request (400, 401, 403, 413, 422), whatever `onUnavailable` is. */
    decide(event: KeerEvent): Promise<Decision>
    /**
     * `size` events in one request (1000), `timeoutMs` for each request with its repetitions (15 times the option). For each event, in order: its decision,
     * or the KeerProblem that `decide` would throw.
     */
    decideMany(events: Iterable<KeerEvent>, options?: { size?: number; timeoutMs?: number }): Promise<(Decision | KeerProblem)[]>
    decision(id: string): Promise<Decision | null>
    explanation(id: string): Promise<Explanation | null>
    label(label: Label): Promise<Decision>
}
