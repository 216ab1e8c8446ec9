// judge.mjs - reads the lines of judge.c, asks @simplewebauthn/server too, and compares the three verdicts. Where a judge says otherwise than
// ours, a row of DIFFERENCES.md must explain it; a row that explains nothing any more fails as well.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { SettingsService, verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server'

const rows = readFileSync(new URL('DIFFERENCES.md', import.meta.url), 'utf8').split('\n')
  .map(line => line.match(/^\| (libfido2|simplewebauthn) \| `([^`]+)` \| (accepts|refuses) \| .+ \|$/)).filter(Boolean)
  .map(([, judge, pattern, says]) => ({ judge, says, used: 0, pattern, test: new RegExp('^' + pattern.replace(/[.+?()[\]]/g, '\\$&').replace(/\*/g, '.*') + '$') }))
const bytes = text => new Uint8Array(Buffer.from(text, 'base64url'))
const algorithms = [-7, -35, -36, -257, -8, -53]

async function simple(c) {
  const shared = { expectedChallenge: c.challenge, expectedOrigin: 'https://example.org', expectedRPID: 'example.org', requireUserVerification: true }
  const response = { clientDataJSON: c.client, attestationObject: c.object, authenticatorData: c.data, signature: c.signature, userHandle: c.user }
  const answer = { id: c.id, rawId: c.id, type: 'public-key', response, clientExtensionResults: {} }
  try {
    const { verified } = c.kind === 'register'
      ? await verifyRegistrationResponse({ ...shared, response: answer, supportedAlgorithmIDs: c.only_es256 ? [-7] : algorithms })
      : await verifyAuthenticationResponse({ ...shared, response: answer, expectedType: c.kind === 'pay' ? 'payment.get' : 'webauthn.get',
        credential: { id: c.stored_id, publicKey: bytes(c.key), counter: c.counter } })
    return verified ? 'OK' : 'not verified'
  } catch (e) {
    return e.message.replace(/\s+/g, ' ').slice(0, 120)
  }
}

const unexplained = new Map()
let ceremonies = 0, compared = 0, same = 0
function compare(judge, c, verdict) {
  compared++
  const says = verdict === 'OK' ? 'accepts' : 'refuses'
  if (says === (c.ours === 'OK' ? 'accepts' : 'refuses')) return void same++
  const row = rows.find(r => r.judge === judge && r.says === says && r.test.test(c.name))
  if (row) return void row.used++
  const key = `${judge} ${says} ${c.name}, ours: ${c.ours}`
  unexplained.set(key, verdict)
}

for await (const line of createInterface({ input: process.stdin })) {
  const c = JSON.parse(line)
  if (c.root) {
    const pem = `-----BEGIN CERTIFICATE-----\n${c.root}\n-----END CERTIFICATE-----\n`
    for (const identifier of ['packed', 'fido-u2f', 'tpm', 'android-key', 'apple']) SettingsService.setRootCertificates({ identifier, certificates: [pem] })
    console.log(`# seed ${c.seed}`)
    continue
  }
  ceremonies++
  if (process.argv[2] === '--show') console.log(c.name, '|', c.ours, '|', c.fido, '|', await simple(c))
  compare('libfido2', c, c.fido)
  compare('simplewebauthn', c, await simple(c))
}
for (const [key, verdict] of unexplained) console.log(`# unexplained: ${key}: ${verdict}`)
const stale = rows.filter(r => r.used === 0)
for (const r of stale) console.log(`# explains nothing: ${r.judge} ${r.says} ${r.pattern}`)
console.log(`# ${ceremonies} ceremonies, ${compared} verdicts of others, ${same} the same, ${compared - same} different, ${rows.length} explanations`)
console.log(`${unexplained.size || ceremonies < 1000 || !rows.length ? 'not ok' : 'ok'} - every difference to libfido2 and @simplewebauthn/server is explained`)
console.log(`${stale.length ? 'not ok' : 'ok'} - every explanation explains something`)
process.exit(unexplained.size || stale.length || ceremonies < 1000 ? 1 : 0)
