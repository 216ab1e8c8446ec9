// emulator_alipay.mjs FOLDER URL - the official alipay-sdk as the judge of the emulator's Alipay: v2 (gateway.do), v3, certificates, notices.
// TZ must be Asia/Shanghai: the SDK stamps requests with local time, and Alipay reads them as GMT+8.
import { AlipaySdk } from 'alipay-sdk';
import crypto from 'node:crypto';
import path from 'node:path';
import { admin, end, faults, file, folder, ok, receiver, refuses, until, url, wallets } from './emulator_kit.mjs';

const common = { appId: wallets.alipay.app_id, gateway: wallets.alipay.url, endpoint: url, privateKey: file('alipay-app.pem'), keyType: 'PKCS8', timeout: 60000 };
const sdk = new AlipaySdk({ ...common, alipayPublicKey: file('alipay-public.pem') });
const store = await receiver();
const exec = (method, bizContent, more = {}, client = sdk) => client.exec(method, { bizContent, ...more }, { validateSign: true });
const page = (number, more = {}) => sdk.pageExecute('alipay.user.agreement.page.sign', 'GET', {
    notify_url: `${store.url}/notices`, return_url: 'http://127.0.0.1:9/back?a=b',
    bizContent: { external_agreement_no: number, personal_product_code: 'GENERAL_WITHHOLDING_P', product_code: 'GENERAL_WITHHOLDING', sign_scene: 'INDUSTRY|DIGITAL_MEDIA', access_params: { channel: 'QRCODE' }, external_logon_id: 'l***@example.org', ...more },
});
const pay = (number, agreement, amount, more = {}, client = sdk) => exec('alipay.trade.pay', { out_trade_no: number, total_amount: amount, subject: '648 pack / 礼品卡', product_code: 'GENERAL_WITHHOLDING', agreement_params: { agreement_no: agreement } }, { notify_url: `${store.url}/notices`, ...more }, client);

// 1. an agreement, from the page to its end
const link = page('a1');
let answer = await fetch(link);
ok(answer.status === 200 && /<button id="accept"/.test(await answer.text()), 'the signed URL shows a page with a button');
ok((await exec('alipay.user.agreement.query', { external_agreement_no: 'a1', personal_product_code: 'GENERAL_WITHHOLDING_P', sign_scene: 'INDUSTRY|DIGITAL_MEDIA' })).status === 'TEMP', 'before the person agrees it is TEMP');
answer = await fetch(`${link}x`);
ok(/isv.invalid-signature/.test(await answer.text()), 'a page whose URL was changed is refused');
answer = await fetch(`${link}&accept=1`, { redirect: 'manual' });
const back = new URL(answer.headers.get('location'));
ok(answer.status === 302 && back.searchParams.get('a') === 'b' && back.searchParams.get('is_success') === 'T', 'who agrees is sent back', answer.headers.get('location'));
const a1 = await exec('alipay.user.agreement.query', { external_agreement_no: 'a1', personal_product_code: 'GENERAL_WITHHOLDING_P', sign_scene: 'INDUSTRY|DIGITAL_MEDIA' });
ok(a1.code === '10000' && a1.status === 'NORMAL' && a1.agreementNo, 'then it is NORMAL, in an answer whose signature the SDK takes', a1);
const taken = (n) => store.got.filter((g) => g.body.includes(n)).map((g) => Object.fromEntries(new URLSearchParams(g.body)));
let notice = await until(() => taken('dut_user_sign')[0]);
ok(notice && sdk.checkNotifySignV2(notice) && notice.agreement_no === a1.agreementNo && notice.status === 'NORMAL', 'its notice is taken by checkNotifySignV2', notice);
ok(!sdk.checkNotifySignV2({ ...notice, agreement_no: '1' }), 'and not when it was changed');

