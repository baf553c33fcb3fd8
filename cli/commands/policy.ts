/** `rewind policy`: what is captured how; which rule decides for a path; changing the rules without ever leaving a wrong file behind. */
import { spawn } from 'node:child_process';
import { lstat, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { safeForTerminal } from '../../lib/paths.js';
import { RewindError } from '../../lib/errors.js';
import { parsePolicy } from '../../lib/policy/file.js';
import { EMPTY_FILE } from '../../lib/policy/template.js';
import type { PolicyPathRow, PolicyRow } from '../../lib/daemon/protocol.js';
import { place, withTree, type Tree } from '../ask.js';
import type { Arguments } from '../command.js';
import type { Output } from '../output.js';

export async function run(args: Arguments, out: Output): Promise<void> {
  const action = String(args['ACTION']);
  const paths = (args['PATH'] ?? []) as string[];
  if (action !== 'show' && action !== 'check' && action !== 'edit') {
    throw new RewindError('ERR_USAGE', `rewind policy ${action}: show, check or edit was expected`, 'rewind policy --help');
  }
  if (action !== 'check' && paths.length > 0) throw new RewindError('ERR_USAGE', `rewind policy ${action} takes no path`, 'rewind policy check PATH says which rule decides for it.');
  await withTree(args, paths[0], out, async (tree) => {
    if (action === 'show') await show(await policyOf(tree), out);
    else if (action === 'edit') await edit(tree, out);
    else if (paths.length > 0) await checkPaths(tree, args, paths, out);
    else await checkFile(tree, out);
  });
}

async function policyOf({ client }: Tree): Promise<PolicyRow> {
  for await (const row of client.call('policy', {})) if ('rules' in row) return row;
  throw new RewindError('ERR_DAEMON_TALK', 'The daemon did not say its policy', 'Unmount and mount again: it may be of another version.');
}

async function show(policy: PolicyRow, out: Output): Promise<void> {
  if (out.json) return await out.object(policy);
  const width = Math.max(7, ...policy.rules.map(({ pattern }) => safeForTerminal(pattern).length));
  await out.line(`${'CAPTURE'.padEnd(10)}  ${'PATTERN'.padEnd(width)}  BY`);
  for (const { capture, pattern, by } of policy.rules) await out.line(`${capture.padEnd(10)}  ${safeForTerminal(pattern).padEnd(width)}  ${safeForTerminal(by)}`);
  await out.line(`${'each-write'.padEnd(10)}  ${'(the rest)'.padEnd(width)}`);
  out.remark(`The last rule that matches decides. ${policy.exists ? `File: ${safeForTerminal(policy.file)}` : 'There is no policy file; rewind policy edit makes one'}.`);
  if (policy.refused !== null) out.remark(`The file as it is now is NOT in force: ${safeForTerminal(policy.refused)}`);
}

/** As it lies there now, whether somebody has read it yet or not. */
async function checkFile({ found }: Tree, out: Output): Promise<void> {
  const file = found.store.layout.policy;
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  const { rules } = parsePolicy(text ?? '', file);
  if (out.json) await out.object({ file, exists: text !== null, rules: rules.length });
  else await out.line(`${safeForTerminal(file)}: ${text === null ? 'there is none' : 'right'}; ${rules.length} rules with the built-in ones`);
}

async function checkPaths(tree: Tree, args: Arguments, typed: string[], out: Output): Promise<void> {
  const paths = await Promise.all(typed.map(async (path) => ({ path: await place(tree, args, path), directory: await isDirectory(tree, args, path) })));
  for await (const row of tree.client.call('policy', { paths })) {
    if (!('path' in row)) continue;
    if (out.json) await out.object(row);
    else await out.line(described(row));
  }
}

function described({ path, capture, rule }: PolicyPathRow): string {
  return `${capture.padEnd(10)}  ${safeForTerminal(path) || '.'}  ${rule ? `(${safeForTerminal(rule.pattern)}, ${safeForTerminal(rule.by)})` : '(no rule matches)'}`;
}

/** What is not there is a directory when it is written as one. */
async function isDirectory(tree: Tree, args: Arguments, typed: string): Promise<boolean> {
  if (typed.endsWith('/')) return true;
  const inTree = await place(tree, args, typed);
  const root = tree.found.mountpoint ?? tree.found.tree;
  return await lstat(join(root, inTree)).then((stat) => stat.isDirectory(), () => false);
}

async function edit({ found }: Tree, out: Output): Promise<void> {
  const file = found.store.layout.policy;
  const before = await readFile(file, 'utf8').catch(() => EMPTY_FILE);
  const directory = await mkdtemp(join(tmpdir(), 'rewind-policy-'));
  const draft = join(directory, 'policy.toml');
  try {
    await writeFile(draft, before, { mode: 0o600 });
    for (;;) {
      await openEditor(draft);
      const text = await readFile(draft, 'utf8');
      try {
        parsePolicy(text, draft);
      } catch (error) {
        out.remark((error as Error).message);
        if (process.stdin.isTTY && await out.confirm('Edit it again?')) continue;
        throw error;
      }
      if (text === before) return out.remark('Nothing was changed.');
      await writeFile(`${file}.new`, text, { mode: 0o600 });
      await rename(`${file}.new`, file);
      if (out.json) await out.object({ file, changed: true });
      else await out.line(`${safeForTerminal(file)} is in force within a second or two`);
      return;
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** $VISUAL or $EDITOR may hold arguments: the shell reads it, as git does. */
async function openEditor(file: string): Promise<void> {
  const editor = process.env['VISUAL'] || process.env['EDITOR'] || 'vi';
  const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', file], { stdio: 'inherit' });
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('exit', resolve));
  if (code !== 0) throw new RewindError('ERR_REFUSED', `Nothing was changed: the editor (${editor}) ended with ${code === null ? 'a signal' : `exit code ${code}`}`, 'Set EDITOR to the editor of your choice.');
}
