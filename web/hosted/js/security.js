// security.js - /security: everything that an account has, on one page, from GET /v1/account/me.
import { $, busy, complete, el, icon, say, showError } from './ui.js'
import { get, post, problemText } from './net.js'
import { S, ago, fill, lang, money, plural, when } from './text.js'
import * as act from './authenticators.js'
import { browserName, changeName, isCode, toldIcon, toldName } from './names.js'
import * as passkey from './passkey.js'

const POLL_MS = 4000
let me = null

const rows = (id, list, none) => {
    const box = $(id).querySelector('.rows')
    box.replaceChildren(...list.length ? list : none ? [el('p', { class: 'empty' }, none)] : [])
}

// A row: picture, name with badges, lines below, buttons.
function row(picture, name, badges, meta, ...actions) {
    return el('div', { class: 'row' }, el('span', { class: 'picture' }, icon(picture)),
        el('div', { class: 'grow' }, el('p', { class: 'name' }, name, badges.filter(Boolean).map((b) => el('span', { class: `badge ${b.kind ?? ''}` }, b.text))), meta.filter(Boolean).map((m) => el('p', { class: 'meta' }, m))),
        el('div', { class: 'row-actions' }, actions))
}

// A button that does something and then shows everything anew. Its name for screen readers says of what it is.
function does(label, of, work, kind = '') {
    const button = el('button', { type: 'button', class: `small ${kind}`, 'aria-label': `${label}: ${of}` }, label)
    button.addEventListener('click', () => busy(button, async () => { await work(); if (me) await load() }))
    return button
}

const kinds = {
    passkey: { icon: 'passkey', name: () => S.way_passkey }, totp: { icon: 'app', name: () => S.way_totp },
    prompt: { icon: 'phone', name: () => S.way_prompt }, recovery_code: { icon: 'codes', name: () => S.way_recovery_code },
}
const states = { waiting: () => ({ kind: 'late', text: S.badge_waiting }), disabled: () => ({ kind: 'bad', text: S.badge_blocked }) }
const isPhone = (d) => /android|iphone|phone|mobile|wechat|ios/i.test(`${d.family ?? ''} ${d.name ?? ''}`)
const used = (t) => t ? fill(S.used_ago, { ago: ago(t) }) : S.never_used

function showWays() {
    rows('ways', me.authenticators.filter((a) => a.kind !== 'prompt').map((a) => {
        const kind = kinds[a.kind] ?? kinds.passkey, name = a.name || kind.name(), codes = a.kind === 'recovery_code'
        return row(kind.icon, name, [states[a.state]?.(), a.synced && { text: S.badge_synced }], [codes ? plural(me.recovery_codes_left, S.codes_left_one, S.codes_left_other) : used(a.used)],
            does(S.remove, name, async () => { if (await act.sure(S.remove_way, fill(S.remove_way_lead, { name }), S.remove)) await act.guarded('DELETE', `/authenticators/${a.id}`) }, 'quiet'))
    }), S.ways_none)
    $('add-passkey').hidden = !passkey.available()
}

function showContacts() {
    rows('contacts', me.contacts.map((c) => row(c.kind === 'phone' ? 'message' : 'mail', c.value, [!c.verified && { kind: 'late', text: S.badge_unverified }], [],
        ...c.verified ? [] : [does(S.confirm, c.value, () => act.confirmContact(c.id))],
        does(S.remove, c.value, async () => { if (await act.sure(S.remove_contact, fill(S.remove_contact_lead, { name: c.value }), S.remove)) await act.guarded('DELETE', `/contacts/${c.id}`) }, 'quiet'))))
}

const deviceName = (d) => d.name && d.name !== d.family ? d.name : browserName(d.family)

function showDevices() {
    rows('devices', me.devices.map((d) => {
        const name = deviceName(d)
        return row(isPhone(d) ? 'phone' : 'computer', name, [d.current && { kind: 'good', text: S.badge_this }, d.trusted && { text: S.badge_trusted }], [fill(S.seen_first, { when: when(d.first_seen) }), used(d.last_seen)],
            does(d.trusted ? S.untrust : S.trust, name, () => act.guarded('POST', `/devices/${d.id}`, { trusted: !d.trusted })),
            does(S.rename, name, async () => { const to = await act.rename(S.rename, S.device_name, name); if (to) await act.guarded('POST', `/devices/${d.id}`, { name: to }) }),
            !d.current && does(S.remove, name, async () => { if (await act.sure(S.remove_device, fill(S.remove_device_lead, { name }), S.remove)) await act.guarded('DELETE', `/devices/${d.id}`) }, 'quiet'))
    }), S.devices_none)
}

