// ui.js - small parts that every page has: making elements, errors that are read out, buttons that wait, languages.
//
// Everything that comes from a person or the network goes into a page as text: `el` makes text nodes of its children, and
// the pages' policy (Trusted Types) refuses anything else.
import { S, fill } from './text.js'
import { problemText } from './net.js'

export const $ = (id) => document.getElementById(id)

export function el(name, attributes = {}, ...children) {
    const e = document.createElement(name)
    for (const [key, value] of Object.entries(attributes)) {
        if (value === undefined || value === null || value === false) continue
        if (typeof value === 'function') e.addEventListener(key, value)
        else e.setAttribute(key, value === true ? '' : value)
    }
    e.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false))
    return e
}

const icons = {
    passkey: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm0 2.500c-4 0-6.500 2-6.500 4.500v2h10M17.500 9a3.500 3.500 0 0 1 1.500 6.600V21l-1.500 1-1.500-1.500 1-1-1-1 1-1v-1.900A3.500 3.500 0 0 1 17.500 9Zm0 3h.01',
    app: 'M8 2.500h8a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2ZM9.500 12.500l2 2 3.500-4',
    phone: 'M8 2.500h8a2 2 0 0 1 2 2v15a2 2 0 0 1-2 2H8a2 2 0 0 1-2-2v-15a2 2 0 0 1 2-2ZM11 18.500h2',
    computer: 'M4.500 4.500h15a1 1 0 0 1 1 1V15H3.500V5.500a1 1 0 0 1 1-1ZM2 19h20',
    codes: 'M5 3.500h14v17H5zM8.500 8h2M13.500 8h2M8.500 12h2M13.500 12h2M8.500 16h2M13.500 16h2',
    lock: 'M6 10.500h12v10H6zM8.500 10.500V7a3.500 3.500 0 0 1 7 0v3.500M12 14.500v2',
    mail: 'M3 5.500h18v13H3zM3.500 6l8.500 7 8.500-7',
    message: 'M4 4.500h16v11.500H11L6.500 20v-4H4z',
    wallet: 'M3.500 7h17v12.500h-17zM3.500 7l12-3.500V7M15.500 12h5v3.500h-5z',
    clock: 'M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18ZM12 7.500V12l3 2',
    shield: 'M12 2.500 20 5.500v6c0 5-3.500 8.500-8 10-4.500-1.500-8-5-8-10v-6zM8.500 12l2.500 2.500 4.500-5',
    warning: 'M12 3.500 22 20.500H2zM12 10v5M12 17.800v.2',
    check: 'M4.500 12.500l5 5 10-11',
    door: 'M5 3.500h10v17H5zM15 8l4 4-4 4M9.500 12H19',
}
export function icon(name) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), path = document.createElementNS(svg.namespaceURI, 'path')
    svg.setAttribute('viewBox', '0 0 24 24')
    svg.setAttribute('class', 'icon')
    svg.setAttribute('aria-hidden', 'true')
    path.setAttribute('d', icons[name])
    svg.append(path)
    return svg
}

// Read out by screen readers, without moving the focus.
export const say = (text) => { $('say').textContent = text }

export function showError(text, box = $('error')) {
    box.textContent = text
    box.hidden = !text
    if (text) box.scrollIntoView({ block: 'nearest' })
}

// Runs what a button or form does, once at a time: it waits visibly, and what goes wrong is told in `box`.
export async function busy(button, work, box = $('error')) {
    if (button.getAttribute('aria-disabled') === 'true') return
    button.setAttribute('aria-disabled', 'true')
    button.classList.add('waiting')
    showError('', box)
    try {
        return await work()
    } catch (e) {
        if (!e.told && !e.code) console.error(e) // a fault in these scripts, for who looks for it
        showError(e.told ?? problemText(e), box)
    } finally {
        button.removeAttribute('aria-disabled')
        button.classList.remove('waiting')
    }
}

// Whether nothing that is required is empty; else that is told, in the page's language, which the browser's may not be.
export function complete(form, box = $('error')) {
    const empty = [...form.elements].find((e) => e.required && !e.value.trim())
    for (const e of form.elements) e.removeAttribute('aria-invalid')
    if (!empty) return true
    empty.setAttribute('aria-invalid', 'true')
    empty.focus()
    showError(fill(S.fill_in, { what: empty.labels[0].firstChild.textContent.trim() }), box)
    return false
}

// A form that is sent by script.
export function onSubmit(form, work, box) {
    form.addEventListener('submit', (event) => {
        event.preventDefault()
        if (!complete(form, box)) return
        busy(form.querySelector('[type=submit]'), () => work(new FormData(form)), box)
    })
}

// The eye of a password field, as a word.
export function reveals(root = document) {
    for (const button of root.querySelectorAll('.reveal')) {
        const input = root.querySelector('#' + button.getAttribute('aria-controls'))
        const turn = (shown) => {
            input.type = shown ? 'text' : 'password'
            button.setAttribute('aria-pressed', String(shown))
            button.textContent = shown ? S.hide : S.show
        }
        button.addEventListener('click', () => { turn(input.type === 'password'); input.focus() })
        input.form.addEventListener('submit', () => turn(false)) // so that the browser offers to keep it
    }
}

// Shows one of several parts of a page, and puts the focus on its head.
export function part(shown, parts, head, lead) {
    for (const p of parts) p.hidden = p !== shown
    if (head) $('h').textContent = head
    if (lead !== undefined && $('lead')) $('lead').textContent = lead
    showError('')
    const first = shown.querySelector('input:not([hidden]), button')
    if (first?.tagName === 'INPUT') first.focus()
    else $('h').focus()
}

// Where to go afterwards: ?continue=PATH, on this host alone (no open redirect); else the security centre. It is the whole
// address: a path that was made normal may begin with //, and would be another host as a path.
export function goOn() {
    const asked = new URLSearchParams(location.search).get('continue')
    if (!asked?.startsWith('/')) return '/security'
    const url = new URL(asked, location.origin)
    return url.origin === location.origin ? url.href : '/security'
}
export const withGoOn = (path) => {
    const asked = new URLSearchParams(location.search).get('continue')
    return asked ? `${path}?continue=${encodeURIComponent(asked)}` : path
}

// Languages keep what else is in the address.
for (const a of document.querySelectorAll('.languages a')) {
    const query = new URLSearchParams(location.search)
    query.set('lang', new URL(a.href).searchParams.get('lang'))
    a.href = `?${query}${location.hash}`
    if (a.lang === document.documentElement.lang) a.setAttribute('aria-current', 'true')
}
