/** After a life in which a call went wrong, on a disk that is well: all that was acknowledged is there, exactly, and nothing is damaged. */
import fs from 'node:fs';
import path from 'node:path';
import type { Driver } from '../../helpers/driver.js';
import { baselineDone, type MountedTree } from '../../helpers/mount.js';
import { contentFields, differences, snapshot, type Snapshot } from '../../helpers/snapshot.js';
import type { Acknowledged, Life } from './fault-life.js';
import { liveAgainstNewest } from './newest.js';

/** What is wrong, in words. The tree is mounted, and stays so. */
export async function check(mounted: MountedTree, life: Life, openDriver: () => Promise<Driver>): Promise<string[]> {
  await mounted.mount();
  await baselineDone(mounted, 60_000);
  const driver = await openDriver();
  const { failed } = await mounted.status();
  const wrong = failed === null ? [] : [`after all: ${failed}`];
  wrong.push(...(await liveAgainstNewest(mounted)).map((one) => `newest: ${one}`));
  for (const one of life.acknowledged) wrong.push(...(await differs(mounted, one, life, driver)).map((what) => `#${one.seq}, ${one.path}: ${what}`));
  const rows = await mounted.items('verify', { deep: true }, 120_000);
  wrong.push(...rows.filter(({ type }) => type === 'finding').map((row) => `verify: ${JSON.stringify(row)}`));
  fs.writeFileSync(path.join(mounted.tree, 'after'), 'all is well');
  await mounted.settled();
  wrong.push(...crashes(fs.readFileSync(path.join(mounted.store, 'daemon.log'), 'utf8')));
  return wrong;
}

async function differs(mounted: MountedTree, one: Acknowledged, { forgotten }: Life, driver: Driver): Promise<string[]> {
  const view = path.join(mounted.tree, '.snapshots', `@#${one.seq}`);
  if (!fs.existsSync(view)) return forgotten.some(({ from, to }) => from < one.seq && one.seq < to) ? [] : ['there is no such view'];
  const then = await snapshot(driver, view);
  if (!one.partly) return differences(one.tree, then, [...contentFields, 'mtime']);
  return differences(only(one.tree, one.path), only(then, one.path), ['mode', 'size', 'body']);
}

const only = (tree: Snapshot, wanted: string): Snapshot => new Map([...tree].filter(([name]) => name.replace(/^\.\//, '') === wanted));

/** What nobody meant to print. */
function crashes(log: string): string[] {
  return log.split('\n').filter((line) => /Unhandled|Uncaught|FATAL|terminate called|(Type|Reference|Range|Syntax|Assertion)Error/.test(line)).map((line) => `daemon.log: ${line}`);
}
