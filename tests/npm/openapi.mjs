// openapi.mjs - the OpenAPI document before a public validator, and the daemon's answers before its schemas.
//
//     node openapi.mjs DOCUMENT URL     keys in KEER_KEY_STORE, KEER_KEY_ANALYST, ...
//
// Answers may hold nothing that their schema does not name (a client passes over it, but then it is not documented). Prints 'ok - ...' lines.
import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import Ajv from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

const [file, url] = process.argv.slice(2)
const doc = JSON.parse(readFileSync(file, 'utf8'))
let failed = 0
const ok = (good, name, why = '') => { console.log(`${good ? 'ok' : 'not ok'} - ${name}${good ? '' : ': ' + why}`); failed += good ? 0 : 1 }
const at = (pointer) => pointer.slice(2).split('/').reduce((v, k) => v?.[k.replaceAll('~1', '/')], doc)
const walk = (v, visit) => { if (v && typeof v === 'object') { visit(v); Object.values(v).forEach((x) => walk(x, visit)) } }

// --- the document
const judge = async (d) => (await new Validator().validate(structuredClone(d)))
const verdict = await judge(doc)
ok(verdict.valid && doc.openapi === '3.1.0', 'a valid OpenAPI 3.1 document', JSON.stringify(verdict.errors))
const broken = structuredClone(doc); broken.paths['/v1/decisions'].post.responses = []
ok(!(await judge(broken)).valid, 'the control: a broken document is refused', 'it is not')
const lost = []
walk(doc, (v) => { if (typeof v.$ref === 'string' && at(v.$ref) === undefined) lost.push(v.$ref) })
ok(!lost.length, 'every reference leads somewhere', lost.join(' '))
const operations = Object.entries(doc.paths).flatMap(([path, item]) => Object.entries(item).map(([method, op]) => ({ path, method, op })))
const names = operations.map(({ op }) => op.operationId)
ok(new Set(names).size === names.length, 'operation ids differ', names.join(' '))
// What others sign is judged by its signature.
const isSigned = (path) => ['/v1/intake/appstore', '/v1/wallets/{id}/notices'].includes(path)
const keyed = operations.filter(({ path }) => path.startsWith('/v1/') && !path.startsWith('/v1/account/') && !isSigned(path)) // those are a browser's
ok(keyed.length && keyed.every(({ op }) => op['x-keer-roles']?.length && op.responses[401] && op.responses[403]), 'every path of /v1 needs a key of a role',
    keyed.filter(({ op }) => !op['x-keer-roles']?.length).map(({ path }) => path).join(' '))
for (const { path, method, op } of operations) {
    const holes = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).join()
    const told = (op.parameters ?? []).filter((p) => p.in === 'path').map((p) => p.name).join()
    if (holes !== told) ok(false, `${method} ${path} tells its path parameters`, `${holes} / ${told}`)
    if (!op.responses[200]?.content) ok(false, `${method} ${path} has an answer with a schema`, 'none in schemas.def')
    if (['post', 'put', 'patch'].includes(method) && op.requestBody && !Object.keys(op.requestBody.content).length) ok(false, `${method} ${path} has a body with a schema`, 'none')
}

// --- schemas: strict for answers, as they are for what is sent
const ajv = new Ajv({ strict: false, allErrors: true }); formats(ajv)
const compile = (schema, closed) => {
    const d = structuredClone(doc.components.schemas)
    if (closed) walk(d, (v) => { if (Object.keys(v.properties ?? {}).length && v.additionalProperties === undefined) v.additionalProperties = false })
    return ajv.compile({ ...structuredClone(schema), components: { schemas: d } })
}
const event = compile({ $ref: '#/components/schemas/Event' }, false)
for (const [name, row] of Object.entries(doc.components.examples)) {
    const check = compile({ $ref: '#/components/schemas/Problem' }, true)
    if (!check(row.value)) ok(false, `example ${name}`, ajv.errorsText(check.errors))
}