function showSessions() {
    rows('sessions', me.sessions.map((s) => {
        const device = me.devices.find((d) => d.id === s.device), name = device ? deviceName(device) : browserName(s.family)
        return row('door', name, [s.current && { kind: 'good', text: S.badge_this }], [fill(S.session_since, { when: when(s.created), ip: s.ip })],
            !s.current && does(S.end, name, () => act.guarded('DELETE', `/sessions/${s.id}`), 'quiet'))
    }))
    $('end-others').hidden = me.sessions.length < 2
}

// It locks the account: what follows is another page, signed out.
async function notMe(path, first, body, lead) {
    const was = me
    let done = false
    me = null // nothing asks meanwhile: the answer would be that nobody is signed in, and lead away from what is told here
    try {
        done = await act.notMe(path, body, first)
    } finally {
        if (!done) me = was
    }
    if (done) act.locked(done.by_message ? S.not_me_by_message_lead : lead ?? (done.undone ? S.not_me_done_lead : S.not_me_locked_lead))
}

// What these took away comes back by the link of their message alone: a session is not enough for that.
const comesBackByMessage = ['authenticator_removed', 'contact_removed', 'password_changed', 'recovery_done']

function showChanges() {
    const { pending_changes: changes, pending_recovery: recovery } = me
    const waits = (name, detail, c, path) => row('clock', name, [], [[detail, c.where].filter(Boolean).join(' · '), fill(S.happens, { when: when(c.until) })], does(S.stop_change, name, () => act.guarded('POST', path, {}), 'danger'),
        c.id && does(S.not_me_row, name, () => notMe(`/changes/${c.id}/not-me`, S.not_me_stop), 'quiet'))
    $('changes').hidden = !changes.length && !recovery
    rows('changes', [...recovery ? [waits(S.did_recovery_started, '', recovery, '/recovery/cancel')] : [],
        ...changes.map((c) => waits(changeName(c.change), c.detail, c, `/changes/${c.id}/cancel`))])
}

function showActivity() {
    rows('activity', me.activity.filter((a) => !isCode(a.kind)).map((a) => row(toldIcon(a.kind), toldName(a.kind), [], [[a.what, a.where, when(a.time)].filter(Boolean).join(' · ')],
        a.not_me && does(S.not_me_row, toldName(a.kind), () => notMe(`/activity/${a.id}/not-me`, comesBackByMessage.includes(a.kind) ? S.not_me_by_message : S.not_me_undo), 'quiet'))), S.activity_none)
}

// --- prompts: what another device asks, answered here -------------------------------------------------------------

const heads = {
    payment: (s) => fill(S.prompt_pays, { payee: s.payee, amount: money(s.amount, s.currency) }),
    change: (s) => fill(S.prompt_changes, { change: changeName(s.change) }), link: () => S.prompt_links,
}

