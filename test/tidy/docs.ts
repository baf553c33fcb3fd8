import test from 'ava';
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { commandTable, reference, withGenerated } from '../../cli/reference.js';
import { COMMANDS, OPTIONS } from '../../cli/options.js';
import { API, apiReference } from '../../lib/daemon/api.js';
import { deviations } from '../posix/cases/deviations.js';
import { projectRoot } from '../helpers/run.js';
import { projectFiles, read, SOURCES } from '../helpers/project.js';

const DOCUMENTS = projectFiles(/^(README|CHANGELOG)\.md$|^docs\/.*\.md$/);
const sourceText = projectFiles(SOURCES).filter((path) => !path.startsWith('test/tidy/')).map(read).join('\n');
const withoutBlocks = (markdown: string) => markdown.replace(/^```[^]*?^```/gm, '');

function headings(markdown: string): Set<string> {
  const anchors = [...withoutBlocks(markdown).matchAll(/^#+ (.*)$/gm)].map(([, title]) => title!.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-'));
  return new Set(anchors);
}

test.serial('every link leads somewhere', (t) => {
  const dead: string[] = [];
  for (const document of DOCUMENTS) {
    for (const [, target] of withoutBlocks(read(document)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const [file, anchor] = target!.split('#');
      const path = file === '' ? document : posix.join(posix.dirname(document), file!);
      if (!existsSync(join(projectRoot, path))) dead.push(`${document}: ${target}`);
      else if (anchor && path.endsWith('.md') && !headings(read(path)).has(anchor)) dead.push(`${document}: ${target} (no such heading)`);
    }
  }
  t.deepEqual(dead, []);
});

test.serial('every file that the docs name exists', (t) => {
  const missing: string[] = [];
  for (const document of DOCUMENTS) {
    for (const [, path] of withoutBlocks(read(document)).matchAll(/`((?:lib|cli|native|test|bench|docs|scripts|fixtures)\/[\w./-]*)`/g)) {
      if (!existsSync(join(projectRoot, path!))) missing.push(`${document}: ${path}`);
    }
  }
  t.deepEqual(missing, []);
});

test.serial('every symbol that the docs name is in the sources', (t) => {
  const missing: string[] = [];
  for (const document of DOCUMENTS) {
    for (const [, symbol] of withoutBlocks(read(document)).matchAll(/`((?:[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*|k[A-Z]\w+)(?:\(\))?)`/g)) {
      if (!new RegExp(`\\b${symbol!.replace('()', '')}\\b`).test(sourceText)) missing.push(`${document}: ${symbol}`);
    }
  }
  t.deepEqual(missing, []);
});

test.serial('docs/posix-conformance.md names the deviations and case files that there are', (t) => {
  const page = read('docs/posix-conformance.md');
  const rows = [...page.slice(page.indexOf('## Deviations')).matchAll(/^\| (?!what \||-)([^|]+) \|/gm)].map((match) => match[1]!);
  t.deepEqual(rows, deviations.map(({ name }) => name));
  for (const file of projectFiles(/^test\/posix\/cases\/.*\.ts$/)) if (!file.endsWith('/case.ts')) t.true(page.includes(`\`${file}\``), file);
});

test.serial('every error code is a heading of docs/errors.md, and every heading a code', (t) => {
  const codes = [...read('lib/errors.ts').matchAll(/'(ERR_\w+)'/g)].map((match) => match[1]!);
  const titles = [...read('docs/errors.md').matchAll(/^## (ERR_\w+)$/gm)].map((match) => match[1]!);
  t.deepEqual(titles.sort(), codes.sort());
});

test.serial('every error code is given by something', (t) => {
  const codes = [...read('lib/errors.ts').matchAll(/'(ERR_\w+)'/g)].map((match) => match[1]!);
  const text = projectFiles(/^(lib|cli|native)\/.*\.(ts|cc|h)$/).filter((path) => path !== 'lib/errors.ts' && path !== 'cli/exit.ts').map(read).join('\n');
  t.deepEqual(codes.filter((code) => !text.includes(code)), []);
});

test.serial('the option table, docs/cli.md and the README say the same', (t) => {
  t.is(read('docs/cli.md'), withGenerated(read('docs/cli.md'), reference()), 'npm run docs');
  t.is(read('README.md'), withGenerated(read('README.md'), commandTable()), 'npm run docs');
});

test.serial('the table of methods and docs/api.md say the same, and every type that it answers is in the protocol', (t) => {
  t.is(read('docs/api.md'), withGenerated(read('docs/api.md'), apiReference()), 'npm run docs');
  const protocol = ['protocol', 'alarms', 'health', 'space-rows', 'prunerows', 'verifyrows'].map((name) => read(`lib/daemon/${name}.ts`)).join('\n');
  for (const [name, { yields }] of Object.entries(API)) for (const [type] of yields.matchAll(/\b[A-Z]\w+Row\b/g)) t.regex(protocol, new RegExp(`export (interface|type) ${type}\\b`), name);
});

test.serial('every command has its file and its examples, every option a command', (t) => {
  const files = projectFiles(/^cli\/commands\/.*\.ts$/).map((path) => posix.basename(path, '.ts'));
  t.deepEqual(files.sort(), COMMANDS.map(({ name }) => name).sort());
  for (const spec of COMMANDS) {
    t.true(spec.examples.length > 0, spec.name);
    for (const [command] of spec.examples) t.true(command.startsWith(`rewind ${spec.name}`), command);
  }
  const used = new Set(COMMANDS.flatMap(({ options }) => options));
  t.deepEqual(Object.keys(OPTIONS).filter((name) => !used.has(name)), []);
});

test.serial('every invariant that is cited is numbered in docs/invariants.md', (t) => {
  const known = new Set([...read('docs/invariants.md').matchAll(/^## (I\d+)\b/gm)].map((match) => match[1]!));
  t.deepEqual([...known], Array.from({ length: known.size }, (_, i) => `I${i + 1}`));
  const cited = [...sourceText.matchAll(/\binvariants? (I\d+)|\((I\d+)\)/g)].map((match) => match[1] ?? match[2]!);
  t.true(cited.length > 0);
  t.deepEqual(cited.filter((name) => !known.has(name)), []);
});

test.serial('the exit codes of docs/cli.md are those of cli/exit.ts', (t) => {
  const documented = [...read('docs/cli.md').matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
  const used = [...read('cli/exit.ts').matchAll(/(?:return|=) (\d+);/g)].map((match) => Number(match[1]));
  t.deepEqual([...new Set(documented)].sort(), [...new Set([...used, 1])].sort());
});
