// answers_appstore.mjs - notifications of the App Store, for answers.mjs: what their paths answer, refusals as well.
import { readFileSync } from 'node:fs'

export async function appstore(ask) {
    const notices = Object.fromEntries(readFileSync(`${process.env.KEER_APPSTORE}/flow`, 'utf8').trimEnd().split('\n').map((l) => l.split('\t')).map(([type, id, jws]) => [type, { id, jws }]))
    const send = (name, status, signedPayload) => ask(name, status, 'POST', '/v1/intake/appstore', { body: { signedPayload }, role: null })
    await send('a purchase in the App Store', 200, notices.ONE_TIME_CHARGE.jws)
    await send('a consumption request', 200, notices.CONSUMPTION_REQUEST.jws)
    await send('a notice that is none', 400, 'e30.e30.AA')
    await ask('the prepared answer', 200, 'GET', `/v1/intake/appstore/consumption/${notices.CONSUMPTION_REQUEST.id}`, { role: 'analyst' })
    await ask('that of a refund', 404, 'GET', `/v1/intake/appstore/consumption/${notices.REFUND.id}`, { role: 'analyst' })
    await ask('a store asks', 403, 'GET', `/v1/intake/appstore/consumption/${notices.REFUND.id}`)
}
