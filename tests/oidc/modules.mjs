// modules.mjs - the 38 modules of the OpenID Foundation's Basic OP plan, each a test of its name. What is asked of the provider is what
// the module asks; README.md says where it differs, and why.
import { callback, client, grant, ask, is, issuer, must, post, refusal, register, relyingParty, signUp, signIn, atSignIn, test, finish, base64url, Browser, sleep } from './lib.mjs';

const rp = await relyingParty();
const es = await relyingParty({ id_token_signed_response_alg: 'ES256' });
const b = await signUp();
const userinfo = (g, r = rp) => client.fetchUserInfo(r.config, g.tokens.access_token, g.claims.sub);
const unsigned = (claims) => `${base64url('{"alg":"none"}')}.${base64url(JSON.stringify(claims))}.`;

await test('oidcc-server', async () => {
  const g = await grant(rp, b);
  is(g.claims.sub, b.account, 'sub');
  is(g.to.searchParams.get('iss'), issuer, 'iss of the response');
  is((await userinfo(g)).sub, b.account, 'sub of userinfo');
});
await test('oidcc-response-type-missing', async () => {
  const a = await ask(rp);
  a.url.searchParams.delete('response_type');
  is((await b.go(a.url)).searchParams.get('error'), 'invalid_request', 'error');
});
await test('oidcc-idtoken-signature', async () => {
  const g = await grant(rp, b);
  const header = JSON.parse(Buffer.from(g.tokens.id_token.split('.')[0], 'base64url'));
  is(header.alg, 'RS256', 'alg'); must(header.kid, 'kid');
  const e = await grant(es, b);
  is(JSON.parse(Buffer.from(e.tokens.id_token.split('.')[0], 'base64url')).alg, 'ES256', 'alg of a client that asked for it');
});
await test('oidcc-idtoken-unsigned', async () => { // not supported: not offered, and refused at registration
  must(!rp.config.serverMetadata().id_token_signing_alg_values_supported.includes('none'), 'none is not offered');
  must(await refusal(register({ id_token_signed_response_alg: 'none' })), 'a client can not ask for it');
});
await test('oidcc-userinfo-get', async () => { is((await userinfo(await grant(rp, b))).sub, b.account, 'sub'); });
await test('oidcc-userinfo-post-header', async () => {
  const g = await grant(rp, b);
  const r = await fetch(new URL('/oidc/userinfo', issuer), { method: 'POST', headers: { authorization: `Bearer ${g.tokens.access_token}` } });
  is((await r.json()).sub, b.account, 'sub');
});
await test('oidcc-userinfo-post-body', async () => {
  const g = await grant(rp, b);
  is((await post('/oidc/userinfo', { access_token: g.tokens.access_token })).body.sub, b.account, 'sub');
});
await test('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', async () => {
  const g = await grant(rp, b, {}, ['nonce']);
  is(g.claims.nonce, undefined, 'nonce');
});
await test('oidcc-scope-profile', async () => {
  const u = await userinfo(await grant(rp, b, { scope: 'openid profile' }));
  is(u.name, 'Anna de Vries', 'name'); is(u.locale, 'nl', 'locale'); is(u.email, undefined, 'email');
});
await test('oidcc-scope-email', async () => {
  const u = await userinfo(await grant(rp, b, { scope: 'openid email' }));
  is(u.email, b.email, 'email'); is(u.email_verified, true, 'email_verified'); is(u.name, undefined, 'name');
});
await test('oidcc-scope-address', async () => { // ignored: there are no addresses
  const g = await grant(rp, b, { scope: 'openid address' });
  is(g.tokens.scope, 'openid', 'scope'); is((await userinfo(g)).address, undefined, 'address');
});
await test('oidcc-scope-phone', async () => {
  const g = await grant(rp, b, { scope: 'openid phone' });
  is(g.tokens.scope, 'openid phone', 'scope'); is((await userinfo(g)).phone_number, undefined, 'an account without one');
});
await test('oidcc-scope-all', async () => {
  const u = await userinfo(await grant(rp, b, { scope: 'openid profile email phone address' }));
  is(u.name, 'Anna de Vries', 'name'); is(u.email, b.email, 'email');
});
await test('oidcc-alternate-happy-flow', async () => {
  const a = await ask(rp, { scope: 'phone email profile openid' });
  const turned = new URL(a.url); turned.search = new URLSearchParams([...a.url.searchParams].reverse());
  const tokens = await client.authorizationCodeGrant(rp.config, await b.go(turned), a.checks);
  is(tokens.claims().sub, b.account, 'sub');
});
for (const display of ['page', 'popup'])
  await test(`oidcc-display-${display}`, async () => { await grant(rp, b, { display }); });
