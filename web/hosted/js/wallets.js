// wallets.js - /wallets: what is linked, what it may be charged, what it was charged, from GET /v1/account/wallets.
import { $, busy, el, icon, say, showError } from './ui.js'
import { get, post, problemText } from './net.js'
import { S, fill, money, when } from './text.js'
import * as act from './authenticators.js'
import { walletName } from './names.js'

const states = {
    needs_step: () => ({ kind: 'late', text: S.wallet_needs_step }), signing: () => ({ kind: 'late', text: S.wallet_signing }), active: () => ({ kind: 'good', text: S.wallet_active }),
    paused: () => ({ kind: 'late', text: S.wallet_paused }), ending: () => ({ kind: 'bad', text: S.wallet_ending }), ended: () => ({ kind: 'bad', text: S.wallet_ended }),
}
const chargeStates = {
    created: () => S.charge_waits, needs_step: () => S.charge_needs_step, submitted: () => S.charge_waits, unknown: () => S.charge_waits,
    failed: () => S.charge_failed, refused: () => S.charge_refused, cancelled: () => S.charge_cancelled,
}
const lives = (w) => ['active', 'paused'].includes(w.state)

// A button that does something and then shows everything anew. Its name for screen readers says of what it is.
function does(label, of, work, kind = '') {
    const button = el('button', { type: 'button', class: `small ${kind}`, 'aria-label': `${label}: ${of}` }, label)
    button.addEventListener('click', () => busy(button, async () => { await work(); await load() }))
    return button
}

// A number of an account is enough by its end.
const masked = (payer) => payer.replace(/^\d{6,}(?=\d{4}$)/, '•••• ')

// How much of a cap is used, as a bar; the figures stand beside it as text, with all their digits.
function meter(name, used, cap, show) {
    const max = Number(cap), value = Number(used), text = fill(S.used_of, { used: show(used), cap: show(cap) })
    return el('div', { class: `meter ${max && value / max >= 0.8 ? 'near' : ''}` },
        el('p', {}, el('span', {}, name), el('span', { class: 'figures' }, text)),
        el('progress', { max: max || 1, value: Math.min(value, max || 1), 'aria-label': `${name}: ${text}` }))
}

function showCaps(w) {
    const show = (amount) => money(amount, w.currency), free = Number(w.unverified_spend_limit) > 0
    return el('div', { class: 'caps' },
        el('p', { class: 'cap-line' }, el('span', {}, S.limit_charge), el('strong', {}, show(w.caps.charge))),
        meter(S.used_day, w.used.day, w.caps.day, show), meter(S.used_month, w.used.month, w.caps.month, show), meter(S.used_count, w.used.count, w.caps.count, String),
        el('p', { class: 'hint' }, icon('shield'), el('span', {}, free ? fill(S.unverified_some, { amount: show(w.unverified_spend_limit) }) : S.unverified_none)))
}

function showCharge(c, w) {
    const badge = Number(c.refunded) > 0 ? fill(S.charge_refunded, { amount: money(c.refunded, c.currency) }) : chargeStates[c.state]?.()
    const name = c.item ? `${c.payee}: ${c.item}` : c.payee, void_ = ['failed', 'refused', 'cancelled'].includes(c.state)
    return el('div', { class: `row charge ${void_ ? 'void' : ''}` },
        el('div', { class: 'grow' }, el('p', { class: 'name' }, name, badge && el('span', { class: `badge ${void_ ? 'bad' : 'late'}` }, badge)), el('p', { class: 'meta' }, when(c.created))),
        el('p', { class: 'sum' }, money(c.amount, c.currency)),
        el('div', { class: 'row-actions' }, !void_ && does(S.not_me_row, `${name}, ${money(c.amount, c.currency)}`, () => notMe(c, w), 'quiet')))
}

// It locks the account: what follows is another page, signed out.
async function notMe(c, w) {
    if (!await act.sure(S.not_me_charge, fill(S.not_me_charge_lead, { wallet: walletName(w.wallet), amount: money(c.amount, c.currency), payee: c.payee }), S.not_me_charge_do)) return
    await post(`/v1/account/charges/${encodeURIComponent(c.id)}/not-me`)
    act.locked(S.not_me_charge_done)
    stopped = true
}