function promptCard(p) {
    const error = el('p', { class: 'notice bad', role: 'alert', hidden: true }), id = `number-${p.id}`
    const input = el('input', { id, class: 'code', type: 'text', inputmode: 'numeric', autocomplete: 'off', maxlength: 7, required: true })
    const approve = el('button', { type: 'submit', class: 'primary' }, S.prompt_approve)
    const tell = (answer, text) => async () => { await post(`/v1/account/prompts/${p.id}`, answer()); say(text); await load() }
    const f = el('form', { method: 'post', novalidate: true }, el('div', { class: 'field' }, el('label', { for: id }, S.prompt_label), input), approve)
    f.addEventListener('submit', (event) => {
        event.preventDefault()
        if (complete(f, error)) busy(approve, tell(() => ({ number: input.value.replaceAll(' ', '') }), S.prompt_approved), error)
    })
    const no = el('button', { type: 'button', class: 'secondary' }, S.prompt_no), stranger = el('button', { type: 'button', class: 'secondary danger' }, S.prompt_not_me)
    no.addEventListener('click', () => busy(no, tell(() => ({ answer: 'no' }), S.prompt_refused), error))
    stranger.addEventListener('click', () => busy(stranger, async () => { await notMe(`/prompts/${p.id}`, S.not_me_refuse, { answer: 'not_me' }, S.prompt_reported); if (me) await load() }, error))
    const s = p.shown ?? {}
    return el('div', { class: 'row prompt', 'data-id': p.id }, el('span', { class: 'picture' }, icon('warning')), el('div', { class: 'grow' },
        el('p', { class: 'name' }, heads[p.kind]?.(s) ?? S.prompt_signs_in),
        el('p', { class: 'meta' }, [s.detail, s.store, when(p.created)].filter(Boolean).join(' · ')), error, f, el('div', { class: 'actions' }, no, stranger)))
}

function showPrompts(list) {
    const box = $('prompts').querySelector('.rows'), there = new Set([...box.children].map((c) => c.dataset.id))
    for (const c of [...box.children]) if (!list.some((p) => p.id === c.dataset.id)) c.remove()
    const fresh = list.filter((p) => !there.has(p.id))
    box.append(...fresh.map(promptCard)) // those that are there stay: somebody may be typing
    $('prompts').hidden = !list.length
    if (fresh.length) say(S.prompts_head)
}
setInterval(async () => {
    if (document.hidden || !me || $('dialog').open) return
    try {
        const { prompts } = await get('/v1/account/prompts')
        if (me) showPrompts(prompts)
    } catch (e) {
        if (me && e.status === 401) toSignIn()
    }
}, POLL_MS)

// --- the whole ----------------------------------------------------------------------------------------------------

function showState() {
    const has = (kind) => me.authenticators.some((a) => a.kind === kind && a.state !== 'disabled')
    const good = has('passkey') && me.recovery_codes_left > 0
    const text = me.rights === 'restricted' ? S.state_restricted : good ? S.state_good_lead : has('passkey') ? S.state_codes : S.state_passkey
    $('state').replaceChildren(icon(good ? 'shield' : 'warning'), el('div', {}, el('p', { class: 'name' }, good ? S.state_good : S.state_more), el('p', { class: 'meta' }, text)))
    $('state').className = `state ${good ? 'good' : 'late'}`
    $('state').hidden = false
}

function showWho() {
    const out = el('button', { type: 'button', class: 'small' }, S.sign_out)
    out.addEventListener('click', () => busy(out, async () => { await post('/v1/account/sign-out'); location.assign('/signed-out') }))
    $('who').replaceChildren(el('span', {}, me.name || me.contacts[0]?.value || ''), out)
    $('who').hidden = false
}

const toSignIn = () => location.replace(`/sign-in?continue=${encodeURIComponent(location.pathname + location.hash)}`)

async function load() {
    try {
        me = await get('/v1/account/me')
    } catch (e) {
        if (e.status === 401 || e.code === 'STEP_NEEDED') return toSignIn()
        return showError(problemText(e))
    }
    // The account's language, unless somebody chose one here.
    if (me.locale && me.locale !== lang && /^(en|nl|zh)$/.test(me.locale) && !/(^|; )keer-lang=/.test(document.cookie)) return location.replace(`?lang=${me.locale}${location.hash}`)
    for (const show of [showWho, showState, showWays, showContacts, showDevices, showSessions, showChanges, showActivity]) show()
    showPrompts(me.prompts)
    $('centre').removeAttribute('aria-busy')
}

function on(id, work) {
    $(id).addEventListener('click', () => busy($(id), async () => { await work(); await load() }))
}
on('add-passkey', act.addPasskey)
on('add-totp', act.addTotp)
on('make-codes', act.makeCodes)
on('change-password', () => act.changePassword(me?.contacts[0]?.value))
on('add-contact', act.addContact)
on('end-others', () => act.guarded('POST', '/sessions:end-others', {}))
await load()
if (location.hash) document.querySelector(location.hash.replace(/[^\w#-]/g, ''))?.scrollIntoView()
