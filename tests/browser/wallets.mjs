// wallets.mjs - linked wallets in Chromium, before the real daemon and the emulator of wallets: linking, limits, pausing, unlinking, 'not me'.
//
//     node wallets.mjs URL MESSAGES CHROMIUM [PICTURES]     URL http://localhost:PORT; KEER_KEY_STORE: a key of a store
//
// Prints 'ok - ...' lines; with a folder PICTURES it leaves pictures of the pages there.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { api, authenticator, failures, launch, messages, ok, person, until } from './lib.mjs'

const [base, file, chromium, pictures] = process.argv.slice(2)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const mail = messages(file), password = 'lantern orbit muffin 27 gravel'
const browser = await launch(chromium)
const shown = (page, selector) => page.waitForSelector(selector, { state: 'visible' }).then(() => true, () => false)
const picture = (page, name) => pictures && page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true })
const audit = async (page, name) => {
    await page.evaluate(axe)
    const bad = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations.map((v) => `${v.id}: ${v.nodes[0].html}`)))
    ok(bad.length === 0, `axe finds nothing: ${name}`, bad.join('; '))
}

// The store's server.
async function store(method, path, body) {
    const r = await fetch(base + path, { method, headers: { authorization: `Bearer ${process.env.KEER_KEY_STORE}`, ...body ? { 'content-type': 'application/json' } : {} }, body: body && JSON.stringify(body) })
    return { status: r.status, ...await r.json() }
}

async function signUp(who, email) {
    const { page } = who, before = mail.all().length
    await page.goto(base + '/sign-up')
    await page.fill('#name', 'Liu Yan')
    await page.fill('#contact', email)
    await page.fill('#password', password)
    await page.click('#start [type=submit]')
    await shown(page, '#code')
    await page.fill('#code', await mail.code('sign_up_code', before) ?? '')
    await page.click('#code-form [type=submit]')
    await shown(page, '#passkey-offer')
    return (await api(page, 'GET', '/v1/account/me')).account
}

// Liu's locale is told by her browser; the pages are looked at in English.
const liu = await person(browser, base, { viewport: { width: 1100, height: 900 } }), { page } = liu
const account = await signUp(liu, 'liu@example.org')
const wanted = { id: 'link-1', account, wallet: 'alipay', currency: 'CNY', return_url: `${base}/signed-out`, store: 'Game Store' }
const early = await store('POST', '/v1/agreements', wanted)
ok(early.status === 409 && early.code === 'ENROL_FIRST', 'without an authenticator nothing is linked', JSON.stringify(early))

await authenticator(liu)
await page.click('#passkey-offer .primary')
ok(await page.waitForURL((u) => u.pathname === '/security').then(() => true, () => false), 'she adds a passkey')
await page.goto(base + '/wallets')
ok(await shown(page, '#wallets .empty'), 'no wallet is linked yet')

// --- linking: the caps are shown, and confirmed with a passkey
const link = await store('POST', '/v1/agreements', wanted)
ok(link.status === 201 && link.state === 'needs_step' && link.caps?.charge === '700.00', 'the store asks to link a wallet', JSON.stringify(link))
const before = await store('POST', `/v1/agreements/${link.id}/sign`, {})
ok(before.status === 409 && before.code === 'STEP_WAITS', 'the wallet is not asked before she confirmed', JSON.stringify(before))
await page.goto(link.challenge.url)
ok(await shown(page, '.facts'), 'the page shows what is linked')
const facts = await page.textContent('.facts')
for (const text of ['Game Store', 'Alipay', 'CN¥700.00', 'CN¥1,000.00', 'CN¥3,000.00', '10', 'you confirm every charge']) ok(facts.includes(text), `and says ${text}`, facts)
await audit(page, 'the challenge of a link')
await picture(page, 'link')
await page.click('.panel .primary')
ok(await page.waitForURL((u) => u.pathname === '/signed-out' && u.searchParams.get('state') === 'done').then(() => true, () => false), 'she confirms with her passkey, and goes back to the store', page.url())
const sign = await store('POST', `/v1/agreements/${link.id}/sign`, {})
ok(sign.status === 200 && /^http/.test(sign.url ?? ''), 'now the wallet has a page to sign on', JSON.stringify(sign))
const signed = await fetch(`${sign.url}${sign.url.includes('?') ? '&' : '?'}accept=1`, { redirect: 'manual' })
ok(signed.status < 400, 'she signs there', `${signed.status} ${await signed.text()}`)
ok(await until(async () => (await store('POST', `/v1/agreements/${link.id}/sync`, {})).state === 'active'), 'and the wallet is linked')
ok(await until(() => mail.all().find((m) => m.kind === 'wallet_linked')), 'she is told')

// --- her page
await page.goto(base + '/wallets')
ok(await shown(page, '.wallet[data-state=active]'), 'her page shows it')
ok((await page.textContent('.caps')).includes('CN¥0.00 of CN¥1,000.00'), 'with what is used of the caps', await page.textContent('.caps'))
await audit(page, 'linked wallets')
await picture(page, 'wallets')

const press = (label) => page.click(`.wallet .row-actions button:text-is("${label}")`)
const limits = async (values) => {
    await press('Change limits')
    for (const [id, value] of Object.entries(values)) await page.fill(`#${id}`, value)
    await page.click('dialog [type=submit]')
}
await limits({ charge: '400', day: '600,00' })
ok(await until(async () => /400\.00/.test(await page.textContent('.cap-line'))), 'a lower limit is there at once', await page.textContent('.cap-line'))
ok((await store('GET', `/v1/agreements/${link.id}`)).caps.day === '600.00', 'and the store sees it')

