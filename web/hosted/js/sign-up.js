// sign-up.js - name, address and password; the code that came there; then a passkey.
import { $, busy, onSubmit, part, goOn, reveals, showError, withGoOn } from './ui.js'
import { post, problemText } from './net.js'
import { S, fill, lang } from './text.js'
import * as passkey from './passkey.js'

const parts = [$('start'), $('code-form'), $('passkey-offer')]
let flow = null

// An address with an @, else a telephone number.
const contactOf = (text) => text.includes('@') ? { email: text } : { phone: text.replace(/[\s().-]/g, '') }

reveals()
onSubmit($('start'), async (data) => {
    const contact = data.get('contact').trim(), name = data.get('name').trim()
    const answer = await post('/v1/account/sign-up', { ...name ? { name } : {}, ...contactOf(contact), password: data.get('password'), locale: lang })
    flow = answer.flow
    part($('code-form'), parts, S.code_head, fill(S.code_sent, { contact }))
})
onSubmit($('code-form'), async (data) => {
    const answer = await post('/v1/account/sign-up/confirm', { flow, code: data.get('code').replaceAll(' ', '') })
    if (answer.next !== 'done') return showError(S.sign_up_denied)
    $('links').hidden = true
    if (!passkey.available()) location.assign(goOn())
    else part($('passkey-offer'), parts, S.passkey_offer_head, S.passkey_offer_lead)
})
$('back').addEventListener('click', () => part($('start'), parts, S.sign_up_head, S.sign_up_lead))
$('passkey').addEventListener('click', () => busy($('passkey'), async () => {
    try {
        const { flow, publicKey } = await post('/v1/account/authenticators/passkey/options')
        await post('/v1/account/authenticators/passkey', { flow, credential: await passkey.create(publicKey) })
        location.assign(goOn())
    } catch (e) {
        showError(e.told ?? problemText(e))
    }
}))
$('later').href = goOn()
$('to-sign-in').href = withGoOn('/sign-in')
