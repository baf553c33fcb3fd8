import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { decidingRule } from '../../../lib/policy/decide.js';
import { compilePattern, PatternError } from '../../../lib/policy/pattern.js';
import type { Policy } from '../../../lib/policy/file.js';
import { freshSeed, Random } from '../../helpers/random.js';
import { run } from '../../helpers/run.js';
import { scoped } from '../../helpers/scope.js';

/** Patterns (a leading `!` includes again), and paths; one that ends with `/` is a directory. */
const TABLE: [patterns: string[], paths: string[]][] = [
  [['*.o'], ['a.o', 'src/deep/b.o', 'a.oo', 'c.o/inside', '.o', 'o']],
  [['cache/'], ['cache', 'x/cache', 'y/cache/', 'z/cache/f', 'cached/', 'mycache/f']],
  [['/cache/'], ['cache/f', 'x/cache/f']],
  [['/top'], ['top', 'x/top', 'topper']],
  [['a/b'], ['a/b', 'x/a/b', 'a/b2/c', 'a/bc']],
  [['a/b/'], ['a/b/c', 'x/a/b/c']],
  [['**/foo'], ['foo', 'a/foo', 'a/b/foo', 'a/foobar', 'a/xfoo']],
  [['foo/**'], ['foo/', 'foo/a', 'foo2/a', 'foo3/b/c', 'x/foo/a']],
  [['a/**/b'], ['a/b', 'a/x/b', 'a/x/y/b', 'ab', 'a/xb', 'c/a/b']],
  [['**/a/**/z.txt'], ['a/z.txt', 'q/a/r/s/z.txt', 'q/z.txt']],
  [['**'], ['a', 'b/c', '.d']],
  [['**/'], ['a', 'b/c', 'd/e/f']],
  [['*'], ['a', 'b/c']],
  [['a*c'], ['ac', 'abc', 'abbc', 'a-c/x', 'abcd', 'x/abc']],
  [['a/*.c'], ['a/x.c', 'a/b/x.c', 'x/a/x.c']],
  [['?at'], ['cat', 'at', 'chat', 'x/bat']],
  [['[a-c]x'], ['ax', 'cx', 'dx', 'Ax']],
  [['[!a-c]x'], ['bx', 'dx', '-x']],
  [['[^a]x'], ['bx', 'y/ax']],
  [['[]x]'], [']', 'x', 'a']],
  [['[a\\]]y'], ['ay', ']y', '\\y']],
  [['[a-]z'], ['az', '-z', 'bz']],
  [['[[:digit:][:upper:]]_'], ['1_', 'Q_', 'q_']],
  [['\\!bang'], ['!bang', 'bang']],
  [['\\#hash'], ['#hash', 'hash']],
  [['s\\*r'], ['s*r', 'star']],
  [['a\\[b'], ['a[b', 'ab']],
  [['sp ace'], ['sp ace', 'space']],
  [['ünï'], ['ünï', 'x/ünï', 'uni']],
  [['a?'], ['aü', 'ab', 'a']],
  [['*.log', '!keep.log'], ['a.log', 'keep.log', 'x/keep.log']],
  [['!keep.log', '*.log'], ['keep.log', 'x.log']],
  [['*.log', '!/logs/*.log', 'logs/bad.log'], ['a.log', 'logs/a.log', 'logs/bad.log', 'x/logs/bad.log']],
  [['/*', '!/src/'], ['a', 'src/b', 'dist/c']],
  [['a**b'], ['ab', 'axxb', 'a/b', 'q/azb']],
  [['**/**/d'], ['d', 'e/f/d']],
  [['node_modules/.cache/'], ['node_modules/.cache/x', 'node_modules/y', 'z/node_modules/.cache/x']],
  [['**/node_modules/.cache/'], ['node_modules/.cache/x', 'z/node_modules/.cache/x', 'z/.cache/x']],
];

/** Where we mean to differ: git never looks into an excluded directory again; here the last rule that matches decides. */
const DIFFERENT: [patterns: string[], path: string, excluded: boolean][] = [
  [['build/', '!build/keep.txt'], 'build/keep.txt', false],
  [['build/', '!build/keep/'], 'build/keep/deep/f', false],
  [['build/', '!build/keep/'], 'build/other', true],
];

function policyOf(patterns: string[]): Pick<Policy, 'rules'> {
  return {
    rules: patterns.map((pattern) => ({ pattern: pattern.replace(/^!/, ''), capture: pattern.startsWith('!') ? 'each-write' : 'none', by: 'test', line: null })),
  };
}

