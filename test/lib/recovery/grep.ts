import test from 'ava';
import type { RewindError } from '../../../lib/errors.js';
import type { HistoryReader } from '../../../lib/history/reader.js';
import { grep, type GrepOptions } from '../../../lib/recovery/grep/grep.js';
import { everyCopy, type Copy } from '../../helpers/every-copy.js';
import { FoldedHistory } from '../../helpers/folded-history.js';
import { ModelTree } from '../../helpers/model-tree.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';

const SEEDS = 5;
const b = (text: string): Buffer => Buffer.from(text, 'latin1');
const NAMES = ['a', 'b', 'd/a', 'd/\xff', 'd/new\nline', 'e/a'];
const WORDS = ['apple', 'Apple pie', 'b\xe4d \xff', 'caf\xc3\xa9', 'x', '', '\0zero'];

/** Files of few lines, saved at once or by rename, moved, linked, removed; often content that was there before. */
function randomHistory(random: Random): ModelTree {
  const tree = new ModelTree();
  const content = (): Buffer => b(Array.from({ length: random.below(5) }, () => `${random.pick(WORDS)}${random.chance(0.3) ? random.below(30) : ''}\n`).join('') + (random.chance(0.3) ? 'apple end' : ''));
  const save = (path: string, data: Buffer): void => {
    tree.do({ op: 'create', path: b(path), mode: 0o644 });
    tree.save = tree.record();
    tree.do({ op: 'truncate', path: b(path), size: 0 });
    const half = random.below(data.length + 1);
    for (const [offset, part] of [[0, data.subarray(0, half)], [half, data.subarray(half)]] as const) if (part.length > 0) tree.do({ op: 'write', path: b(path), offset, data: part });
    tree.save = 0;
  };
  for (let i = 0; i < 120; i++) {
    tree.writer = random.between(1, 3);
    const path = random.pick(NAMES);
    const way = random.below(10);
    if (way < 4) save(path, content());
    else if (way < 6) { save('swap', content()); tree.do({ op: 'rename', from: b('swap'), path: b(path) }); }
    else if (way === 6) tree.do({ op: 'unlink', path: b(path) });
    else if (way === 7) tree.do({ op: 'rename', from: b(path), path: b(random.pick(NAMES)), exchange: random.chance(0.2) });
    else if (way === 8) tree.do({ op: 'link', from: b(path), path: b(random.pick(NAMES)) });
    else tree.do(random.pick([{ op: 'mkdir', path: b('d'), mode: 0o755 }, { op: 'mkdir', path: b('e'), mode: 0o755 }, { op: 'rename', from: b('d'), path: b('e') }, { op: 'rename', from: b('e'), path: b('f') }, { op: 'rename', from: b('f'), path: b('d') }] as const));
    tree.sleep(1_000_000_000n);
  }
  return tree;
}

async function search(history: HistoryReader, options: GrepOptions): Promise<{ path: string; seq: number; line: number; text: string }[]> {
  const found: { path: string; seq: number; line: number; text: string }[] = [];
  for await (const match of grep(history, options)) if (!('searched' in match)) found.push({ path: match.path.join('/'), seq: match.seq, line: match.line, text: match.text.toString('latin1') });
  return found;
}

const isBinary = (data: Buffer): boolean => data.includes(0);
const linesOf = (data: Buffer): string[] => data.toString('latin1').replace(/\n$/, '').split('\n');

/** Contents that files had at the end of a save, or when their last name went: what a copy after every record shows. */
function savedContents(tree: ModelTree, copies: Map<string, Copy>[]): Set<string> {
  const saved = new Set<string>();
  const { timeline } = tree.history;
  for (let seq = 1; seq < copies.length; seq++) {
    const next = timeline.filter((change) => change.seq > seq);
    for (const { node, data, type } of copies[seq]!.values()) {
      if (type !== 0o100000 || data.length === 0) continue;
      const later = next.find((change) => change.node === node && [24, 25, 26].includes(change.kind));
      const last = timeline.filter((change) => change.seq <= seq && change.node === node && [24, 25, 26].includes(change.kind)).at(-1);
      if (!later || !last || later.save !== last.save || later.save === 0) saved.add(data.toString('latin1'));
    }
  }
  return saved;
}

