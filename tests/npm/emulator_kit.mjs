// emulator_kit.mjs - what the judges of the emulator share: checks, the folder of keys, the emulator's own door, a receiver of notices.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

export const folder = process.argv[2];
export const url = process.argv[3];
export const file = (name) => fs.readFileSync(path.join(folder, name), 'utf8');
export const wallets = Object.fromEntries(JSON.parse(file('wallets.json')).wallets.map((w) => [w.name, w]));
let failed = 0;
export const ok = (good, name, seen) => {
    console.log(`${good ? 'ok' : 'not ok'} - ${name}`);
    if (good) return;
    failed++;
    if (seen !== undefined) console.log(typeof seen === 'string' ? seen : JSON.stringify(seen));
};
export const refuses = async (name, call, pattern) => {
    try { ok(false, name, await call()); }
    catch (e) { ok(pattern.test(`${e.code ?? ''} ${e.message ?? e}`), name, `${e.code} ${e.message}`); }
};
export const admin = async (what, body) => {
    const answer = await fetch(`${url}/emulator/${what}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
    const text = await answer.text();
    return what === 'journal' ? text.split('\n').filter(Boolean).map((line) => JSON.parse(line)) : { status: answer.status, ...JSON.parse(text) };
};
export const faults = (spec) => admin('faults', { spec });
export const until = async (what, wait = 20000) => {
    for (const end = Date.now() + wait; Date.now() < end; await new Promise((r) => setTimeout(r, 10))) {
        const got = what();
        if (got) return got;
    }
    return undefined;
};
// A store's end for notices: takes what `reply` says, keeps what came.
export const receiver = async () => {
    const got = [], self = { got, reply: () => [200, 'success', 'text/plain'] };
    self.server = http.createServer((rq, rs) => {
        const parts = [];
        rq.on('data', (d) => parts.push(d));
        rq.on('end', () => {
            got.push({ path: rq.url, headers: rq.headers, body: Buffer.concat(parts).toString() });
            const [status, body, type] = self.reply(got.at(-1));
            rs.writeHead(status, { 'Content-Type': type ?? 'application/json' }).end(status === 204 ? undefined : body);
        });
    });
    await new Promise((r) => self.server.listen(0, '127.0.0.1', r));
    self.url = `http://127.0.0.1:${self.server.address().port}`;
    return self;
};
export const end = (...servers) => { for (const s of servers) { s.server.close(); s.server.closeAllConnections(); } process.exitCode = failed ? 1 : 0; };
