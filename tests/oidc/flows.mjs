// flows.mjs - openid-client through PAR, refresh, revocation, introspection, step-up, payments, CIBA and sign-out; and what is refused.
import { createServer } from 'node:http';
import * as jose from 'jose';
import { createHmac } from 'node:crypto';
import { callback, client, grant, ask, is, issuer, must, post, refusal, register, relyingParty, signUp, signIn, test, finish, Browser, sleep, base64url } from './lib.mjs';

const jwks = jose.createRemoteJWKSet(new URL('/oidc/jwks', issuer));
const rp = await relyingParty();
const b = await signUp();
const ACR2 = 'urn:keersluis:acr:2', PAY = 'urn:keersluis:acr:pay', GRANT_CIBA = 'urn:openid:params:grant-type:ciba';

// A TOTP app (RFC 6238): each code of the secret is used once.
function base32(text) {
  let bits = 0, n = 0; const out = [];
  for (const c of text) { bits = bits << 5 | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c); n += 5; if (n >= 8) { n -= 8; out.push(bits >> n & 255); } bits &= 255; }
  return Buffer.from(out);
}
function totp(secret, step) {
  const m = Buffer.alloc(8); m.writeBigUInt64BE(BigInt(step));
  const h = createHmac('sha1', secret).update(m).digest(), at = h[19] & 15;
  return String((h.readUInt32BE(at) & 0x7fffffff) % 1e6).padStart(6, '0');
}
async function addTotp(who) {
  const { body: t } = await who.json('POST', '/v1/account/authenticators/totp', {});
  who.secret = base32(t.secret);
  who.step = Math.floor(Date.now() / 30000) - 1; // codes of one step before and after are taken, each once
  const done = await who.json('POST', '/v1/account/authenticators/totp/confirm', { id: t.id, code: totp(who.secret, who.step++) });
  must(done.body.id, `totp: ${JSON.stringify(done)}`);
}
async function answer(who, to) { // at /challenge/{id}: what the page does
  is(to.pathname?.split('/')[1], 'challenge', `where the browser is sent (${to.page ?? to})`);
  const id = to.pathname.split('/')[2];
  const view = (await who.json('GET', `/v1/account/challenges/${id}`)).body;
  while (who.step > Math.floor(Date.now() / 30000) + 1) await sleep(500);
  const r = await who.json('POST', `/v1/account/challenges/${id}/totp`, { code: totp(who.secret, who.step++) });
  is(r.body.state, 'done', `answer ${JSON.stringify(r)}`);
  return { view, to: await who.go(r.body.redirect ?? view.redirect) };
}
const second = await signUp();
await addTotp(second);

