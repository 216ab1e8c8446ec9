// answers_wallets.mjs - linked wallets, before the emulator of wallets, for answers.mjs: what their paths answer, refusals as well.
import { signUp } from './answers_step.mjs'

export async function wallets(ask) {
    const anna = await signUp(ask, 'wallets@example.org'), { jar, account } = anna
    const store = (name, status, path, body = {}) => ask(name, status, 'POST', `/v1/${path}`, { body })
    const see = (name, status, path, role = 'store') => ask(name, status, 'GET', `/v1/${path}`, { role })
    const mine = (name, status, path, body = {}, more = {}) => ask(name, status, 'POST', `/v1/account/${path}`, { body, jar, more })
    const wanted = { id: 'w1', account, wallet: 'alipay', currency: 'CNY', return_url: 'https://shop.example/back', store: 'Game Store', caps: { charge: '700.00', count: 10 }, unverified_spend_limit: '1000.00' }

    // --- a store's customer comes in to look after wallets
    const own = await store('an account of the store', 200, 'accounts', { subject: 'wallets-1' })
    const visit = await store('a way in for him', 201, `accounts/${own.id}/visits`)
    await store('not to somebody else\'s account', 409, `accounts/${account}/visits`)
    const token = new URL(visit.url).hash.slice(1), his = {}
    await ask('he comes in', 200, 'POST', '/v1/account/visit', { body: { token }, jar: his })
    await ask('once', 404, 'POST', '/v1/account/visit', { body: { token }, jar: his })

    // --- linking
    await store('a wallet, and no way to confirm', 409, 'agreements', wanted)
    const { codes } = await mine('recovery codes', 200, 'authenticators/recovery-codes')
    const step = async (challenge) => {
        await ask('the challenge', 200, 'GET', `/v1/account/challenges/${challenge}`, { jar })
        await mine('a code', 200, `challenges/${challenge}/recovery-code`, { code: codes.shift() })
    }
    await store('a wallet that is none', 400, 'agreements', { ...wanted, wallet: 'other' })
    const { id, challenge } = await store('a wallet to link', 201, 'agreements', wanted)
    await store('the same again', 200, 'agreements', wanted)
    await store('its id for something else', 422, 'agreements', { ...wanted, return_url: 'https://other.example/' })
    await store('before she confirmed', 409, `agreements/${id}/sign`)
    await step(challenge.id)
    const { url } = await store('the wallet\'s page', 200, `agreements/${id}/sign`)
    await fetch(`${url}&accept=1`, { redirect: 'manual' })
    await store('how the wallet sees it', 200, `agreements/${id}/sync`)
    await see('an agreement', 200, `agreements/${id}`)
    await see('of nobody', 404, 'agreements/AAAAAAAAAAAAAAAAAAAAAA')
    await see('the agreements', 200, `agreements?account=${account}&state=active&limit=5`, 'analyst')
    await see('in a state that is none', 400, 'agreements?state=x')

    // --- charges
    const bill = { id: 'b1', agreement: id, type: 'purchase', amount: '49.00', currency: 'CNY', payee: 'Game Store', item: '60 gems' }
    const charge = await store('a charge', 201, 'charges', bill)
    await store('the same again', 200, 'charges', bill)
    await store('its id for something else', 422, 'charges', { ...bill, amount: '50.00' })
    await store('a charge that can\'t be read', 400, 'charges', { ...bill, id: 'b2', amount: '-1' })
    await see('a charge', 200, `charges/${charge.id}`)
    await see('the charges', 200, `charges?agreement=${id}`)
    if (charge.challenge) await step(charge.challenge.id)
    await store('what is to be confirmed', 200, `charges/${charge.id}/confirm`)
    await store('and cancelled', 200, `charges/${charge.id}/cancel`)
    const back = { id: 'r1', charge: charge.id, amount: '9.00', currency: 'CNY', reason: 'a test' }
    const refund = await store('a refund', 201, 'refunds', back)
    await store('the same again', 200, 'refunds', back)
    await store('its id for something else', 422, 'refunds', { ...back, amount: '8.00' })
    await see('a refund', 200, `refunds/${refund.id}`)
    await see('a balance', 200, `balances/${account}`)
    await store('a spend', 201, 'spends', { id: 's1', account, amount: '1.00', currency: 'CNY', payee: 'Game Store' })
    await store('the same again', 200, 'spends', { id: 's1', account, amount: '1.00', currency: 'CNY', payee: 'Game Store' })
    await see('the wallets', 200, 'wallets', 'analyst')

    // --- the ledger
    for (const path of ['accounts', 'entries', `statement?agreement=${id}`, 'export', 'verify']) await see(`the ledger: ${path.split('?')[0]}`, 200, `ledger/${path}`, 'analyst')

    // --- limits
    await store('lower', 200, `agreements/${id}/caps`, { caps: { charge: '100.00' }, unverified_spend_limit: '0' })
    await store('higher is hers', 200, `agreements/${id}/caps`, { caps: { charge: '200.00' } })
    await ask('her wallets', 200, 'GET', '/v1/account/wallets', { jar })
    const raise = await mine('higher', 200, `wallets/${id}/caps`, { caps: { charge: '200.00' } })
    await step(raise.challenge)
    await mine('with the step', 200, `wallets/${id}/caps`, { caps: { charge: '200.00' } }, { 'keer-challenge': raise.challenge })
    await mine('no limit at all', 400, `wallets/${id}/caps`, { caps: { charge: '5000.00' } })
    await mine('above the ceiling', 400, `wallets/${id}/caps`, { caps: { charge: '20000.00', day: '20000.00', month: '20000.00' } })
    const ceiling = { currency: 'CNY', caps: { charge: '12000.00', day: '12000.00', month: '20000.00', count: 50 } }
    const lift = (name, status, body, role = 'admin') => ask(name, status, 'POST', `/v1/accounts/${account}/ceiling`, { body, role })
    await lift('lifted by a store', 403, ceiling, 'store')
    await lift('lifted', 200, ceiling)
    await lift('a ceiling that is none', 400, { ...ceiling, caps: { charge: '1.00' } })
    await mine('a pause', 200, `wallets/${id}/pause`)
    await store('a store pauses too', 200, `agreements/${id}/pause`)
    await store('and resumes nothing', 200, `agreements/${id}/resume`)
    const resume = await mine('a step to resume', 200, `wallets/${id}/resume`)
    await mine('without it', 403, `wallets/${id}/resume`, {}, { 'keer-challenge': resume.challenge })

    // --- ends
    const second = await store('another one', 201, 'agreements', { ...wanted, id: 'w2' })
    await mine('not this one', 200, `wallets/${second.id}/end`)
    await mine('nor its limits', 409, `wallets/${second.id}/caps`, { caps: { charge: '1.00' } })
    await store('an end', 200, `agreements/${id}/end`)
    await mine('of nobody', 404, 'charges/AAAAAAAAAAAAAAAAAAAAAA/not-me')
    await mine('a charge was not her', 200, `charges/${charge.id}/not-me`)
    await mine('and she is signed out', 401, `wallets/${id}/pause`)
}
