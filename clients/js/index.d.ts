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

/** Money as a text with all decimals of its currency ('648.00'), or an integer of minor units. */
export type Money = string | number
export interface Caps { charge?: Money; day?: Money; month?: Money; count?: number }
export interface NewAgreement {
    /** Yours, for ever: the same again is the same agreement. */
    id: string
    /** An account of this service, or `subject`, your own name of it. */
    account?: string
    subject?: string
    /** Its name in the daemon's file of wallets. */
    wallet: string
    currency: string
    /** https://...: where the person goes on after the wallet's page. */
    return_url: string
    caps?: Caps
    /** What may be charged without a step of its own, in sum; none when it is not given. */
    unverified_spend_limit?: Money
    device?: string
    ip?: string
    user_agent?: string
    session?: string
    /** Your name as the person knows it. */
    store?: string
}
export type AgreementState = 'needs_step' | 'signing' | 'active' | 'paused' | 'ending' | 'ended'
export interface Agreement {
    id: string
    /** Your id. */
    reference: string
    state: AgreementState
    /** The step: send the person to its url. */
    challenge?: { id: string; url: string }
    /** Of sign: the wallet's page. */
    url?: string
    [more: string]: unknown
}
export type ChargeState = 'needs_step' | 'submitted' | 'unknown' | 'paid' | 'failed' | 'refused' | 'cancelled'
export interface NewCharge {
    /** Yours, for ever: the same again is the same charge, never a second one. */
    id: string
    agreement: string
    /** Who buys, when it is a member of the family; else the agreement's. */
    account?: string
    type: 'purchase' | 'top_up'
    amount: Money
    currency: string
    payee: string
    item?: string
    beneficiary?: string
    merchant?: string
    device?: string
    ip?: string
    user_agent?: string
    session?: string
}
export interface Charge {
    /** The daemon's; absent when no answer came (then `key` is there). */
    id?: string
    /** Your id. */
    key?: string
    state: ChargeState
    amount?: string
    currency?: string
    /** Of needs_step: send the person to its url, then confirm. */
    challenge?: { id: string; url: string }
    /** Why it was refused or failed. */
    reason?: string
    why?: string
    refunded?: string
    /** With 'unknown', when no answer came: why. Ask with the same id; never with another. */
    problem?: KeerProblem
    [more: string]: unknown
}
export interface NewRefund {
    id: string
    /** The daemon's id of the charge. */
    charge: string
    /** All that is left, when it is not given. */
    amount?: Money
    currency?: string
    reason?: string
}
export interface Refund {
    id?: string
    key?: string
    state: string
    amount?: string
    currency?: string
    problem?: KeerProblem
    [more: string]: unknown
}
export interface Agreements {
    link(agreement: NewAgreement): Promise<Agreement>
    get(id: string): Promise<Agreement | null>
    /** After the step: `url` is the wallet's page. `auth_code`: what a wallet gave to the person's browser. */
    sign(id: string, auth_code?: string): Promise<Agreement>
    /** Lower at once; what raises is the person's (`next: 'person'`). */
    caps(id: string, limits: { caps?: Caps; unverified_spend_limit?: Money }): Promise<Agreement>
    pause(id: string): Promise<Agreement>
    resume(id: string): Promise<Agreement>
    end(id: string): Promise<Agreement>
    sync(id: string): Promise<Agreement>
}
export interface Charges {
    /** Never throws for want of an answer: that is state 'unknown', with `problem`. */
    make(charge: NewCharge): Promise<Charge>
    get(id: string): Promise<Charge | null>
    confirm(id: string): Promise<Charge>
    cancel(id: string): Promise<Charge>
    /** Until it has ended, 30 s unless told; then as it stands. */
    wait(id: string, options?: { timeoutMs?: number }): Promise<Charge | null>
}
export interface Refunds {
    make(refund: NewRefund): Promise<Refund>
    get(id: string): Promise<Refund | null>
    wait(id: string, options?: { timeoutMs?: number }): Promise<Refund | null>
}

export class Keer {
    readonly agreements: Agreements
    readonly charges: Charges
    readonly refunds: Refunds
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