// 2. charges
const paid = await pay('c1', a1.agreementNo, '648.00');
ok(paid.code === '10000' && paid.totalAmount === '648.00' && paid.tradeNo, 'a charge', paid);
notice = await until(() => taken('out_trade_no=c1')[0]);
ok(notice && sdk.checkNotifySignV2(notice) && notice.trade_status === 'TRADE_SUCCESS' && notice.total_amount === '648.00' && notice.seller_id === wallets.alipay.seller_id, 'and its notice', notice);
ok((await pay('c1', a1.agreementNo, '648.00')).subCode === 'ACQ.TRADE_HAS_SUCCESS', 'the same number again: it has succeeded, no second charge');
ok((await pay('c1', a1.agreementNo, '98.00')).subCode === 'ACQ.CONTEXT_INCONSISTENT', 'the same number with another amount');
ok((await pay('c2', '20180000000000000000', '1.00')).subCode === 'ACQ.AGREEMENT_NOT_EXIST', 'an agreement that is not there');
ok((await exec('alipay.trade.query', { out_trade_no: 'c1' })).tradeStatus === 'TRADE_SUCCESS', 'asked by our number');
ok((await exec('alipay.trade.query', { out_trade_no: 'c0' })).subCode === 'ACQ.TRADE_NOT_EXIST', 'a number that it does not know');
ok((await pay('c3', a1.agreementNo, '0.001')).subCode === 'isv.invalid-parameter', 'a tenth of a fen');

// 3. refunds
const refund = (number, request, amount) => exec('alipay.trade.refund', { out_trade_no: number, out_request_no: request, refund_amount: amount });
answer = await refund('c1', 'r1', '48.00');
ok(answer.fundChange === 'Y' && answer.refundFee === '48.00', 'a part is refunded', answer);
answer = await refund('c1', 'r1', '48.00');
ok(answer.fundChange === 'N' && answer.refundFee === '48.00', 'again: no second time', answer);
ok((await refund('c1', 'r1', '49.00')).subCode === 'ACQ.DISCORDANT_REPEAT_REQUEST', 'its number with another amount');
ok((await refund('c1', 'r2', '600.01')).subCode === 'ACQ.REFUND_AMT_NOT_EQUAL_TOTAL', 'more than is left');
ok((await exec('alipay.trade.fastpay.refund.query', { out_trade_no: 'c1', out_request_no: 'r1' })).refundStatus === 'REFUND_SUCCESS', 'the refund is found');
answer = await exec('alipay.trade.fastpay.refund.query', { out_trade_no: 'c1', out_request_no: 'r9' });
ok(answer.code === '10000' && !answer.refundStatus, 'one that never was: the query works, and says no success', answer);
await refund('c1', 'r3', '600.00');
ok((await exec('alipay.trade.query', { out_trade_no: 'c1' })).tradeStatus === 'TRADE_CLOSED', 'wholly refunded it is closed');

// 4. waits, cancellation, limits
await faults('waits=1:1500@c4,waits=1:60000@c5');
answer = await pay('c4', a1.agreementNo, '5.00');
ok(answer.code === '10003', 'a charge that waits is 10003', answer);
ok((await exec('alipay.trade.query', { out_trade_no: 'c4' })).tradeStatus === 'WAIT_BUYER_PAY', 'and WAIT_BUYER_PAY');
ok((await until(() => taken('out_trade_no=c4')[0]))?.trade_status === 'TRADE_SUCCESS', 'until its notice');
ok((await exec('alipay.trade.query', { out_trade_no: 'c4' })).tradeStatus === 'TRADE_SUCCESS', 'and the query say success');
await pay('c5', a1.agreementNo, '5.00');
answer = await exec('alipay.trade.cancel', { out_trade_no: 'c5' });
ok(answer.action === 'close' && answer.retryFlag === 'N', 'what waits is closed by a cancellation', answer);
ok((await exec('alipay.trade.cancel', { out_trade_no: 'c4' })).action === 'refund', 'what was paid is given back by it');
await exec('alipay.trade.cancel', { out_trade_no: 'c6' });
ok((await pay('c6', a1.agreementNo, '5.00')).subCode === 'ACQ.TRADE_HAS_CLOSE', 'a number that was cancelled before it came has no effect any more');
await admin('payer', { payer: a1.principalId, balance_minor: 1000, charge_limit_minor: 2000 });
ok((await pay('c7', a1.agreementNo, '30.00')).subCode === 'ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR', 'a limit of the payer');
ok((await pay('c8', a1.agreementNo, '15.00')).subCode === 'ACQ.BUYER_BALANCE_NOT_ENOUGH', 'an empty purse');
await admin('payer', { payer: a1.principalId, risky: true });
ok((await pay('c9', a1.agreementNo, '15.00')).subCode === 'ACQ.PAYMENT_REQUEST_HAS_RISK', 'the wallet finds it risky');
await admin('payer', { payer: a1.principalId });

