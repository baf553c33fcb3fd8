/**
 * `npm run bench [-- --quick] [--rounds N] [--where memory,disk] [--only rewindfs,directory] [--json FILE]`: the directory itself,
 * fuse-native and bindfs pass-throughs and rewindfs in one run, as figures and as ratios; medians of the rounds, the
 * subjects taking turns so that a slow minute of the machine does not fall on one of them alone.
 */
import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { scoped } from '../test/helpers/scope.js';
import { archive, columns, round, type Scale } from './columns.js';
import { history } from './history.js';
import { machine, subjects, type Where } from './subjects.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    where: { type: 'string', default: 'memory,disk' },
    only: { type: 'string' },
    json: { type: 'string' },
    'no-history': { type: 'boolean', default: false },
  },
});
const scale: Scale = values.quick ? { writes: 10_000, files: 2_000, sequentialMiB: 128 } : { writes: 200_000, files: 10_000, sequentialMiB: 512 };
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
const chosen = subjects.filter((one) => !values.only || values.only.split(',').includes(one.name));
const say = (text: string): void => void process.stderr.write(`${text}\n`);

type Figures = Record<string, Record<string, number>>;

const median = (numbers: number[]): number => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

async function measure(where: Where): Promise<Figures> {
  const taken: Record<string, Record<string, number[]>> = {};
  await scoped(async (scope) => {
    const tarball = await archive(scope.temporary('memory'));
    for (let i = 1; i <= rounds; i++) {
      for (const kind of chosen) {
        await scoped(async (inner) => {
          const subject = await kind.start(inner, where);
          const figures = await round(subject.directory, tarball, scale);
          await subject.end();
          for (const [name, figure] of Object.entries(figures)) ((taken[kind.name] ??= {})[name] ??= []).push(figure);
        });
        say(`${where}, round ${i} of ${rounds}: ${kind.name}`);
      }
    }
  });
  return Object.fromEntries(Object.entries(taken).map(([name, byColumn]) => [name, Object.fromEntries(Object.entries(byColumn).map(([column, all]) => [column, median(all)]))]));
}

function table(title: string, figures: Figures): string {
  const names = chosen.map((one) => one.name);
  const ours = figures['rewindfs'];
  const lines = [`\n### ${title}`, `| | ${names.join(' | ')} | rewindfs : fuse-native | rewindfs : directory |`, `|---|${'---|'.repeat(names.length + 2)}`];
  for (const column of columns) {
    const figure = (name: string): number => figures[name]?.[column.name] ?? NaN;
    const ratio = (peer: string): string => {
      const quotient = column.lessIsBetter ? figure(peer) / (ours?.[column.name] ?? NaN) : (ours?.[column.name] ?? NaN) / figure(peer);
      return Number.isFinite(quotient) ? quotient.toFixed(2) : '-';
    };
    lines.push(`| ${column.name}, ${column.unit} | ${names.map((name) => (Number.isFinite(figure(name)) ? figure(name).toFixed(column.digits) : '-')).join(' | ')} | ${ratio('fuse-native')} | ${ratio('directory')} |`);
  }
  return lines.join('\n');
}

const result: Record<string, unknown> = { date: new Date().toISOString(), machine: machine(), rounds, scale };
for (const where of values.where.split(',') as Where[]) {
  const figures = await measure(where);
  result[where] = figures;
  process.stdout.write(`${table(where === 'memory' ? 'On tmpfs' : 'On disk', figures)}\n`);
}
if (!values['no-history'] && chosen.some((one) => one.name === 'rewindfs')) {
  const figures = await history(values.quick, say);
  result['history'] = figures;
  process.stdout.write(`\n### History\n| | |\n|---|---|\n${Object.entries(figures).map(([name, figure]) => `| ${name} | ${figure} |`).join('\n')}\n`);
}
if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
else process.stdout.write(`\n${JSON.stringify(result)}\n`);
