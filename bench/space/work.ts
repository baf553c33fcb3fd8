/** The work whose history is weighed: the same bytes for every subject. Each yields after what a peer takes a snapshot of. */
import fs from 'node:fs';
import path from 'node:path';
import { Random } from '../../test/helpers/random.js';
import { must, projectRoot } from '../../test/helpers/run.js';
import { cxxProgram } from '../material/cxx.js';
import { GIT_ENV } from '../material/git.js';
import type { Scale } from './model.js';

export interface Work {
  name: string;
  title: string;
  /** What lies in the tree before. */
  prepare(tree: string, scale: Scale): Promise<void>;
  run(tree: string, scale: Scale): AsyncGenerator<void>;
  /** The file whose bytes alone are counted too. */
  database?: string;
}

const MINUTES = 60_000;
const PARTS = 10;
const WORDS = 'the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part'.split(' ');

const line = (random: Random): string => `${Array.from({ length: random.between(4, 14) }, () => (random.chance(0.1) ? String(random.below(1000)) : random.pick(WORDS))).join(' ')}\n`;

const git = (tree: string, ...args: string[]): Promise<string> => must('git', ['-C', tree, ...args], { env: GIT_ENV, timeoutMs: 5 * MINUTES });

const revisions: Work = {
  name: 'revisions', title: 'Revisions of a repository',
  prepare: async (tree) => void await must('git', ['clone', '-q', '--no-hardlinks', projectRoot, tree], { env: GIT_ENV, timeoutMs: 5 * MINUTES }),
  async *run(tree, scale) {
    const all = (await git(tree, 'log', '--topo-order', '--reverse', '--format=%H')).trim().split('\n');
    for (const revision of all.slice(-scale.revisions)) {
      await git(tree, 'checkout', '-q', revision);
      yield;
    }
  },
};

const TEXT_BYTES = 100 << 10;

/** Up to three lines changed, inserted or taken out. */
function edit(lines: string[], random: Random): void {
  for (let i = random.between(1, 3); i > 0; i--) {
    const at = random.below(lines.length);
    if (random.chance(0.5)) lines[at] = line(random);
    else lines.splice(at, random.chance(0.4) ? 1 : 0, line(random));
  }
}

const saves: Work = {
  name: 'saves', title: 'Saves of a text',
  prepare: async () => undefined,
  async *run(tree, scale) {
    const random = new Random(4);
    const lines: string[] = [];
    for (let bytes = 0; bytes < TEXT_BYTES; bytes += lines.at(-1)!.length) lines.push(line(random));
    const file = path.join(tree, 'text');
    for (let i = 0; i < scale.saves; i++) {
      fs.writeFileSync(i % 2 === 0 ? file : `${file}.tmp`, lines.join(''));
      if (i % 2 === 1) fs.renameSync(`${file}.tmp`, file);
      edit(lines, random);
      yield;
    }
  },
};

const quoted = (text: string): string => `'${text.trim().replaceAll('\n', ' ')}'`;
const note = (random: Random): string => quoted(Array.from({ length: 8 }, () => line(random)).join('').slice(0, 360));
const ROW_BYTES = 420;

function sqlite(name: string, title: string, mode: string): Work {
  const sql = (tree: string, input: string): Promise<string> => must('sqlite3', ['-batch', path.join(tree, 'db')], { input, timeoutMs: 30 * MINUTES });
  const rows = (scale: Scale): number => Math.floor(scale.databaseMiB * 2 ** 20 / ROW_BYTES);
  return {
    name, title, database: 'db',
    async prepare(tree, scale) {
      const random = new Random(5);
      await sql(tree, `PRAGMA journal_mode=${mode}; CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, amount INTEGER, note TEXT);`);
      const values = Array.from({ length: rows(scale) }, (_, i) => `INSERT INTO t VALUES(${i},${quoted(`${random.pick(WORDS)}${i}`)},${random.below(1e6)},${note(random)});`);
      await sql(tree, `PRAGMA synchronous=OFF; BEGIN;\n${values.join('\n')}\nCOMMIT;`);
    },
    async *run(tree, scale) {
      const random = new Random(6);
      for (let part = 0; part < PARTS; part++) {
        const updates = Array.from({ length: scale.updates / PARTS }, (_, i) => `UPDATE t SET name=${quoted(`${random.pick(WORDS)}${i}`)}, amount=${random.below(1e6)}, note=${note(random)} WHERE id=${random.below(rows(scale))};`);
        await sql(tree, updates.join('\n'));
        yield;
      }
    },
  };
}

const log: Work = {
  name: 'log', title: 'Lines of a log',
  prepare: async () => undefined,
  async *run(tree, scale) {
    const random = new Random(7);
    for (let part = 0; part < PARTS; part++) {
      const file = fs.openSync(path.join(tree, 'log'), 'a');
      for (let i = 0; i < scale.lines / PARTS; i++) {
        const ms = part * 1e6 + i * 17;
        fs.writeSync(file, `${new Date(1_795_000_000_000 + ms).toISOString()} INFO  worker-${random.below(16)} request id=${random.below(2 ** 31).toString(16)} path=/api/v1/items/${random.below(1e5)} status=${random.pick([200, 200, 200, 304, 404])} ms=${random.below(900)}\n`);
      }
      fs.closeSync(file);
      yield;
    }
  },
};

const builds: Work = {
  name: 'builds', title: 'Builds of a program',
  async prepare(tree, scale) {
    cxxProgram(tree, scale.units);
  },
  async *run(tree, scale) {
    const random = new Random(8);
    for (let i = 0; i < scale.builds; i++) {
      await must('make', ['-s', '-j2', '-C', tree], { timeoutMs: 30 * MINUTES });
      yield;
      const unit = path.join(tree, `unit${random.below(scale.units)}.cc`);
      fs.writeFileSync(unit, fs.readFileSync(unit, 'utf8').replace(/k \* \d+/, `k * ${random.below(1000)}`));
    }
  },
};

export const WORKS: readonly Work[] = [revisions, saves, sqlite('sqlite', 'Rows of a database (WAL)', 'WAL'), sqlite('sqlite, rollback journal', 'Rows of a database (rollback journal)', 'DELETE'), log, builds];
