/**
 * `npm run bench:space`: what history takes, beside restic and borg on the same work. What fails is said and counts as a
 * failure; the rest is measured all the same.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { must, projectRoot } from '../test/helpers/run.js';
import { scoped } from '../test/helpers/scope.js';
import { FULL, join, partOf, PEERS, QUICK, type Result } from './space/model.js';
import { writePage } from './space/page.js';
import { report } from './space/report.js';
import { runPeers, runRewindfs } from './space/subjects.js';
import { WORKS } from './space/work.js';

const HELP = `npm run bench:space -- [options]

Does the same work under rewindfs, and in a plain directory that restic and borg take snapshots of, and weighs what each keeps.

  --quick          Small sizes: does everything work? Not for figures worth quoting
  --part PERCENT   So much of the full work
  --only NAME      Only this work; may be repeated: ${WORKS.map(({ name }) => `"${name}"`).join(', ')}
  --no-peers       Only rewindfs
  --json FILE      Write the figures; after each work, so that a run that ends early is not lost
  --from FILE      Measure nothing: join the figures of these files; may be repeated
  --write-docs     Write bench/space.json and, from it, docs/space.md
`;

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const OPTIONS = {
  quick: { type: 'boolean' }, part: { type: 'string' }, only: { type: 'string', multiple: true }, 'no-peers': { type: 'boolean' }, json: { type: 'string' },
  from: { type: 'string', multiple: true }, 'write-docs': { type: 'boolean' }, help: { type: 'boolean' },
} as const;

type Options = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

async function versions(peers: readonly string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const peer of peers) found[peer] = /\d+(\.\d+)+/.exec(await must(peer, [peer === 'restic' ? 'version' : '--version']))![0];
  return found;
}

async function measure(options: Options, save: (result: Result) => void): Promise<Result> {
  const scale = options.quick ? QUICK : options.part === undefined ? FULL : partOf(Number(options.part));
  if (Object.values(scale).some(Number.isNaN)) throw new TypeError('--part: a number of percent was expected');
  const peers = options['no-peers'] ? [] : PEERS;
  const machine = { cpus: os.cpus().length, model: os.cpus()[0]?.model.trim(), kernel: os.release().split('-')[0], node: process.version };
  const result: Result = { dates: [new Date().toISOString()], machine, versions: await versions(peers), workloads: {}, failures: [] };
  for (const work of WORKS.filter(({ name }) => options.only?.includes(name) ?? true)) {
    try {
      await scoped(async (scope) => {
        const ours = await runRewindfs(scope, work, scale);
        say(`${work.name}: rewindfs ${ours.storedBytes} bytes`);
        const { sizes, snapshots } = peers.length > 0 ? await runPeers(scope, work, scale, peers) : { sizes: {}, snapshots: 0 };
        result.workloads[work.name] = { title: work.title, scale, ...ours, snapshots, peers: sizes };
        say(`${work.name}: ${JSON.stringify(sizes)}`);
      });
    } catch (error) {
      result.failures.push(`${work.name}: ${(error as Error).message.trim().split('\n').slice(0, 4).join(' / ')}`);
      say(`FAILED: ${result.failures.at(-1)}`);
    }
    save(result);
  }
  return result;
}

async function main(options: Options): Promise<number> {
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const save = (result: Result): void => { if (options.json) fs.writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`); };
  const result = options.from ? join(options.from.map((file) => JSON.parse(fs.readFileSync(file, 'utf8')) as Result)) : await measure(options, save);
  save(result);
  process.stdout.write(`${report(result)}\n`);
  if (options['write-docs']) {
    fs.writeFileSync(path.join(projectRoot, 'bench/space.json'), `${JSON.stringify(result, null, 1)}\n`);
    writePage();
  }
  return result.failures.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(parseArgs({ options: OPTIONS, strict: true }).values);
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  say(`bench: ${error.message}\n--help says more`);
  process.exitCode = 2;
}
