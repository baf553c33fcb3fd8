import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { cli, mountSettled, rewind, type MountedTree } from '../helpers/mount.js';
import { must, shell, sleep, until } from '../helpers/run.js';
import { scoped, type Scope } from '../helpers/scope.js';
import { onTerminal } from '../helpers/terminal.js';

type Row = Record<string, unknown>;

const lines = (text: string): Row[] => text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Row);

/** Without what steers the terminal. */
const plain = (text: string): string => text.replace(/\x1b(\[[0-9;?]*[A-Za-z]|[=>])/g, '');

const mounted = (scope: Scope): Promise<MountedTree> => mountSettled(scope, { where: 'memory' });

test.serial('find shows deleted names with the command that gets them back, and the command does', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const name = `it's a b\n.txt`;
  fs.mkdirSync(path.join(tree.tree, 'd'));
  fs.writeFileSync(path.join(tree.tree, 'd', name), 'lost content');
  fs.writeFileSync(Buffer.concat([Buffer.from(`${tree.tree}/d/`), Buffer.from([0xff]), Buffer.from('.txt')]), 'bytes');
  fs.writeFileSync(path.join(tree.tree, 'kept.txt'), 'here');
  fs.rmSync(path.join(tree.tree, 'd'), { recursive: true });
  const rows = lines(await tree.rewind('find', '*.txt', '--json'));
  t.deepEqual(rows.map((row) => [row['path'], row['size'], row['went'] === null]), [['d/it\'s a b\\x0a.txt', 12, false], ['d/\\xff.txt', 5, false], ['kept.txt', 4, true]]);
  t.is(rows[2]!['command'], null);
  t.deepEqual(lines(await tree.rewind('find', '*', '--deleted', '--type', 'd', '--json')).map((row) => row['path']), ['d']);
  const back = async (command: unknown): Promise<string> => await shell(String(command).replace(/^rewind/, `${process.execPath} ${cli}`), { cwd: tree.tree });
  t.is(await back(rows[0]!['command']), 'lost content');
  t.is(await back(rows[1]!['command']), 'bytes');
  const shown = await must(process.execPath, [cli, 'find', '*', '--deleted', '--type', 'd'], { cwd: tree.tree });
  await back(/rewind restore .*/.exec(shown)![0]);
  t.is(fs.readFileSync(path.join(tree.tree, 'restored', 'd', name), 'utf8'), 'lost content');
  await tree.unmount();
  const [offline] = lines(await must(process.execPath, [cli, 'find', '*.txt', '--deleted', '--json', '--store', tree.store], { cwd: '/' }));
  t.is(await shell(String(offline!['command']).replace(/^rewind/, `${process.execPath} ${cli}`), { cwd: '/' }), 'lost content');
}));

test.serial('blame names who wrote each line, through saves by rename; bytes that are no text come through exactly', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const file = path.join(tree.tree, 'f');
  await shell(`printf 'a\\nb\\n' > ${file}; sed -i s/b/B/ ${file}; printf 'tab\\t\\377\\033[2J' >> ${file}; mv ${file} ${file}2; printf '\\0' > ${tree.tree}/bin`);
  const [at, ...rows] = lines(await tree.rewind('blame', 'f2', '--json'));
  t.like(at, { at: { expression: 'now' } });
  t.deepEqual(rows.map((row) => [row['line'], row['text'], path.basename((row['writer'] as Row)['exe'] as string)]), [[1, 'a', 'bash'], [2, 'B', 'sed'], [3, undefined, 'bash']]);
  t.is(Buffer.from(rows[2]!['text_base64'] as string, 'base64').toString('latin1'), 'tab\t\xff\x1b[2J');
  t.regex(await tree.rewind('cat', 'f', '--at', `#${String(rows[1]!['seq'])}`), /^a\nB\n$/, 'its seq is where that line is first there');
  const shown = await onTerminal([process.execPath, cli, 'blame', `${file}2`, '--no-pager', '--color', 'never']);
  t.regex(shown.stdout, /3\) tab\t.*\\x1b\[2J/);
  t.regex(shown.stdout, /sed\[\d+\] +sed -i s\/b\/B\/ .*… +2\) B/, 'with the command');
  t.deepEqual(lines(await tree.rewind('blame', 'f2', '--bytes', '--json')).slice(1).map((row) => [row['offset'], row['length']]), [[0, 4], [4, 9]]);
  t.is(lines(await tree.rewind('blame', 'bin', '--bytes', '--json')).length, 2);
  for (const [args, code, why] of [[['bin'], 2, /binary/], [['.'], 2, /not a regular file/], [['f3'], 1, /never existed[^]*did you mean f/], [['f2', '--at', '#2'], 1, /did not exist at/]] as const) {
    const result = await rewind(['blame', ...args, '--tree', tree.tree]);
    t.is(result.code, code, args.join(' '));
    t.regex(result.stderr, why, args.join(' '));
  }
}));

