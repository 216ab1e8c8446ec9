// authenticators.js - the dialogs of the security centre: passkey, authenticator app, recovery codes, password, contacts.
import { $, el, icon, onSubmit, reveals, say, showError } from './ui.js'
import { callWithStep, post, problemText } from './net.js'
import { S, fill, when } from './text.js'
import { errorBox, open } from './dialog.js'
import * as passkey from './passkey.js'
import * as payment from './payment.js'
import { inDialog } from './step.js'

const base = '/v1/account'
const ask = (id) => inDialog(open, id)
// A call that may want a step first, or only begin a wait. Null when its step was not done.
export const guarded = (method, path, body) => callWithStep(method, base + path, body, ask)

export function field(id, label, attributes, why) {
    return el('div', { class: 'field' }, el('label', { for: id }, label), el('input', { id, name: id, ...why ? { 'aria-describedby': `${id}-why` } : {}, ...attributes }), why && el('p', { class: 'hint', id: `${id}-why` }, why))
}

// A form in a dialog: resolves to what `work` gave, or null when it was closed.
export function form(head, lead, parts, label, work) {
    return new Promise((resolve) => {
        const error = errorBox(), f = el('form', { method: 'post', novalidate: true }, parts, el('button', { type: 'submit', class: 'primary' }, label))
        let working = false // a step that it wants takes the dialog's place
        const dialog = open(head, lead && el('p', { class: 'lead' }, lead), error, f)
        onSubmit(f, async (data) => {
            working = true
            try {
                resolve(await work(data))
                dialog.close()
            } catch (e) {
                if (!f.isConnected) showError(e.told ?? problemText(e), $('error'))
                if (!f.isConnected) resolve(null)
                throw e
            } finally {
                working = false
            }
        }, error)
        reveals(f)
        dialog.closed.then(() => { if (!working) resolve(null) })
    })
}

// What happened, when it does not happen at once: the guard's waiting time.
export function told(answer, done) {
    if (!answer) return
    if (answer.pending) open(S.waits_head, el('p', { class: 'lead' }, fill(S.waits_lead, { until: when(answer.until) })))
    else say(done)
}

// Payments that the browser itself shows want a passkey of this very device.
const forPayments = () => el('div', { class: 'check' }, el('input', { type: 'checkbox', id: 'pays', name: 'pays', checked: true, 'aria-describedby': 'pays-why' }),
    el('div', {}, el('label', { for: 'pays' }, S.passkey_pays), el('p', { class: 'hint', id: 'pays-why' }, S.passkey_pays_why)))

export async function addPasskey() {
    const wanted = await form(S.passkey_add, S.passkey_add_lead, [field('passkey-name', S.passkey_name, { type: 'text', maxlength: 64, autocomplete: 'off', placeholder: S.passkey_name_example }), await payment.available() && forPayments()], S.go_on,
        async (data) => ({ name: data.get('passkey-name').trim(), use: data.has('pays') ? 'payment' : 'sign_in' }))
    if (!wanted) return
    const { flow, publicKey } = await post(base + '/authenticators/passkey/options', { use: wanted.use })
    const credential = await passkey.create(publicKey)
    told(await guarded('POST', '/authenticators/passkey', { flow, credential, ...wanted.name ? { name: wanted.name } : {} }), S.passkey_added)
}

const inGroups = (text) => text.replace(/(.{4})(?=.)/g, '$1 ')

export async function addTotp() {
    const made = await guarded('POST', '/authenticators/totp', { name: S.way_totp })
    if (!made) return
    const answer = await form(S.totp_add, S.totp_add_lead, [
        // An image, so that the daemon's SVG is drawn and never becomes a part of this page.
        el('img', { class: 'qr', alt: S.totp_qr, width: 200, height: 200, src: `data:image/svg+xml,${encodeURIComponent(made.qr)}` }),
        el('details', {}, el('summary', {}, S.totp_by_hand), el('p', { class: 'secret' }, inGroups(made.secret)), el('a', { href: made.uri }, S.totp_open)),
        field('totp-code', S.totp_label, { type: 'text', class: 'code', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 7, required: true }),
    ], S.totp_confirm, (data) => guarded('POST', '/authenticators/totp/confirm', { id: made.id, code: data.get('totp-code').replaceAll(' ', '') }))
    told(answer, S.totp_added)
}

