// passkey.js - WebAuthn: from the JSON of the daemon to the browser's objects and back (WebAuthn L3 section 5.1.8 to 5.1.10).
import { S } from './text.js'

const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
const named = (list) => list?.map((c) => ({ ...c, id: bytes(c.id) }))

export const available = () => typeof window.PublicKeyCredential === 'function' && isSecureContext
export const conditional = async () => available() && !!await PublicKeyCredential.isConditionalMediationAvailable?.()

function creation(json) {
    if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(json)
    return { ...json, challenge: bytes(json.challenge), user: { ...json.user, id: bytes(json.user.id) }, excludeCredentials: named(json.excludeCredentials) }
}
function request(json) {
    if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(json)
    return { ...json, challenge: bytes(json.challenge), allowCredentials: named(json.allowCredentials) }
}

// Credentials that extensions of browsers put in place of the browser's own may lack toJSON, or throw in it.
export function toJSON(c) {
    try {
        if (c.toJSON) return c.toJSON()
    } catch { /* by hand, below */ }
    const response = { clientDataJSON: text(c.response.clientDataJSON) }
    for (const key of ['attestationObject', 'authenticatorData', 'signature', 'userHandle'])
        if (c.response[key]) response[key] = text(c.response[key])
    if (c.response.getTransports) response.transports = c.response.getTransports()
    return { id: c.id, rawId: text(c.rawId), type: c.type, authenticatorAttachment: c.authenticatorAttachment ?? undefined, response, clientExtensionResults: c.getClientExtensionResults() }
}

const told = {
    NotAllowedError: () => S.passkey_not_allowed, AbortError: () => S.passkey_not_allowed, InvalidStateError: () => S.passkey_there_already,
    SecurityError: () => S.passkey_wrong_site, NotSupportedError: () => S.passkey_unsupported, ConstraintError: () => S.passkey_unsupported,
}
export async function browserTells(work) {
    try {
        return await work()
    } catch (e) {
        if (told[e.name]) e.told = told[e.name]()
        throw e
    }
}

export const create = (json) => browserTells(async () => toJSON(await navigator.credentials.create({ publicKey: creation(json) })))
export const ask = (json, more = {}) => browserTells(async () => toJSON(await navigator.credentials.get({ publicKey: request(json), ...more })))
export { bytes }
