// recover.js - getting back in: two independent ways, or a wait of days that can be stopped.
import { $, busy, el, icon, onSubmit, part, reveals } from './ui.js'
import { post } from './net.js'
import { S, fill, when } from './text.js'

const parts = [$('start'), $('code-form'), $('password-form'), $('wait')]
let flow = null

const sealed = (kind, ...more) => $('wait-body').replaceChildren(el('p', { class: `seal ${kind}` }, icon(kind === 'good' ? 'check' : 'clock')), ...more)

function onward(answer) {
    flow = answer.flow ?? flow
    if (answer.next === 'code') {
        part($('code-form'), parts, S.code_head, answer.proved ? S.recover_code_second : S.recover_code_lead)
        $('code').value = ''
    } else if (answer.next === 'password') {
        part($('password-form'), parts, S.new_password, S.recover_password_lead)
    } else if (answer.next === 'wait') {
        sealed('late', el('p', { class: 'lead centred' }, S.recover_wait_lead), el('p', { class: 'until' }, when(answer.until)))
        part($('wait'), parts, S.recover_wait, '')
    } else if (answer.next === 'done') {
        sealed('good')
        $('cancel').hidden = true
        part($('wait'), parts, S.recover_done, S.recover_done_lead)
    }
}

reveals()
onSubmit($('start'), async (data) => onward(await post('/v1/account/recovery', { name: data.get('name').trim() })))
onSubmit($('code-form'), async (data) => onward(await post('/v1/account/recovery/code', { flow, code: data.get('code').trim() })))
onSubmit($('password-form'), async (data) => onward(await post('/v1/account/recovery/finish', { flow, password: data.get('password') })))
$('cancel').addEventListener('click', () => busy($('cancel'), async () => {
    await post('/v1/account/recovery/cancel', { flow })
    part($('start'), parts, S.recover_head, S.recover_cancelled)
}))
