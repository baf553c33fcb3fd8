/** The clock of the machine is set back under a mounted tree (libfaketime shows the daemon another one). */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { formatTimeUtc } from '../../lib/time/format.js';
import { mountSettled } from '../helpers/mount.js';
import { must, until } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';

const HOUR_MS = 3_600_000;
const utc = (ms: number): string => formatTimeUtc(BigInt(ms) * 1_000_000n);

test.serial('an hour back: what the clock shows goes on being a time of history', (t) => scoped(async (scope) => {
  const clock = path.join(scope.temporary('memory'), 'clock');
  fs.writeFileSync(clock, '+0\n');
  const library = (await must('faketime', ['-m', '1s', 'printenv', 'LD_PRELOAD'])).trim();
  const faked = { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  Object.assign(process.env, faked);
  scope.defer(() => { for (const name of Object.keys(faked)) delete process.env[name]; });
  const tree = await mountSettled(scope, { where: 'memory' });
  const file = path.join(tree.tree, 'f');
  const contentAt = (ms: number): Promise<string> => tree.rewind('cat', file, '--at', utc(ms));
  const writeSeen = async (content: string): Promise<number> => {
    fs.writeFileSync(file, content);
    let seen = 0;
    await until(`history has ${content} where the clock is`, async () => await contentAt(seen = Date.now() - HOUR_MS).catch(() => '') === content);
    return seen;
  };
  fs.writeFileSync(file, 'before');
  await tree.settled();
  fs.writeFileSync(clock, '-3600s\n');
  await until('it is noticed', async () => (await tree.rewind('points')).includes('clock of the machine was set back'));
  const first = await writeSeen('first');
  const second = await writeSeen('second');
  t.is(await contentAt(first), 'first');
  t.is(await contentAt(second), 'second');
  t.is(await tree.rewind('cat', file, '--at', 'before:#2').catch(() => 'none'), 'none');
  t.is(await tree.rewind('cat', file, '--at', 'last-clock'), 'before');
  await tree.unmount();
  t.is(await contentAt(first), 'first', 'also while nothing is mounted');
}));