test.serial('finds every line that any saved content had, where it says, and nothing else', async (t) => {
  const base = freshSeed();
  t.log(`REWIND_SEED=${base}`);
  let hits = 0;
  for (let seed = base; seed < base + SEEDS; seed++) {
    await scoped(async (scope) => {
      const random = new Random(seed);
      const tree = randomHistory(random);
      const folded = await FoldedHistory.open(scope.temporary('memory'), tree);
      scope.defer(() => folded.history.close());
      const copies = await everyCopy(tree);
      const saved = [...savedContents(tree, copies)].map(b);
      const patterns: [GrepOptions, (line: string) => boolean][] = [
        [{ pattern: '^apple' }, (line) => line.startsWith('apple')],
        [{ pattern: 'APPLE', ignoreCase: true }, (line) => /apple/i.test(line)],
        [{ pattern: '[0-9]+$' }, (line) => /[0-9]+$/.test(line)],
        [{ pattern: 'le p', fixed: true }, (line) => line.includes('le p')],
        [{ pattern: '.', fixed: true }, () => false],
        [{ pattern: 'caf.$' }, (line) => line === 'caf\xc3\xa9'],
        [{ pattern: '^$' }, (line) => line === ''],
        [{ pattern: 'e(?!nd| )' }, (line) => /e(?!nd| )/.test(line)],
      ];
      for (const [options, matches] of patterns) {
        const label = `seed ${seed}: ${JSON.stringify(options)}`;
        const found = await search(folded.history, options);
        hits += found.length;
        for (const { path, seq, line, text } of found) {
          const copy = copies[seq]?.get(path);
          t.truthy(copy, `${label}: ${path} at #${seq}`);
          if (line === 0) t.true(isBinary(copy!.data) && linesOf(copy!.data).some(matches), label);
          else t.true(linesOf(copy!.data)[line - 1] === text && matches(text), `${label}: ${path} #${seq} line ${line}: ${JSON.stringify(text)}`);
        }
        const expected = new Set(saved.filter((data) => !isBinary(data)).flatMap((data) => linesOf(data).filter(matches)));
        t.deepEqual([...new Set(found.filter(({ line }) => line > 0).map(({ text }) => text))].sort(), [...expected].sort(), label);
        t.is(found.some(({ line }) => line === 0), saved.some((data) => isBinary(data) && linesOf(data).some(matches)), label);
        const told = found.map(({ path, text, line }) => `${path}\n${text}\n${line === 0}`);
        t.is(new Set(told).size, told.length, `${label}: a line of a path is told once`);
        const middle = random.below(tree.seq);
        const parts = [await search(folded.history, { ...options, until: middle }), await search(folded.history, { ...options, since: middle })];
        t.true(parts[0]!.every(({ seq }) => seq <= middle) && parts[1]!.every(({ seq }) => seq > middle), label);
        const all = await search(folded.history, { ...options, allVersions: true });
        for (const one of found) t.true(all.some((other) => other.path === one.path && other.seq === one.seq && other.line === one.line), label);
      }
    });
  }
  t.true(hits > 100, `${hits} hits`);
});

test.serial('each content is searched once, a large file in pieces with its lines counted through', async (t) => {
  const tree = new ModelTree();
  const big = b(Array.from({ length: 300_000 }, (_, i) => `line ${i}\n`).join('') + 'the end');
  for (const path of ['one', 'two']) {
    tree.do({ op: 'create', path: b(path), mode: 0o644 });
    tree.do({ op: 'write', path: b(path), offset: 0, data: big });
  }
  const found = await search(tree.history, { pattern: '^(line 299999|the end)$' });
  t.deepEqual(found, [{ path: 'two', seq: 5, line: 300_000, text: 'line 299999' }, { path: 'two', seq: 5, line: 300_001, text: 'the end' }]);
  t.is((await search(tree.history, { pattern: 'the end', allVersions: true })).length, 2);
  t.deepEqual((await search(tree.history, { pattern: 'line 7$', namesOnly: true })).map(({ path, line }) => [path, line]), [['two', 0]]);
  t.deepEqual(await search(tree.history, { pattern: 'the end', since: 5 }), []);
});

test.serial('a pattern that is none is refused with its reason; the search ends when nobody waits', async (t) => {
  const tree = new ModelTree();
  tree.do({ op: 'create', path: b('f'), mode: 0o644 });
  tree.do({ op: 'write', path: b('f'), offset: 0, data: b(`${'a'.repeat(40)}b\n`) });
  for (const [pattern, why] of [['(', /Unterminated group/], ['', /empty/], ['a\nb', /line feed/]] as const) {
    t.is((await t.throwsAsync<RewindError>(search(tree.history, { pattern }), { message: why }))?.code, 'ERR_USAGE');
  }
  t.is((await t.throwsAsync<RewindError>(search(tree.history, { pattern: 'x', path: ['g'] })))?.code, 'ERR_NEVER_EXISTED');
  const gone = new AbortController();
  const started = Date.now();
  setTimeout(() => gone.abort(), 300);
  for await (const match of grep(tree.history, { pattern: '(a+)+$' }, gone.signal)) t.true('searched' in match);
  t.true(Date.now() - started < 10_000, 'a pattern that takes for ever holds up nobody');
});

test.serial('what a save by rename wrote has the name it was saved under; what was removed while open is found as it was then', async (t) => {
  const tree = new ModelTree();
  tree.do({ op: 'create', path: b('swap'), mode: 0o644 });
  tree.do({ op: 'write', path: b('swap'), offset: 0, data: b('needle\n') });
  tree.do({ op: 'rename', from: b('swap'), path: b('f') });
  t.deepEqual(await search(tree.history, { pattern: 'needle' }), [{ path: 'f', seq: 4, line: 1, text: 'needle' }]);
  tree.do({ op: 'create', path: b('g'), mode: 0o644 });
  tree.do({ op: 'link', path: b('h'), from: b('g') });
  tree.save = tree.record();
  tree.do({ op: 'write', path: b('g'), offset: 0, data: b('brief\n') });
  const there = tree.seq;
  tree.do({ op: 'unlink', path: b('g') });
  tree.do({ op: 'write', path: b('h'), offset: 0, data: b('later\n') });
  t.deepEqual((await search(tree.history, { pattern: 'brief' })).map(({ seq }) => seq), [there]);
  t.deepEqual((await search(tree.history, { pattern: 'later' })).map(({ path }) => path), ['h']);
});