await test('oidcc-prompt-login', async () => {
  const first = await grant(rp, b);
  await sleep(1100);
  const a = await ask(rp, { prompt: 'login' });
  const to = await b.go(a.url);
  is(to.pathname, '/sign-in', 'where the browser is sent');
  const kept = await b.go(to.searchParams.get('continue')); // not signing in gets nobody on
  is(kept.pathname, '/sign-in', 'where it is sent without having signed in');
  const tokens = await client.authorizationCodeGrant(rp.config, await atSignIn(b, to), a.checks);
  must(tokens.claims().auth_time > first.claims.auth_time, 'auth_time is later');
});
await test('oidcc-prompt-none-not-logged-in', async () => {
  const a = await ask(rp, { prompt: 'none' });
  is((await new Browser().go(a.url)).searchParams.get('error'), 'login_required', 'error');
});
await test('oidcc-prompt-none-logged-in', async () => {
  const first = await grant(rp, b);
  const a = await ask(rp, { prompt: 'none' });
  const tokens = await client.authorizationCodeGrant(rp.config, await b.go(a.url), a.checks);
  is(tokens.claims().auth_time, first.claims.auth_time, 'auth_time'); is(tokens.claims().sub, first.claims.sub, 'sub');
});
await test('oidcc-max-age-1', async () => {
  const first = await grant(rp, b);
  await sleep(2100);
  const a = await ask(rp, { max_age: '1' });
  const to = await b.go(a.url);
  is(to.pathname, '/sign-in', 'where the browser is sent');
  const tokens = await client.authorizationCodeGrant(rp.config, await atSignIn(b, to), { ...a.checks, maxAge: 10 });
  must(tokens.claims().auth_time > first.claims.auth_time, 'auth_time is later');
});
await test('oidcc-max-age-10000', async () => {
  const first = await grant(rp, b, { max_age: '15000' }, [], { maxAge: 15000 });
  const second = await grant(rp, b, { max_age: '10000' }, [], { maxAge: 10000 });
  is(second.claims.auth_time, first.claims.auth_time, 'auth_time');
});
await test('oidcc-ensure-request-with-unknown-parameter-succeeds', async () => { await grant(rp, b, { extra: 'foobar' }); });
await test('oidcc-id-token-hint', async () => {
  const first = await grant(rp, b);
  const a = await ask(rp, { prompt: 'none', id_token_hint: first.tokens.id_token });
  const tokens = await client.authorizationCodeGrant(rp.config, await b.go(a.url), a.checks);
  is(tokens.claims().sub, first.claims.sub, 'sub');
  const other = await signUp();
  const c = await ask(rp, { prompt: 'none', id_token_hint: first.tokens.id_token });
  is((await other.go(c.url)).searchParams.get('error'), 'login_required', 'error when somebody else is signed in');
});
await test('oidcc-login-hint', async () => {
  const a = await ask(rp, { login_hint: b.email });
  const to = await new Browser().go(a.url);
  is(to.searchParams.get('login_hint'), b.email, 'what the page is told');
  await grant(rp, b, { login_hint: 'buffy@example.org' });
});
await test('oidcc-ui-locales', async () => { await grant(rp, b, { ui_locales: 'se' }); });
await test('oidcc-claims-locales', async () => { await grant(rp, b, { claims_locales: 'se' }); });
await test('oidcc-ensure-request-with-acr-values-succeeds', async () => {
  const g = await grant(rp, b, { acr_values: rp.config.serverMetadata().acr_values_supported.join(' ') });
  is(g.claims.acr, 'urn:keersluis:acr:1', 'acr');
});
await test('oidcc-codereuse', async () => {
  const g = await grant(rp, b, { scope: 'openid offline_access' });
  is(await refusal(client.authorizationCodeGrant(rp.config, g.to, g.checks)), 'invalid_grant', 'the second time');
  is((await client.tokenIntrospection(rp.config, g.tokens.access_token)).active, false, 'the access token is active');
  is(await refusal(client.refreshTokenGrant(rp.config, g.tokens.refresh_token)), 'invalid_grant', 'the refresh token');
});
const late = await grant(rp, b); // its second use comes when 30 seconds are over, at the end of this list
const lateAt = Date.now();
await test('oidcc-ensure-registered-redirect-uri', async () => {
  for (const uri of [`${callback}/`, `${callback}?x=1`, 'http://127.0.0.1:10/callback', 'http://localhost:9/callback', 'https://evil.example/callback', `${callback}#x`, 'HTTP://127.0.0.1:9/callback', '']) {
    const a = await ask(rp, { redirect_uri: uri });
    const r = await b.go(a.url);
    must(r.status === 400 && r.page.includes('redirect_uri'), `${uri}: ${r.status ?? r}`);
  }
});
await test('oidcc-ensure-post-request-succeeds', async () => {
  const a = await ask(rp);
  const body = new URLSearchParams(a.url.search.slice(1));
  const to = await b.go('/oidc/authorize', { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body });
  const tokens = await client.authorizationCodeGrant(rp.config, to, a.checks);
  is(tokens.claims().sub, b.account, 'sub');
});
await test('oidcc-server-client-secret-post', async () => {
  const posting = await relyingParty({ token_endpoint_auth_method: 'client_secret_post' });
  await grant(posting, b);
});
await test('oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported', async () => {
  const a = await ask(rp, { request_uri: 'https://client.example/request.jwt' });
  is((await b.go(a.url)).searchParams.get('error'), 'request_uri_not_supported', 'error');
});
await test('oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported', async () => {
  const a = await ask(rp, { request: unsigned({ scope: 'openid' }) });
  is((await b.go(a.url)).searchParams.get('error'), 'request_not_supported', 'error');
});
await test('oidcc-claims-essential', async () => {
  const g = await grant(rp, b, { claims: JSON.stringify({ userinfo: { name: { essential: true } }, id_token: { email: null } }) });
  is((await userinfo(g)).name, 'Anna de Vries', 'name'); is(g.claims.email, b.email, 'email in the ID token');
});
await test('oidcc-ensure-request-object-with-redirect-uri', async () => {
  const a = await ask(rp, { request: unsigned({ redirect_uri: 'https://evil.example/callback' }) });
  const to = await b.go(a.url);
  must(to.href.startsWith(callback), 'the redirect URI of the parameters is used'); is(to.searchParams.get('error'), 'request_not_supported', 'error');
});
await test('oidcc-refresh-token', async () => {
  const g = await grant(rp, b, { scope: 'openid offline_access', prompt: 'consent' });
  const second = await client.refreshTokenGrant(rp.config, g.tokens.refresh_token);
  is(second.claims().sub, g.claims.sub, 'sub'); is(second.claims().auth_time, g.claims.auth_time, 'auth_time'); is(second.claims().nonce, undefined, 'nonce');
  is((await client.fetchUserInfo(rp.config, second.access_token, g.claims.sub)).sub, b.account, 'the new access token');
  const other = await relyingParty();
  is(await refusal(client.refreshTokenGrant(other.config, second.refresh_token)), 'invalid_grant', 'for another client');
  await client.refreshTokenGrant(rp.config, second.refresh_token); // that did not use it up
});
await test('oidcc-ensure-request-with-valid-pkce-succeeds', async () => {
  await grant(rp, b);
  const a = await ask(rp);
  is(await refusal(client.authorizationCodeGrant(rp.config, await b.go(a.url), { ...a.checks, pkceCodeVerifier: client.randomPKCECodeVerifier() })), 'invalid_grant', 'another verifier');
  for (const leave of [['code_challenge', 'code_challenge_method'], ['code_challenge_method']])
    is((await b.go((await ask(rp, {}, leave)).url)).searchParams.get('error'), 'invalid_request', `without ${leave}`);
  is((await b.go((await ask(rp, { code_challenge_method: 'plain' })).url)).searchParams.get('error'), 'invalid_request', 'plain');
});
await test('oidcc-codereuse-30seconds', async () => {
  await sleep(Math.max(0, 30_000 - (Date.now() - lateAt)));
  is(await refusal(client.authorizationCodeGrant(rp.config, late.to, late.checks)), 'invalid_grant', 'the second time');
  is((await client.tokenIntrospection(rp.config, late.tokens.access_token)).active, false, 'the access token is active');
});
finish();
