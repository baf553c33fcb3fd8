/**
 * `npm run bench`: the directory itself, pass-through file systems and rewindfs in one run, the subjects taking turns so that
 * a slow minute of the machine does not fall on one of them alone. What fails is said and counts as a failure; the rest
 * is measured all the same.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { projectRoot } from '../test/helpers/run.js';
import { scoped } from '../test/helpers/scope.js';
import { Material } from './material.js';
import { FULL, join, type Measured, QUICK, type Result, type Where } from './model.js';
import { help, parse, type Options } from './options.js';
import { document, report } from './report.js';
import { Run, type Workload } from './run.js';
import { peer, subjects as known, type SubjectKind } from './subjects.js';
import { offerUring } from './uring.js';
import { calls } from './workloads/calls.js';
import { clients } from './workloads/clients.js';
import { extractor } from './workloads/extractor.js';
import { history } from './workloads/history.js';
import { programs } from './workloads/programs.js';
import { trees } from './workloads/trees.js';

const WORKLOADS: readonly Workload[] = [...calls, ...programs, ...clients, ...extractor, ...history, ...trees];
/** When time is short, the peers show that they mount, not what they do with programs. */
const BOTH_ALWAYS = new Set(['raw', 'rewindfs']);

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** The machine that the figures belong to. */
const machine = (): Record<string, unknown> => ({ cpus: os.cpus().length, model: os.cpus()[0]?.model.trim(), kernel: os.release().split('-')[0], memory_gib: Math.round(os.totalmem() / 2 ** 30), node: process.version });

function suits({ on, where }: Workload, { role }: SubjectKind, options: Options): boolean {
  if (on === 'rewindfs') return role === 'rewindfs';
  if (on === 'raw-and-rewindfs') return BOTH_ALWAYS.has(role);
  if (options.quick && on === 'no-script' && where.length === 1) return BOTH_ALWAYS.has(role);
  return on === 'all' || role !== 'script';
}

function chosenWorkloads({ rows }: Options): Workload[] {
  const wanted = (name: string): boolean => rows!.some((text) => name.includes(text));
  return WORKLOADS.filter((workload) => rows === undefined || wanted(workload.name) || workload.rows.some(({ name }) => wanted(name)));
}

function chosenSubjects({ only, peer: peers }: Options): SubjectKind[] {
  const all = [...known(), ...(peers ?? []).map(peer)];
  for (const name of only ?? []) if (!all.some((kind) => kind.name === name)) throw new TypeError(`--only ${name}: the subjects are ${all.map((kind) => kind.name).join('; ')}`);
  return all.filter(({ name }) => only?.includes(name) ?? true);
}

async function measure(options: Options, save: (result: Result) => void): Promise<Result> {
  return scoped(async (scope) => {
    const notes = offerUring(scope);
    notes.forEach(say);
    const subjects = chosenSubjects(options);
    const workloads = chosenWorkloads(options);
    const scale = options.quick ? QUICK : FULL;
    const rounds = Number(options.rounds ?? (options.quick ? 1 : 3));
    const names = subjects.map(({ name }) => name);
    const run: Measured = { date: new Date().toISOString(), subjects: names, workloads: workloads.map(({ name }) => name), notes };
    const result: Result = { runs: [run], machine: machine(), scale, subjects: names, rows: workloads.flatMap(({ rows }) => rows), figures: {}, counts: {}, failures: [] };
    const material = new Material(scope, scale);
    for (const workload of workloads) {
      for (const where of workload.where.filter((place) => (options.where ?? place) === place)) {
        for (let round = 1; round <= (workload.once ? 1 : rounds); round++) {
          for (const kind of subjects.filter((one) => suits(workload, one, options))) {
            const started = performance.now();
            await one(workload, kind, where, { scale, material, result });
            say(`${workload.name}, ${where}, round ${round}: ${kind.name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
          }
        }
        save(result);
      }
    }
    return result;
  });
}

/** One workload on a subject of its own. */
async function one(workload: Workload, kind: SubjectKind, where: Where, { scale, material, result }: { scale: Result['scale']; material: Material; result: Result }): Promise<void> {
  try {
    await scoped(async (scope) => {
      const subject = await kind.start(scope, where);
      await workload.run(new Run(kind, subject, where, scale, material, scope, result));
      await subject.end();
    });
  } catch (error) {
    const text = (error as Error).message.trim().split('\n').slice(0, 4).join(' / ');
    result.failures.push({ where, subject: kind.name, rows: workload.rows.map(({ name }) => name), text });
    say(`FAILED: ${workload.name}, ${where}, ${kind.name}: ${text}`);
  }
}

function writeDocs(result: Result): void {
  fs.writeFileSync(path.join(projectRoot, 'bench/performance.json'), `${JSON.stringify(result)}\n`);
  fs.writeFileSync(path.join(projectRoot, 'docs/performance.md'), document(result));
}

async function main(options: Options): Promise<number> {
  if (options.help) {
    process.stdout.write(help(known().map(({ name }) => name), WORKLOADS));
    return 0;
  }
  const save = (result: Result): void => { if (options.json) fs.writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`); };
  const result = options.from ? join(options.from.map((file) => JSON.parse(fs.readFileSync(file, 'utf8')) as Result)) : await measure(options, save);
  save(result);
  process.stdout.write(`${report(result)}\n`);
  if (options['write-docs']) writeDocs(result);
  return result.failures.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(parse(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  say(`bench: ${error.message}\n--help says more`);
  process.exitCode = 2;
}
