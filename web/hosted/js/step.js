// step.js - answering a challenge: by passkey, on a trusted device, with a code. Used by the challenge page and by dialogs.
import { $, busy, complete, el, icon, say, showError } from './ui.js'
import { get, post } from './net.js'
import { S, fill, money } from './text.js'
import { limitFacts } from './names.js'
import * as passkey from './passkey.js'
import * as payment from './payment.js'

const POLL_MS = 2000, APPROVED_POLLS = 5
const order = ['passkey', 'prompt', 'totp', 'recovery_code']
const ways = {
    passkey: { icon: 'passkey', name: () => S.way_passkey, panel: passkeyPanel },
    prompt: { icon: 'phone', name: () => S.way_prompt, panel: promptPanel },
    totp: { icon: 'app', name: () => S.way_totp, panel: codePanel('totp') },
    recovery_code: { icon: 'codes', name: () => S.way_recovery_code, panel: codePanel('recovery-code') },
}

const path = (c, rest) => `/v1/account/challenges/${encodeURIComponent(c.id)}${rest}`

// Draws into `box`, and resolves to the last answer of the daemon: { state, redirect } with state done, refused or expired.
export function answer(box, challenge) {
    return new Promise((resolve) => {
        const step = { box, challenge, finish, error: el('p', { class: 'notice bad', role: 'alert', id: 'step-error', hidden: true }) }
        let clock = setTimeout(expire, Math.max(0, Date.parse(challenge.expires) - Date.now()) || 600e3)
        function expire() { finish({ state: 'expired' }) }
        function finish(result) {
            if (!result.state || result.state === 'open') return
            clearTimeout(clock)
            clearInterval(step.poll)
            box.replaceChildren()
            resolve(result)
        }
        const methods = order.filter((m) => challenge.methods.includes(m) && (m !== 'passkey' || passkey.available()))
        if (methods.length) show(step, methods, methods[0])
        else box.replaceChildren(el('p', { class: 'notice' }, S.step_no_way), cancelButton(step))
    })
}

// A challenge that is over has ended, whatever ended it: the page says so, and not only the error.
const over = (step, work) => async () => {
    try {
        return await work()
    } catch (e) {
        if (e.code !== 'STEP_OVER' && e.status !== 404) throw e
        step.finish({ state: 'expired' })
    }
}

function show(step, methods, chosen, moved = false) {
    clearInterval(step.poll)
    showError('', step.error)
    const others = methods.filter((m) => m !== chosen)
    const panel = el('div', { class: 'panel' })
    step.box.replaceChildren(step.error, panel)
    if (others.length) step.box.append(
        el('p', { class: 'or' }, el('span', {}, S.other_ways)),
        el('ul', { class: 'ways' }, others.map((m) => el('li', {}, el('button', { type: 'button', class: 'way', click: () => show(step, methods, m, true) }, icon(ways[m].icon), el('span', {}, ways[m].name()))))))
    step.box.append(cancelButton(step))
    ways[chosen].panel(step, panel)
    if (moved) (panel.querySelector('input') ?? panel.querySelector('button'))?.focus()
}

const cancelButton = (step) => {
    const button = el('button', { type: 'button', class: 'plain wide', click: () => busy(button, over(step, async () => step.finish(await post(path(step.challenge, '/cancel')))), step.error) }, S.cancel)
    return button
}

function primary(label, ...more) { return el('button', { type: 'button', class: 'primary' }, ...more, label) }

function passkeyPanel(step, panel) {
    const { challenge } = step, pays = challenge.kind === 'payment'
    const label = pays ? fill(S.confirm_amount, { amount: money(challenge.shown.amount, challenge.shown.currency) }) : S.passkey_use
    const button = primary(label, icon('passkey'))
    panel.append(button, el('p', { class: 'hint centred' }, pays ? S.passkey_pay_lead : S.passkey_lead))
    button.addEventListener('click', () => busy(button, over(step, async () => {
        const options = await post(path(challenge, '/passkey/options'))
        step.finish(await post(path(challenge, '/passkey'), { credential: await sign(options) }))
    }), step.error))
}

// A payment is shown by the browser where it can; who asks it for another way there gets the passkey's own dialog.
async function sign(options) {
    if (options.payment && await payment.available()) {
        try {
            return await payment.confirm(options.payment)
        } catch (e) {
            if (e.name !== 'NotAllowedError' && e.name !== 'NotSupportedError') throw e
        }
    }
    return passkey.ask(options.publicKey)
}

