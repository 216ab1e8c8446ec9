// not-me.js - from a notice: one press undoes the change, ends the sessions and locks the account. A page that is only
// opened does nothing: programs that read mail open links.
import { $, el, icon, onSubmit } from './ui.js'
import { post } from './net.js'
import { S } from './text.js'

const token = location.hash.slice(1) || new URLSearchParams(location.search).get('token')
history.replaceState(null, '', location.pathname) // it stays in no history, and in no picture of the screen

function become(head, lead, ...rest) {
    $('h').textContent = head
    $('lead').textContent = lead
    $('form').replaceWith(...rest)
    $('links').hidden = true
    $('h').focus()
}
// A button that can do nothing any more would only be pressed again.
const over = () => become(S.not_me_over, S.not_me_over_lead, el('a', { class: 'primary', href: '/security#activity' }, S.not_me_look),
    el('p', { class: 'links' }, el('a', { href: '/recover' }, S.not_me_next)))

onSubmit($('form'), async () => {
    let done
    try {
        done = await post('/v1/account/not-me', { token })
    } catch (e) {
        if (e.code !== 'NOT_FOUND') throw e
        return over()
    }
    const lead = !done.frozen ? S.not_me_stopped_lead : done.by_message ? S.not_me_by_message_lead : done.undone ? S.not_me_done_lead : S.not_me_locked_lead
    become(S.not_me_done, lead, el('p', { class: 'seal good' }, icon('shield')), el('a', { class: 'primary', href: done.frozen ? '/recover' : '/security' }, done.frozen ? S.not_me_next : S.title_security))
})
if (!token) over()
addEventListener('hashchange', () => location.reload()) // another link, in the tab of the one before
