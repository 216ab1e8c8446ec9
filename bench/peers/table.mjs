// table.mjs SCRATCH OUT.json - reads what the engines said, checks that their hits are equal, prints one table of ratios, writes it as JSON.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

const [scratch, out] = process.argv.slice(2);
const lines = (name) => readFileSync(`${scratch}/${name}.json`, 'utf8').trim().split('\n').map((l) => JSON.parse(l));
const version = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;
const best = (runs) => Math.max(...runs.map((r) => r.events_per_s));
const die = (text) => { console.error(text); process.exit(1); };

const keer = lines('keer');
const hits = JSON.stringify(keer[0].hits);
for (const name of ['zen', 'zen-expr', 'json', 'keer'])
  for (const run of lines(name)) if (JSON.stringify(run.hits) !== hits) die(`hits differ: ${name} ${JSON.stringify(run.hits)}, keer ${hits}`);
if (JSON.stringify(lines('control')[0].hits) === hits) die('the control failed: another rule had the same hits');

const redis = lines('redis')[0];
const redisName = `Redis ${process.env.REDIS_VERSION}`;
const rows = [
  [`@gorules/zen-engine ${version('@gorules/zen-engine')}, 20 rules as a decision table`, best(lines('zen')), best(keer)],
  [`@gorules/zen-engine ${version('@gorules/zen-engine')}, 20 rules as expressions`, best(lines('zen-expr')), best(keer)],
  [`json-rules-engine ${version('json-rules-engine')}, 20 rules`, best(lines('json')), best(keer)],
  [`${redisName}, 6 counters, one round trip an event`, redis.redis_one, redis.keer],
  [`${redisName}, 6 counters, ${redis.depth} events in flight`, redis.redis_pipelined, redis.keer],
].map(([peer, theirs, ours]) => ({ peer, events_per_s: Math.round(theirs), keer_events_per_s: Math.round(ours), ratio: Number((ours / theirs).toFixed(1)) }));

const number = (v) => v.toLocaleString('en-US');
const table = [['peer', 'events/s', 'keer', 'ratio'], ...rows.map((r) => [r.peer, number(r.events_per_s), number(r.keer_events_per_s), r.ratio.toFixed(1)])];
const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
for (const row of table) console.log(row.map((c, i) => (i ? c.padStart(widths[i]) : c.padEnd(widths[i]))).join('  '));
const total = keer[0].hits.reduce((a, b) => a + b, 0);
console.log(`rules: ${number(total)} hits in ${number(keer[0].events)} events, equal for each of the 20 rules in all engines`);
console.log(redis.exact_differ || redis.rules_differ
  ? `counters: ${redis.exact_differ} of ${redis.events} events differ in an exact window, ${redis.rules_differ} in a rule on one`
  : `counters: 4 sliding windows equal for ${redis.approximate ? `all but ${number(redis.approximate)} approximate of the ` : 'all '}${number(redis.events)} events; hourly buckets decided ${number(redis.bucket_rules_differ)} events ` +
    `otherwise than the windows that slide (those matched ${number(redis.bucket_rules_matched)})`);
writeFileSync(out, JSON.stringify({ cpu: cpus()[0].model.trim(), cores: cpus().length, rows, rules: { events: keer[0].events, hits: keer[0].hits }, redis }, null, 2) + '\n');
