// dialog.js - the one dialog of a page: modal, closed by Escape, its button, or by what it was opened for.
import { $, el } from './ui.js'

let shown = null // { resolve } of what the dialog shows now

// Shows a head and a body; `closed` resolves when it is closed, or something else takes its place.
export function open(head, ...body) {
    const dialog = $('dialog'), mine = {}
    shown?.resolve()
    const closed = new Promise((resolve) => { mine.resolve = resolve })
    shown = mine
    $('dialog-h').textContent = head
    $('dialog-body').replaceChildren(...body.flat().filter(Boolean))
    if (!dialog.open) dialog.showModal()
    ;(dialog.querySelector('#dialog-body input:not([hidden])') ?? $('dialog-h')).focus()
    return { closed, close: () => { if (shown === mine) dialog.close() } }
}
// The event comes a moment after close(): by then another may be open.
$('dialog').addEventListener('close', () => {
    if ($('dialog').open) return
    shown?.resolve()
    shown = null
    $('dialog-body').replaceChildren()
})
$('dialog-close').addEventListener('click', () => $('dialog').close())

export const errorBox = () => el('p', { class: 'notice bad', role: 'alert', hidden: true })