function excludes(patterns: string[], file: string): boolean {
  return decidingRule(policyOf(patterns), Buffer.from(file.replace(/\/$/, '')), file.endsWith('/'))?.capture === 'none';
}

async function gitExcludes(root: string, patterns: string[], files: string[]): Promise<boolean[]> {
  fs.writeFileSync(path.join(root, '.git/info/exclude'), patterns.join('\n') + '\n');
  for (const file of files) {
    const full = path.join(root, file);
    fs.mkdirSync(file.endsWith('/') ? full : path.dirname(full), { recursive: true });
    if (!file.endsWith('/')) fs.writeFileSync(full, '');
  }
  const { code, stdout, stderr } = await run('git', ['check-ignore', '-z', '--no-index', '--stdin'], { cwd: root, input: files.map((file) => `${file.replace(/\/$/, '')}\0`).join('') });
  if (code !== 0 && code !== 1) throw new Error(stderr);
  const ignored = new Set(stdout.split('\0'));
  for (const entry of fs.readdirSync(root)) if (entry !== '.git') fs.rmSync(path.join(root, entry), { recursive: true });
  return files.map((file) => ignored.has(file.replace(/\/$/, '')));
}

async function repository(root: string): Promise<string> {
  await run('git', ['init', '-q', root]);
  fs.mkdirSync(path.join(root, '.git/info'), { recursive: true });
  return root;
}

test.serial('patterns mean what git check-ignore makes of them', (t) => scoped(async (scope) => {
  const root = await repository(scope.temporary('memory'));
  for (const [patterns, paths] of TABLE) {
    const wanted = await gitExcludes(root, patterns, paths);
    t.deepEqual(paths.filter((file) => excludes(patterns, file)), paths.filter((_, i) => wanted[i]), patterns.join('  '));
  }
}));

test.serial('random patterns, too', (t) => scoped(async (scope) => {
  const root = await repository(scope.temporary('memory'));
  const random = new Random(freshSeed());
  t.log(`REWIND_SEED=${random.seed}`);
  const atoms = ['a', 'b', '*', '?', '**', '[ab]', '[!a]', 'a*', '*b', '.', 'ab'];
  const name = () => Array.from({ length: random.between(1, 2) }, () => random.pick(atoms)).join('');
  for (let i = 0; i < 150; i++) {
    const glob = Array.from({ length: random.between(1, 3) }, name).join('/');
    const pattern = `${random.pick(['', '', '/', '**/'])}${glob}${random.pick(['', '', '/', '/**'])}`;
    try { compilePattern(pattern); } catch (error) { if (error instanceof PatternError) continue; throw error; }
    const paths = [...new Set(Array.from({ length: 12 }, () => Array.from({ length: random.between(1, 4) }, () => random.pick(['a', 'b', 'ab', 'ba', '.a', 'c', 'abb'])).join('/')))];
    // A path that is a directory of another cannot be made as a file.
    const files = paths.filter((one) => !paths.some((other) => other.startsWith(`${one}/`)));
    const wanted = await gitExcludes(root, [pattern], files);
    t.deepEqual(files.filter((file) => excludes([pattern], file)), files.filter((_, k) => wanted[k]), pattern);
  }
}));

test.serial('unlike in git, a later rule counts below an excluded directory, too', (t) => {
  for (const [patterns, file, excluded] of DIFFERENT) t.is(excludes(patterns, file), excluded, `${patterns.join('  ')}: ${file}`);
});

test.serial('names are bytes: what is not UTF-8 matches by its bytes', (t) => {
  const policy = policyOf(['x?z', '*.bin']);
  t.truthy(decidingRule(policy, Buffer.from([0x78, 0xff, 0x7a]), false));
  t.truthy(decidingRule(policy, Buffer.concat([Buffer.from([0xc3, 0x28]), Buffer.from('.bin')]), false));
});

test.serial('what git would silently never match is refused with a reason', (t) => {
  for (const [pattern, reason] of [
    ['', /empty/], ['!x', /later rule/], ['a//b', /slashes/], ['/', /slashes/], ['a\nb', /one line/], ['a\\', /backslash/], ['[ab', /no "\]"/],
    ['a/[b/c]', /no "\]"/], ['..', /never the name/], ['a/./b', /never the name/], ['[[:letters:]]', /no class/],
    ['x**/y', /stands alone/],
  ] as const) t.throws(() => compilePattern(pattern), { instanceOf: PatternError, message: reason }, pattern);
});
