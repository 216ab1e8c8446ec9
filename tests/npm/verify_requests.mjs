// verify_requests.mjs FOLDER RECORD - the official packages' own primitives judge requests that `keer emulate wallet --record FILE` has kept:
// each signs the same strings again, with the same freshly made key, and must come to the same bytes: alipay-sdk in v2 (its own order and joining too) and v3,
// wechatpay-axios-plugin, and for Antom, which has no client of its own among npm's, node's crypto. PKCS #1 v1.5 signs equal bytes equally.
// A line for each, `good` or `wrong`, and the sum; code 1 when one is wrong or there was none.
import { readFileSync } from 'node:fs';
import crypto from 'node:crypto';
import path from 'node:path';
import { Formatter, Rsa } from 'wechatpay-axios-plugin';

// The package exports its client alone; what it signs with stands beside it.
const { sign: alipaySign, signatureV3, verifySignatureV3 } = await import(new URL('./node_modules/alipay-sdk/dist/esm/util.js', import.meta.url));

const [folder, record] = process.argv.slice(2);
const file = (name) => readFileSync(path.join(folder, name), 'utf8');
const app = crypto.createPrivateKey(file('alipay-app.pem')).export({ type: 'pkcs1', format: 'pem' }), appPublic = file('alipay-app-public.pem');
const mch = new crypto.X509Certificate(file('wechatpay-merchant.crt')).publicKey.export({ type: 'spki', format: 'pem' });
const mchKey = file('wechatpay-merchant.pem');
const antom = file('antom-merchant-public.pem'), antomKey = file('antom-merchant.pem');

const parts = ({ head, body }) => {
    const [first, ...lines] = head.split('\r\n');
    const [method, target] = first.split(' ');
    const headers = Object.fromEntries(lines.filter(Boolean).map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]));
    return { method, target, headers, body };
};
// The SDK's sign(), with its own order, joining and RSA.
const alipay2 = ({ target, body }) => {
    const all = Object.fromEntries([...new URLSearchParams(target.slice(target.indexOf('?') + 1)), ...new URLSearchParams(body)]);
    const { sign, method, biz_content, accept, payer, app_id: appId, charset, version, sign_type: signType, app_cert_sn: appCertSn, alipay_root_cert_sn: alipayRootCertSn, ...rest } = all; // accept, payer: the emulator's own
    const again = alipaySign(method, { ...rest, ...(biz_content && { bizContent: JSON.parse(biz_content) }) }, { appId, charset, version, signType, privateKey: app, appCertSn, alipayRootCertSn }, { bizContentAutoSnakeCase: false });
    return again.biz_content === biz_content && again.sign === sign;
};
const alipay3 = ({ method, target, headers, body }) => {
    const [, text, sign] = /^ALIPAY-SHA256withRSA (.*),sign=(.*)$/.exec(headers.authorization ?? '') ?? [];
    const token = headers['alipay-app-auth-token'];
    const signed = `${text}\n${method}\n${target}\n${body}\n${token ? `${token}\n` : ''}`;
    return !!sign && verifySignatureV3(signed, sign, appPublic) && signatureV3(signed, app) === sign;
};
const wechat = ({ method, target, headers, body }) => {
    const a = Object.fromEntries([...(headers.authorization ?? '').matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1], m[2]]));
    const signed = Formatter.request(method, target, a.timestamp, a.nonce_str, body);
    return !!a.signature && Rsa.verify(signed, a.signature, mch) && Rsa.sign(signed, mchKey) === a.signature;
};
const antomOf = ({ target, headers, body }) => {
    const signed = Buffer.from(`POST ${target}\n${headers['client-id']}.${headers['request-time']}.${body}`), sign = decodeURIComponent(/signature=(.*)/.exec(headers.signature ?? '')?.[1] ?? '');
    return crypto.verify('RSA-SHA256', signed, antom, Buffer.from(sign, 'base64')) && crypto.sign('RSA-SHA256', signed, antomKey).toString('base64') === sign;
};

const sum = {};
for (const line of readFileSync(record, 'utf8').split('\n').filter(Boolean)) {
    const r = parts(JSON.parse(line));
    const [name, judge] = r.target.startsWith('/gateway.do') ? ['alipay v2', alipay2] : r.target.startsWith('/v3/alipay/') ? ['alipay v3', alipay3] : r.target.startsWith('/v3/') ? ['wechatpay', wechat] : ['antom', antomOf];
    let good = false;
    try { good = judge(r); } catch { /* what can't be read is wrong */ }
    console.log(`${good ? 'good' : 'wrong'} ${name} ${r.method} ${r.target.slice(0, 120)}`);
    sum[`${name} ${good ? 'good' : 'wrong'}`] = (sum[`${name} ${good ? 'good' : 'wrong'}`] ?? 0) + 1;
}
console.log(JSON.stringify(sum));
process.exitCode = Object.keys(sum).length && !Object.keys(sum).some((k) => k.endsWith('wrong')) ? 0 : 1;