// --- answers
// The first event of a stream, which never ends by itself: its fields by name.
async function first(body) {
    let text = ''
    for await (const piece of body.pipeThrough(new TextDecoderStream())) {
        text += piece
        const one = text.split('\n\n').slice(0, -1).find((e) => /^data: /m.test(e))
        if (one) return Object.fromEntries(one.split('\n').map((line) => line.split(/: (.*)/s)))
    }
}
const key = (role) => process.env[`KEER_KEY_${role.toUpperCase()}`]
const asked = new Set()
const find = (method, path) => {
    const fits = (pattern) => new RegExp(`^${pattern.replace(/\{\w+\}/g, '[^/]+').replaceAll('.', '\\.')}$`).test(path.split('?')[0])
    const hit = operations.find((o) => o.method === method.toLowerCase() && o.path === path.split('?')[0]) ??
        operations.find((o) => o.method === method.toLowerCase() && fits(o.path))
    return hit?.op
}
// What was taken is what the document says: the parameters, and the members of the body. Events may have more.
function fitsRequest(name, op, path, body) {
    const told = (op.parameters ?? []).filter((p) => p.in === 'query')
    for (const [key, value] of new URL(path, url).searchParams) {
        const p = told.find((p) => p.name === key), check = p && compile(p.schema, true)
        if (!check || !(check(value) || check(Number(value)))) ok(false, name, `the parameter ${key}=${value} is not told`)
    }
    const schema = op.requestBody?.content['application/json']?.schema
    if (!schema || typeof body !== 'object') return
    const check = compile(schema, !/Event$|Label$/.test(schema.$ref))
    if (!check(body)) ok(false, name, `the document refuses the body: ${ajv.errorsText(check.errors)}`)
}
// `jar`: the cookies of a browser, instead of a key.
async function ask(name, status, method, path, { body, role = 'store', type = 'application/json', jar, more = {} } = {}) {
    const headers = { ...more }
    if (jar) headers.cookie = Object.entries(jar).map(([k, v]) => `${k}=${v}`).join('; ')
    else if (role) headers.authorization = `Bearer ${key(role) ?? role}`
    if (body !== undefined) headers['content-type'] = type
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const r = await fetch(url + path, { method, headers, body: text })
    for (const c of jar ? r.headers.getSetCookie() : []) jar[c.split('=')[0]] = c.slice(c.indexOf('=') + 1).split(';')[0]
    const got = (r.headers.get('content-type') ?? '').split(';')[0], stream = got === 'text/event-stream'
    const answer = stream ? await first(r.body) : await r.text()
    const op = find(method, path)
    if (status === 200) asked.add(op)
    if (status === 200) fitsRequest(name, op, path, body)
    const told = op?.responses[r.status]?.content[got]?.schema
    if (r.status !== status || !told) return ok(false, name, `${r.status} ${got}, ${told ? 'wanted ' + status : 'which the document does not tell'}: ${answer.slice(0, 300)}`)
    let value = answer, check
    if (stream) {
        check = compile(told['x-keer-data'], true)
        const fits = answer?.event === 'decision' && /^\d+$/.test(answer.id) && check(JSON.parse(answer.data))
        ok(fits, `${name}: ${status}`, ajv.errorsText(check.errors) + ' ' + JSON.stringify(answer))
        return answer
    }
    if (/json$/.test(got) && !/ndjson$/.test(got)) value = JSON.parse(answer)
    if (/ndjson$/.test(got)) {
        check = compile(told['x-keer-line'], true)
        const bad = answer.split('\n').filter((line) => line && !check(JSON.parse(line)))
        return ok(!bad.length, `${name}: ${status}`, bad[0])
    }
    check = compile(told, true)
    const fits = check(value), code = value.code
    const listed = !code || code in (op.responses[r.status].content[got].examples ?? {})
    ok(fits && listed, `${name}: ${status}${code ? ' ' + code : ''}`, fits ? `${code} is not told` : ajv.errorsText(check.errors) + ' ' + answer.slice(0, 300))
    return value
}

// Only to wait for something: what an admin gets.
ask.quiet = async (method, path) => {
    const text = await (await fetch(url + path, { method, headers: { authorization: `Bearer ${key('admin')}` } })).text()
    try { return JSON.parse(text) } catch { return text }
}

const { cases } = await import('./answers.mjs')
await cases({ ask, ok, event, doc })
// Where a person's browser and a client's secret are needed: tests/integration/oidc.sh, with openid-client; what needs somebody's signature: the tests of who sends it.
const elsewhere = (path) => path.startsWith('/oidc/') || path === '/v1/wallets/{id}/notices'
for (const { path, method } of operations.filter((o) => !asked.has(o.op) && !elsewhere(o.path))) ok(false, `an answer of ${method} ${path} was asked for`, 'add it to tests/npm/answers.mjs')
const decision = { id: 'a', time: '2018-10-01T12:00:00Z', type: 'sign_in', outcome: 'maybe', review: false, score: null, rules: [], because: [], reasons: [], degraded: [] }
const control = compile({ $ref: '#/components/schemas/Decision' }, true)
ok(!control(decision) && control({ ...decision, outcome: 'deny' }) && !control({ ...decision, outcome: 'deny', more: 1 }), 'the control: a wrong answer is seen', 'it is not')
const served = await (await fetch(url + '/openapi.json')).text()
ok(served === readFileSync(file, 'utf8'), '/openapi.json is what `keer --describe=openapi` prints', 'it differs')
process.exit(failed ? 1 : 0)
