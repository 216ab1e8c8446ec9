// emulator_speed.mjs FOLDER URL COUNT PID - how many charges a second the emulator takes: requests are signed before the clock starts, and sent over 16 connections. The CPU
// time of the process tells what it could do on a machine of its own.
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { admin, file, url, wallets } from './emulator_kit.mjs';

const count = Number(process.argv[4]), pid = process.argv[5], w = wallets.alipay, key = crypto.createPrivateKey(file('alipay-app.pem'));
const stamp = new Date(Date.now() + 8 * 3600e3).toISOString().slice(0, 19).replace('T', ' ');
const form = (method, biz) => {
    const p = { app_id: w.app_id, biz_content: JSON.stringify(biz), charset: 'utf-8', method, sign_type: 'RSA2', timestamp: stamp, version: '1.0' };
    const text = Object.keys(p).sort().map((k) => `${k}=${p[k]}`).join('&');
    return new URLSearchParams({ ...p, sign: crypto.sign('RSA-SHA256', Buffer.from(text), key).toString('base64') }).toString();
};
const a = await admin('sign', { url: `${w.url}?${form('alipay.user.agreement.page.sign', { external_agreement_no: `speed${Date.now()}`, personal_product_code: 'P', sign_scene: 'INDUSTRY|X', access_params: { channel: 'QRCODE' } })}` });
const bodies = Array.from({ length: count }, (_, i) => form('alipay.trade.pay', { out_trade_no: `s${Date.now()}_${i}`, total_amount: '1.00', subject: 'x', product_code: 'GENERAL_WITHHOLDING', agreement_params: { agreement_no: a.ref } }));
const cpu = () => { const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' '); return (Number(f[13]) + Number(f[14])) / 100; };
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
const post = (body) => new Promise((done, fail) => {
    const rq = http.request(w.url, { method: 'POST', agent, headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length } }, (rs) => {
        let text = '';
        rs.on('data', (d) => { text += d; }).on('end', () => done(text.includes('"10000"')));
    });
    rq.on('error', fail).end(body);
});
const from = performance.now(), used = cpu();
const good = (await Promise.all(bodies.map(post))).filter(Boolean).length;
const s = (performance.now() - from) / 1000, c = cpu() - used;
console.log(JSON.stringify({ charges: good, seconds: +s.toFixed(2), a_second: Math.round(good / s), cpu_seconds: c, a_cpu_second: Math.round(good / c) }));
agent.destroy();
process.exitCode = good === count ? 0 : 1;
