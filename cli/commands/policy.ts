/** `rewind policy`: what is captured how, and who puts damaged files back; which rule decides for a path; changing the rules. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { safeForTerminal } from '../../lib/paths.js';
import { RewindError } from '../../lib/errors.js';
import { parsePolicy } from '../../lib/policy/file.js';
import { periodInWords } from '../../lib/policy/values.js';
import type { KeepRow, KeepRuleRow, PolicyPathRow, PolicyRow, RecoveryPolicyRow, RecoveryRow } from '../../lib/daemon/protocol.js';
import { place, withTree, type Tree } from '../ask.js';
import type { Arguments } from '../command.js';
import { showTime, type Output } from '../output.js';
import { changeRule, editPolicy, keysFrom, readPolicy } from '../policyfile.js';

/** What is done, and how many words go with it. */
const ACTIONS: Record<string, { least: number; most: number; words: string }> = {
  show: { least: 0, most: 0, words: 'no path' }, status: { least: 0, most: 0, words: 'no path' }, check: { least: 0, most: Infinity, words: 'paths' }, edit: { least: 0, most: 0, words: 'no path' },
  pause: { least: 1, most: 1, words: 'one pattern' }, resume: { least: 1, most: 1, words: 'one pattern' }, remove: { least: 1, most: 1, words: 'one pattern' },
  set: { least: 2, most: Infinity, words: 'a pattern and KEY=VALUE' },
};

export async function run(args: Arguments, out: Output): Promise<void> {
  const action = String(args['ACTION']);
  const words = (args['WHAT'] ?? []) as string[];
  const takes = Object.hasOwn(ACTIONS, action) ? ACTIONS[action]! : null;
  if (!takes) throw new RewindError('ERR_USAGE', `rewind policy ${safeForTerminal(action)}: ${Object.keys(ACTIONS).join(', ')} was expected`, 'rewind policy --help');
  if (words.length < takes.least || words.length > takes.most) throw new RewindError('ERR_USAGE', `rewind policy ${action} takes ${takes.words}`, 'rewind policy --help');
  await withTree(args, action === 'check' ? words[0] : undefined, out, async (tree) => {
    const { layout, description } = tree.found.store;
    const file = layout.policy;
    const keepOut = [layout.root, description.tree];
    if (action === 'show') await show(await policyOf(tree), out);
    else if (action === 'status') await status(tree, out);
    else if (action === 'edit') await editPolicy(file, keepOut, out);
    else if (action === 'check' && words.length > 0) await checkPaths(tree, args, words, out);
    else if (action === 'check') await checkFile(file, keepOut, out);
    else await changeRule(file, words[0]!, action === 'set' ? keysFrom(words.slice(1)) : action as 'pause' | 'resume' | 'remove', out);
  });
}

async function policyOf({ client }: Tree): Promise<PolicyRow> {
  for await (const row of client.call('policy', {})) if ('rules' in row) return row;
  throw new RewindError('ERR_DAEMON_TALK', 'The daemon did not say its policy', 'Unmount and mount again: it may be of another version.');
}

async function show(policy: PolicyRow, out: Output): Promise<void> {
  if (out.json) return await out.object(policy);
  const patterns = [...[...policy.rules, ...policy.recovery].map(({ pattern }) => pattern), ...policy.keep.map(named)].map((pattern) => safeForTerminal(pattern).length);
  const width = Math.max('(the rest)'.length, ...patterns);
  const row = (what: string, pattern: string, by: string): Promise<void> => out.line(`${what.padEnd(10)}  ${safeForTerminal(pattern).padEnd(width)}  ${safeForTerminal(by)}`.trimEnd());
  await row('CAPTURE', 'PATTERN', 'BY');
  for (const { capture, pattern, by } of policy.rules) await row(capture, pattern, by);
  await row('each-write', '(the rest)', '');
  await out.line('');
  await row('RECOVER', 'PATTERN', 'BY');
  for (const rule of policy.recovery) await row(rule.recover, rule.pattern, `${rule.by}  ${inWords(rule)}`);
  await row(policy.default_recovery.recover, '(the rest)', '');
  await out.line('');
  await row('KEEP', 'PATTERN', 'BY');
  for (const rule of policy.keep) await row(periodInWords(rule.keep_s), named(rule), `${rule.by}  ${bucketsInWords(rule)}`);
  await row(periodInWords(policy.default_keep.keep_s), '(the rest)', bucketsInWords(policy.default_keep));
  if (policy.changes_s !== null) await row('changes', '(all paths)', `each is told for ${periodInWords(policy.changes_s)}, of older ones the last`);
  if (policy.cold !== null) await row('cold', policy.cold.directory, `[cold]  what nothing younger than ${periodInWords(policy.cold.after_s)} needs goes there`);
  for (const { patterns: words, by } of policy.paused) await row('paused', words.join(' '), by);
  if (policy.groups.length > 0) await out.line('');
  for (const { name, include, exclude, every_s, view, note } of policy.groups) {
    const parts = [`group ${name}:`, ...include, ...exclude.map((pattern) => `without ${pattern}`), ...every_s === null ? [] : [`a point every ${every_s} s`], `view of ${view}`, ...note === '' ? [] : [`(${note})`]];
    await out.line(parts.map(safeForTerminal).join('  '));
  }
  out.remark(`The last rule that matches decides. ${policy.exists ? `File: ${safeForTerminal(policy.file)}` : 'There is no policy file; rewind policy edit makes one'}.`);
  if (policy.refused !== null) out.remark(`The file as it is now is NOT in force: ${safeForTerminal(policy.refused)}`);
}

