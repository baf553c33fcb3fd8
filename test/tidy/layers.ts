import test from 'ava';
import { posix } from 'node:path';
import { projectFiles, read, SOURCES } from '../helpers/project.js';

/** What the files of a folder may import, and why not more. */
const MAY_IMPORT: Record<string, { from: string[]; because: string }> = {
  'lib/history': { from: ['lib/history', 'lib/errors.ts', 'lib/native.ts', 'lib/paths.ts'], because: 'history is below everything that asks it; the state is a function of the records alone (I4)' },
  'lib/extractor': { from: ['lib/extractor', 'lib/history', 'lib/errors.ts', 'lib/native.ts'], because: 'folding must never depend on who looks: a view that fails cannot stop history' },
  'lib/pack': { from: ['lib/pack', 'lib/history', 'lib/errors.ts'], because: 'packing changes no answer: it needs nobody who asks' },
  'lib/cold': { from: ['lib/cold', 'lib/policy/cold.ts', 'lib/history', 'lib/errors.ts', 'lib/native.ts', 'lib/paths.ts'], because: 'what is cold is told from history and the policy alone; whoever paces it is above' },
  'lib/time': { from: ['lib/time', 'lib/history', 'lib/errors.ts', 'lib/paths.ts'], because: 'a time means the same to every caller' },
  'lib/view': { from: ['lib/view', 'lib/time', 'lib/history', 'lib/store/mounts.ts', 'lib/errors.ts', 'lib/native.ts', 'lib/paths.ts'], because: 'a view shows any store, with no engine and no daemon' },
  'lib/recovery': { from: ['lib/recovery', 'lib/glob.ts', 'lib/program.ts', 'lib/view/lives.ts', 'lib/view/acl.ts', 'lib/time', 'lib/history', 'lib/errors.ts', 'lib/native.ts', 'lib/paths.ts'], because: 'plans are data; who applies them decides where' },
  'lib/retention': { from: ['lib/retention', 'lib/extractor/fold-data.ts', 'lib/recovery/places.ts', 'lib/recovery/parallel.ts', 'lib/policy/retention.ts', 'lib/policy/keeping.ts', 'lib/history', 'lib/errors.ts', 'lib/paths.ts'], because: 'what is forgotten is decided by the policy and told by history alone, live tree or not' },
  'lib/verify': { from: ['lib/verify', 'lib/extractor/record.ts', 'lib/history', 'lib/errors.ts', 'lib/native.ts', 'lib/paths.ts'], because: 'what is damaged is told from the store alone, whatever runs on it' },
  'lib/repair': { from: ['lib/repair', 'lib/verify', 'lib/extractor', 'lib/retention/entries.ts', 'lib/pack/progress.ts', 'lib/store', 'lib/history', 'lib/errors.ts', 'lib/native.ts', 'lib/paths.ts'], because: 'a store is repaired from what lies in it: nothing that runs on it is needed, or trusted' },
  'lib/archive': { from: ['lib/archive', 'lib/recovery', 'lib/time', 'lib/view/lru.ts', 'lib/history', 'lib/errors.ts', 'lib/native.ts', 'lib/paths.ts'], because: 'an archive is read with no store, no tree and no daemon' },
  'lib/fork': { from: ['lib/fork', 'lib/recovery', 'lib/store', 'lib/history', 'lib/replace.ts', 'lib/errors.ts', 'lib/native.ts', 'lib/paths.ts'], because: 'what a fork changed is read from its layer and history, never through the mount that the daemon serves' },
  'lib/bisect': { from: ['lib/bisect', 'lib/store', 'lib/replace.ts', 'lib/errors.ts'], because: 'the search knows no tree: who tests decides where' },
  'lib/doctor': { from: ['lib/doctor'], because: 'it must answer also where nothing else of rewindfs works' },
  'lib/policy': { from: ['lib/policy', 'lib/program.ts', 'lib/replace.ts', 'lib/errors.ts', 'lib/native.ts', 'lib/paths.ts'], because: 'a policy is checked without a tree, a store or a daemon' },
  'lib/states': { from: ['lib/states', 'lib/policy', 'lib/history', 'lib/program.ts', 'lib/replace.ts', 'lib/errors.ts'], because: 'what makes a point of an instant is told by history and /proc alone; where points go is said from outside' },
  'lib/store': { from: ['lib/store', 'lib/replace.ts', 'lib/errors.ts', 'lib/native.ts', 'lib/paths.ts'], because: 'a store is found and locked before anything in it is understood' },
  'lib/daemon': { from: ['lib'], because: 'the daemon joins the layers of lib, and knows no command line' },
  'lib': { from: ['lib'], because: 'lib is a library: it must work without the command line' },
  'cli': { from: ['cli', 'lib'], because: 'the command line is a thin shell over lib' },
};

