/** `npm run bench:year`: a year of a developer's days, and whether size, memory and times stay as they are. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../test/helpers/run.js';
import { scoped } from '../test/helpers/scope.js';
import { writePage } from './space/page.js';
import { FULL, QUICK, type Month, type Result, type Scale } from './year/model.js';
import { report } from './year/report.js';
import { runYear } from './year/run.js';

const HELP = `npm run bench:year -- [options]

Simulates a year of a developer's days (10 million changes) through the real fold, packing and retention, and measures each month.

  --quick          Two months of few changes: does everything work? Not for figures worth quoting
  --days N         So many days (365)
  --changes N      So many changes in all (10000000)
  --tree PERCENT   So much of the full tree
  --seed N         Another year
  --where WHERE    The store in memory (default) or on disk
  --json FILE      Write the figures; after each month, so that a run that ends early is not lost
  --from FILE      Measure nothing: show the figures of this file
  --write-docs     Write bench/year.json and, from it, the part of docs/space.md
`;

const OPTIONS = {
  quick: { type: 'boolean' }, days: { type: 'string' }, changes: { type: 'string' }, seed: { type: 'string' }, tree: { type: 'string' }, where: { type: 'string' }, json: { type: 'string' },
  from: { type: 'string' }, 'write-docs': { type: 'boolean' }, help: { type: 'boolean' },
} as const;

type Options = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** @throws TypeError */
function scaleOf(options: Options): Scale {
  const scale = { ...options.quick ? QUICK : FULL };
  for (const name of ['days', 'changes', 'seed'] as const) {
    const value = options[name];
    if (value === undefined) continue;
    if (!/^[1-9]\d*$/.test(value)) throw new TypeError(`--${name}: a number was expected`);
    scale[name] = Number(value);
  }
  if (options.tree === undefined) return scale;
  if (!/^[1-9]\d?$/.test(options.tree)) throw new TypeError('--tree: a percentage was expected');
  return { ...scale, part: Number(options.tree) / 100 };
}

async function measure(options: Options, save: (result: Result) => void): Promise<Result> {
  const { where = 'memory' } = options;
  if (where !== 'memory' && where !== 'disk') throw new TypeError('--where: memory or disk was expected');
  const machine = { cpus: os.cpus().length, model: os.cpus()[0]?.model.trim() ?? '', kernel: os.release().split('-')[0]!, node: process.version };
  const result: Result = { date: new Date().toISOString(), machine, scale: scaleOf(options), months: [], minutes: 0 };
  const began = performance.now();
  const month = (one: Month): void => {
    result.months.push(one);
    result.minutes = (performance.now() - began) / 60_000;
    say(`${one.month}: ${one.changes} changes, ${one.historyBytes} bytes, ${result.minutes.toFixed(1)} minutes`);
    save(result);
  };
  await scoped(async (scope) => runYear(path.join(scope.temporary(where), 'history'), result.scale, month));
  return result;
}

async function main(options: Options): Promise<number> {
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const save = (result: Result): void => { if (options.json) fs.writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`); };
  const result = options.from ? JSON.parse(fs.readFileSync(options.from, 'utf8')) as Result : await measure(options, save);
  process.stdout.write(`${report(result)}\n`);
  if (options['write-docs']) {
    fs.writeFileSync(path.join(projectRoot, 'bench/year.json'), `${JSON.stringify(result, null, 1)}\n`);
    writePage();
  }
  return result.months.some(({ compared }) => compared.differing > 0) ? 1 : 0;
}

try {
  process.exitCode = await main(parseArgs({ options: OPTIONS, strict: true }).values);
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  say(`bench: ${error.message}\n--help says more`);
  process.exitCode = 2;
}
