// rules.mjs - the same 20 rules in zen-engine and json-rules-engine, and the events for all three.
//
//   node rules.mjs keer                   prints rules.keer, made from rules.json
//   node rules.mjs events N FILE          writes N seeded events as tab-separated text
//   node rules.mjs zen|zen-expr|json FILE SECONDS   runs an engine over the events: JSON with events/s and hits of each rule
import { readFileSync, writeFileSync } from 'node:fs';

const spec = JSON.parse(readFileSync(new URL('rules.json', import.meta.url)));
const names = Object.keys(spec.attributes);
const IN_FLIGHT = 64;

// --- our form ---

function keerValue(attribute, v) {
  switch (spec.attributes[attribute]) {
    case 'money': return `${v} EUR`;
    case 'text': return `'${v}'`;
    default: return String(v);
  }
}

function keerCondition([attribute, op, value]) {
  if (op === 'between')
    return `${attribute} >= ${keerValue(attribute, value[0])} and ${attribute} <= ${keerValue(attribute, value[1])}`;
  if (op !== 'in' && op !== 'not in') return `${attribute} ${op} ${keerValue(attribute, value)}`;
  if (spec.attributes[attribute] === 'money')
    return `(${value.map((v) => `${attribute} = ${keerValue(attribute, v)}`).join(' or ')})`;
  return `${attribute} ${op} (${value.map((v) => keerValue(attribute, v)).join(', ')})`;
}

function keerPolicy() {
  const out = ['# rules.keer - made from rules.json by `node rules.mjs keer`; bench/peers/run fails when it is stale.', 'currency EUR'];
  for (const a of spec.declared) out.push(`attribute ${a} ${spec.attributes[a]}`);
  out.push('');
  for (const r of spec.rules) out.push(`rule ${r.name} review if ${r.if.map(keerCondition).join(' and ')}`);
  return out.join('\n') + '\n';
}

// --- events: a 32-bit generator (mulberry32), so that the stream is the same everywhere ---

