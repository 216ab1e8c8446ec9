// not-me.js - from a notice: one press undoes the change, ends the sessions and locks the account. A page that is only
// opened does nothing: programs that read mail open links.
import { $, el, icon, onSubmit } from './ui.js'
import { post } from './net.js'
import { S } from './text.js'

const token = location.hash.slice(1) || new URLSearchParams(location.search).get('token')
history.replaceState(null, '', location.pathname) // it stays in no history, and in no picture of the screen
onSubmit($('form'), async () => {
    const { frozen } = await post('/v1/account/not-me', { token })
    $('h').textContent = S.not_me_done
    $('lead').textContent = frozen ? S.not_me_done_lead : S.not_me_stopped_lead
    $('form').replaceWith(el('p', { class: 'seal good' }, icon('shield')), el('a', { class: 'primary', href: frozen ? '/recover' : '/security' }, frozen ? S.not_me_next : S.title_security))
    $('links').hidden = true
    $('h').focus()
})
