// receiver.mjs FOLDER [PORT] - a receiver of webhooks. It writes its port to FOLDER/port, answers as FOLDER/mode says (ok when there is none),
// and adds a line to FOLDER/received for each request: {id, path, status, verified: [for each line of FOLDER/secrets], type, event, two}.
// Signatures are judged by the published package, not by us.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Webhook } from 'standardwebhooks'

const folder = process.argv[2]
const text = name => existsSync(`${folder}/${name}`) ? readFileSync(`${folder}/${name}`, 'utf8').trim() : ''
const judge = (secret, body, headers) => {
    try { new Webhook(secret).verify(body, headers); return true } catch { return false }
}
const server = createServer((request, response) => {
    const pieces = []
    request.on('data', piece => pieces.push(piece))
    request.on('end', () => {
        const body = Buffer.concat(pieces).toString(), mode = text('mode') || 'ok', [word, argument] = mode.split(' ')
        const status = { ok: 200, slow: 200, huge: 200, drip: 200, redirect: 302 }[word] ?? Number(word)
        const message = JSON.parse(body)
        appendFileSync(`${folder}/received`, JSON.stringify({
            id: request.headers['webhook-id'], path: request.url, status, type: message.type, event: message.data.id, outcome: message.data.outcome,
            verified: text('secrets').split('\n').filter(Boolean).map(secret => judge(secret, body, request.headers)),
            changed: judge(text('secrets').split('\n')[0], body + ' ', request.headers),
            two: request.headers['webhook-signature'].split(' ').length }) + '\n')
        if (word === 'slow') { setTimeout(() => { response.writeHead(200); response.end() }, Number(argument)); return }
        if (word === 'redirect') { response.writeHead(302, { location: argument }); response.end(); return }
        if (word === 'drip') { response.writeHead(200); setInterval(() => response.write('x'), 100); return }
        response.writeHead(status, word === '429' ? { 'retry-after': '1' } : {})
        if (word === 'huge') {
            const piece = Buffer.alloc(65536, 'x'); let sent = 0
            const more = () => { while (sent < 1e9 && !response.destroyed) { sent += piece.length; if (!response.write(piece)) { response.once('drain', more); return } } }
            response.on('close', () => writeFileSync(`${folder}/sent`, String(sent)))
            more()
        } else response.end('thank you')
    })
})
server.listen(Number(process.argv[3] ?? 0), '127.0.0.1', () => writeFileSync(`${folder}/port`, String(server.address().port)))
