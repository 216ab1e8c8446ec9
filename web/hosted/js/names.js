// names.js - what the daemon's words are called on the pages: changes (flow/guard.def), what people were told
// (account/notices.def), browsers (flow/user_agents.def).
import { S, money } from './text.js'

const changes = {
    authenticator_add: () => S.what_authenticator_add, authenticator_remove: () => S.what_authenticator_remove, recovery_codes: () => S.what_recovery_codes,
    password: () => S.what_password, contact_add: () => S.what_contact_add, contact_remove: () => S.what_contact_remove,
    device_trust: () => S.what_device_trust, wallet_limit: () => S.what_wallet_limit, recovery: () => S.recover_wait,
}
export const changeName = (change) => changes[change]?.() ?? S.what_other

const told = {
    welcome: ['check', () => S.did_welcome], sign_in_new_device: ['door', () => S.did_sign_in_new_device], sign_in_refused: ['warning', () => S.did_sign_in_refused], step_not_me: ['warning', () => S.did_step_not_me],
    password_changed: ['lock', () => S.did_password_changed], contact_added: ['mail', () => S.did_contact_added], contact_removed: ['mail', () => S.did_contact_removed],
    device_trusted: ['phone', () => S.did_device_trusted], device_revoked: ['phone', () => S.did_device_revoked],
    authenticator_added: ['passkey', () => S.did_authenticator_added], authenticator_removed: ['passkey', () => S.did_authenticator_removed], authenticator_blocked: ['warning', () => S.did_authenticator_blocked],
    change_pending: ['clock', () => S.did_change_pending], change_cancelled: ['check', () => S.did_change_cancelled],
    recovery_started: ['clock', () => S.did_recovery_started], recovery_done: ['check', () => S.did_recovery_done],
    recovery_code_used: ['codes', () => S.did_recovery_code_used], recovery_codes_made: ['codes', () => S.did_recovery_codes_made],
    wallet_limit_raised: ['wallet', () => S.did_wallet_limit_raised], wallet_linked: ['wallet', () => S.did_wallet_linked], wallet_ended: ['wallet', () => S.did_wallet_ended], charge_paid: ['wallet', () => S.did_charge_paid],
    account_frozen: ['lock', () => S.did_account_frozen], family_invited: ['mail', () => S.did_family], family_joined: ['mail', () => S.did_family], family_asked: ['mail', () => S.did_family],
}
const wallets = { alipay: 'Alipay', wechatpay: 'WeChat Pay', antom: 'Alipay+' }
export const walletName = (name) => wallets[name] ?? (name ? name[0].toUpperCase() + name.slice(1) : S.wallet)
// What a higher limit comes to (flow/agreements_db.c, agreements_limit_data): pairs of a name and a value; null when it is something else.
export function limitFacts(detail) {
    const m = /^([\w-]+): (\S+) \/ (\S+) \/ (\S+) ([A-Z]{3}), (\d+)x, (\S+)$/.exec(detail ?? ''), r = /^([\w-]+): active$/.exec(detail ?? '')
    if (r) return [[S.wallet, walletName(r[1])], [S.change, S.resume]]
    if (!m) return null
    const show = (amount) => money(amount, m[5])
    return [[S.wallet, walletName(m[1])], [S.limit_charge, show(m[2])], [S.limit_day, show(m[3])], [S.limit_month, show(m[4])], [S.limit_count, m[6]], [S.limit_unverified, Number(m[7]) > 0 ? show(m[7]) : S.unverified_never]]
}
// Codes that were sent are not listed among what happened.
export const isCode = (kind) => /_code$/.test(kind)
export const toldIcon = (kind) => told[kind]?.[0] ?? 'clock'
export const toldName = (kind) => told[kind]?.[1]() ?? S.what_other

// 'chrome' is called Chrome; what a person named stays as it is.
export const browserName = (family) => family ? family[0].toUpperCase() + family.slice(1) : S.device
