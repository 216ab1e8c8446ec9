// gateway.mjs FOLDER [PORT] - an operator's SMS gateway for tests. It writes its port to FOLDER/gateway.port, answers with the status in FOLDER/gateway.mode
// (200 when there is none) and adds a line to FOLDER/texts for each request: {id, to, text, kind, status, verified, changed, old}. What was taken
// before is taken again and sent once: `again` says so. Signatures are judged by the published package, not by us. FOLDER/gateway.slow has numbers and what
// happens to them, as {"+31600000004": "hang"}: hang (no answer), drip (its head, a byte each second), body (its status, and never the rest).
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Webhook } from 'standardwebhooks'

const folder = process.argv[2], taken = new Set()
const text = name => existsSync(`${folder}/${name}`) ? readFileSync(`${folder}/${name}`, 'utf8').trim() : ''
const judge = (body, headers) => {
    try { new Webhook(text('sms.secret')).verify(body, headers); return true } catch { return false }
}
const server = createServer((request, response) => {
    const pieces = []
    request.on('data', piece => pieces.push(piece))
    request.on('end', () => {
        const body = Buffer.concat(pieces).toString(), message = JSON.parse(body), status = Number(text('gateway.mode') || 200), id = request.headers['webhook-id']
        const late = { ...request.headers, 'webhook-timestamp': String(Number(request.headers['webhook-timestamp']) - 1) }
        appendFileSync(`${folder}/texts`, JSON.stringify({ ...message, status, method: request.method, path: request.url, type: request.headers['content-type'],
            same: id === message.id, again: taken.has(id), members: Object.keys(message).join(' '),
            verified: judge(body, request.headers), changed: judge(body.replace('+', '+1'), request.headers), moved: judge(body, late) }) + '\n')
        const slow = JSON.parse(text('gateway.slow') || '{}')[message.to]
        if (slow === 'hang') return
        if (slow === 'drip') {
            request.socket.write('HTTP/1.1 200 OK\r\nX-Slow: ')
            const timer = setInterval(() => request.socket.write('x'), 1000)
            return void request.socket.on('close', () => clearInterval(timer)).on('error', () => {})
        }
        if (slow === 'body') return void request.socket.write('HTTP/1.1 202 Accepted\r\nContent-Length: 20\r\n\r\nhalf')
        if (status < 300) taken.add(id)
        response.writeHead(status); response.end(`${message.to}: ${message.text}`)
    })
})
server.listen(Number(process.argv[3] ?? 0), '127.0.0.1', () => writeFileSync(`${folder}/gateway.port`, String(server.address().port)))