function codePanel(kind) {
    const digits = kind === 'totp'
    return (step, panel) => {
        const input = el('input', { id: 'step-code', class: digits ? 'code' : 'code letters', type: 'text', required: true, maxlength: digits ? 7 : 40, inputmode: digits ? 'numeric' : 'text',
            autocomplete: digits ? 'one-time-code' : 'off', autocapitalize: 'characters', autocorrect: 'off', spellcheck: 'false', 'aria-describedby': 'step-code-why step-error' })
        const form = el('form', { method: 'post', novalidate: true },
            el('div', { class: 'field' }, el('label', { for: 'step-code' }, digits ? S.totp_label : S.recovery_code_label), input, el('p', { class: 'hint', id: 'step-code-why' }, digits ? S.totp_why : S.recovery_code_why)),
            el('button', { type: 'submit', class: 'primary' }, S.go_on))
        form.addEventListener('submit', (event) => {
            event.preventDefault()
            if (!complete(form, step.error)) return
            busy(form.lastChild, over(step, async () => {
                try {
                    step.finish(await post(path(step.challenge, `/${kind}`), { code: input.value.trim() }))
                } catch (e) {
                    input.select()
                    throw e
                }
            }), step.error)
        })
        if (digits) input.addEventListener('input', () => { if (/^\d{6}$/.test(input.value.replaceAll(' ', ''))) form.requestSubmit() })
        panel.append(form)
        if (!step.quiet) input.focus()
    }
}

// The number is shown here and typed on the device, so that nobody approves what somebody else has begun.
function promptPanel(step, panel) {
    const button = primary(S.prompt_send, icon('phone'))
    panel.append(el('p', { class: 'lead' }, S.prompt_lead), button)
    button.addEventListener('click', () => busy(button, over(step, async () => {
        const { number } = await post(path(step.challenge, '/prompt'))
        if (number) showNumber(step, panel, number)
    }), step.error))
    if (step.challenge.number) showNumber(step, panel, step.challenge.number)
}

function showNumber(step, panel, number) {
    const spoken = [...number].join(' ')
    panel.replaceChildren(
        el('p', { class: 'lead' }, S.prompt_type),
        el('p', { class: 'number' }, el('span', { 'aria-hidden': 'true' }, el('span', {}, number.slice(0, 3)), ' ', el('span', {}, number.slice(3))), el('span', { class: 'unseen' }, spoken)),
        el('p', { class: 'hint waits' }, S.prompt_waits))
    say(`${S.prompt_type} ${spoken}`)
    clearInterval(step.poll)
    // Approved comes a moment before done: the step's event is decided in between. Approved for long: what was to follow did not.
    let approved = 0
    step.poll = setInterval(async () => {
        try {
            const now = await get(path(step.challenge, ''))
            step.finish(now)
            if (now.state !== 'open' || !now.prompt || now.prompt === 'waiting') return
            if (now.prompt !== 'approved' || ++approved > APPROVED_POLLS) {
                step.challenge.number = undefined
                panel.replaceChildren()
                clearInterval(step.poll)
                promptPanel(step, panel)
                showError(S.prompt_over, step.error)
            }
        } catch (e) {
            if (e.code === 'STEP_OVER' || e.status === 404) step.finish({ state: 'expired' })
        }
    }, POLL_MS)
}

// In a dialog of the security centre: resolves to whether it was done.
export async function inDialog(open, id) {
    const challenge = await get(`/v1/account/challenges/${encodeURIComponent(id)}`)
    const box = el('div'), facts = challenge.shown?.change === 'wallet_limit' ? limitFacts(challenge.shown.detail) : null
    const dialog = open(S.challenge_head, el('p', { class: 'lead' }, S.step_first), facts && el('dl', { class: 'facts' }, facts.map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]).flat()), box)
    const result = await Promise.race([answer(box, challenge), dialog.closed.then(() => ({ state: 'closed' }))])
    if (result.state === 'closed') await post(path(challenge, '/cancel')).catch(() => {})
    else dialog.close()
    if (result.state === 'expired') showError(S.challenge_expired, $('error'))
    return result.state === 'done'
}