/** The same for folders of native/. */
const MAY_INCLUDE: Record<string, { from: string[]; because: string }> = {
  'native/os': { from: ['os', 'journal/format.h'], because: 'the seam to the system knows no more of rewindfs than how attributes are written down' },
  'native/journal': { from: ['os', 'journal'], because: 'the journal does not know who writes to it' },
  'native/live': { from: ['os', 'journal', 'live', 'fuse'], because: 'operations know the protocol, never JavaScript' },
  'native/fuse': { from: ['os', 'fuse'], because: 'the protocol layer carries requests without understanding files' },
};

function importsOf(path: string): string[] {
  const specifiers = [...read(path).matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts'));
}

const within = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);

test.serial('TypeScript layers point downwards only', (t) => {
  const wrong: string[] = [];
  for (const path of projectFiles(/^(lib|cli)\/.*\.ts$/)) {
    const folder = Object.keys(MAY_IMPORT).filter((candidate) => within(path, candidate)).sort((a, b) => b.length - a.length)[0]!;
    const rule = MAY_IMPORT[folder]!;
    for (const imported of importsOf(path)) {
      if (!rule.from.some((allowed) => within(imported, allowed))) wrong.push(`${path} imports ${imported}: ${rule.because}`);
    }
  }
  t.deepEqual(wrong, []);
});

test.serial('C++ layers point downwards only', (t) => {
  const wrong: string[] = [];
  for (const path of projectFiles(/^native\/.*\.(cc|h)$/)) {
    const rule = Object.entries(MAY_INCLUDE).find(([folder]) => within(path, folder))?.[1];
    for (const [, included] of read(path).matchAll(/^#include "([^"]+)"/gm)) {
      if (rule && !rule.from.includes(included!.split('/')[0]!) && !rule.from.includes(included!)) wrong.push(`${path} includes ${included}: ${rule.because}`);
    }
    if (!path.startsWith('native/addon/') && /#include\s+[<"](napi|node_api)/.test(read(path))) {
      wrong.push(`${path} includes Node's headers: only native/addon/ knows JavaScript, so that everything else runs and is tested without it`);
    }
  }
  t.deepEqual(wrong, []);
});

test.serial('only lib/native.ts loads the addon', (t) => {
  // Of what can load one, yargs needs a part: a package of JavaScript, named.
  const loads = (path: string) => (path === 'cli/yargs.ts' ? read(path).replace("createRequire(import.meta.url)('yargs/yargs')", '').replace('import { createRequire }', '') : read(path));
  const others = projectFiles(/^(lib|cli)\/.*\.ts$/).filter((path) => path !== 'lib/native.ts' && /\.node['"]|process\.dlopen|createRequire/.test(loads(path)));
  t.deepEqual(others, [], 'types and failures of the native side are looked after in one place');
});

test.serial('lib neither prints nor ends the process', (t) => {
  const wrong = projectFiles(/^lib\/.*\.ts$/).filter((path) => /\bconsole\.|process\.exit\b|process\.(stdout|stderr)\b/.test(read(path)));
  t.deepEqual(wrong, [], 'a library answers its caller; the command line speaks');
});

test.serial('every source begins with what it guarantees', (t) => {
  // What a .cc guarantees stands in the header that it is the other half of.
  const speaks = (path: string) => /^(#!.*\n)?(\/\*\*?|\/\/)/.test(read(path)) ||
    (path.endsWith('.cc') && read(path).startsWith(`#include "${path.replace('native/', '').replace('.cc', '.h')}"`));
  const wrong = projectFiles(SOURCES).filter((path) => !path.startsWith('test/') && !speaks(path));
  t.deepEqual(wrong, []);
});

test.serial('no file has become a cellar into which all sinks', (t) => {
  const long = projectFiles(SOURCES).map((path) => ({ path, lines: read(path).split('\n').length - 1 })).filter(({ lines }) => lines > 400);
  t.deepEqual(long, [], 'at most 400 lines: divide by family');
});

test.serial('tests of a file run one after another', (t) => {
  t.deepEqual(projectFiles(/^test\/.*\.ts$/).filter((path) => /(?<![.\w])test\(/.test(read(path))), []);
});

test.serial('nothing is left for later, and no test is skipped', (t) => {
  const wrong: string[] = [];
  const words = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].map((word) => `\\b${word}\\b`).join('|'));
  const skips = new RegExp(`\\btest(\\.serial)?\\.(${['sk' + 'ip', 'on' + 'ly', 'fail' + 'ing', 'to' + 'do'].join('|')})\\b`);
  for (const path of projectFiles(SOURCES)) {
    const text = read(path);
    if (words.test(text)) wrong.push(`${path}: ${words.exec(text)?.[0]}`);
    if (skips.test(text)) wrong.push(`${path}: ${skips.exec(text)?.[0]}`);
  }
  t.deepEqual(wrong, []);
});
