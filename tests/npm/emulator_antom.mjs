// emulator_antom.mjs FOLDER URL - Antom has no server client among npm's: its layout, with node's own crypto, judges the emulator.
import crypto from 'node:crypto';
import { admin, end, faults, file, ok, receiver, until, url, wallets } from './emulator_kit.mjs';

const w = wallets.antom, merchant = file(w.private_key), theirs = file('antom-public.pem');
const store = await receiver();
store.reply = () => [200, '{"result":{"resultCode":"SUCCESS","resultStatus":"S","resultMessage":"success"}}'];
const text = (path, time, body) => Buffer.from(`POST ${path}\n${w.client_id}.${time}.${body}`);
const verified = (path, time, body, signature) => crypto.verify('RSA-SHA256', text(path, time, body), theirs, Buffer.from(decodeURIComponent(/signature=(.*)/.exec(signature ?? '')?.[1] ?? ''), 'base64'));
const raw = async (path, body, { key = merchant, time = `${Date.now()}`, id = w.client_id, version = 1 } = {}) => {
    const signature = encodeURIComponent(crypto.sign('RSA-SHA256', text(path, time, body), key).toString('base64'));
    const r = await fetch(url + path, { method: 'POST', body, headers: { 'Content-Type': 'application/json; charset=UTF-8', 'Client-Id': id, 'Request-Time': time, Signature: `algorithm=RSA256,keyVersion=${version},signature=${signature}` } });
    const got = await r.text();
    return { status: r.status, text: got, verified: verified(path, r.headers.get('response-time'), got, r.headers.get('signature')) };
};
const call = async (what, body, more) => {
    const r = await raw(`/ams/api/v1/${what}`, JSON.stringify(body), more);
    let json = {};
    try { json = JSON.parse(r.text); } catch { /* a bare error */ }
    return { ...json, code: json.result?.resultCode, result_status: json.result?.resultStatus, verified: r.verified, status: r.status };
};
const money = (value) => ({ currency: 'EUR', value });
const pay = (n, token, value, more = {}) => call('payments/pay', { productCode: 'AGREEMENT_PAYMENT', paymentRequestId: n, order: { referenceOrderId: n, orderDescription: '648 pack', orderAmount: money(value) }, paymentAmount: money(value), paymentMethod: { paymentMethodType: w.customer_belongs_to, paymentMethodId: token }, paymentNotifyUrl: `${store.url}/notices`, ...more });
const inquire = (n) => call('payments/inquiryPayment', { paymentRequestId: n });
const notices = () => store.got.map((g) => ({ ...JSON.parse(g.body), good: verified(g.path, g.headers['request-time'], g.body, g.headers.signature) }));

// 1. an authorization
const consult = (state) => call('authorizations/consult', { customerBelongsTo: w.customer_belongs_to, authClientId: w.client_id, authRedirectUrl: 'http://127.0.0.1:9/back', authNotifyUrl: `${store.url}/notices`, authState: state, terminalType: 'WEB', scopes: ['AGREEMENT_PAY'] });
let got = await consult('a1');
ok(got.verified && got.code === 'SUCCESS' && got.authUrl.startsWith(url), 'an authorization is consulted', got);
const back = await fetch(got.authUrl, { method: 'POST', redirect: 'manual' });
const code = new URL(back.headers.get('location')).searchParams.get('authCode');
ok(back.status === 302 && code, 'who agrees comes back with a code');
let n = await until(() => notices().find((x) => x.authorizationNotifyType === 'AUTHCODE_CREATED'));
ok(n?.good && n.authCode === code && n.authState === 'a1', 'which a notice tells too', n);
const token = (grant) => call('authorizations/applyToken', { customerBelongsTo: w.customer_belongs_to, ...grant });
const t = await token({ grantType: 'AUTHORIZATION_CODE', authCode: code });
ok(t.verified && t.code === 'SUCCESS' && t.accessToken && t.refreshToken, 'the code is exchanged for a token', t);
ok((await token({ grantType: 'AUTHORIZATION_CODE', authCode: code })).code === 'INVALID_CODE', 'once');
n = await until(() => notices().find((x) => x.authorizationNotifyType === 'TOKEN_CREATED'));
ok(n?.good && n.accessToken === t.accessToken, 'a notice tells the token, should the answer be lost');
ok((await token({ grantType: 'REFRESH_TOKEN', refreshToken: t.refreshToken })).accessToken === t.accessToken, 'and is refreshed');

