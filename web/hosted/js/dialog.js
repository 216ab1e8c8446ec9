// dialog.js - the one dialog of a page: modal, closed by Escape, its button, or by what it was opened for.
import { $, el } from './ui.js'

let closing = null

// Shows a head and a body; `closed` resolves when it is closed, however.
export function open(head, ...body) {
    const dialog = $('dialog')
    if (dialog.open) { closing?.(); dialog.close() }
    $('dialog-h').textContent = head
    $('dialog-body').replaceChildren(...body.flat().filter(Boolean))
    const closed = new Promise((resolve) => { closing = resolve })
    dialog.onclose = () => { closing?.(); $('dialog-body').replaceChildren() }
    dialog.showModal()
    ;(dialog.querySelector('#dialog-body input:not([hidden])') ?? $('dialog-h')).focus()
    return { closed, close: () => dialog.close() }
}
$('dialog-close').addEventListener('click', () => $('dialog').close())

export const errorBox = () => el('p', { class: 'notice bad', role: 'alert', hidden: true })
