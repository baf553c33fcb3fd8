import test from 'ava';
import type { RewindError } from '../../../lib/errors.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import { findNames, type FindOptions } from '../../../lib/recovery/find.js';
import { everyCopy, livesInCopies, type CopiedLife, type Copy } from '../../helpers/every-copy.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { randomChange } from '../../helpers/random-changes.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';

const SEEDS = 10;
const TYPES = { f: 0o100000, d: 0o040000, l: 0o120000 };

/** Patterns, and what they mean said in another way. */
const PATTERNS: [pattern: string, means: (path: string, name: string) => boolean][] = [
  ['*', () => true],
  ['a', (_path, name) => name === 'a'],
  ['?', (_path, name) => name.length === 1],
  ['d?', (_path, name) => name === 'd\xff'],
  ['[!a-c]*', (_path, name) => !'abc'.includes(name[0]!)],
  ['d\\xff', (_path, name) => name === 'd\xff'],
  ['a/*', (path) => /^a\/[^/]*$/.test(path)],
  ['a/**/b', (path) => /^a\/(.*\/)?b$/.test(path)],
  ['**/c', (path) => /(^|\/)c$/.test(path)],
  ['*/*/*', (path) => path.split('/').length === 3],
  ['nothing', () => false],
];

async function found(history: HistoryReader, pattern: string, options: FindOptions): Promise<string[]> {
  const rows: string[] = [];
  for await (const { path, from, until, last, attr } of findNames(history, pattern, options)) {
    rows.push(`${path.join('/')} #${from}..${until ?? 'now'} last ${last} ${(attr.mode & 0o170000).toString(8)} ${attr.size}`);
  }
  return rows.sort();
}

test.serial('finds the lives that a copy of the tree after every record shows, whatever the pattern and the stretch', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  let hits = 0;
  for (let seed = base; seed < base + SEEDS; seed++) {
    await scoped(async (scope) => {
      const random = new Random(seed);
      const tree = new ModelTree();
      for (let i = random.between(50, 300); i > 0; i--) tree.do(randomChange(random));
      const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
      scope.defer(() => folded.history.close());
      const copies = await everyCopy(tree);
      const stretches: FindOptions[] = [{}, { deleted: true }];
      for (const type of ['f', 'd', 'l'] as const) stretches.push({ type });
      for (let i = 0; i < 4; i++) {
        const [a, b] = [random.below(tree.seq), random.below(tree.seq)];
        stretches.push({ since: Math.min(a, b), until: Math.max(a, b), deleted: random.chance(0.5) }, { until: a }, { since: b });
      }
      for (const [pattern, means] of PATTERNS) {
        for (const options of stretches) {
          const expected = inCopies(copies, means, options, tree.seq);
          t.deepEqual(await found(folded.history, pattern, options), expected, `seed ${seed}: ${pattern} ${JSON.stringify(options)}`);
          hits += expected.length;
        }
      }
    });
  }
  t.true(hits > 1000, `${hits} hits`);
});

/** The same question to the copies. What was known at `until` decides how a life looked last. */
function inCopies(copies: Map<string, Copy>[], means: (path: string, name: string) => boolean, options: FindOptions, now: number): string[] {
  const { since = 0, until = now, deleted, type } = options;
  const rows: string[] = [];
  for (const life of livesInCopies(copies).filter(({ path }) => means(path, path.split('/').at(-1)!))) {
    if (life.from > until || (type && life.type !== TYPES[type])) continue;
    const went = life.last < now ? life.last + 1 : null;
    const gone = went !== null && went <= until && went > since;
    if (!(gone || (!deleted && life.from > since))) continue;
    rows.push(shown(life, went, Math.min(life.last, until), copies));
  }
  return rows.sort();
}

const shown = ({ path, from, type }: CopiedLife, went: number | null, last: number, copies: Map<string, { size: number }>[]): string =>
  `${path} #${from}..${went ?? 'now'} last ${last} ${type.toString(8)} ${copies[last]!.get(path)!.size}`;

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function scene(): ModelTree {
  const tree = new ModelTree();
  const must = (op: Parameters<ModelTree['do']>[0]): void => { if (tree.do(op) !== 0) throw new Error(op.op); };
  must({ op: 'mkdir', path: bytes('d'), mode: 0o755 });
  must({ op: 'create', path: bytes('d/new\nline'), mode: 0o644 });
  must({ op: 'create', path: bytes('d/caf\xc3\xa9'), mode: 0o644 });
  must({ op: 'create', path: bytes('d/caf\xe9'), mode: 0o644 });
  must({ op: 'create', path: bytes('d/[x]'), mode: 0o644 });
  must({ op: 'create', path: bytes('was'), mode: 0o644 });
  must({ op: 'unlink', path: bytes('was') });
  must({ op: 'mkdir', path: bytes('was'), mode: 0o755 });
  return tree;
}

const paths = async (history: HistoryReader, pattern: string, options: FindOptions = {}): Promise<string[]> =>
  (await found(history, pattern, options)).map((row) => row.replace(/ #[^]*/, ''));

test.serial('one ? is one character, or one byte of a name that is none', async (t) => {
  const { history } = scene();
  t.deepEqual(await paths(history, 'caf?'), ['d/caf\xc3\xa9', 'd/caf\xe9']);
  t.deepEqual(await paths(history, 'café'), ['d/caf\xc3\xa9']);
  t.deepEqual(await paths(history, 'caf\\xe9'), ['d/caf\xe9']);
  t.deepEqual(await paths(history, 'caf[é-ê]'), ['d/caf\xc3\xa9']);
  t.deepEqual(await paths(history, 'new?line'), ['d/new\nline']);
  t.deepEqual(await paths(history, '\\[x\\]'), ['d/[x]']);
  t.deepEqual(await paths(history, '[[]x[]]'), ['d/[x]']);
});

test.serial('a path that was a file and became a directory is two hits', async (t) => {
  const { history } = scene();
  t.deepEqual(await found(history, 'was', {}), ['was #7..8 last 7 100000 0', 'was #9..now last 9 40000 0']);
  t.deepEqual(await paths(history, '*', { path: ['was'] }), ['was', 'was']);
});

test.serial('a pattern of many stars is no slower than its length', async (t) => {
  const { history } = scene();
  const started = Date.now();
  t.deepEqual(await paths(history, `${'*a'.repeat(60)}*b`), []);
  t.true(Date.now() - started < 10_000);
});

test.serial('what cannot be a pattern is refused with the reason, a path that never was with the nearest', async (t) => {
  const { history } = scene();
  for (const [pattern, why] of [['', /names nothing/], ['/', /names nothing/], ['[a', /no "\]"/], ['a\\', /before nothing/], ['../a', /"\.\."/], ['[z-a]', /ends before/]] as const) {
    const error = await t.throwsAsync<RewindError>(paths(history, pattern), { message: why }, pattern);
    t.is(error?.code, 'ERR_USAGE', pattern);
  }
  const error = await t.throwsAsync<RewindError>(paths(history, '*', { path: ['wos'] }));
  t.is(error?.code, 'ERR_NEVER_EXISTED');
  t.is(error?.hint, 'did you mean was?');
});
