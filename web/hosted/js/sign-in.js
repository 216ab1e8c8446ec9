// sign-in.js - a name and a password, or a passkey: from its button, or offered by the browser in the name's field.
import { $, busy, onSubmit, part, goOn, reveals, showError, withGoOn } from './ui.js'
import { post } from './net.js'
import { S, fill } from './text.js'
import * as passkey from './passkey.js'

const OFFER_MS = 240e3 // the daemon's options are good for five minutes
let flow = null // of a code that was sent
let answering = false // a passkey was given: the page is about to go, and a second sign-in would cross the first
let offer = null // the browser's offer that waits, an AbortController

function onward(answer) {
    if (answer.next === 'done') {
        location.assign(goOn())
    } else if (answer.next === 'step') {
        location.assign(withGoOn(`/challenge/${encodeURIComponent(answer.challenge)}`))
    } else if (answer.next === 'code') {
        flow = answer.flow
        answering = false
        part($('code-form'), [$('password-part'), $('code-form')], S.code_head, fill(S.code_sent, { contact: answer.sent_to }))
    } else {
        answering = false
        showError(answer.frozen ? S.sign_in_frozen : S.sign_in_denied)
    }
}

async function signIn(more) {
    const { flow, publicKey } = await post('/v1/account/sign-in/passkey/options')
    const credential = await passkey.ask(publicKey, more)
    if (answering) return
    answering = true
    try {
        onward(await post('/v1/account/sign-in/passkey', { flow, credential }))
    } catch (e) {
        answering = false
        throw e
    }
}

// Passkeys in the autofill of the name's field. It ends when a button is pressed, and is renewed before its options are old.
async function offerPasskeys() {
    if (!await passkey.conditional()) return
    offer = new AbortController()
    const mine = offer, clock = setTimeout(() => { mine.abort(); offerPasskeys() }, OFFER_MS)
    try {
        await signIn({ mediation: 'conditional', signal: mine.signal })
    } catch (e) {
        if (e.status || (e.name === 'NotAllowedError' && !mine.signal.aborted && document.activeElement === $('name'))) showError(e.told ?? S.passkey_refused)
    }
    clearTimeout(clock)
}

reveals()
onSubmit($('sign-in'), async (data) => {
    offer?.abort()
    try {
        onward(await post('/v1/account/sign-in', { name: data.get('name').trim(), password: data.get('password') }))
    } catch (e) {
        $('password').select()
        throw e
    }
})
onSubmit($('code-form'), async (data) => onward(await post('/v1/account/sign-in/code', { flow, code: data.get('code').trim() })))
if (passkey.available()) {
    $('passkey-part').hidden = false
    $('passkey').addEventListener('click', () => {
        if (answering) return
        offer?.abort()
        busy($('passkey'), () => signIn())
    })
    offerPasskeys()
}
for (const link of [$('to-sign-up'), $('to-recover')]) link.href = withGoOn(link.getAttribute('href'))
// A client may say whom it expects (OpenID Connect Core, section 3.1.2.1, login_hint).
$('name').value = new URLSearchParams(location.search).get('login_hint')?.slice(0, 254) ?? ''
if (!matchMedia('(pointer: coarse)').matches) $($('name').value ? 'password' : 'name').focus()
// Back from where it led, out of the browser's memory: the offer is over, and so is what was typed.
addEventListener('pageshow', (event) => { if (event.persisted) location.reload() })