await test('pushed authorization request', async () => {
  const a = await ask(rp);
  const url = await client.buildAuthorizationUrlWithPAR(rp.config, a.p);
  must(url.searchParams.get('request_uri').startsWith('urn:ietf:params:oauth:request_uri:'), 'request_uri');
  const tokens = await client.authorizationCodeGrant(rp.config, await b.go(url), a.checks);
  is(tokens.claims().sub, b.account, 'sub');
  is((await b.go(url)).status, 400, 'the second time');
  const other = await relyingParty();
  const theirs = await client.buildAuthorizationUrlWithPAR(rp.config, (await ask(rp)).p);
  theirs.searchParams.set('client_id', other.client_id);
  is((await b.go(theirs)).status, 400, 'by another client');
});
await test('what is wrong is told when it is pushed', async () => {
  for (const [change, error] of [[{ redirect_uri: 'https://evil.example/' }, 'invalid_request'], [{ scope: 'profile' }, 'invalid_scope'], [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ code_challenge: 'x' }, 'invalid_request'], [{ request: 'x.y.z' }, 'request_not_supported'], [{ prompt: 'none login' }, 'invalid_request'], [{ max_age: '-1' }, 'invalid_request'],
    [{ claims: '{' }, 'invalid_request'], [{ state: 'x'.repeat(513) }, 'invalid_request']])
    is((await post('/oidc/par', { response_type: 'code', ...(await ask(rp)).p, ...change }, rp)).body.error, error, JSON.stringify(change));
  is((await post('/oidc/par', (await ask(rp)).p, { client_id: rp.client_id, client_secret: 'x'.repeat(43) })).status, 401, 'with a wrong secret');
});
await test('refresh tokens are used once, and a second use ends everything', async () => {
  const g = await grant(rp, b, { scope: 'openid email offline_access' });
  const two = await client.refreshTokenGrant(rp.config, g.tokens.refresh_token, { scope: 'openid' });
  is(two.scope, 'openid', 'a smaller scope');
  const three = await client.refreshTokenGrant(rp.config, two.refresh_token);
  is(three.scope, 'openid', 'it stays smaller');
  is(await refusal(client.refreshTokenGrant(rp.config, three.refresh_token, { scope: 'openid phone' })), 'invalid_scope', 'a larger one');
  is(await refusal(client.refreshTokenGrant(rp.config, two.refresh_token)), 'invalid_grant', 'used before');
  is(await refusal(client.refreshTokenGrant(rp.config, three.refresh_token)), 'invalid_grant', 'the newest one, after that');
  for (const t of [g, two, three])
    is((await client.tokenIntrospection(rp.config, (t.tokens ?? t).access_token)).active, false, 'an access token');
});
await test('introspection and revocation', async () => {
  const g = await grant(rp, b, { scope: 'openid email offline_access' });
  const i = await client.tokenIntrospection(rp.config, g.tokens.access_token);
  is(i.active, true, 'active'); is(i.sub, b.account, 'sub'); is(i.client_id, rp.client_id, 'client_id'); is(i.acr, 'urn:keersluis:acr:1', 'acr'); must(i.auth_time > 0, 'auth_time');
  const other = await relyingParty();
  is((await client.tokenIntrospection(other.config, g.tokens.access_token)).active, false, 'for another client');
  await client.tokenRevocation(other.config, g.tokens.access_token);
  is((await client.tokenIntrospection(rp.config, g.tokens.access_token)).active, true, 'after another client revoked it');
  await client.tokenRevocation(rp.config, g.tokens.refresh_token);
  is((await client.tokenIntrospection(rp.config, g.tokens.access_token)).active, false, 'after the refresh token was revoked');
  is((await post('/oidc/revoke', { token: 'unknown' }, rp)).status, 200, 'revoking what is not known');
  const r = await fetch(new URL('/oidc/userinfo', issuer), { headers: { authorization: `Bearer ${g.tokens.access_token}` } });
  is(r.status, 401, 'userinfo'); must(r.headers.get('www-authenticate').includes('error="invalid_token"'), 'WWW-Authenticate');
  const none = await relyingParty({ token_endpoint_auth_method: 'none' });
  is((await post('/oidc/introspect', { token: 'x', client_id: none.client_id })).status, 401, 'a public client');
});
await test('private_key_jwt, once each', async () => {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await jose.exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  const signed = await relyingParty({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } }, client.PrivateKeyJwt({ key: privateKey, kid: 'k1' }));
  is((await grant(signed, b)).claims.sub, b.account, 'sub');
  const assertion = (claims, key = privateKey, alg = 'ES256') => new jose.SignJWT({ iss: signed.client_id, sub: signed.client_id, aud: issuer, jti: crypto.randomUUID(), ...claims })
    .setProtectedHeader({ alg, kid: 'k1' }).setExpirationTime(claims.exp ?? '1m').sign(key);
  const use = async (jwt, more = {}) => (await post('/oidc/introspect', { token: 'x', client_assertion: jwt, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', ...more })).status;
  const good = await assertion({});
  is(await use(good), 200, 'the first time'); is(await use(good), 401, 'the second time');
  is(await use(await assertion({}), { client_secret: 'x' }), 401, 'two ways at once');
  for (const [claims, what] of [[{ aud: 'https://other.example' }, 'for another server'], [{ iss: 'x' }, 'another issuer'], [{ exp: Math.floor(Date.now() / 1000) - 60 }, 'expired'],
    [{ exp: Math.floor(Date.now() / 1000) + 86400 }, 'valid for a day'], [{ jti: undefined }, 'without jti']])
    is(await use(await assertion(claims)), 401, what);
  is(await use(await assertion({}, (await jose.generateKeyPair('ES256')).privateKey)), 401, 'by another key');
  is(await use(await assertion({}, new TextEncoder().encode(JSON.stringify(jwk)), 'HS256')), 401, 'with HS256 and the public key as secret');
  is(await refusal(register({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [await jose.exportJWK(privateKey)] } })) !== undefined, true, 'a private key is refused');
});
await test('a public client', async () => {
  const open = await relyingParty({ token_endpoint_auth_method: 'none', redirect_uris: ['com.example.app:/callback', callback] });
  is(open.client_secret, undefined, 'it has no secret');
  is((await grant(open, b)).claims.sub, b.account, 'sub');
  const a = await ask(open);
  const to = await b.go(a.url);
  is((await post('/oidc/token', { grant_type: 'authorization_code', code: to.searchParams.get('code'), redirect_uri: callback, client_id: open.client_id })).body.error, 'invalid_grant', 'without a verifier');
});
await test('clients prove themselves as they were registered', async () => {
  const posting = await register({ token_endpoint_auth_method: 'client_secret_post' });
  is((await post('/oidc/introspect', { token: 'x' }, posting)).status, 401, 'Basic for one that posts');
  is((await post('/oidc/introspect', { token: 'x', client_id: posting.client_id, client_secret: posting.client_secret })).status, 200, 'post');
  const r = await post('/oidc/introspect', { token: 'x', client_id: rp.client_id, client_secret: rp.client_secret });
  is(r.status, 401, 'post for one that is registered for Basic'); is(r.body.error, 'invalid_client', 'error');
  is((await post('/oidc/introspect', { token: 'x', client_id: rp.client_id })).status, 401, 'nothing at all');
  must((await post('/oidc/introspect', { token: 'x' }, { client_id: 'nobody', client_secret: 'x' })).headers.get('www-authenticate').startsWith('Basic'), 'WWW-Authenticate');
});
await test('what can not be registered', async () => {
  for (const bad of [{ redirect_uris: ['http://store.example/cb'] }, { redirect_uris: ['https://store.example/cb#x'] }, { redirect_uris: ['javascript:alert(1)'] }, { redirect_uris: ['https://u:p@store.example/'] },
    { redirect_uris: [] }, { redirect_uris: ['/cb'] }, { redirect_uris: ['https://store.example/"onload='] }, { token_endpoint_auth_method: 'client_secret_jwt' }, { grant_types: ['implicit'] }, { grant_types: ['password'] },
    { scope: 'profile' }, { backchannel_logout_uri: 'http://store.example/out' }, { jwks: { keys: [] } }, { token_endpoint_auth_method: 'private_key_jwt' }, { unknown: 1 }, { client_name: '' },
    { token_endpoint_auth_method: 'none', grant_types: ['urn:openid:params:grant-type:ciba'] }])
    must(await refusal(register(bad)), JSON.stringify(bad));
});

// --- a second step ---
await test('step-up by acr_values (RFC 9470)', async () => {
  const low = await grant(rp, second);
  is(low.claims.acr, 'urn:keersluis:acr:1', 'acr before');
  const a = await ask(rp, { acr_values: ACR2 });
  const { view, to } = await answer(second, await second.go(a.url));
  is(view.kind, 'sign_in', 'kind'); is(view.shown.store, 'Game Store', 'who asks');
  const c = (await client.authorizationCodeGrant(rp.config, to, a.checks)).claims();
  is(c.acr, ACR2, 'acr'); must(c.amr.includes('otp'), `amr ${c.amr}`); must(c.auth_time >= low.claims.auth_time, 'auth_time');
});
await test('step-up that nobody answers', async () => {
  const a = await ask(rp, { acr_values: ACR2 });
  const to = await second.go(a.url);
  const id = to.pathname.split('/')[2], resume = (await second.json('GET', `/v1/account/challenges/${id}`)).body.redirect;
  const none = await ask(rp, { acr_values: ACR2, prompt: 'none' });
  is((await second.go(none.url)).searchParams.get('error'), 'interaction_required', 'with prompt=none');
  is((await second.json('POST', `/v1/account/challenges/${id}/cancel`, {})).body.state, 'refused', 'cancelled');
  const view = (await second.json('GET', `/v1/account/challenges/${id}`)).body;
  is((await second.go(view.redirect ?? resume)).searchParams.get('error'), 'access_denied', 'error');
});
await test('an account without a second step', async () => {
  is((await grant(rp, b, { acr_values: ACR2 })).claims.acr, 'urn:keersluis:acr:1', 'a wish is not met');
  const a = await ask(rp, { claims: JSON.stringify({ id_token: { acr: { essential: true, values: [ACR2] } } }) });
  is((await b.go(a.url)).searchParams.get('error'), 'unmet_authentication_requirements', 'what is essential');
});

await test('a session that waits for its step signs nobody in', async () => {
  const other = new Browser();
  const r = await signIn(other, second.email);
  is(r.next, 'step', 'a browser that is not known');
  is((await other.go((await ask(rp, { prompt: 'none' })).url)).searchParams.get('error'), 'login_required', 'error');
  const a = await ask(rp), to = await other.go(a.url);
  is(to.pathname, '/sign-in', 'where the browser is sent');
  is((await other.go(to.searchParams.get('continue'))).pathname, '/sign-in', 'and again');
  while (second.step > Math.floor(Date.now() / 30000) + 1) await sleep(500);
  is((await other.json('POST', `/v1/account/challenges/${r.challenge}/totp`, { code: totp(second.secret, second.step++) })).body.state, 'done', 'the step');
  const c = (await client.authorizationCodeGrant(rp.config, await other.go(to.searchParams.get('continue')), a.checks)).claims();
  is(c.acr, ACR2, 'acr');
  is(await (await other.fetch(to.searchParams.get('continue'))).status, 400, 'the same request again');
});

// --- payments ---
const payment = { type: 'payment_initiation', instructedAmount: { amount: '648.00', currency: 'CNY' }, creditorName: 'Game Store', agreement: 'topup-1' };
const details = (p) => JSON.stringify([p]);
await test('a payment is confirmed and comes with the token (RFC 9396)', async () => {
  const a = await ask(rp, { authorization_details: details(payment) });
  const { view, to } = await answer(second, await second.go(await client.buildAuthorizationUrlWithPAR(rp.config, a.p)));
  is(view.kind, 'payment', 'kind'); is(view.shown.amount, '648.00', 'amount'); is(view.shown.currency, 'CNY', 'currency'); is(view.shown.payee, 'Game Store', 'payee');
  const tokens = await client.authorizationCodeGrant(rp.config, to, a.checks);
  is(tokens.claims().acr, PAY, 'acr'); is(JSON.stringify(tokens.authorization_details), details(payment), 'authorization_details');
  is(JSON.stringify((await client.tokenIntrospection(rp.config, tokens.access_token)).authorization_details), details(payment), 'at introspection');
});
await test('payments come pushed, whole and understood', async () => {
  const a = await ask(rp, { authorization_details: details(payment) });
  is((await second.go(a.url)).searchParams.get('error'), 'invalid_authorization_details', 'in the browser');
  for (const bad of [{ ...payment, type: 'account_information' }, { ...payment, creditorName: undefined }, { ...payment, extra: 1 }, { ...payment, instructedAmount: { amount: '1e2', currency: 'EUR' } },
    { ...payment, instructedAmount: { amount: '-1', currency: 'EUR' } }, { ...payment, instructedAmount: { amount: '0', currency: 'EUR' } }, { ...payment, instructedAmount: { amount: '1.001', currency: 'EUR' } },
    { ...payment, instructedAmount: { amount: 1, currency: 'EUR' } }, { ...payment, instructedAmount: { amount: '1', currency: 'XYZ' } }, { ...payment, instructedAmount: { amount: '1', currency: 'EUR', more: 1 } }])
    is((await post('/oidc/par', { response_type: 'code', ...(await ask(rp)).p, authorization_details: details(bad) }, rp)).body.error, 'invalid_authorization_details', JSON.stringify(bad));
  is((await post('/oidc/par', { response_type: 'code', ...(await ask(rp)).p, authorization_details: JSON.stringify([payment, payment]) }, rp)).body.error, 'invalid_authorization_details', 'two at once');
});
await test('a payment needs a second step', async () => {
  const a = await ask(rp, { authorization_details: details(payment) });
  is((await b.go(await client.buildAuthorizationUrlWithPAR(rp.config, a.p))).searchParams.get('error'), 'unmet_authentication_requirements', 'error');
});

// --- CIBA ---
const device = second; // the browser that is trusted; it answers what the client asks
async function trust(who) {
  const me = (await who.json('GET', '/v1/account/me')).body, here = me.devices.find((d) => d.current);
  const r = await who.json('POST', `/v1/account/devices/${here.id}`, { trusted: true });
  is(r.body.next, 'step', `trust ${JSON.stringify(r)}`); // the guard wants a step first
  while (who.step > Math.floor(Date.now() / 30000) + 1) await sleep(500);
  await who.json('POST', `/v1/account/challenges/${r.body.challenge}/totp`, { code: totp(who.secret, who.step++) });
  const done = await who.json('POST', `/v1/account/devices/${here.id}`, { trusted: true }, { 'keer-challenge': r.body.challenge });
  must(done.status === 200 && !done.body.next, `trust: ${JSON.stringify(done)}`);
}
async function prompts(who) { return (await who.json('GET', '/v1/account/prompts')).body.prompts; }
await trust(device);
await test('CIBA: approved on the trusted device', async () => {
  const asked = await client.initiateBackchannelAuthentication(rp.config, { scope: 'openid email', login_hint: second.email, binding_message: 'till 4' });
  must(/^\d{6}$/.test(asked.prompt_number), 'the number that the client shows');
  is((await post('/oidc/token', { grant_type: GRANT_CIBA, auth_req_id: asked.auth_req_id }, rp)).body.error, 'authorization_pending', 'before');
  is((await post('/oidc/token', { grant_type: GRANT_CIBA, auth_req_id: asked.auth_req_id }, rp)).body.error, 'slow_down', 'too soon');
  const [p] = await prompts(device);
  is(p.shown.store, 'Game Store', 'who asks'); is(p.shown.detail, 'till 4', 'binding message');
  is((await device.json('POST', `/v1/account/prompts/${p.id}`, { number: asked.prompt_number === '000000' ? '000001' : '000000' })).status, 403, 'a wrong number');
  is((await device.json('POST', `/v1/account/prompts/${p.id}`, { number: asked.prompt_number })).body.state, 'done', 'the number');
  const tokens = await client.pollBackchannelAuthenticationGrant(rp.config, { ...asked, interval: 10 });
  is(tokens.claims().sub, second.account, 'sub'); must(tokens.claims().amr.includes('mca'), `amr ${tokens.claims().amr}`); is(tokens.claims().sid, undefined, 'sid');
  is((await client.fetchUserInfo(rp.config, tokens.access_token, second.account)).email, second.email, 'email');
  is((await post('/oidc/token', { grant_type: GRANT_CIBA, auth_req_id: asked.auth_req_id }, rp)).body.error, 'invalid_grant', 'the second time');
});
await test('CIBA: a payment', async () => {
  const asked = await client.initiateBackchannelAuthentication(rp.config, { scope: 'openid', login_hint: second.email, authorization_details: details(payment) });
  const [p] = await prompts(device);
  is(p.kind, 'payment', 'kind'); is(p.shown.amount, '648.00', 'amount');
  await device.json('POST', `/v1/account/prompts/${p.id}`, { number: asked.prompt_number });
  const tokens = await client.pollBackchannelAuthenticationGrant(rp.config, { ...asked, interval: 1 });
  is(tokens.claims().acr, PAY, 'acr'); is(JSON.stringify(tokens.authorization_details), details(payment), 'authorization_details');
});
await test('CIBA: refused, and who can not be asked', async () => {
  const asked = await client.initiateBackchannelAuthentication(rp.config, { scope: 'openid', login_hint: second.email });
  const [p] = await prompts(device);
  await device.json('POST', `/v1/account/prompts/${p.id}`, { answer: 'no' });
  is((await post('/oidc/token', { grant_type: GRANT_CIBA, auth_req_id: asked.auth_req_id }, rp)).body.error, 'access_denied', 'refused');
  const other = await relyingParty();
  is((await post('/oidc/token', { grant_type: GRANT_CIBA, auth_req_id: asked.auth_req_id }, other)).body.error, 'invalid_grant', 'by another client');
  for (const [form, error] of [[{ login_hint: 'nobody@example.org' }, 'unknown_user_id'], [{ login_hint: b.email }, 'unknown_user_id'], [{}, 'invalid_request'], [{ login_hint: second.email, id_token_hint: 'x' }, 'invalid_request'],
    [{ login_hint: second.email, binding_message: 'x'.repeat(101) }, 'invalid_binding_message'], [{ login_hint: second.email, scope: 'email' }, 'invalid_scope'], [{ login_hint: second.email, requested_expiry: 'x' }, 'invalid_request'],
    [{ id_token_hint: 'a.b.c' }, 'unknown_user_id'], [{ login_hint: second.email, authorization_details: '[]' }, 'invalid_authorization_details']])
    is((await post('/oidc/ciba', { scope: 'openid', ...form }, rp)).body.error, error, JSON.stringify(form));
  const plain = await relyingParty({ grant_types: ['authorization_code'] });
  is((await post('/oidc/ciba', { scope: 'openid', login_hint: second.email }, plain)).body.error, 'unauthorized_client', 'a client without the grant');
});

// --- signing out ---
const heard = [];
const server = createServer((req, res) => { let body = ''; req.on('data', (d) => { body += d; }); req.on('end', () => { heard.push(new URLSearchParams(body).get('logout_token')); res.writeHead(heard.length === 1 ? 500 : 204).end(); }); });
await new Promise((r) => { server.listen(0, '127.0.0.1', r); });
await test('RP-initiated logout, and clients are told', async () => {
  const told = await relyingParty({ backchannel_logout_uri: `http://127.0.0.1:${server.address().port}/out` });
  const who = await signUp();
  const g = await grant(told, who), off = await grant(told, who, { scope: 'openid offline_access' });
  const url = client.buildEndSessionUrl(told.config, { post_logout_redirect_uri: 'http://127.0.0.1:9/bye', id_token_hint: g.tokens.id_token, state: 's 1' });
  const to = await who.go(url);
  is(to.href, 'http://127.0.0.1:9/bye?state=s%201', 'where it went');
  is((await who.go((await ask(told, { prompt: 'none' })).url)).searchParams.get('error'), 'login_required', 'afterwards');
  is((await client.tokenIntrospection(told.config, g.tokens.access_token)).active, false, 'its access token is active');
  is((await client.tokenIntrospection(told.config, off.tokens.access_token)).active, true, 'one with offline_access is active');
  for (let i = 0; i < 300 && heard.length < 2; i++) await sleep(100); // the first try is answered 500
  must(heard.length >= 2, `${heard.length} messages`);
  const { payload, protectedHeader } = await jose.jwtVerify(heard[1], jwks, { issuer, audience: told.client_id, typ: 'logout+jwt', algorithms: ['RS256'] });
  is(payload.sid, g.claims.sid, 'sid'); is(payload.sub, who.account, 'sub'); is(payload.nonce, undefined, 'nonce'); must(payload.jti && payload.exp, 'jti, exp'); must(protectedHeader.kid, 'kid');
  must(payload.events['http://schemas.openid.net/event/backchannel-logout'], 'events');
});
await test('a session that ends elsewhere is told too', async () => {
  const told = await relyingParty({ backchannel_logout_uri: `http://127.0.0.1:${server.address().port}/out` });
  const who = await signUp(), g = await grant(told, who);
  await who.json('POST', '/v1/account/sign-out', {});
  for (let i = 0; i < 300 && !heard.some((t) => t.includes('.') && jose.decodeJwt(t).sid === g.claims.sid); i++) await sleep(100);
  must(heard.some((t) => jose.decodeJwt(t).sid === g.claims.sid), 'told');
  is((await client.tokenIntrospection(told.config, g.tokens.access_token)).active, false, 'its access token is active');
});
await test('who signs out is asked unless it is sure', async () => {
  const who = await signUp(), g = await grant(rp, who), other = await grant(rp, b);
  must((await who.go('/oidc/logout')).page.includes('<button'), 'without a hint');
  must((await who.go(client.buildEndSessionUrl(rp.config, { id_token_hint: other.tokens.id_token }))).page.includes('<button'), "with somebody else's token");
  for (const [change, what] of [[{ post_logout_redirect_uri: 'https://evil.example/' }, 'another URI'], [{ id_token_hint: 'x.y.z' }, 'no token'], [{ id_token_hint: g.tokens.id_token, client_id: 'other' }, 'another client']]) {
    const u = new URL('/oidc/logout', issuer); for (const [k, v] of Object.entries(change)) u.searchParams.set(k, v);
    is((await who.go(u)).status, 400, what);
  }
  const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'confirmed=yes' };
  await who.go('/oidc/logout', { ...form, headers: { ...form.headers, 'sec-fetch-site': 'cross-site' } });
  await who.go('/oidc/logout', { ...form, headers: { ...form.headers, origin: 'https://evil.example' } });
  await who.go('/oidc/logout', form);
  must((await grant(rp, who)).claims.sid === g.claims.sid, 'still the same session');
  must((await who.go('/oidc/logout', { ...form, headers: { ...form.headers, 'sec-fetch-site': 'same-origin' } })).page.includes('signed out'), 'confirmed');
  is((await who.go((await ask(rp, { prompt: 'none' })).url)).searchParams.get('error'), 'login_required', 'afterwards');
});
server.close();

