// visit.js - from a store's link: one press signs its customer in. A page that is only opened does nothing.
import { $, onSubmit, showError } from './ui.js'
import { post } from './net.js'
import { S } from './text.js'

const token = location.hash.slice(1)
history.replaceState(null, '', location.pathname) // it stays in no history, and in no picture of the screen
onSubmit($('form'), async () => {
    const answer = await post('/v1/account/visit', { token }).catch((e) => {
        if (e.status !== 404) throw e
        return { next: 'over' }
    })
    if (answer.next === 'done') location.assign('/security')
    else if (answer.next === 'step') location.assign(`/challenge/${encodeURIComponent(answer.challenge)}`)
    else showError(answer.next === 'over' ? S.visit_over : answer.frozen ? S.sign_in_frozen : S.sign_in_denied)
})
