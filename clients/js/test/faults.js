// faults.js - a server that misbehaves as it is told: each request takes the next step of its plan, the last one for ever.
import { createServer } from 'node:http'

const decision = (body) => JSON.stringify({
    id: body.id, time: body.time, type: body.type, outcome: 'allow', review: false, score: null, rules: [], because: [], reasons: [], degraded: []
})
const problem = (status, code) => JSON.stringify({ type: `urn:keersluis:problem:${code}`, title: code, status, code, hint: 'none' })

const line = (n, status, code) => `{"line":${n},` + problem(status, code).slice(1)
const ndjson = (res, lines) => { res.writeHead(200, { 'content-type': 'application/x-ndjson' }); res.end(lines.map((l) => l + '\n').join('')) }

const steps = {
    ok: (res, body) => { res.writeHead(200, { 'content-type': 'application/json' }); res.end(decision(body)) },
    silence: () => {},
    reset: (res) => res.socket.resetAndDestroy(),
    full: (res) => { res.writeHead(429, { 'retry-after': '1' }); res.end(problem(429, 'FULL')) },
    later: (res) => { res.writeHead(429, { 'retry-after': '60' }); res.end(problem(429, 'FULL')) },
    starting: (res) => { res.writeHead(503); res.end(problem(503, 'STARTING')) },
    internal: (res) => { res.writeHead(500); res.end(problem(500, 'INTERNAL')) },
    gateway: (res) => { res.writeHead(502, { 'content-type': 'text/html' }); res.end('<html>') },
    half: (res, body) => { const t = decision(body); res.writeHead(200, { 'content-length': t.length }); res.write(t.slice(0, 20)); setTimeout(() => res.destroy(), 20) },
    cut: (res, body) => { res.writeHead(200, { connection: 'close' }); res.end(decision(body).slice(0, 20)) },
    other: (res, body) => { res.writeHead(200); res.end(decision({ ...body, id: 'another' })) },
    moved: (res) => { res.writeHead(307, { location: '/elsewhere' }); res.end() },
    charged: (res, body) => { res.writeHead(201, { 'content-type': 'application/json' }); res.end(JSON.stringify({ id: 'K1', key: body.id, state: 'paid' })) },
    submitted: (res, body) => { res.writeHead(202, { 'content-type': 'application/json' }); res.end(JSON.stringify({ id: 'K1', key: body.id ?? 'o1', state: 'submitted' })) },
    paid: (res) => { res.writeHead(200, { 'content-type': 'application/json' }); res.end(JSON.stringify({ id: 'K1', key: 'o1', state: 'paid' })) },
    refused: (res) => { res.writeHead(422); res.end(problem(422, 'KEY_REUSED')) },
    bad: (res) => { res.writeHead(400); res.end(problem(400, 'BAD_EVENT')) },
    lines: (res, body) => ndjson(res, body.map((e) => decision(e))),
    // of a batch: the first is wrong, the second finds no place, the others are decided
    mixed: (res, body) => ndjson(res, body.map((e, i) => i === 0 ? line(1, 400, 'BAD_EVENT') : i === 1 ? line(2, 429, 'FULL') : decision(e))),
    short: (res, body) => ndjson(res, body.slice(1).map((e) => decision(e))),
    slow: (res, body) => setTimeout(() => steps.ok(res, body), 100)
}

export async function faults(...plan) {
    const seen = []
    const server = createServer(async (req, res) => {
        let text = ''
        for await (const piece of req) text += piece
        seen.push({ at: performance.now(), text, path: req.url, headers: req.headers })
        steps[plan[Math.min(seen.length, plan.length) - 1]](res, req.url.endsWith(':batch') ? text.trim().split('\n').map((l) => JSON.parse(l)) : text ? JSON.parse(text) : {})
    })
    await new Promise((done) => server.listen(0, '127.0.0.1', done))
    return {
        url: `http://127.0.0.1:${server.address().port}`, seen,
        close() { server.closeAllConnections(); server.close() }
    }
}
