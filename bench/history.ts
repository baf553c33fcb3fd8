/** What happens behind the calls: how fast records become history, how fast a view reads, what memory it takes. */
import path from 'node:path';
import { MountedTree } from '../test/helpers/mount.js';
import { sleep } from '../test/helpers/run.js';
import { scoped } from '../test/helpers/scope.js';
import { work } from './columns.js';
import { extractorRates } from './extractor.js';
import { dropCaches, memoryMiB, subjects } from './subjects.js';

async function daemon(body: (tree: MountedTree) => Promise<void>): Promise<void> {
  await scoped(async (scope) => {
    const subject = await subjects.find((one) => one.name === 'rewindfs')!.start(scope, 'memory');
    await body(subject.tree!);
    await subject.end();
  });
}

/** seq that is in history, and that which was acknowledged, now. */
async function progress(tree: MountedTree): Promise<{ at: number; seq: number; extracted: number }> {
  const status = await tree.control('status');
  return { at: Date.now(), seq: status['seq'] as number, extracted: status['extracted_seq'] as number };
}

/** Resolves to how long history takes to catch up, in seconds. */
async function caughtUp(tree: MountedTree): Promise<number> {
  const started = Date.now();
  const { seq } = await progress(tree);
  while ((await progress(tree)).extracted < seq) await sleep(5);
  return (Date.now() - started) / 1000;
}

export async function history(quick: boolean, say: (text: string) => void): Promise<Record<string, string>> {
  const out: Record<string, string> = await extractorRates(quick);
  say('history: the extractor by itself done');
  await daemon(async (tree) => {
    const directory = tree.tree;
    const mebibytes = quick ? 128 : 512;
    const started = Date.now();
    await work('sequential', directory, mebibytes);
    const written = Date.now();
    await caughtUp(tree);
    out['large writes until in history, MiB/s'] = (mebibytes / ((Date.now() - started) / 1000)).toFixed(0);
    out['of which after the last write, s'] = ((Date.now() - written) / 1000).toFixed(2);
    const { seq } = await progress(tree);
    dropCaches();
    out['a view reads, MiB/s'] = (await work('read-all', path.join(directory, '.snapshots', `@#${seq}`, 'sequential'), 0)).toFixed(0);
    say('history: large writes and view done');
  });
  await daemon(async (tree) => {
    const records = quick ? 100_000 : 1_000_000;
    const before = await progress(tree);
    const rate = await work('tiny-writes', tree.tree, records, 900_000);
    await caughtUp(tree);
    const after = await progress(tree);
    out['small records taken and put into history, /s'] = Math.round((after.extracted - before.extracted) / ((after.at - before.at) / 1000)).toString();
    out['100-byte writes, /s'] = Math.round(rate).toString();
    const memory = memoryMiB(tree.daemon);
    out[`memory of the daemon after ${records} records, MiB`] = `${memory.now} (peak ${memory.peak})`;
    say('history: small records done');
  });
  return out;
}