// --- what must not happen ---
await test('200 parallel uses of one code: exactly one', async () => {
  const a = await ask(rp), to = await b.go(a.url);
  const form = { grant_type: 'authorization_code', code: to.searchParams.get('code'), redirect_uri: callback, code_verifier: a.checks.pkceCodeVerifier };
  const answers = await Promise.all(Array.from({ length: 200 }, async () => { // 429 is 'not now': asked again
    for (;;) { const r = await post('/oidc/token', form, rp); if (r.status !== 429) return r; await sleep(20); }
  }));
  is(answers.filter((r) => r.status === 200).length, 1, 'tokens'); is(answers.filter((r) => r.body.error === 'invalid_grant').length, 199, 'invalid_grant');
});
await test('200 parallel uses of one refresh token: at most one, and nothing is left', async () => {
  const g = await grant(rp, b, { scope: 'openid offline_access' });
  const answers = await Promise.all(Array.from({ length: 200 }, async () => {
    for (;;) { const r = await post('/oidc/token', { grant_type: 'refresh_token', refresh_token: g.tokens.refresh_token }, rp); if (r.status !== 429) return r; await sleep(20); }
  }));
  const good = answers.filter((r) => r.status === 200);
  is(good.length, 1, 'tokens');
  is((await client.tokenIntrospection(rp.config, good[0].body.access_token)).active, false, 'what the one got is active');
});
await test('nothing is sent where it should not go', async () => {
  const payloads = ['"><script>alert(1)</script>', "javascript:alert(1)", '//evil.example', 'https://evil.example', '\r\nSet-Cookie: x=1', '%0d%0aX: y', '\u0000', '\u202e', '{{7*7}}', "' OR 1=1 --"];
  for (const x of payloads)
    for (const name of ['client_id', 'redirect_uri', 'state', 'nonce', 'scope', 'response_type', 'prompt', 'acr_values', 'claims', 'request_uri', 'login_hint', 'id_token_hint', 'code_challenge', 'display']) {
      const a = await ask(rp), u = new URL(a.url); u.searchParams.set(name, x);
      const to = await b.go(u);
      must(to.page !== undefined ? to.status < 500 && !to.page.includes('<script') : to.href.startsWith(callback) || to.href.startsWith(`${issuer}/sign-in?continue=%2Foidc%2F`), `${name}=${x}: ${to.page ?? to}`);
    }
  for (const x of payloads) {
    const r = await b.fetch(`/oidc/logout?${new URLSearchParams({ state: x, post_logout_redirect_uri: x, client_id: rp.client_id })}`);
    must(r.status === 400 && !(await r.text()).includes('<script'), x);
    must((await b.fetch(`/oidc/logout?${new URLSearchParams({ state: x })}`)).headers.get('content-security-policy').includes("default-src 'none'"), 'policy');
    is((await b.fetch(`/oidc/authorize/resume?${new URLSearchParams({ request: x })}`)).status, 400, `resume ${x}`);
  }
  const twice = await b.fetch(`${(await ask(rp)).url}&state=2`);
  is(twice.status, 400, 'a parameter that stands twice');
});
await test('the keys are public ones, and sign what we sign', async () => {
  const { keys } = await (await fetch(new URL('/oidc/jwks', issuer))).json();
  is(keys.length, 2, 'keys');
  for (const k of keys) { must(!('d' in k) && !('p' in k), 'no private member'); is(await jose.calculateJwkThumbprint(k), k.kid, 'kid is the thumbprint'); }
  const g = await grant(rp, b);
  await jose.jwtVerify(g.tokens.id_token, jwks, { issuer, audience: rp.client_id, algorithms: ['RS256'] });
  is(g.claims.at_hash, base64url((await import('./lib.mjs')).sha256(g.tokens.access_token).subarray(0, 16)), 'at_hash');
});
finish();