// 2. payments
got = await pay('p1', t.accessToken, '4900');
ok(got.verified && got.result_status === 'S' && got.paymentAmount.value === '4900', 'a payment', got);
n = await until(() => notices().find((x) => x.paymentRequestId === 'p1'));
ok(n?.good && n.notifyType === 'PAYMENT_RESULT' && n.result.resultStatus === 'S', 'and its notice', n);
ok((await pay('p1', t.accessToken, '4900')).paymentId === got.paymentId, 'the same again is the same payment');
ok((await pay('p1', t.accessToken, '4901')).code === 'REPEAT_REQ_INCONSISTENT', 'with another amount it is refused');
ok((await pay('p2', 'no such token', '1')).code === 'INVALID_ACCESS_TOKEN', 'a token that is none');
ok((await pay('p3', t.accessToken, '0')).code === 'PARAM_ILLEGAL' && (await pay('p3', t.accessToken, '1', { paymentAmount: { currency: 'EUR', value: 1 } })).code === 'PARAM_ILLEGAL', 'nothing, and a number that is no text');
ok((await inquire('p1')).paymentStatus === 'SUCCESS' && (await inquire('p9')).code === 'ORDER_NOT_EXIST', 'inquiries');
await faults('waits=1:1500@p4,waits=1:60000@p5');
ok((await pay('p4', t.accessToken, '10')).code === 'PAYMENT_IN_PROCESS' && (await inquire('p4')).paymentStatus === 'PROCESSING', 'what waits is in process');
await until(() => notices().find((x) => x.paymentRequestId === 'p4'));
ok((await inquire('p4')).paymentStatus === 'SUCCESS', 'until it is decided');
await pay('p5', t.accessToken, '10');
const cancel = (x) => call('payments/cancel', { paymentRequestId: x });
ok((await cancel('p5')).code === 'SUCCESS' && (await inquire('p5')).paymentStatus === 'CANCELLED', 'and can be cancelled');
ok((await cancel('p6')).code === 'SUCCESS' && (await pay('p6', t.accessToken, '10')).code === 'ORDER_IS_CANCELLED', 'even before it comes');

// 3. refunds
const one = (await inquire('p1')).paymentId;
const refund = (x, value, id = one) => call('payments/refund', { refundRequestId: x, paymentId: id, refundAmount: money(value), refundNotifyUrl: `${store.url}/notices` });
got = await refund('r1', '900');
ok(got.verified && got.code === 'SUCCESS' && (await refund('r1', '900')).refundId === got.refundId, 'a refund, and the same again', got);
ok((await refund('r1', '901')).code === 'REPEAT_REQ_INCONSISTENT' && (await refund('r2', '4001')).code === 'REFUND_AMOUNT_EXCEED' && (await refund('r2', '1', '1')).code === 'ORDER_NOT_EXIST', 'and those that are refused');
ok((await call('payments/inquiryRefund', { refundRequestId: 'r1' })).refundStatus === 'SUCCESS' && (await call('payments/inquiryRefund', { refundRequestId: 'r9' })).code === 'REFUND_NOT_EXIST', 'inquiries of refunds');
n = await until(() => notices().find((x) => x.refundRequestId === 'r1'));
ok(n?.good && n.refundStatus === 'SUCCESS', 'and the notice', n);

// 4. who may ask, and what goes wrong
const stranger = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const ask = (more) => call('payments/inquiryPayment', { paymentRequestId: 'p1' }, more).then((r) => `${r.code} ${r.verified}`);
ok(await ask({ key: stranger }) === 'INVALID_SIGNATURE false' && await ask({ id: 'OTHER' }) === 'CLIENT_INVALID false' && await ask({ version: 2 }) === 'KEY_NOT_FOUND false' && await ask({ time: `${Date.now() - 700000}` }) === 'INVALID_SIGNATURE false', 'another key, client, version, time');
ok(await ask({ time: new Date().toISOString() }) === 'SUCCESS true', 'a time in ISO 8601');
await faults('bad_signature=1@p1,error_after=1@e1,error_before=1@e2,error_after=1@e3,wrong_amount=1@e5');
ok(await ask() === 'SUCCESS false', 'a wrong signature');
for (const e of ['e1', 'e2', 'e3']) { got = await pay(e, t.accessToken, '10'); ok(got.status === 502 || got.code === 'UNKNOWN_EXCEPTION', `an error of the system: ${e}`, got); }
ok((await pay('e5', t.accessToken, '10')).paymentAmount.value === '11', 'a wrong amount');
await faults('');
ok((await inquire('e1')).paymentStatus === 'SUCCESS' && (await inquire('e2')).code === 'ORDER_NOT_EXIST', 'after the effect, and before it');

// 5. the end
ok((await call('authorizations/revoke', { accessToken: t.accessToken })).code === 'SUCCESS' && (await pay('z1', t.accessToken, '10')).code === 'EXPIRED_ACCESS_TOKEN', 'a token is revoked, and charged no more');
n = await until(() => notices().find((x) => x.authorizationNotifyType === 'TOKEN_CANCELED'));
ok(n?.good && n.authState === 'a1', 'and told', n);
end(store);