await limits({ charge: '648', day: '1000' })
ok(await shown(page, 'dialog .facts'), 'a higher one wants a step, which shows it')
ok((await page.textContent('dialog .facts')).includes('CN¥648.00'), 'with the new limit', await page.textContent('dialog .facts'))
await picture(page, 'raise')
ok((await store('GET', `/v1/agreements/${link.id}`)).caps.charge === '400.00', 'until then it is as it was')
await page.click('dialog .panel .primary')
ok(await until(async () => /648\.00/.test(await page.textContent('.cap-line'))), 'after the step it is higher', await page.textContent('.cap-line'))
ok(await until(() => mail.all().find((m) => m.kind === 'wallet_limit_raised')), 'and she is told')
await limits({ unverified: '2000' })
ok(await shown(page, 'dialog .notice.bad'), 'what no rule allows is refused', await page.textContent('dialog'))
await page.click('#dialog-close')
const raise = await store('POST', `/v1/agreements/${link.id}/caps`, { caps: { day: '2000.00' } })
ok(raise.next === 'person' && raise.url === `${base}/wallets` && raise.caps.day === '1000.00', 'a store raises nothing: it is sent to her page', JSON.stringify(raise))

await press('Pause')
ok(await shown(page, '.wallet[data-state=paused]'), 'she pauses it at once')
await picture(page, 'paused')
const resume = await store('POST', `/v1/agreements/${link.id}/resume`, {})
ok(resume.next === 'person' && resume.state === 'paused', 'the store can’t resume it', JSON.stringify(resume))
await press('Resume')
ok(await shown(page, 'dialog .panel .primary'), 'resuming wants a step')
await page.click('dialog .panel .primary')
ok(await shown(page, '.wallet[data-state=active]'), 'and it is active again')

// --- a charge that was not her
const charge = await store('POST', '/v1/charges', { id: 'c-1', agreement: link.id, type: 'purchase', amount: '648.00', currency: 'CNY', payee: 'Game Store', item: '6480 gems' })
if (charge.status < 300 && charge.challenge) {
    await page.goto(charge.challenge.url)
    ok(await shown(page, '.amount') && (await page.textContent('.amount')) === 'CN¥648.00', 'a charge is confirmed by amount and payee')
    await page.evaluate(() => { window.PaymentRequest = undefined }) // a browser without Secure Payment Confirmation
    await page.click('.panel .primary')
    ok(await shown(page, '.seal.good'), 'with her passkey')
    const paid = await store('POST', `/v1/charges/${charge.id}/confirm`, {})
    ok(paid.state === 'paid', 'and is paid', JSON.stringify(paid))
}
await page.goto(base + '/wallets')
if (charge.status < 300) {
    ok(await shown(page, '.charge'), 'a charge stands on her page', JSON.stringify(charge))
    ok((await page.textContent('.caps')).includes('CN¥648.00 of CN¥1,000.00'), 'and in what is used', await page.textContent('.caps'))
    ok((await page.textContent('.charge')).includes('CN¥648.00'), 'with payee, thing and amount', await page.textContent('.charge'))
    await audit(page, 'charges')
    await picture(page, 'charges')
    await page.setViewportSize({ width: 360, height: 780 })
    await picture(page, 'charges-narrow')
    ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360), 'nothing is wider than a small phone')
    await page.setViewportSize({ width: 1100, height: 900 })
} else {
    console.log(`skipped: this daemon takes no charges yet (${charge.status})`)
}

// --- unlinking
const second = await store('POST', '/v1/agreements', { ...wanted, id: 'link-2' })
ok(second.status === 201, 'another one is asked for', JSON.stringify(second))
await page.goto(base + '/wallets')
ok(await shown(page, '.wallet[data-state=needs_step]'), 'it stands there, to be confirmed')
await store('POST', `/v1/agreements/${second.id}/end`, {})
await page.goto(`${base}/wallets?lang=nl`)
ok((await page.textContent('h1')) === 'Gekoppelde portemonnees' && await shown(page, '.wallet[data-state=active]'), 'in Dutch')
await page.goto(`${base}/wallets?lang=zh`)
ok(await shown(page, '.wallet[data-state=active]'), 'in Chinese')
await picture(page, 'chinese')
await page.goto(`${base}/wallets?lang=en`)
if (charge.status < 300 && await shown(page, '.charge .small')) {
    await page.click('.charge .small')
    await page.click('dialog .primary.danger')
    ok(await until(async () => (await page.textContent('h1')) === 'Done' || await page.$('.seal.good')), '‘not me’ to a charge locks the account')
    const now = await store('GET', `/v1/agreements/${link.id}`)
    ok(now.state === 'paused', 'the wallet is paused', JSON.stringify(now))
    await page.goto(base + '/wallets')
    ok(await page.waitForURL((u) => u.pathname === '/sign-in').then(() => true, () => false), 'and everybody is signed out')
    ok(await until(() => mail.all().find((m) => m.kind === 'account_frozen')), 'she is told')
} else {
    await press('Unlink')
    await page.click('dialog .primary.danger')
    ok(await shown(page, '.wallet[data-state=ended], .wallet[data-state=ending]'), 'unlinked')
}
const ended = await store('POST', `/v1/agreements/${link.id}/end`, {})
ok(['ending', 'ended'].includes(ended.state), 'the store ends it', JSON.stringify(ended))
ok(await until(async () => (await store('GET', `/v1/agreements/${link.id}`)).state === 'ended', 40000), 'and the wallet says so')
ok(liu.complaints.length === 0, 'the browser complains of nothing', liu.complaints.join('\n'))
await browser.close()
process.exit(failures() ? 1 : 0)