test.serial('grep finds what was overwritten and deleted, tells where, and the seq gets it back', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const at = (name: string): string => path.join(tree.tree, name);
  await shell(`mkdir ${at('d')}; printf 'one\\nneedle 1\\n' > ${at('d/f')}; sed -i s/needle/other/ ${at('d/f')}; printf 'Needle\\0' > ${at('bin')}; cp ${at('d/f')} ${at('copy')}; printf 'needle\\t\\377' > ${at('g')}; rm ${at('g')}`);
  const found = async (...args: string[]): Promise<Row[]> => lines(await tree.rewind('grep', '--json', ...args));
  const rows = await found('needle');
  t.deepEqual(rows.slice(0, -1).map((row) => [row['path'], row['line'], row['text']]), [['g', 1, undefined], ['d/f', 2, 'needle 1']]);
  t.like(rows.at(-1), { type: 'searched', versions: 5, contents: 4, uncaptured: 0 });
  t.is(await tree.rewind('cat', 'd/f', '--at', `#${String(rows[1]!['seq'])}`), 'one\nneedle 1\n');
  t.deepEqual((await found('-i', 'NEEDLE', '-l')).slice(0, -1).map((row) => row['path']), ['g', 'bin', 'd/f']);
  t.deepEqual((await found('other', '--all-versions')).slice(0, -1).map((row) => row['path']), ['copy', 'd/f']);
  t.deepEqual((await found('other')).slice(0, -1).map((row) => row['path']), ['copy']);
  t.deepEqual((await found('needle', at('d'))).slice(0, -1).map((row) => row['path']), ['d/f']);
  t.deepEqual((await found('-F', 'e 1')).slice(0, -1).map((row) => row['text']), ['needle 1']);
  const human = await tree.rewind('grep', '-i', 'needle');
  t.regex(human, /^d\/f .* #\d+ 2: needle 1$/m);
  t.regex(human, /^bin .*: binary file matches$/m);
  t.is((await tree.rewind('grep', 'needle', '--since', 'now')), '');
  for (const [args, code, why] of [[['('], 2, /no regular expression: .*-F/s], [['x', at('none')], 1, /never existed/], [['x', '--since', 'now', '--until', '#2'], 2, /is later than/]] as const) {
    const result = await rewind(['grep', ...args, '--tree', tree.tree]);
    t.is(result.code, code, args.join(' '));
    t.regex(result.stderr, why, args.join(' '));
  }
}));

test.serial('grep ends when its reader is gone', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  fs.writeFileSync(path.join(tree.tree, 'slow'), `${'a'.repeat(40)}b\n`);
  fs.writeFileSync(path.join(tree.tree, 'many'), 'line\n'.repeat(3) + Array.from({ length: 200_000 }, (_, i) => `line ${i}\n`).join(''));
  const head = await shell(`${process.execPath} ${cli} grep line --tree ${tree.tree} | head -n 2`);
  t.is(head.trim().split('\n').length, 2);
  await t.throwsAsync(must('timeout', ['3', process.execPath, cli, 'grep', '(a+)+$', path.join(tree.tree, 'slow')]));
  const { pid } = await tree.status();
  const ticks = (): number => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ').slice(11, 13).reduce((sum, part) => sum + Number(part), 0);
  await t.notThrowsAsync(until('the search runs no more: half a second in which it took little time', async () => {
    const before = ticks();
    await sleep(500);
    return ticks() - before < 20;
  }));
}));

test.serial('log tells only what a writer, a program, a user did, or one kind of change; -p shows the lines', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const file = path.join(tree.tree, 'f');
  await shell(`printf 'a\\nb\\n' > ${file}; sed -i s/b/B/ ${file}; cp ${file} ${file}2; rm ${file}2; mv ${file} ${file}3; true`);
  const log = async (...args: string[]): Promise<Row[]> => lines(await tree.rewind('log', '--json', ...args));
  const all = await log();
  t.deepEqual(all.map((row) => row['marker']), ['rename', 'delete', 'create', 'modify', 'create']);
  t.deepEqual((await log('--exe', 'sed')).map((row) => row['path']), ['f']);
  t.deepEqual((await log('--exe', '/**/s?d')).map((row) => row['path']), ['f']);
  t.deepEqual((await log('--marker', 'delete')).map((row) => row['path']), ['f2']);
  const { pid } = all[0]!['writer'] as { pid: number };
  t.deepEqual(await log('--writer', String(pid)), all.slice(0, 1));
  t.deepEqual(await log('--writer', '1'), []);
  t.is((await log('--uid', '0', '-n', '2')).length, 2);
  t.is((await log('--uid', '12345')).length, 0);
  t.deepEqual((await log('--marker', 'create', '-n', '1')).map((row) => row['path']), ['f2'], 'what is left out does not count');
  t.true((await log('--all-writes', '--exe', 'sed')).every((row) => (row['writer'] as Row)['exe'] === '/usr/bin/sed'));
  const patches = (await log('-p')).map((row) => row['patch']);
  t.deepEqual(patches, [null, '--- a/f2\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-B\n', '--- /dev/null\n+++ b/f2\n@@ -0,0 +1,2 @@\n+a\n+B\n',
    '--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+B\n', '--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+a\n+b\n']);
  for (const [args, why] of [[['--writer', 'x'], /takes a number/], [['--uid', '-1'], /--uid takes a number/], [['--marker', 'x'], /Choices/], [['--exe', '['], /no "\]"/], [['-p', '--all-writes'], /single record/], [['--since', 'now', '--until', '#2'], /is later than/]] as const) {
    const result = await rewind(['log', ...args, '--tree', tree.tree]);
    t.is(result.code, 2, args.join(' '));
    t.regex(result.stderr, why, args.join(' '));
  }
}));

