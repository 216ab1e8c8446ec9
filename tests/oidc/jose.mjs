// jose.mjs TOOL - npm jose as the judge of src/jose, both ways: what ours signs, theirs verifies; what theirs signs, ours verifies; and what is
// changed, neither does. Verdicts on mutated tokens are compared one by one.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import * as jose from 'jose';

const tool = spawn(process.argv[2], { stdio: ['pipe', 'pipe', 'inherit'] });
const lines = createInterface({ input: tool.stdout })[Symbol.asyncIterator]();
const ours = async (line) => { tool.stdin.write(`${line}\n`); return (await lines.next()).value; };
let failed = 0;
const ok = (good, name) => { console.log(`${good ? 'ok' : 'not ok'} - ${name}`); failed += !good; };

const kinds = [['P-256', 'ES256'], ['P-384', 'ES384'], ['P-521', 'ES512'], ['RSA', 'RS256'], ['RSA', 'RS384'], ['RSA', 'RS512'], ['RSA', 'PS256'], ['Ed25519', 'EdDSA']];
const ALGS = ['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'EdDSA'];
const theirs = async (token, jwk) => {
  try { return new TextDecoder().decode((await jose.compactVerify(token, await jose.importJWK(jwk, jwk.alg), { algorithms: ALGS })).payload); } catch { return null; }
};
const oursSays = async (token, jwk) => { const r = await ours(`verify ${token} ${JSON.stringify(jwk)}`); return r.startsWith('yes\t') ? r.slice(4) : null; };

for (const [kind, alg] of kinds) {
  const [text, token] = (await ours(`sign ${kind} ${alg} {"iss":"we","n":1}`)).split('\t'), jwk = JSON.parse(text);
  ok(await theirs(token, jwk) === '{"iss":"we","n":1}', `${alg}: jose verifies ours`);
  ok(await ours(`thumbprint ${text}`) === await jose.calculateJwkThumbprint(jwk), `${kind}: the same thumbprint`);
  const pair = await jose.generateKeyPair(alg, { extractable: true });
  const pub = { ...(await jose.exportJWK(pair.publicKey)), alg, kid: 'x' };
  const made = await new jose.CompactSign(new TextEncoder().encode('{"iss":"they"}')).setProtectedHeader({ alg, kid: 'x' }).sign(pair.privateKey);
  ok(await oursSays(made, pub) === '{"iss":"they"}', `${alg}: ours verifies jose's`);
  ok(await ours(`thumbprint ${JSON.stringify(pub)}`) === await jose.calculateJwkThumbprint(pub), `${kind}: the same thumbprint of theirs`);
  ok(await oursSays(made, jwk) === null && await theirs(made, jwk) === null, `${alg}: another key of the kind verifies nothing`);
  let differ = 0, count = 0, taken = 0;
  const parts = made.split('.');
  for (let i = 0; i < made.length; i += Math.ceil(made.length / 150)) { // one character changed, all over the token
    const c = made[i], changed = made.slice(0, i) + (c === 'A' ? 'B' : c === '.' ? 'x' : 'A') + made.slice(i + 1);
    const a = await oursSays(changed, pub), b = await theirs(changed, pub);
    // jose passes over bits that are set behind the last byte of a part (RFC 4648 section 3.5 lets a decoder refuse them; ours does): a second
    // spelling of the same token, where the last character is the one that is changed.
    const spelling = i + 1 === made.length || made[i + 1] === '.';
    count++; taken += a !== null; differ += a !== b && !(spelling && a === null);
  }
  const header = (h) => `${Buffer.from(JSON.stringify(h)).toString('base64url')}.${parts[1]}.${parts[2]}`;
  for (const t of [header({ alg: 'none' }), header({ alg: 'HS256' }), header({ alg, crit: ['exp'], exp: 1 }), header({ alg, kid: 'y' }), `${parts[0]}.${parts[1]}.`, `${made}.`, `.${made}`, made.replace('.', '..'), `${parts[0]}.${parts[1]}`]) {
    const a = await oursSays(t, pub), b = await theirs(t, pub);
    count++; taken += a !== null; differ += a !== b;
  }
  ok(taken === 0 && differ === 0, `${alg}: ${count} changed tokens, ${taken} taken by ours, ${differ} judged otherwise by jose`);
}
const pair = await jose.generateKeyPair('EdDSA', { extractable: true });
const secret = await jose.exportJWK(pair.privateKey);
ok(await ours(`thumbprint ${JSON.stringify(secret)}`) === 'no', 'a private key is not read');
tool.stdin.end();
process.exit(failed ? 1 : 0);