// 5. caps that the wallet holds
await admin('sign', { url: page('a2', { period_rule_params: { single_amount: '10.00', total_amount: '15.00' } }) });
const a2 = await exec('alipay.user.agreement.query', { external_agreement_no: 'a2', personal_product_code: 'GENERAL_WITHHOLDING_P', sign_scene: 'INDUSTRY|DIGITAL_MEDIA' });
ok(a2.singleQuota === '10.00', 'a cap is told', a2);
ok((await pay('d1', a2.agreementNo, '10.01')).subCode === 'ACQ.BEYOND_PAY_RESTRICTION' && (await pay('d2', a2.agreementNo, '10.00')).code === '10000' && (await pay('d3', a2.agreementNo, '5.01')).subCode === 'ACQ.BEYOND_PAY_RESTRICTION', 'and holds, each time and in sum');

// 6. who may ask
const stranger = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const refused = (name, options, pattern, more) => refuses(name, async () => { const r = await new AlipaySdk({ ...common, alipayPublicKey: file('alipay-public.pem'), ...options }).exec('alipay.trade.query', { bizContent: { out_trade_no: 'c1' }, ...more }); throw new Error(r.subCode ?? r.sub_code ?? JSON.stringify(r)); }, pattern);
await refused('another key', { privateKey: stranger }, /invalid-signature/);
await refused('another app', { appId: '2018102900000002' }, /invalid-app-id/);
await refused('an old time', {}, /invalid-timestamp/, { timestamp: '2018-10-10 10:11:42' });
await refused('an unknown version', { version: '2.0' }, /invalid-version/);
ok((await (await fetch(`${wallets.alipay.url}?method=alipay.trade.query&method=alipay.trade.refund`)).text()).includes('isv.invalid-parameter'), 'a parameter that stands twice');

// 7. what goes wrong, on command
await faults('bad_signature=1@c1');
await refuses('a wrong signature of an answer is refused by the SDK', () => exec('alipay.trade.query', { out_trade_no: 'c1' }), /验签失败/);
await faults('drop_after=1@f1'); // the SDK tries again by itself
await refuses('an answer that never comes', () => pay('f1', a1.agreementNo, '1.00'), /./);
await faults('');
ok((await exec('alipay.trade.query', { out_trade_no: 'f1' })).tradeStatus === 'TRADE_SUCCESS', 'of a charge that happened');
await faults('drop_before=1@f2');
await refuses('a request that never arrives', () => pay('f2', a1.agreementNo, '1.00'), /./);
await faults('');
ok((await exec('alipay.trade.query', { out_trade_no: 'f2' })).subCode === 'ACQ.TRADE_NOT_EXIST', 'of a charge that did not');
await faults('error_after=1@f3*1,error_before=1@f4*1');
for (const n of ['f3', 'f4']) await pay(n, a1.agreementNo, '1.00').then((r) => ok(r.code === '20000', `an error of the system: ${n}`, r), (e) => ok(/502|HTTP/.test(e.message), `a bare 502: ${n}`, e.message));
ok((await exec('alipay.trade.query', { out_trade_no: 'f3' })).tradeStatus === 'TRADE_SUCCESS' && (await exec('alipay.trade.query', { out_trade_no: 'f4' })).subCode === 'ACQ.TRADE_NOT_EXIST', 'after the effect, and before it');
await faults('wrong_amount=1@f5,delay=1:300@f6,slow_body=1:300@f7');
ok((await pay('f5', a1.agreementNo, '1.00')).totalAmount === '1.01' && (await exec('alipay.trade.query', { out_trade_no: 'f5' })).totalAmount === '1.01', 'a wrong amount, wherever it is asked');
for (const n of ['f6', 'f7']) { const from = Date.now(); await pay(n, a1.agreementNo, '1.00'); ok(Date.now() - from >= 290, `late, or slow: ${n}`); }
await faults('duplicate_notice=1@g1,lose_notice=1@g2,reorder_notice=1:3000@g3,bad_signature=1@notice');
for (const n of ['g1', 'g2', 'g3', 'g4']) await pay(n, a1.agreementNo, '1.00');
await until(() => taken('out_trade_no=g3').length);
const order = store.got.map((g) => /out_trade_no=(g\d)/.exec(g.body)?.[1]).filter(Boolean);
ok(order.filter((n) => n === 'g1').length === 2 && !order.includes('g2') && order.indexOf('g3') > order.indexOf('g4'), 'notices twice, lost, out of order', order);
ok(!sdk.checkNotifySignV2(taken('out_trade_no=g4')[0]), 'a notice with a wrong signature is refused by checkNotifySignV2');
await faults('');
store.reply = () => [500, 'no', 'text/plain'];
await pay('h1', a1.agreementNo, '1.00');
await until(() => taken('out_trade_no=h1').length >= 2);
store.reply = () => [200, 'success', 'text/plain'];
ok(taken('out_trade_no=h1').length >= 2, 'a notice that is not answered with success comes again');