function generator(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function makeEvent(random) {
  const pick = (...list) => list[Math.floor(random() * list.length)];
  const skewed = (max) => Math.floor(random() * random() * random() * max);
  return {
    amount: random() < 0.25 ? pick(1, 20, 98, 100, 328, 648, 648, 1200) : skewed(150000) / 100,
    ip_country: pick('NL', 'NL', 'BE', 'DE', 'FR', 'US', 'TR', 'CN', 'BR', 'VN'),
    card_country: pick('NL', 'NL', 'BE', 'DE', 'FR', 'US', 'TR', 'CN', 'BR', 'NG'),
    country: pick('NL', 'NL', 'NL', 'BE', 'DE', 'FR', 'TR', 'US', 'CN'),
    email_domain: pick('gmail.com', 'gmail.com', 'outlook.com', 'qq.com', 'ziggo.nl', 'yopmail.com', 'mailinator.com', 'icloud.com'),
    device_model: pick('iPhone 8', 'iPhone X', 'Redmi 9A', 'Galaxy A03', 'Pixel 3', 'Nokia C01', 'Mate 20'),
    wallet_provider: pick('alipay', 'alipay', 'wechatpay', 'antom', 'card'),
    item: pick('game-currency', 'game-currency', 'app', 'film', 'gift-card', 'music'),
    asn: random() < 0.1 ? pick(14061, 16276, 16509, 24940) : random() < 0.1 ? 64512 + Math.floor(random() * 1100) : 1 + Math.floor(random() * 60000),
    play_time: skewed(5000),
    attempts: skewed(12),
    account_days: skewed(3000),
    has_second_step: random() < 0.4,
    prepaid: random() < 0.2,
  };
}

function writeEvents(n, file) {
  const random = generator(20181010);
  const lines = [names.join('\t')];
  for (let i = 0; i < n; i++) {
    const e = makeEvent(random);
    lines.push(names.map((a) => (spec.attributes[a] === 'money' ? String(Math.round(e[a] * 100)) : String(e[a]))).join('\t'));
  }
  writeFileSync(file, lines.join('\n') + '\n');
}

function readEvents(file) {
  const [head, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const columns = head.split('\t');
  return lines.map((line) => {
    const e = {};
    line.split('\t').forEach((v, i) => {
      switch (spec.attributes[columns[i]]) {
        case 'money': e[columns[i]] = Number(v) / 100; break;
        case 'number': e[columns[i]] = Number(v); break;
        case 'boolean': e[columns[i]] = v === 'true'; break;
        default: e[columns[i]] = v;
      }
    });
    return e;
  });
}

// --- zen-engine: one decision table, or one expression for each rule ---

const quoted = (v) => (typeof v === 'string' ? `'${v}'` : String(v));

function zenCell(op, value) {
  switch (op) {
    case '=': return quoted(value);
    case 'in': return value.map(quoted).join(', ');
    case 'not in': return `$ not in [${value.map(quoted).join(', ')}]`;
    case 'between': return `[${value[0]}..${value[1]}]`;
    case '!=': return `$ != ${quoted(value)}`;
    default: return `${op} ${value}`;
  }
}

function zenExpression([attribute, op, value]) {
  if (op === 'in' || op === 'not in') return `${attribute} ${op} [${value.map(quoted).join(', ')}]`;
  if (op === 'between') return `${attribute} in [${value[0]}..${value[1]}]`;
  return `${attribute} ${op === '=' ? '==' : op} ${quoted(value)}`;
}

function zenGraph(node) {
  return {
    contentType: 'application/vnd.gorules.decision',
    nodes: [{ id: 'in', name: 'in', type: 'inputNode' }, node, { id: 'out', name: 'out', type: 'outputNode' }],
    edges: [
      { id: 'e1', sourceId: 'in', targetId: node.id, type: 'edge' },
      { id: 'e2', sourceId: node.id, targetId: 'out', type: 'edge' },
    ],
  };
}

function zenTable() {
  const rules = spec.rules.map((r, i) => {
    const row = { _id: `r${i}`, out: String(i) };
    for (const a of names) row[a] = '';
    for (const [a, op, value] of r.if) row[a] = zenCell(op, value);
    return row;
  });
  return zenGraph({
    id: 'table', name: 'table', type: 'decisionTableNode',
    content: {
      hitPolicy: 'collect',
      inputs: names.map((a) => ({ id: a, name: a, field: a })),
      outputs: [{ id: 'out', name: 'out', field: 'rule' }],
      rules,
    },
  });
}

function zenExpressions() {
  return zenGraph({
    id: 'rules', name: 'rules', type: 'expressionNode',
    content: { expressions: spec.rules.map((r, i) => ({ id: `r${i}`, key: `r${i}`, value: r.if.map(zenExpression).join(' and ') })) },
  });
}

async function zen(graph, hitsOf) {
  const { ZenEngine, ZenDecisionContent } = await import('@gorules/zen-engine');
  const decision = new ZenEngine().createDecision(new ZenDecisionContent(graph)); // compiled once
  return async (events, from, to, hits) => {
    // Several at once: waiting for one before the next is asked costs it more than the rules do.
    for (let i = from; i < to; i += IN_FLIGHT) {
      const some = events.slice(i, Math.min(i + IN_FLIGHT, to));
      for (const answer of await Promise.all(some.map((e) => decision.evaluate(e)))) hitsOf(answer.result, hits);
    }
  };
}
const tableHits = (result, hits) => { for (const row of result) hits[row.rule]++; };
const expressionHits = (result, hits) => { for (let i = 0; i < hits.length; i++) if (result[`r${i}`]) hits[i]++; };

// --- json-rules-engine ---

function jsonCondition([fact, op, value]) {
  const one = (operator, v) => ({ fact, operator, value: v });
  switch (op) {
    case '=': return [one('equal', value)];
    case '!=': return [one('notEqual', value)];
    case '<': return [one('lessThan', value)];
    case '>': return [one('greaterThan', value)];
    case '>=': return [one('greaterThanInclusive', value)];
    case 'in': return [one('in', value)];
    case 'not in': return [one('notIn', value)];
    case 'between': return [one('greaterThanInclusive', value[0]), one('lessThanInclusive', value[1])];
    default: throw new Error(`operator ${op}`);
  }
}

async function jsonRules() {
  const { Engine } = await import('json-rules-engine');
  const engine = new Engine(spec.rules.map((r, i) => ({ conditions: { all: r.if.flatMap(jsonCondition) }, event: { type: String(i) } })));
  return async (events, from, to, hits) => {
    for (let i = from; i < to; i++) for (const hit of (await engine.run(events[i])).events) hits[hit.type]++;
  };
}

// --- the clock ---

async function measure(run, events, seconds) {
  const hits = new Array(spec.rules.length).fill(0);
  await run(events, 0, Math.min(events.length, 2000), new Array(spec.rules.length).fill(0)); // warm up
  let done = 0;
  const start = process.hrtime.bigint();
  let spent = 0;
  // The whole stream once for the hits, then again as long as there is time.
  while (spent < seconds || done < events.length) {
    const from = done % events.length;
    const to = Math.min(from + 1000, events.length);
    await run(events, from, to, done < events.length ? hits : new Array(hits.length).fill(0));
    done += to - from;
    spent = Number(process.hrtime.bigint() - start) / 1e9;
  }
  console.log(JSON.stringify({ events_per_s: done / spent, events: events.length, hits }));
}

const [what, ...rest] = process.argv.slice(2);
switch (what) {
  case 'keer': process.stdout.write(keerPolicy()); break;
  case 'events': writeEvents(Number(rest[0]), rest[1]); break;
  case 'zen': await measure(await zen(zenTable(), tableHits), readEvents(rest[0]), Number(rest[1])); break;
  case 'zen-expr': await measure(await zen(zenExpressions(), expressionHits), readEvents(rest[0]), Number(rest[1])); break;
  case 'json': await measure(await jsonRules(), readEvents(rest[0]), Number(rest[1])); break;
  default: console.error('usage: node rules.mjs keer | events N FILE | zen|zen-expr|json FILE SECONDS'); process.exit(2);
}