function inWords({ recover, retries, timeout_ms, check_ms }: RecoveryPolicyRow): string {
  if (recover === 'manual') return '';
  return `${retries} ${retries === 1 ? 'try' : 'tries'} of ${timeout_ms / 1000} s${check_ms === null ? '' : `, compared every ${check_ms / 1000} s`}`;
}

const named = ({ group, patterns }: KeepRuleRow): string => (group === null ? patterns.join(' ') : `group ${group}`);

/** What is kept once all is no longer. */
function bucketsInWords(keep: KeepRow): string {
  if (keep.keep_s === null) return '';
  const kept = (['hour', 'day', 'week', 'month', 'year'] as const).filter((bucket) => keep[`${bucket}_s`] !== 0).map((bucket) => `${bucket} ${periodInWords(keep[`${bucket}_s`])}`);
  return `then ${kept.length === 0 ? 'nothing' : `the last of each: ${kept.join(', ')}`}`;
}

/** Every recovery that there was. */
async function status({ client }: Tree, out: Output): Promise<void> {
  const rows: RecoveryRow[] = [];
  for await (const row of client.call('recoveries', {})) {
    if (out.json) await out.object(row);
    else rows.push(row);
  }
  if (out.json) return;
  if (rows.length === 0) return out.remark('No file was ever put back.');
  const table = rows.map(({ id, cause, writer, started, tries_left, result, path, note }) => [
    `${id} ${cause}`, writer ? `${writer.exe.split('/').at(-1) || '?'}[${writer.pid}]` : '-', showTime(started), String(tries_left), result === 'failed' ? 'FAILED' : result, `${path}${note ? `  (${note})` : ''}`,
  ]);
  table.unshift(['JOB', 'WRITER', 'STARTED', 'TRIES LEFT', 'RESULT', 'PATH']);
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  for (const row of table) await out.line(row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd());
}

/** As it lies there now, whether somebody has read it yet or not. */
async function checkFile(file: string, keepOut: readonly string[], out: Output): Promise<void> {
  const text = await readPolicy(file);
  const { rules, groups } = parsePolicy(text ?? '', file, keepOut);
  if (out.json) await out.object({ file, exists: text !== null, rules: rules.length, groups: groups.length });
  else await out.line(`${safeForTerminal(file)}: ${text === null ? 'there is none' : 'right'}; ${rules.length} rules with the built-in ones`);
}

async function checkPaths(tree: Tree, args: Arguments, typed: string[], out: Output): Promise<void> {
  const paths = await Promise.all(typed.map(async (path) => ({ path: await place(tree, args, path), directory: await isDirectory(tree, args, path) })));
  for await (const row of tree.client.call('policy', { paths })) {
    if (!('path' in row)) continue;
    if (out.json) await out.object(row);
    else for (const line of described(row)) await out.line(line);
  }
}

function described({ path, capture, rule, recovery, recovery_rule, groups, keep, keep_rule }: PolicyPathRow): string[] {
  const by = (one: { pattern: string; by: string } | null): string => (one ? `(${safeForTerminal(one.pattern)}, ${safeForTerminal(one.by)})` : '(no rule matches)');
  const name = safeForTerminal(path) || '.';
  const within = groups.length > 0 ? `  in ${groups.map((group) => `group ${safeForTerminal(group)}`).join(', ')}` : '';
  const recovers = recovery_rule ? [`${recovery.recover.padEnd(10)}  ${name}  ${by(recovery_rule)}`] : [];
  const says = keep_rule ? `(${safeForTerminal(named(keep_rule))}, ${safeForTerminal(keep_rule.by)})` : '([retention])';
  return [`${capture.padEnd(10)}  ${name}  ${by(rule)}${within}`, ...recovers, `${`keep ${periodInWords(keep.keep_s)}`.padEnd(10)}  ${name}  ${says}  ${bucketsInWords(keep)}`.trimEnd()];
}

/** What is not there is a directory when it is written as one. */
async function isDirectory(tree: Tree, args: Arguments, typed: string): Promise<boolean> {
  if (typed.endsWith('/')) return true;
  const inTree = await place(tree, args, typed);
  const root = tree.found.mountpoint ?? tree.found.tree;
  return await lstat(join(root, inTree)).then((stat) => stat.isDirectory(), () => false);
}
