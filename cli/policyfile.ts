/** The policy file as commands change it: what is not right is never saved, and the file is replaced whole. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RewindError } from '../lib/errors.js';
import { safeForTerminal } from '../lib/paths.js';
import { editRules, type RuleChange } from '../lib/policy/edit.js';
import { parsePolicy } from '../lib/policy/file.js';
import { EMPTY_FILE } from '../lib/policy/template.js';
import { replaceFile } from '../lib/replace.js';
import type { Output } from './output.js';

/** null when there is none. */
export async function readPolicy(file: string): Promise<string | null> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

/** In $EDITOR. `keepOut`: see parsePolicy. */
export async function editPolicy(file: string, keepOut: readonly string[], out: Output): Promise<void> {
  const before = await readPolicy(file) ?? EMPTY_FILE;
  const directory = await mkdtemp(join(tmpdir(), 'rewind-policy-'));
  const draft = join(directory, 'policy.toml');
  try {
    await writeFile(draft, before, { mode: 0o600 });
    for (;;) {
      await openEditor(draft);
      const text = await readFile(draft, 'utf8');
      try {
        parsePolicy(text, draft, keepOut);
      } catch (error) {
        out.remark((error as Error).message);
        if (process.stdin.isTTY && await out.confirm('Edit it again?')) continue;
        throw error;
      }
      if (text === before) return out.remark('Nothing was changed.');
      await replaceFile(file, text);
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

const DONE = { pause: 'paused', resume: 'in force again', remove: 'removed' } as const;

/** One rule. */
export async function changeRule(file: string, pattern: string, change: RuleChange, out: Output): Promise<void> {
  const before = await readPolicy(file) ?? '';
  const { text, lines, patterns } = editRules(before, file, pattern, change);
  if (text !== before) await replaceFile(file, text);
  if (out.json) return await out.object({ file, changed: text !== before, lines, patterns });
  if (text === before) return out.remark('Nothing was changed: it is so already.');
  await out.line(`${safeForTerminal(file)}:${lines.join(',')}: ${[...new Set(patterns)].map(safeForTerminal).join(' ')}: ${typeof change === 'string' ? DONE[change] : 'changed'} within a second or two`);
}

const NUMBERS = new Set(['retries']);
const TRUTHS = new Set(['paused']);

/** `KEY=VALUE` words; an empty value takes the key away. @throws ERR_USAGE */
export function keysFrom(words: readonly string[]): Record<string, string | number | boolean | null> {
  const wrong = (word: string, why: string): never => { throw new RewindError('ERR_USAGE', `${safeForTerminal(word)}: ${why}`, "Like: rewind policy set '*.db' recover=automatic retries=5"); };
  if (words.length === 0) wrong('set', 'KEY=VALUE was expected after the pattern');
  return Object.fromEntries(words.map((word) => {
    const [, key = '', value = ''] = /^([a-z]+)=(.*)$/s.exec(word) ?? wrong(word, 'KEY=VALUE was expected');
    if (key === 'match') wrong(word, 'the pattern says which rule; a rule for another pattern is another rule');
    if (value === '') return [key, null];
    if (NUMBERS.has(key)) return [key, /^\d{1,9}$/.test(value) ? Number(value) : wrong(word, 'a number was expected')];
    if (TRUTHS.has(key)) return [key, value === 'true' || (value === 'false' ? false : wrong(word, 'true or false was expected'))];
    return [key, value];
  }));
}
