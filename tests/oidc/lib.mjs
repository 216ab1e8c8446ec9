// lib.mjs - a browser with cookies that goes where it is sent, an account in it, clients at the provider, and 'ok' lines.
import { readFileSync } from 'node:fs';
import { createHash, randomBytes } from 'node:crypto';
import * as client from 'openid-client';

export const [issuer, adminKey, noticesFile] = process.argv.slice(2);
export const callback = 'http://127.0.0.1:9/callback'; // nobody listens: the browser stops before it
let failed = 0;
export async function test(name, run) {
  try { await run(); console.log(`ok - ${name}`); }
  catch (e) { failed++; console.log(`not ok - ${name}: ${e?.stack ?? e}`.replaceAll('\n', '\n# ')); if (e?.cause) console.log('#', JSON.stringify(e.cause)); }
}
export function finish() { process.exit(failed ? 1 : 0); }
export function must(condition, what) { if (!condition) throw new Error(what); }
export function is(have, want, what) { if (have !== want) throw new Error(`${what}: ${JSON.stringify(have)}, want ${JSON.stringify(want)}`); }
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
export const base64url = (b) => Buffer.from(b).toString('base64url');
export const sha256 = (s) => createHash('sha256').update(s).digest();

// A browser: cookies of the provider, redirects followed by hand. `stop` ends at the client, or at a page of ours.
export class Browser {
  jar = new Map();
  async fetch(url, options = {}) {
    const headers = new Headers(options.headers);
    if (this.jar.size) headers.set('cookie', [...this.jar].map(([k, v]) => `${k}=${v}`).join('; '));
    const r = await fetch(new URL(url, issuer), { ...options, headers, redirect: 'manual' });
    for (const line of r.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split('; ');
      const at = pair.indexOf('=');
      const gone = attributes.some((a) => /^max-age=(0|-)/i.test(a));
      if (gone) this.jar.delete(pair.slice(0, at)); else this.jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return r;
  }
  async json(method, path, body, headers = {}) {
    const r = await this.fetch(path, { method, headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers }, body: body === undefined ? undefined : JSON.stringify(body) });
    return { status: r.status, body: JSON.parse(await r.text() || '{}') };
  }
  // Where the provider sends it: the URL of the client or of a page of ours, or { page } for what is shown.
  async go(url, options) {
    const r = await this.fetch(url, options);
    const text = await r.text();
    if (r.status !== 303 && r.status !== 302) return { status: r.status, page: text };
    const to = new URL(r.headers.get('location'), issuer);
    if (to.origin === new URL(issuer).origin && to.pathname.startsWith('/oidc/')) return this.go(to);
    return to;
  }
}
export function notice(about) { // the code of the latest message to an address
  const lines = readFileSync(noticesFile, 'utf8').trim().split('\n').filter((l) => l.includes(about));
  return lines.at(-1) ?? '';
}
async function codeFor(address, before) {
  for (let i = 0; i < 200; i++) {
    const line = notice(address);
    if (line && line !== before) return { line, code: line.match(/\b(\d{4}[ -]?\d{4})\b/)[1] };
    await sleep(25);
  }
  throw new Error(`no message to ${address}`);
}
export const password = 'correct horse battery staple 9';
let people = 0;
export async function signUp(extra = {}) {
  const b = new Browser(), email = `p${++people}.${Date.now()}@example.org`;
  b.email = email;
  const first = await b.json('POST', '/v1/account/sign-up', { email, name: 'Anna de Vries', password, locale: 'nl', ...extra });
  must(first.status === 200 && first.body.flow, `sign-up: ${JSON.stringify(first)}`);
  const { code } = await codeFor(email);
  const done = await b.json('POST', '/v1/account/sign-up/confirm', { flow: first.body.flow, code });
  is(done.body.next, 'done', `sign-up confirm ${JSON.stringify(done)}`);
  b.account = done.body.account;
  return b;
}
export async function signIn(b, name = b.email) {
  const r = await b.json('POST', '/v1/account/sign-in', { name, password });
  must(r.status === 200, `sign-in: ${JSON.stringify(r)}`);
  return r.body;
}
// What /sign-in does: signs in, and goes on where it was told to.
export async function atSignIn(b, to) {
  is(to.pathname, '/sign-in', `where the browser was sent (${to.page ?? to})`);
  await signIn(b);
  return b.go(to.searchParams.get('continue'));
}

export async function register(metadata) {
  const r = await fetch(new URL('/v1/oidc/clients', issuer), {
    method: 'POST', headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'Game Store', redirect_uris: [callback], ...metadata }) });
  const body = await r.json();
  must(r.status === 200, `registration: ${JSON.stringify(body)}`);
  return body;
}
const CIBA = 'urn:openid:params:grant-type:ciba';
export async function relyingParty(metadata = {}, auth) {
  const grants = ['authorization_code', 'refresh_token', ...(metadata.token_endpoint_auth_method === 'none' ? [] : [CIBA])];
  const c = await register({ grant_types: grants, post_logout_redirect_uris: ['http://127.0.0.1:9/bye'], ...metadata });
  const how = auth ?? (c.token_endpoint_auth_method === 'client_secret_post' ? client.ClientSecretPost(c.client_secret)
    : c.token_endpoint_auth_method === 'none' ? client.None() : client.ClientSecretBasic(c.client_secret));
  const config = await client.discovery(new URL(issuer), c.client_id, { client_secret: c.client_secret, id_token_signed_response_alg: c.id_token_signed_response_alg }, how,
    { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] });
  return { config, ...c };
}
export async function ask(rp, params = {}, leave = []) { // the parameters of a request, and what has to be remembered
  const verifier = client.randomPKCECodeVerifier();
  const p = { redirect_uri: callback, scope: 'openid', state: client.randomState(), nonce: client.randomNonce(),
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...params };
  for (const name of leave) delete p[name];
  return { p, url: client.buildAuthorizationUrl(rp.config, p), checks: { pkceCodeVerifier: verifier, expectedState: p.state, expectedNonce: p.nonce, idTokenExpected: true } };
}
export async function grant(rp, b, params = {}, leave = [], extra = {}) { // a whole code flow, by a browser that is signed in or signs in
  const a = await ask(rp, params, leave);
  let to = await b.go(a.url);
  if (to.pathname === '/sign-in') to = await atSignIn(b, to);
  must(to.href?.startsWith(callback), `not at the client: ${to.page ?? to}`);
  const tokens = await client.authorizationCodeGrant(rp.config, to, { ...a.checks, ...extra });
  return { ...a, to, tokens, claims: tokens.claims() };
}
export const refusal = async (promise) => { // what a client is told
  try { await promise; } catch (e) { return e.error ?? e.code ?? e.message; }
  return undefined;
};
// A POST of a form as it is, with Basic.
export async function post(path, form, rp, headers = {}) {
  const basic = rp?.client_secret ? { authorization: `Basic ${Buffer.from(`${rp.client_id}:${rp.client_secret}`).toString('base64')}` } : {};
  const r = await fetch(new URL(path, issuer), { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded', ...basic, ...headers }, body: new URLSearchParams(form) });
  const text = await r.text();
  return { status: r.status, headers: r.headers, body: text ? JSON.parse(text) : {} };
}
export { client, randomBytes };
