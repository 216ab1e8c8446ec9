// challenge.js - /challenge/{id}: what is asked, shown large and clear, and the ways to answer it.
import { $, el, icon, goOn, withGoOn } from './ui.js'
import { get, problemText } from './net.js'
import { S, fill, money } from './text.js'
import { answer } from './step.js'
import { changeName, limitFacts, walletName } from './names.js'

const id = decodeURIComponent(location.pathname.split('/')[2] ?? '')
const heads = { sign_in: () => S.challenge_head, change: () => S.change_head, link: () => S.link_head, payment: () => S.payment_head }
const leads = { sign_in: () => S.challenge_lead, change: () => S.change_lead, link: () => S.link_lead, payment: () => S.payment_lead }

const fact = (name, value) => value ? [el('dt', {}, name), el('dd', {}, value)] : []

// What is signed is what stands here, and nothing of it is optional: RTS 2018/389 article 5(1)(a).
function showPayment(s) {
    return el('div', { class: 'bill' },
        el('p', { class: 'payee' }, fill(S.pay_to, { payee: s.payee ?? s.payee_origin })),
        el('p', { class: 'amount' }, money(s.amount, s.currency)),
        el('dl', {}, fact(S.payee_site, s.payee_origin), fact(S.wallet, s.wallet), fact(S.agreement, s.agreement), fact(S.reference, s.reference), fact(S.store, s.store)))
}

// What linking allows: all of it is confirmed.
function showCaps(s) {
    if (!s.cap_charge) return []
    const show = (amount) => money(amount, s.cap_currency)
    return [fact(S.limit_charge, show(s.cap_charge)), fact(S.limit_day, show(s.cap_day)), fact(S.limit_month, show(s.cap_month)), fact(S.limit_count, s.cap_count),
        fact(S.limit_unverified, Number(s.cap_unverified) > 0 ? show(s.cap_unverified) : S.unverified_never)].flat()
}

function showFacts(c) {
    const s = c.shown ?? {}
    if (c.kind === 'payment') return showPayment(s)
    const limits = s.change === 'wallet_limit' ? limitFacts(s.detail) : null
    const rows = [fact(S.store, s.store), fact(S.change, s.change && changeName(s.change)), ...limits ? limits.map((f) => fact(...f)) : [fact(S.detail, s.detail)],
        fact(S.wallet, s.wallet && walletName(s.wallet)), fact(S.agreement, s.agreement), fact(S.reference, s.reference), showCaps(s)].flat()
    return rows.length ? el('dl', { class: 'facts' }, rows) : null
}

function end(kind, head, lead, action) {
    $('shown').replaceChildren()
    $('step').replaceChildren(el('p', { class: `seal ${kind}` }, icon(kind === 'good' ? 'check' : kind === 'bad' ? 'warning' : 'clock')), el('p', { class: 'lead centred' }, lead), ...action ? [action] : [])
    $('h').textContent = head
    $('h').className = 'centred'
    $('h').focus()
}

const onward = (label, href) => el('a', { class: 'secondary wide', href }, label)

function finished(c, result) {
    const { state, redirect } = result
    const url = redirect && URL.canParse(redirect, location.origin) ? new URL(redirect, location.origin) : null
    const safe = url && /^https?:$/.test(url.protocol)
    if (safe) location.replace(url)
    else if (state === 'done' && c.kind === 'sign_in') location.replace(goOn())
    const back = safe ? onward(S.back_to_store, url.href) : c.kind === 'sign_in' ? onward(S.back_to_sign_in, withGoOn('/sign-in')) : null
    if (state === 'done') end('good', S.challenge_done, c.kind === 'payment' ? S.payment_done_lead : S.challenge_done_lead, safe ? back : null)
    else if (state === 'refused') end('bad', S.challenge_refused, c.kind === 'payment' ? S.payment_refused_lead : S.challenge_refused_lead, back)
    else end('late', S.challenge_expired_head, S.challenge_expired, back)
}

try {
    const c = await get(`/v1/account/challenges/${encodeURIComponent(id)}`)
    document.body.classList.add(`kind-${c.kind}`)
    $('card').removeAttribute('aria-busy')
    if (c.state !== 'open') {
        finished(c, c)
    } else {
        $('h').textContent = (heads[c.kind] ?? heads.sign_in)()
        $('shown').replaceChildren(...[el('p', { class: 'lead' }, (leads[c.kind] ?? leads.sign_in)()), showFacts(c)].filter(Boolean))
        finished(c, await answer($('step'), c))
    }
} catch (e) {
    $('card').removeAttribute('aria-busy')
    if (e.status === 401) location.replace(`/sign-in?continue=${encodeURIComponent(location.pathname)}`)
    else end('late', S.challenge_gone_head, e.code === 'STEP_OVER' || e.status === 404 ? S.challenge_expired : problemText(e), onward(S.back_to_sign_in, '/sign-in'))
}
