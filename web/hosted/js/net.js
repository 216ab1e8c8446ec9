// net.js - the JSON paths of /v1/account: one call, its answer or a Problem.
import { S, fill } from './text.js'

export class Problem extends Error {
    constructor(status, document) {
        super(document.code ?? 'OTHER')
        this.status = status
        this.code = document.code ?? 'OTHER'
        this.document = document
    }
}

export async function call(method, path, body, headers = {}) {
    let response, answer
    try {
        response = await fetch(path, {
            method, cache: 'no-store', credentials: 'same-origin', redirect: 'error',
            headers: { accept: 'application/json', ...body === undefined ? {} : { 'content-type': 'application/json' }, ...headers },
            body: body === undefined ? undefined : JSON.stringify(body),
        })
        answer = await response.json()
    } catch {
        throw new Problem(response?.status ?? 0, { code: response ? 'OTHER' : 'OFFLINE' })
    }
    if (!response.ok) throw new Problem(response.status, { ...answer, after: Number(response.headers.get('retry-after')) || 0 })
    return answer
}
export const get = (path) => call('GET', path)
export const post = (path, body = {}, headers) => call('POST', path, body, headers)

// What may want a second step first: `ask` is given the challenge, and says whether it was done. Null: it was not.
export async function callWithStep(method, path, body, ask) {
    const answer = await call(method, path, body)
    if (answer.next !== 'step') return answer
    return await ask(answer.challenge) ? call(method, path, body, { 'keer-challenge': answer.challenge }) : null
}

const flaws = {
    too_short: () => S.flaw_too_short, too_long: () => S.flaw_too_long, common: () => S.flaw_common, breached: () => S.flaw_breached,
    context: () => S.flaw_context, guessable: () => S.flaw_guessable, not_text: () => S.flaw_not_text,
}
const texts = {
    OFFLINE: () => S.problem_offline, WRONG_CREDENTIALS: () => S.problem_credentials, WRONG_CODE: () => S.problem_code,
    NO_SESSION: () => S.problem_session, ACCOUNTS_OFF: () => S.problem_off, NOT_FOUND: () => S.problem_gone,
    BAD_BODY: () => S.problem_input, STEP_NEEDED: () => S.problem_session, RESTRICTED: () => S.problem_restricted, NOTICES_OFF: () => S.problem_messages,
    WALLETS_OFF: () => S.problem_wallets_off, AGREEMENT_STATE: () => S.problem_gone, WALLETS_HELD: () => S.wallets_held_why, LAST_CONTACT: () => S.problem_last_contact, TAKEN: () => S.problem_taken, DENIED: () => S.problem_denied, TOO_MANY: () => S.problem_full, STEP_OVER: () => S.challenge_expired, BAD_STEP: () => S.challenge_expired,
    PASSKEY_REFUSED: () => S.passkey_refused, PASSKEYS_OFF: () => S.passkey_wrong_site, GUARD_REFUSED: () => S.problem_guard, RECOVERY_OVER: () => S.challenge_expired, RECOVERY_WAITS: () => S.problem_recovery_waits, STARTING: () => S.problem_later, STOPPING: () => S.problem_later, FULL: () => S.problem_later,
}
// What a person is told. Details of a problem are for who runs the service, so that they are not shown.
export function problemText(e) {
    if (!(e instanceof Problem)) return S.problem_other
    const flaw = flaws[e.document.detail?.split(':')[0]] // PASSWORD_REFUSED: the flaw's code, a colon, English
    if (e.code === 'PASSWORD_REFUSED' && flaw) return flaw()
    if (texts[e.code]) return texts[e.code]()
    if (e.status === 429) return e.document.after ? fill(S.problem_many_until, { n: Math.ceil(e.document.after / 60) }) : S.problem_many
    return e.status >= 500 ? S.problem_later : S.problem_other
}