export async function makeCodes() {
    const made = await guarded('POST', '/authenticators/recovery-codes', {})
    if (!made) return
    if (!made.codes) return told(made, '')
    const text = made.codes.join('\n'), copy = el('button', { type: 'button', class: 'secondary' }, S.copy)
    copy.addEventListener('click', async () => {
        await navigator.clipboard.writeText(text)
        copy.textContent = S.copied
        say(S.copied)
    })
    const save = el('a', { class: 'secondary', download: 'keersluis.txt', href: `data:text/plain;charset=utf-8,${encodeURIComponent(text + '\n')}` }, S.download)
    const dialog = open(S.codes_head, el('p', { class: 'lead' }, S.codes_lead), el('ol', { class: 'codes' }, made.codes.map((c) => el('li', {}, c))),
        made.pending && el('p', { class: 'notice' }, fill(S.waits_lead, { until: when(made.until) })),
        el('div', { class: 'actions' }, el('button', { type: 'button', class: 'secondary', click: () => print() }, S.print), copy, save),
        el('button', { type: 'button', class: 'primary', click: () => dialog.close() }, S.codes_kept))
    await dialog.closed
}

export async function changePassword(name) {
    const answer = await form(S.password_change, '', [
        el('input', { type: 'text', name: 'username', autocomplete: 'username', value: name ?? '', hidden: true }),
        el('div', { class: 'field' }, el('label', { for: 'new-password' }, S.new_password), el('div', { class: 'with-button' },
            el('input', { id: 'new-password', name: 'new-password', type: 'password', autocomplete: 'new-password', required: true, maxlength: 256, 'aria-describedby': 'new-password-why' }),
            el('button', { type: 'button', class: 'reveal', 'aria-controls': 'new-password', 'aria-pressed': 'false' }, S.show)), el('p', { class: 'hint', id: 'new-password-why' }, S.password_why)),
    ], S.save, (data) => guarded('POST', '/password', { password: data.get('new-password') }))
    told(answer, S.password_changed)
}

export async function addContact() {
    const made = await form(S.contact_add, S.contact_add_lead, [field('contact', S.contact_label, { type: 'text', inputmode: 'email', autocomplete: 'email', autocapitalize: 'none', spellcheck: 'false', maxlength: 254, required: true })], S.go_on, (data) => {
        const contact = data.get('contact').trim()
        return guarded('POST', '/contacts', contact.includes('@') ? { email: contact } : { phone: contact.replace(/[\s().-]/g, '') })
    })
    if (made?.id) await confirmContact(made.id)
}

export async function confirmContact(id) {
    const answer = await form(S.code_head, S.contact_code_lead, [field('contact-code', S.code_label, { type: 'text', class: 'code', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 12, required: true })], S.go_on,
        (data) => guarded('POST', `/contacts/${encodeURIComponent(id)}/confirm`, { code: data.get('contact-code').replaceAll(' ', '') }))
    told(answer, S.contact_added)
}

// 'It was not me': what that does is said first; then it is done by `path`, as the link of a message does. True when the account is locked now.
// What was done, or false. `first` is what becomes of the change.
export async function notMe(path, body = {}, first) {
    const yes = await new Promise((resolve) => {
        const button = el('button', { type: 'button', class: 'primary danger' }, S.not_me_do)
        const dialog = open(S.not_me_head, el('p', { class: 'lead' }, S.not_me_lead), el('ul', { class: 'checks' }, [first, S.not_me_end, S.not_me_freeze].map((t) => el('li', {}, t))),
            button, el('button', { type: 'button', class: 'plain wide', click: () => dialog.close() }, S.not_me_was_me))
        button.addEventListener('click', () => { resolve(true); dialog.close() })
        dialog.closed.then(() => resolve(false))
    })
    if (!yes) return false
    const done = await post(base + path, body)
    return done.frozen !== false && done
}

// What the page is when its account was locked: everybody is signed out.
export function locked(lead) {
    $('centre').replaceWith(el('section', { class: 'card', 'aria-labelledby': 'h' }, el('h1', { id: 'h', tabindex: -1 }, S.not_me_done), el('p', { class: 'lead' }, lead), el('p', { class: 'seal good' }, icon('shield')), el('a', { class: 'primary', href: '/recover' }, S.not_me_next)))
    document.body.className = 'page-not-me'
    $('who').hidden = true
    $('h').focus()
}

// Whether a person means it. Resolves to true or false.
export function sure(head, lead, label) {
    return new Promise((resolve) => {
        const yes = el('button', { type: 'button', class: 'primary danger' }, label)
        const dialog = open(head, el('p', { class: 'lead' }, lead), yes, el('button', { type: 'button', class: 'plain wide', click: () => dialog.close() }, S.cancel))
        yes.addEventListener('click', () => { resolve(true); dialog.close() })
        dialog.closed.then(() => resolve(false))
    })
}

export async function rename(head, label, value) {
    return form(head, '', [field('new-name', label, { type: 'text', maxlength: 64, required: true, value })], S.save, async (data) => data.get('new-name').trim())
}
