// authenticator.mjs - a browser's WebAuthn with one passkey (ES256, attestation none), in software: create, get and pay give what toJSON() gives; `twist`
// makes it wrong in something: flags, type, key, members of the client data.
import { createHash, createSign, generateKeyPairSync, randomBytes } from 'node:crypto'

export const b64 = bytes => Buffer.from(bytes).toString('base64url')
const sha256 = bytes => createHash('sha256').update(bytes).digest()

// CBOR of what an authenticator writes.
const head = (major, n) => n < 24 ? Buffer.from([major << 5 | n]) : n < 256 ? Buffer.from([major << 5 | 24, n]) : Buffer.from([major << 5 | 25, n >> 8, n & 255])
const cbor = v => typeof v === 'number' ? head(v < 0 ? 1 : 0, v < 0 ? -1 - v : v)
  : typeof v === 'string' ? Buffer.concat([head(3, Buffer.byteLength(v)), Buffer.from(v)])
    : Buffer.isBuffer(v) ? Buffer.concat([head(2, v.length), v]) : Array.isArray(v) ? Buffer.concat([head(4, v.length), ...v.map(cbor)])
      : Buffer.concat([head(5, v.size), ...[...v].flatMap(([k, x]) => [cbor(k), cbor(x)])])

export class Authenticator {
  id = randomBytes(32)
  counter = 0
  keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  constructor(origin) { this.origin = origin }
  data(rpId, flags, rest = Buffer.alloc(0)) {
    const n = Buffer.alloc(4); n.writeUInt32BE(++this.counter)
    return Buffer.concat([sha256(rpId), Buffer.from([flags]), n, rest])
  }
  client(type, challenge, more = {}) { return Buffer.from(JSON.stringify({ type, challenge, origin: this.origin, crossOrigin: false, ...more })) }
  create(o, twist = {}) {
    this.user = o.user.id
    const jwk = this.keys.publicKey.export({ format: 'jwk' })
    const key = cbor(new Map([[1, 2], [3, -7], [-1, 1], [-2, Buffer.from(jwk.x, 'base64url')], [-3, Buffer.from(jwk.y, 'base64url')]]))
    const data = this.data(o.rp.id, twist.flags ?? 0x5d, Buffer.concat([Buffer.alloc(16), head(0, 0), Buffer.from([32]), this.id, key]))
    const client = this.client('webauthn.create', o.challenge, twist.client)
    // twist.attest: { key, x5c }, a maker's key and its certificates (packed, WebAuthn L3 section 8.2)
    const statement = twist.attest ? new Map([['alg', -7], ['sig', createSign('sha256').update(data).update(sha256(client)).sign(twist.attest.key)], ['x5c', twist.attest.x5c]]) : new Map()
    const object = cbor(new Map([['fmt', twist.attest ? 'packed' : 'none'], ['attStmt', statement], ['authData', data]]))
    return { id: b64(this.id), rawId: b64(this.id), type: 'public-key', clientExtensionResults: {}, authenticatorAttachment: 'platform',
      response: { clientDataJSON: b64(client), attestationObject: b64(object), transports: ['internal'] } }
  }
  get(o, twist = {}) {
    const data = this.data(o.rpId, twist.flags ?? 0x1d)
    const client = this.client(twist.type ?? 'webauthn.get', o.challenge, twist.client)
    const signature = createSign('sha256').update(data).update(sha256(client)).sign(twist.key ?? this.keys.privateKey)
    return { id: b64(this.id), rawId: b64(this.id), type: 'public-key', clientExtensionResults: {},
      response: { clientDataJSON: b64(client), authenticatorData: b64(data), signature: b64(signature), userHandle: this.user } }
  }
  pay(p, twist = {}) {
    const { instrument, payeeName, payeeOrigin, rpId, challenge } = p.data
    const payment = { rpId, topOrigin: this.origin, payeeName, payeeOrigin, total: p.total, instrument, ...twist }
    return this.get({ rpId, challenge }, { type: 'payment.get', client: { payment } })
  }
}
