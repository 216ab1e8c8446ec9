// restart.mjs - `before FILE`: uses a code, a refresh token, an assertion and a pushed request, and keeps what was used and what was not.
// `after FILE`, with the daemon started again: what was used is refused, what was not is taken.
import { readFileSync, writeFileSync } from 'node:fs';
import * as jose from 'jose';
import { Browser, ask, callback, client, finish, grant, is, issuer, must, post, relyingParty, signUp, test } from './lib.mjs';

const [when, file] = process.argv.slice(5);
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const exchange = (s, code, verifier) => post('/oidc/token', { grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier }, s.rp);
const refresh = (s, token) => post('/oidc/token', { grant_type: 'refresh_token', refresh_token: token }, s.rp);
const asserted = (s, jwt) => post('/oidc/introspect', { token: 'x', client_assertion: jwt, client_assertion_type: ASSERTION });

if (when === 'before') await test('before a restart', async () => {
  const rp = await relyingParty(), b = await signUp();
  const used = await grant(rp, b), a = await ask(rp), kept = await b.go(a.url);
  const g = await grant(rp, b, { scope: 'openid offline_access' }), two = await client.refreshTokenGrant(rp.config, g.tokens.refresh_token);
  const other = await grant(rp, b, { scope: 'openid offline_access' });
  const pushed = await client.buildAuthorizationUrlWithPAR(rp.config, (await ask(rp)).p);
  must((await b.go(pushed)).href.startsWith(callback), 'pushed');
  const { publicKey, privateKey } = await jose.generateKeyPair('EdDSA', { extractable: true });
  const signed = await relyingParty({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ ...(await jose.exportJWK(publicKey)), alg: 'EdDSA' }] } }, client.None());
  const jwt = await new jose.SignJWT({ iss: signed.client_id, sub: signed.client_id, aud: issuer, jti: 'once' }).setProtectedHeader({ alg: 'EdDSA' }).setExpirationTime('10m').sign(privateKey);
  const s = { rp: { client_id: rp.client_id, client_secret: rp.client_secret }, used: [used.to.searchParams.get('code'), used.checks.pkceCodeVerifier], kept: [kept.searchParams.get('code'), a.checks.pkceCodeVerifier],
    refreshed: g.tokens.refresh_token, next: two.refresh_token, other: other.tokens.refresh_token, idToken: g.tokens.id_token, pushed: pushed.href, jar: [...b.jar], jwt, kid: (await (await fetch(new URL('/oidc/jwks', issuer))).json()).keys.map((k) => k.kid).join() };
  is((await asserted(s, jwt)).status, 200, 'the assertion');
  writeFileSync(file, JSON.stringify(s));
});
else await test('replayed after a restart', async () => {
  const s = JSON.parse(readFileSync(file)), b = new Browser();
  b.jar = new Map(s.jar);
  is((await (await fetch(new URL('/oidc/jwks', issuer))).json()).keys.map((k) => k.kid).join(), s.kid, 'the keys are the same');
  is((await exchange(s, ...s.kept)).status, 200, 'a code that was not used');
  is((await refresh(s, s.other)).status, 200, 'a refresh token that was not used');
  is((await exchange(s, ...s.used)).body.error, 'invalid_grant', 'a code that was used');
  is((await asserted(s, s.jwt)).status, 401, 'an assertion that was used');
  is((await b.go(s.pushed)).status, 400, 'a pushed request that was used');
  is((await refresh(s, s.refreshed)).body.error, 'invalid_grant', 'a refresh token that was used');
  is((await refresh(s, s.next)).body.error, 'invalid_grant', 'the one after it, then');
  const again = await b.go(`/oidc/authorize?${new URLSearchParams({ client_id: s.rp.client_id, redirect_uri: callback, response_type: 'code', scope: 'openid', prompt: 'none', id_token_hint: s.idToken, code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' })}`);
  must(again.searchParams.get('code'), 'the session, and an ID token as a hint');
});
finish();
