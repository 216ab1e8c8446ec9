// text.js - the texts of a page's language, and numbers, money and times as that language writes them.
//
// S is filled by HASH-strings-LANG.js, which a page loads first; its keys are those of strings.def.

export const S = {}
export const lang = document.documentElement.dataset.lang
const tag = document.documentElement.lang

// '{name} is here' with { name: 'Anna' }. What is put in is text: it never becomes markup.
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (hole, key) => values[key] ?? hole)

export const plural = (n, one, other) => fill(new Intl.PluralRules(tag).select(n) === 'one' ? one : other, { n })

// An amount is a decimal text ('649.00'), and is never made a float: all its digits are shown.
export function money(amount, currency) {
    const digits = String(amount).split('.')[1]?.length ?? 0
    try {
        return new Intl.NumberFormat(tag, { style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits }).format(String(amount))
    } catch {
        return `${amount} ${currency}`
    }
}

export const time = (t) => typeof t === 'number' ? new Date(t / 1000) : new Date(t)
export const when = (t) => new Intl.DateTimeFormat(tag, { dateStyle: 'long', timeStyle: 'short' }).format(time(t))

const steps = [['year', 31536e3], ['month', 2592e3], ['week', 604800], ['day', 86400], ['hour', 3600], ['minute', 60]]
export function ago(t) {
    const s = (time(t) - Date.now()) / 1000
    const [unit, length] = steps.find(([, length]) => Math.abs(s) >= length) ?? []
    return unit ? new Intl.RelativeTimeFormat(tag, { numeric: 'auto' }).format(Math.trunc(s / length), unit) : S.just_now
}