test.serial('status --since sums up by path and by writer what differs', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  const at = (name: string): string => path.join(tree.tree, name);
  await shell(`mkdir ${at('d')}; echo one > ${at('d/a')}; echo gone > ${at('gone')}`);
  await tree.rewind('mark', 'then');
  await shell(`echo two > ${at('d/a')}; sed -i s/two/three/ ${at('d/a')}; rm ${at('gone')}; touch ${at('new')}; echo x > ${at('brief')}; rm ${at('brief')}`);
  const rows = lines(await tree.rewind('status', '--since', 'then', '--json'));
  t.deepEqual(rows.filter(({ type }) => type === 'path').map((row) => [row['status'], row['path'], (row['writers'] as Row[]).map((one) => path.basename(one['exe'] as string))]),
    [['modified', 'd/a', ['bash', 'sed']], ['deleted', 'gone', ['rm']], ['created', 'new', ['touch']]]);
  t.like(rows.at(-1), { type: 'sum', created: 1, modified: 1, deleted: 1, renamed: 0, writers: 4 });
  const [of] = lines(await tree.rewind('status', at('d'), '--since', 'then', '--json')).filter(({ type }) => type === 'writer');
  t.like(of, { paths: 1 });
  t.regex(await tree.rewind('status', '--since', 'then'), /^modified d\/a  bash\[\d+\] sed\[\d+\]$/m);
  t.is((await rewind(['status', '--since', 'nonsense!', '--tree', tree.tree])).code, 2);
}));

test.serial('a terminal gets colours and a pager; a pipe, NO_COLOR, --no-pager and --color are heeded', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  await shell(`for i in $(seq 200); do : > ${tree.tree}/f$i; done`);
  const log = [process.execPath, cli, 'log', '--tree', tree.tree, tree.tree];
  const coloured = /\x1b\[32mcreate/;
  const paged = await onTerminal([...log, '-n', '5'], {}, { env: { PAGER: 'sed "s/^/PAGED /"' } });
  t.is(paged.code, 0);
  t.regex(paged.stdout, coloured);
  t.is(paged.stdout.match(/PAGED /g)?.length, 6);
  t.notRegex((await onTerminal([...log, '-n', '5', '--no-pager'], {}, { env: { PAGER: 'sed "s/^/PAGED /"' } })).stdout, /PAGED/);
  t.notRegex((await onTerminal([...log, '-n', '5'], {}, { env: { NO_COLOR: '1' } })).stdout, /\x1b\[3/);
  t.regex((await onTerminal([...log, '-n', '5', '--color', 'always'], {}, { env: { NO_COLOR: '1' } })).stdout, coloured);
  t.notRegex((await onTerminal([...log, '-n', '5', '--color', 'never'])).stdout, /\x1b\[3/);
  const missing = await onTerminal([...log, '-n', '5'], {}, { env: { PAGER: 'no-such-pager -x' } });
  t.regex(missing.stdout, /no-such-pager -x cannot be found[^]*create/);
  const piped = await must(process.execPath, [...log.slice(1), '-n', '5'], { env: { ...process.env, PAGER: 'sed "s/^/PAGED /"' } });
  t.notRegex(piped, /\x1b|PAGED/);
  t.regex(await must(process.execPath, [...log.slice(1), '-n', '5', '--color', 'always']), coloured);
  t.notRegex(await must(process.execPath, [...log.slice(1), '-n', '5', '--color', 'always', '--json']), /\x1b/);
}));

test.serial('less shows what fits a screen at once, and q ends the program before the answer has ended', (t) => scoped(async (scope) => {
  const tree = await mounted(scope);
  await shell(`for i in $(seq 3000); do : > ${tree.tree}/f$i; done`);
  const log = [process.execPath, cli, 'log', '--tree', tree.tree, tree.tree];
  const short = await onTerminal([...log, '-n', '3']);
  t.is(short.code, 0);
  t.is(plain(short.stdout).match(/ create .* bash\[\d+\] /g)?.length, 3);
  const long = await onTerminal(log, { SEQ: 'q' }, { timeoutMs: 20_000 });
  t.is(long.code, 0);
  t.notRegex(plain(long.stdout), / f1\r/);
}));