// 8. certificates
const cert = { appCertPath: path.join(folder, 'alipay-app.crt'), alipayPublicCertPath: path.join(folder, 'alipay-public.crt'), alipayRootCertPath: path.join(folder, 'alipay-root.crt') };
const certified = new AlipaySdk({ ...common, ...cert });
answer = await exec('alipay.trade.query', { out_trade_no: 'f1' }, {}, certified);
ok(answer.tradeStatus === 'TRADE_SUCCESS', 'by certificates', answer);

// 9. OpenAPI v3
for (const [name, client] of [['by its key', sdk], ['by certificates', certified]]) {
    const three = async (method, where, body) => (await client.curl(method, where, { body })).data;
    const n = name.length;
    answer = await three('POST', '/v3/alipay/trade/pay', { out_trade_no: `v${n}`, total_amount: '2.00', subject: 'v3 / 礼品卡', product_code: 'GENERAL_WITHHOLDING', agreement_params: { agreement_no: a1.agreementNo } });
    ok(answer.total_amount === '2.00' && answer.gmt_payment, `v3 ${name}: a charge, in an answer whose signature the SDK takes`, answer);
    ok((await three('POST', '/v3/alipay/trade/query', { out_trade_no: `v${n}` })).trade_status === 'TRADE_SUCCESS', `v3 ${name}: asked`);
    await refuses(`v3 ${name}: what is not there`, () => three('POST', '/v3/alipay/trade/query', { out_trade_no: 'v0' }), /ACQ.TRADE_NOT_EXIST|交易不存在/);
    await faults(`bad_signature=1@v${n}`);
    await refuses(`v3 ${name}: a wrong signature is refused`, () => three('POST', '/v3/alipay/trade/query', { out_trade_no: `v${n}` }), /验签失败|validate|sign/i);
    await faults('');
}
await refuses('v3: another key', () => new AlipaySdk({ ...common, alipayPublicKey: file('alipay-public.pem'), privateKey: stranger }).curl('POST', '/v3/alipay/trade/query', { body: { out_trade_no: 'c1' } }), /invalid-signature|not signed/);
const signed3 = (stamp, nonce) => {
    const auth = `app_id=${common.appId},nonce=${nonce},timestamp=${stamp}`, body = '{"out_trade_no":"c1"}';
    const sign = crypto.sign('RSA-SHA256', Buffer.from(`${auth}\nPOST\n/v3/alipay/trade/query\n${body}\n`), common.privateKey).toString('base64');
    return fetch(`${url}/v3/alipay/trade/query`, { method: 'POST', body, headers: { authorization: `ALIPAY-SHA256withRSA ${auth},sign=${sign}`, 'content-type': 'application/json' } }).then((r) => r.text());
};
ok((await signed3(Date.now(), 'once')).includes('TRADE_CLOSED') && (await signed3(Date.now(), 'once')).includes('nonce-repeated'), 'v3: a nonce is good once');
ok((await signed3(Date.now() - 700000, 'old')).includes('invalid-timestamp'), 'v3: an old time');

// 10. the end
answer = await exec('alipay.user.agreement.unsign', { agreement_no: a2.agreementNo });
ok(answer.code === '10000' && (await until(() => taken('dut_user_unsign')[0]))?.external_agreement_no === 'a2', 'an agreement is ended, with a notice', answer);
ok((await pay('z1', a2.agreementNo, '1.00')).subCode === 'ACQ.AGREEMENT_NOT_EXIST', 'and is charged no more');
await admin('end', { number: 'a1' });
ok((await exec('alipay.user.agreement.query', { agreement_no: a1.agreementNo })).status === 'STOP', 'the person ends the other');
answer = await fetch(`${page('a1')}&accept=1`, { redirect: 'manual' });
ok(answer.status === 409, 'an ended agreement can not be signed again');
const effects = (await admin('journal')).filter((j) => j.wallet === 'alipay');
ok(effects.filter((j) => j.kind === 'charge' && j.what === 'paid' && j.number === 'c1').length === 1 && effects.some((j) => j.number === 'f5' && j.amount === 101 && j.asked === 100), 'the journal has each charge once, and what was truly taken');
end(store);
