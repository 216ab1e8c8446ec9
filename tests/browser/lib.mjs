// lib.mjs - what the browser tests share: lines that are counted, a browser whose complaints are failures, virtual authenticators, messages.
import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'

let failed = 0
export const ok = (good, name, why = '') => {
    console.log(`${good ? 'ok' : 'not ok'} - ${name}${good || why === '' ? '' : ': ' + String(why).slice(0, 400)}`)
    failed += good ? 0 : 1
}
export const failures = () => failed
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms))
export async function until(what, ms = 20000) {
    const end = Date.now() + ms
    for (;;) {
        const got = await what()
        if (got || Date.now() > end) return got
        await sleep(30)
    }
}

// --- the browser
// SPC is off on Linux unless it is asked for. Names below .localhost lead to this machine, in the browser itself.
export const launch = (executablePath) => chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--enable-features=SecurePaymentConfirmationBrowser', '--force-color-profile=srgb'] })

// A person with a browser of their own. What the console says, what the policy refuses and what is asked of other hosts is kept: `complaints`.
export async function person(browser, base, options = {}) {
    const context = await browser.newContext({ locale: 'en', ...options }), page = await context.newPage()
    const who = { context, page, complaints: [] }
    await context.exposeBinding('policyRefused', (_, text) => who.complaints.push(`refused: ${text}`))
    await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (e) => window.policyRefused(`${e.violatedDirective} ${e.blockedURI}`)))
    // An answer that is no success is told by Chromium in the console; the tests look at answers themselves.
    page.on('console', (m) => { if (['error', 'warning'].includes(m.type()) && !/Failed to load resource/.test(m.text())) who.complaints.push(`console: ${m.text()}`) })
    page.on('pageerror', (e) => who.complaints.push(`thrown: ${e.stack}`))
    page.on('request', (r) => { if (!r.url().startsWith(base) && !/^(data|blob):/.test(r.url())) who.complaints.push(`asked elsewhere: ${r.url()}`) })
    page.setDefaultTimeout(20000)
    return who
}

// An authenticator that lives in the browser (CDP, WebAuthn domain): a phone's or laptop's own, unless told otherwise.
export async function authenticator(who, more = {}) {
    who.cdp ??= await who.context.newCDPSession(who.page)
    await who.cdp.send('WebAuthn.enable')
    const { authenticatorId } = await who.cdp.send('WebAuthn.addVirtualAuthenticator', { options: {
        protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true, ...more } })
    const send = (method, args = {}) => who.cdp.send(`WebAuthn.${method}`, { authenticatorId, ...args })
    return { send, credentials: async () => (await send('getCredentials')).credentials, remove: () => send('removeVirtualAuthenticator') }
}

// What the page's own code would ask, with the page's cookies.
export const api = (page, method, path, body) => page.evaluate(async ([method, path, body]) => {
    const r = await fetch(path, { method, headers: body ? { 'content-type': 'application/json' } : {}, body: body && JSON.stringify(body) })
    return { status: r.status, ...await r.json() }
}, [method, path, body])

// --- messages: --notices FILE has a line of JSON for each
export function messages(file) {
    const read = () => { try { return readFileSync(file, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l)) } catch { return [] } }
    return {
        all: read,
        // The newest of a kind that came after `from` messages: [message, its code].
        async code(kind, from = 0) {
            const m = await until(() => read().slice(from).findLast((m) => m.kind === kind))
            return m ? /\b(\d{8}|\d{6})\b/.exec(m.text ?? m.body)?.[1] : null
        },
    }
}
