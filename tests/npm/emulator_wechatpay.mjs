// emulator_wechatpay.mjs FOLDER URL - wechatpay-axios-plugin and wechatpay-node-v3 as judges of the emulator's WeChat Pay.
import crypto from 'node:crypto';
import fs from 'node:fs';
import { Aes, Formatter, Rsa, Wechatpay } from 'wechatpay-axios-plugin';
import WxPay from 'wechatpay-node-v3';
import { admin, end, faults, file, ok, receiver, refuses, until, url, wallets } from './emulator_kit.mjs';

const w = wallets.wechatpay, secret = file(w.apiv3_key), merchant = file(w.private_key);
const certs = Object.fromEntries(w.platform.map((p) => [p.serial, file(p.file)]));
const client = (more = {}) => new Wechatpay({ baseURL: `${url}/`, mchid: w.mchid, serial: w.serial, privateKey: merchant, certs, secret, timeout: 60000, ...more });
let wx = client();
const store = await receiver();
store.reply = () => [204];
const call = (method, where, body, c = wx) => {
    const data = method === 'get' ? [] : [body];
    return c.chain(where.replace(/^\//, ''))[method](...data, {});
};
const data = async (...a) => (await call(...a)).data;
const device_info = { device_type: 'DEVICE_TYPE_UNKNOW', device_os: 'unknown', device_id: 'd1', device_running_as_root: false, device_ip: '192.0.2.1', weixin_installed: false, weixin_version: 'unknown', days_since_first_login: 'DAYS_SINCE_FIRST_LOGIN_WITHIN_1_DAY' };
const presign = (code, more = {}) => data('post', '/v3/papay/entrust-sign/contracts/pre-entrust-sign', { sign_scene: 'SIGN_SCENE_QRCODE', appid: w.appid, plan_id: Number(w.plan_id), out_contract_code: code, contract_display_account: 'l***@example.org', contract_notify_url: `${store.url}/notices`, out_user_code: code, return_url: 'http://127.0.0.1:9/back', device_info, ...more });
const contract = (code) => data('get', `/v3/papay/sign/contracts/plan-id/${w.plan_id}/out-contract-code/${code}`);
const apply = (number, contract_id, total, more = {}) => data('post', '/v3/papay/pay/transactions/apply', { appid: w.appid, out_trade_no: number, description: '648 pack / 礼品卡', transaction_notify_url: `${store.url}/notices`, contract_id, amount: { total, currency: 'CNY' }, ...more });
const query = (number, c = wx) => c.chain(`v3/pay/transactions/out-trade-no/${number}`).get({ params: { mchid: w.mchid } }).then((r) => r.data);
const code = (e) => e.response?.data?.code ?? e.message;
const fails = (name, promise, pattern) => promise.then((r) => ok(false, name, r), (e) => ok(pattern.test(code(e)), name, code(e)));
// What a merchant does with a notice: verify the exact bytes, then decrypt.
const open = (n) => {
    const h = n.headers, cert = certs[h['wechatpay-serial']];
    if (!cert || !Rsa.verify(Formatter.joinedByLineFeed(h['wechatpay-timestamp'], h['wechatpay-nonce'], n.body), h['wechatpay-signature'], cert)) return undefined;
    const { event_type, resource: r } = JSON.parse(n.body);
    return { event_type, ...JSON.parse(Aes.AesGcm.decrypt(r.ciphertext, secret, r.nonce, r.associated_data)) };
};
const notices = () => store.got.map(open).filter(Boolean);

// 1. certificates: the other judge loads and decrypts them
const pay = new WxPay({ appid: w.appid, mchid: w.mchid, serial_no: w.serial, publicKey: Buffer.from(file('wechatpay-merchant.crt')), privateKey: Buffer.from(merchant), key: secret, userAgent: 'judge' });
const host = (u) => u.replace('https://api.mch.weixin.qq.com', url);
const send = async (u, method, body, headers) => {
    const r = await fetch(host(u), { method, headers: { 'User-Agent': 'judge', ...headers }, body: body && (typeof body === 'string' ? body : JSON.stringify(body)) });
    const text = await r.text();
    return { status: r.status, data: text ? JSON.parse(text) : undefined, headers: Object.fromEntries(r.headers), text };
};
pay.createHttp?.({ get: (u, headers) => send(u, 'GET', undefined, headers), post: (u, body, headers) => send(u, 'POST', body, headers) });
let got, list = await pay.get_certificates(secret);
ok(list.length === 2 && list.every((c) => certs[c.serial_no]?.trim() === c.decrypt_ciphertext?.trim() || c.publicKey), 'wechatpay-node-v3 loads both certificates and decrypts them', list);

const rotated = await admin('rotate', {});
list = await pay.get_certificates(secret);
ok(list.length === 3 && list.find((c) => c.serial_no === rotated.serial)?.publicKey === new crypto.X509Certificate(rotated.certificate).publicKey.export({ type: 'spki', format: 'pem' }), 'and a third one after a rotation', list);
certs[rotated.serial] = rotated.certificate;
wx = client();
got = await data('get', '/v3/certificates');
ok(got.data.every((c) => Aes.AesGcm.decrypt(c.encrypt_certificate.ciphertext, secret, c.encrypt_certificate.nonce, c.encrypt_certificate.associated_data).trim() === certs[c.serial_no].trim()), 'which wechatpay-axios-plugin verifies and decrypts by all three', got);
ok((await fetch(`${url}/v3/certificates`)).status === 401, 'without a signature there is no list');

// 2. a contract
got = await presign('k1');
ok(got.redirect_url?.startsWith(url) && got.pre_entrustweb_id, 'a contract is asked for; wechatpay-axios-plugin takes the answer', got);
await fails('before it is signed there is none', contract('k1'), /RESOURCE_NOT_EXISTS/);
const page = await fetch(got.redirect_url);
ok(/<button id="accept"/.test(await page.text()), 'the page has a button');
const back = await fetch(got.redirect_url, { method: 'POST', redirect: 'manual' });
ok(back.status === 302 && back.headers.get('location') === 'http://127.0.0.1:9/back', 'which sends back');
const k1 = await contract('k1');
ok(k1.contract_state === 'SIGNED' && k1.mchid === w.mchid, 'then it is signed', k1);
let n = await until(() => notices().find((x) => x.event_type === 'PAPAY.SIGN'));
ok(n?.contract_id === k1.contract_id && n.out_contract_code === 'k1', 'its notice is verified and decrypted by the judge', n);
await fails('a member is missing', presign('k2', { device_info: {} }), /PARAM_ERROR/);

// 3. charges
got = await apply('c1', k1.contract_id, 64800);
ok(got.out_trade_no === 'c1' && got.amount.total === 64800, 'a charge is accepted', got);
n = await until(() => notices().find((x) => x.out_trade_no === 'c1' && x.event_type === 'TRANSACTION.SUCCESS'));
ok(n?.trade_state === 'SUCCESS' && n.amount.total === 64800, 'and its notice says success', n);
ok((await query('c1')).trade_state === 'SUCCESS', 'as the query does');
await fails('the same again', apply('c1', k1.contract_id, 64800), /ORDERPAID/);
await fails('with another amount', apply('c1', k1.contract_id, 1), /OUT_TRADE_NO_USED/);
await fails('on a contract that is not there', apply('c2', '1', 1), /CONTRACT_NOT_EXIST/);
await fails('another app', apply('c2', k1.contract_id, 1, { appid: 'wx0000000000000000' }), /PARAM_ERROR/);
await fails('a number that it does not know', query('c0'), /ORDER_NOT_EXIST/);
await faults('waits=1:1500@c4,waits=1:60000@c5,waits_closed=1@c6,waits=1:10@c6');
await apply('c4', k1.contract_id, 100);
ok((await query('c4')).trade_state === 'ACCEPT', 'what waits is ACCEPT');
await until(() => notices().find((x) => x.out_trade_no === 'c4'));
ok((await query('c4')).trade_state === 'SUCCESS', 'until it is decided');
await apply('c5', k1.contract_id, 100);
ok((await call('post', '/v3/pay/transactions/out-trade-no/c5/close', { mchid: w.mchid })).status === 204 && (await query('c5')).trade_state === 'CLOSED', 'and can be closed');
await fails('what is paid can not', data('post', '/v3/pay/transactions/out-trade-no/c4/close', { mchid: w.mchid }), /ORDERPAID/);
await apply('c6', k1.contract_id, 100);
n = await until(() => notices().find((x) => x.out_trade_no === 'c6'));
ok(n?.trade_state === 'CLOSED', 'what waits may end without money', n);
const payer = (await admin('agreement?number=k1')).payer;
await admin('payer', { payer, balance_minor: 50 });
await apply('c7', k1.contract_id, 100);
ok((await query('c7')).trade_state === 'PAYERROR', 'an empty purse shows afterwards');
await admin('payer', { payer });

// 4. refunds
const refund = (number, request, minor, total) => data('post', '/v3/refund/domestic/refunds', { out_trade_no: number, out_refund_no: request, reason: 'not me', notify_url: `${store.url}/notices`, amount: { refund: minor, total, currency: 'CNY' } });
got = await refund('c1', 'r1', 4800, 64800);
ok(got.status === 'SUCCESS' && got.amount.refund === 4800, 'a refund', got);
ok((await refund('c1', 'r1', 4800, 64800)).refund_id === got.refund_id && (await query('c1')).trade_state === 'REFUND', 'the same again is the same');
await fails('its number with another amount', refund('c1', 'r1', 4801, 64800), /INVALID_REQUEST/);
await fails('more than is left', refund('c1', 'r2', 60001, 64800), /INVALID_REQUEST/);
await fails('another total', refund('c1', 'r2', 1, 100), /INVALID_REQUEST/);
ok((await data('get', '/v3/refund/domestic/refunds/r1')).status === 'SUCCESS', 'it is found');
n = await until(() => notices().find((x) => x.out_refund_no === 'r1'));
ok(n?.refund_status === 'SUCCESS' && n.event_type === 'REFUND.SUCCESS', 'and told', n);

// 5. who may ask, and what goes wrong
const stranger = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
await fails('another key', query('c1', client({ privateKey: stranger })), /SIGN_ERROR/);
await fails('another serial', query('c1', client({ serial: 'A'.repeat(40) })), /SIGN_ERROR/);
const signed = (stamp, nonce) => {
    const where = `/v3/pay/transactions/out-trade-no/c1?mchid=${w.mchid}`;
    const signature = Rsa.sign(Formatter.request('GET', where, stamp, nonce, ''), merchant);
    return fetch(url + where, { headers: { Authorization: Formatter.authorization(w.mchid, nonce, signature, stamp, w.serial), Accept: 'application/json', 'User-Agent': 'judge' } });
};
const now = Math.floor(Date.now() / 1000);
ok((await signed(now, 'onceonceonce')).status === 200 && (await signed(now, 'onceonceonce')).status === 401, 'a nonce is good once');
ok((await signed(now - 310, 'late')).status === 401 && (await signed(now + 310, 'early')).status === 401, 'five minutes, not more');
const answer = await signed(now, 'verify');
const body = await answer.text(), h = (x) => answer.headers.get(x);
ok(await pay.verifySign({ timestamp: h('wechatpay-timestamp'), nonce: h('wechatpay-nonce'), body, serial: h('wechatpay-serial'), signature: h('wechatpay-signature'), apiSecret: secret }), 'wechatpay-node-v3 takes the signature of an answer');
ok(!await pay.verifySign({ timestamp: h('wechatpay-timestamp'), nonce: h('wechatpay-nonce'), body: `${body} `, serial: h('wechatpay-serial'), signature: h('wechatpay-signature'), apiSecret: secret }), 'and not of another body');
await faults('bad_signature=1@c1');
await fails('a wrong signature of an answer is refused by wechatpay-axios-plugin', query('c1'), /EV3_RES_HEADER_SIGNATURE_DIGEST|Verify the response/);
await faults('bad_signature=1@notice');
const before = store.got.length;
await apply('g1', k1.contract_id, 100);
await until(() => store.got.length > before);
ok(open(store.got.at(-1)) === undefined, 'and of a notice');
await faults('probe_notice=1@g2');
store.reply = (x) => (open(x) ? [204] : [401, '{"code":"FAIL","message":"signature"}']);
await apply('g2', k1.contract_id, 100);
const probe = await until(() => notices().find((x) => x.out_trade_no === 'g2') && store.got.find((x) => x.headers['wechatpay-signature'].startsWith('WECHATPAY/SIGNTEST/')));
ok(probe && open(probe) === undefined && (await admin('stats')).notices.probes_taken === 0, 'a probe of the signature is refused, and the notice itself comes');
store.reply = () => [204];
await faults('error_after=1@e1,error_before=1@e2,error_after=1@e3,error_before=1@e4');
for (const e of ['e1', 'e2', 'e3', 'e4']) await fails(`an error of the system: ${e}`, apply(e, k1.contract_id, 100), /SYSTEM_ERROR|502/);
await faults('');
ok((await query('e1')).trade_state === 'SUCCESS' && (await query('e3')).trade_state === 'SUCCESS', 'after the effect');
await fails('and before it', query('e2'), /ORDER_NOT_EXIST/);

// 6. the end
ok((await call('post', `/v3/papay/sign/contracts/plan-id/${w.plan_id}/out-contract-code/k1/terminate`, { contract_termination_remark: 'ended' })).status === 204, 'a contract is ended');
const ended = await contract('k1');
ok(ended.contract_state === 'TERMINATED' && ended.contract_terminate_info.contract_termination_mode === 'MERCHANT_TERMINATE', 'and says so', ended);
await fails('and is charged no more', apply('z1', k1.contract_id, 1), /CONTRACT_TERMINATED/);
n = await until(() => notices().find((x) => x.event_type === 'PAPAY.TERMINATE'));
ok(n?.out_contract_code === 'k1', 'and told', n);
end(store);
