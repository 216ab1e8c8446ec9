// search_judge.mjs PHASE... - GET /v1/decisions held against a plain filter over all decisions; search.sh calls it. From the environment: U the daemon, ANALYST and
// ADMIN keys, DIR the scratch folder: its h*.ndjson are the events that were sent, `all` the decisions as the phase `known` read them, one a line, the newest first.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const { U, ANALYST, ADMIN, DIR } = process.env
let failed = 0
const ok = (good, name) => { if (!good) failed = 1; console.log(`${good ? 'ok' : 'not ok'} - ${name}`) }
const get = async (path, key) => (await fetch(U + path, { headers: { authorization: `Bearer ${key}` } })).json()
const page = (query) => get('/v1/decisions?' + Object.entries(query).map(([k, v]) => `${k}=${encodeURIComponent(v)}`).join('&'), ANALYST)

// All decisions of a query, each as a line, and how many pages they came on.
async function pages(query) {
    const lines = []
    for (let n = 1, cursor = {}; ; n++) {
        const { decisions, next } = await page({ ...query, ...cursor })
        lines.push(...decisions.map((d) => JSON.stringify(d)))
        if (next === null) return { lines, n }
        cursor = { cursor: next }
    }
}
const text = (name) => readFileSync(`${DIR}/${name}`, 'utf8').split('\n').filter(Boolean)
const events = () => readdirSync(DIR).filter((f) => /^h.*\.ndjson$/.test(f)).flatMap((f) => text(f).map((l) => JSON.parse(l)))
let known // { line, d, a }: a is the account of the decision's event
function remember() {
    const account = new Map(events().map((e) => [e.id, e.account ?? e.attributes?.account]))
    known = text('all').map((line) => { const d = JSON.parse(line); return { line, d, a: account.get(d.id) } })
}
const wanted = (condition) => known.filter(({ d, a }) => condition(d, a)).map((k) => k.line)
const same = (x, y) => x.length === y.length && x.every((line, i) => line === y[i])

async function holds(name, condition, query) {
    const want = wanted(condition), got = await pages(query)
    ok(same(want, got.lines), `${name}: ${got.lines.length} of ${want.length}, ${got.n} pages`)
}

const phases = {
    // known NAME: without parameters there is every event's decision, once.
    async known(name) {
        const { lines } = await pages({ limit: 500 }), n = events().length
        writeFileSync(`${DIR}/all`, lines.join('\n') + '\n')
        ok(lines.length === n && new Set(lines.map((l) => JSON.parse(l).id)).size === n, `${name}: without parameters all ${n} decisions, once`)
    },
    // stored NAME MARK: as they are stored, the newest first; MARK is a time between the first history and the second.
    async stored(name, mark) {
        const first = await page({ limit: 3, from: mark, to: '2999-01-01' })
        ok(same(first.decisions.map((d) => JSON.stringify(d)), known.slice(0, 3).map((k) => k.line)), `${name}: the newest first`)
        for (const id of ['odd1', 'e17', '2e2000'])
            ok(same(wanted((d) => d.id === id), [JSON.stringify(await get(`/v1/decisions/${id}`, ADMIN))]), `${name}: ${id} as it is stored`)
    },
    async times(name, mark) {
        const second = (d) => /^2|^odd3/.test(d.id)
        await holds(`${name}: from then on`, second, { from: mark, limit: 500 })
        await holds(`${name}: before`, (d) => !second(d), { to: mark, limit: 500 })
        await holds(`${name}: from, and an account`, (d, a) => a === 'a7' && second(d), { from: mark, account: 'a7', limit: 4 })
        await holds(`${name}: to, and an account`, (d, a) => a === 'a7' && !second(d), { to: mark, account: 'a7', limit: 4 })
        await holds(`${name}: from after to`, () => false, { from: mark, to: '2018-01-01' })
        await holds(`${name}: from the future`, () => false, { from: '2999-01-01' })
    },
    // Pages while decisions come in: all that was there, in order, and no row twice.
    async meanwhile(name) {
        for (const [query, condition] of [[{ outcome: 'challenge' }, (d) => d.outcome === 'challenge'], [{ account: 'a7' }, (d, a) => a === 'a7']]) {
            const got = await pages({ ...query, limit: 50 })
            ok(same(wanted(condition), got.lines.filter((l) => !l.startsWith('{"id":"3'))) && new Set(got.lines).size === got.lines.length,
                `${name}: ${Object.keys(query)} while decisions come in: ${got.lines.length}, ${got.n} pages, none skipped, none twice`)
        }
    },
    // wants ACCOUNT: its decisions, a line each.
    async wants(account) { console.log(wanted((d, a) => a === account).join('\n')) },
    // Every filter and pairs of them, on pages of many sizes.
    async table(name) {
        const count = new Map()
        for (const { d } of known) for (const r of d.rules) count.set(r, (count.get(r) ?? 0) + 1)
        const byCount = [...count].sort((x, y) => x[1] - y[1]), some = byCount[0][0], most = byCount.at(-1)[0]
        const rows = [
            ['an account', (d, a) => a === 'a7', { account: 'a7' }],
            ['an account, small pages', (d, a) => a === 'a7', { account: 'a7', limit: 3 }],
            ['an account, pages of one row of sixteen', (d, a) => a === 'a8', { account: 'a8', limit: 16 }],
            ['no such account', () => false, { account: 'a7x' }],
            ['letters of any kind', (d, a) => a === 'Li & ü=+%/', { account: 'Li & ü=+%/' }],
            ...['allow', 'challenge', 'review', 'deny'].map((outcome) => [`outcome ${outcome}`, (d) => d.outcome === outcome, { outcome, limit: 500 }]),
            ['a type', (d) => d.type === 'top_up', { type: 'top_up', limit: 100 }],
            ['another type', (d) => d.type === 'other', { type: 'other' }],
            ['a custom type that no policy mentions', () => false, { type: 'custom.trial' }],
            ['the rarest rule', (d) => d.rules.includes(some), { rule: some }],
            ['the most frequent rule', (d) => d.rules.includes(most), { rule: most, limit: 499 }],
            ['no such rule', () => false, { rule: 'nosuch' }],
            ['account and outcome', (d, a) => a === 'a9' && d.outcome === 'challenge', { account: 'a9', outcome: 'challenge', limit: 5 }],
            ['rule and type', (d) => d.rules.includes(most) && d.type === 'purchase', { rule: most, type: 'purchase', limit: 77 }],
            ['all four', (d, a) => a === 'a9' && d.outcome === 'challenge' && d.type === 'purchase' && d.rules.includes(most),
                { account: 'a9', outcome: 'challenge', type: 'purchase', rule: most }],
            ['what never goes together', () => false, { type: 'fraud_reported', rule: most, outcome: 'deny', account: 'a9' }],
        ]
        for (const [row, condition, query] of rows) await holds(`${name}: ${row}`, condition, query)
    },
}
const [phase, ...rest] = process.argv.slice(2)
if (phase !== 'known') remember()
await phases[phase](...rest)
process.exitCode = failed
