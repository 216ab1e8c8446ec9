// jwt.mjs - checks a JWT by Node's own cryptography: node jwt.mjs JWKS-FILE TOKEN prints header and claims as JSON, or ends with 1.
import { createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'

const [, , file, token] = process.argv
const [head, body, signature] = token.split('.')
const read = (part) => JSON.parse(Buffer.from(part, 'base64url'))
const header = read(head)
const jwk = JSON.parse(readFileSync(file)).keys.find((k) => k.kid === header.kid)
const good = jwk && header.alg === 'ES256' &&
  verify('sha256', Buffer.from(`${head}.${body}`), { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'))
if (!good) process.exit(1)
console.log(JSON.stringify({ header, claims: read(body) }))