function changeLimits(w) {
    const input = (id, label, value, why) => act.field(id, label, { type: 'text', inputmode: id === 'count' ? 'numeric' : 'decimal', autocomplete: 'off', required: true, maxlength: 16, value }, why)
    const text = (data, id) => data.get(id).trim().replace(',', '.')
    return act.form(S.limits_change, fill(S.limits_lead, { wallet: walletName(w.wallet) }), [
        input('charge', `${S.limit_charge} (${w.currency})`, w.caps.charge), input('day', `${S.limit_day} (${w.currency})`, w.caps.day), input('month', `${S.limit_month} (${w.currency})`, w.caps.month),
        input('count', S.limit_count, String(w.caps.count)), input('unverified', `${S.limit_unverified} (${w.currency})`, w.unverified_spend_limit, S.limit_unverified_why),
    ], S.save, async (data) => act.told(await act.guarded('POST', `/wallets/${w.id}/caps`, {
        caps: { charge: text(data, 'charge'), day: text(data, 'day'), month: text(data, 'month'), count: Number(text(data, 'count')) }, unverified_spend_limit: text(data, 'unverified'),
    }), S.limits_saved))
}

async function end(w) {
    const name = walletName(w.wallet)
    if (await act.sure(fill(S.end_wallet, { wallet: name }), S.end_wallet_lead, S.end_wallet_do)) await act.guarded('POST', `/wallets/${w.id}/end`, {})
}

function showWallet(w) {
    const name = walletName(w.wallet), badge = states[w.state](), id = `wallet-${w.id}`
    const actions = lives(w) ? [
        does(S.limits_change, name, () => changeLimits(w)),
        w.state === 'active' ? does(S.pause, name, () => act.guarded('POST', `/wallets/${w.id}/pause`, {})) : does(S.resume, name, async () => act.told(await act.guarded('POST', `/wallets/${w.id}/resume`, {}), S.resumed)),
        does(S.end_wallet_do, name, () => end(w), 'danger')] : []
    return el('section', { class: 'wallet', 'aria-labelledby': id, 'data-state': w.state },
        el('div', { class: 'rows' },
            el('div', { class: 'row head' }, el('span', { class: 'picture' }, icon('wallet')),
                el('div', { class: 'grow' }, el('h2', { id }, name, el('span', { class: `badge ${badge.kind}` }, badge.text)), el('p', { class: 'meta' }, [masked(w.payer), w.signed && fill(S.linked_since, { when: when(w.signed) })].filter(Boolean).join(' · '))),
                el('div', { class: 'row-actions' }, actions)),
            lives(w) && showCaps(w),
            w.charges.length > 0 && el('h3', {}, S.charges_head), w.charges.map((c) => showCharge(c, w)), lives(w) && !w.charges.length && el('p', { class: 'empty' }, S.charges_none)))
}

const toSignIn = () => location.replace(`/sign-in?continue=${encodeURIComponent(location.pathname + location.hash)}`)
let stopped = false

async function load() {
    if (stopped) return
    let all
    try {
        all = await get('/v1/account/wallets')
    } catch (e) {
        if (e.status === 401 || e.code === 'STEP_NEEDED') return toSignIn()
        $('centre').removeAttribute('aria-busy')
        return showError(problemText(e))
    }
    $('state').hidden = !all.held
    if (all.held) $('state').replaceChildren(icon('clock'), el('div', {}, el('p', { class: 'name' }, S.wallets_are_held), el('p', { class: 'meta' }, all.held_until ? fill(S.wallets_held_until, { when: when(all.held_until) }) : S.wallets_held_why)))
    $('state').className = 'state late'
    $('wallets').replaceChildren(...all.wallets.length ? all.wallets.map(showWallet) : [el('div', { class: 'rows' }, el('p', { class: 'empty' }, S.wallets_none))])
    $('centre').removeAttribute('aria-busy')
    say('')
}
await load()
