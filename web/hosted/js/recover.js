// recover.js - getting back in: two independent ways, or a wait of days that can be stopped.
import { $, busy, el, icon, onSubmit, part, reveals } from './ui.js'
import { post } from './net.js'
import { S, when } from './text.js'

const parts = [$('start'), $('code-form'), $('password-form'), $('wait')]
let flow = null

const sealed = (kind, ...more) => $('wait-body').replaceChildren(el('p', { class: `seal ${kind}` }, icon(kind === 'good' ? 'check' : 'clock')), ...more)

const enter = () => part($('password-form'), parts, S.new_password, S.recover_password_lead)

function onward(answer) {
    flow = answer.flow
    if (answer.state === 'waiting') {
        sealed('late', el('p', { class: 'lead centred' }, S.recover_wait_lead), el('p', { class: 'until' }, when(answer.until)))
        part($('wait'), parts, S.recover_wait, '')
    } else if (answer.state === 'done') {
        sealed('good')
        $('cancel').hidden = true
        part($('wait'), parts, S.recover_done, S.recover_done_lead)
    } else if (answer.ready) {
        enter()
    } else {
        // A browser that the account knows is a way, too, but one that is shown by nobody: it is not told of before another.
        const shown = answer.proved.some((way) => way !== 'device')
        $('only-one').hidden = !shown
        $('code').value = ''
        part($('code-form'), parts, S.code_head, shown ? S.recover_code_second : S.recover_code_lead)
    }
}

reveals()
onSubmit($('start'), async (data) => onward(await post('/v1/account/recovery', { name: data.get('name').trim() })))
onSubmit($('code-form'), async (data) => onward(await post('/v1/account/recovery/code', { flow, code: data.get('code').trim() })))
onSubmit($('password-form'), async (data) => onward(await post('/v1/account/recovery/finish', { flow, password: data.get('password'), ...data.has('lost') ? { lost: true } : {} })))
$('only-one').addEventListener('click', enter)
$('cancel').addEventListener('click', () => busy($('cancel'), async () => {
    await post('/v1/account/recovery/cancel', { flow })
    part($('start'), parts, S.recover_head, S.recover_cancelled)
}))
