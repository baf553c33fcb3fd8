/** `rewind prune`: shows which files and versions the policy gives up, asks, and gives them up; or takes that back. */
import { withTree, type Tree } from '../ask.js';
import { flag, type Arguments } from '../command.js';
import { showBytes, showTime, type Output } from '../output.js';
import type { GoingRow, PruneRow } from '../../lib/daemon/prunerows.js';
import { RewindError } from '../../lib/errors.js';

/** Versions that are shown before the question; `--dry-run` shows all. */
const SHOWN = 20;

export async function run(args: Arguments, out: Output): Promise<void> {
  const [dry, undo, now] = [flag(args, 'dry-run'), flag(args, 'undo'), flag(args, 'now')];
  if (undo && (dry || now)) throw new RewindError('ERR_USAGE', '--undo takes nothing else', 'rewind prune --help');
  await withTree(args, undefined, out, async (tree) => {
    if (undo) return await show(tree.client.call('prune', { undo }), out, 0);
    if (dry || !flag(args, 'yes')) {
      await show(tree.client.call('prune', { dry_run: true }), out, dry ? Infinity : SHOWN);
      if (dry) return;
      if (!await out.confirm(question(tree, now))) throw new RewindError('ERR_REFUSED', 'Nothing was changed: the answer was No');
    }
    await show(tree.client.call('prune', { now }), out, 0);
  });
}

const question = ({ found }: Tree, now: boolean): string =>
  now ? `Forget that, and all that is in the trash, of ${found.tree} for good?` : `Move that to the trash of ${found.tree}?`;

async function show(rows: AsyncIterable<PruneRow>, out: Output, limit: number): Promise<void> {
  let versions = 0;
  for await (const row of rows) {
    if (row.type === 'version' && ++versions > limit) continue;
    if (out.json) await out.object(row);
    else await line(row, out, limit);
  }
  if (!out.json && limit > 0 && versions > limit) await out.line(`  ... and ${versions - limit} more (--dry-run shows all)`);
}

const sum = ({ versions, files, bytes }: GoingRow): string => `${versions} versions of ${files} files, ${showBytes(bytes)} of content`;

async function line(row: PruneRow, out: Output, limit: number): Promise<void> {
  switch (row.type) {
    case 'version': return await out.line(`  ${out.paint('red', row.whole ? 'file   ' : 'version')} ${row.path ?? '?'}  ${showTime(row.time)} (#${row.seq}), ${showBytes(row.size)}${row.rule === null ? '' : `  (${row.rule})`}`);
    case 'plan':
      if (limit === 0) return;
      if (row.rules.some(({ rule }) => rule !== null)) for (const { rule, ...one } of row.rules) await out.line(`  ${sum(one)}: ${rule ?? '[retention]'}`);
      if (row.changes > 0) await out.line(`${row.changes} changes that later ones stand for are told no more`);
      return await out.line(sum(row));
    case 'trashed': return await out.line(`In the trash until ${showTime(row.until)} (${row.reason}); back with: rewind prune --undo`);
    case 'taken_back': return await out.line(`Taken back: what was given up on ${showTime(row.time)}`);
    case 'done': return await out.line(`Forgotten for good: ${row.stretches} stretches, ${row.contents} contents${row.changes > 0 ? `, ${row.changes} changes` : ''}; history takes ${showBytes(row.bytes_after)} (before: ${showBytes(row.bytes_before)})`);
  }
}
