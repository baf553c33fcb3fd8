/**
 * The life of a store in which one call of its daemon to the disk goes wrong: two mounts, with a kill between them, changes of all
 * kinds, packing, a rollback that forgets, and the end. What was acknowledged is kept, each with the state of the tree that it made.
 */
import path from 'node:path';
import type { Argument, Driver } from '../../helpers/driver.js';
import { O, RENAME } from '../../helpers/constants.js';
import { baselineDone, type MountedTree } from '../../helpers/mount.js';
import { differences, snapshot, type Snapshot } from '../../helpers/snapshot.js';
import type { Faults } from './faults.js';

/** The tree as it was after an acknowledged change, and the number of that change. */
export interface Acknowledged {
  seq: number;
  path: string;
  /** Of this path only, once a change was refused: what a refused one left is not yet known to history. */
  partly: boolean;
  tree: Snapshot;
}

/** What a life came to. */
export interface Life {
  acknowledged: Acknowledged[];
  /** What was refused, and with what: it was said at the time. */
  refused: string[];
  /** Instants that were told to be forgotten. */
  forgotten: { from: number; to: number }[];
}

interface Step { path: string; calls: [op: string, ...args: Argument[]][] }

/** What a disk may answer. Whatever a step needs that was refused is missing, too. */
const ANSWERS = new Set(['EIO', 'ENOSPC']);
const MISSING = new Set(['ENOENT', 'EBADF']);
/** How a change, or an answer, may be long in coming. */
const PATIENCE_MS = 60_000;

const write = (path: string, bytes: number, seed: number, flags: number = O.TRUNC): Step => ({
  path, calls: [['open', 1, path, O.CREAT | O.WRONLY | flags, 0o644], ['write', 1, -1, bytes, seed], ['close', 1]],
});
const synced = (path: string, bytes: number, seed: number): Step => ({ path, calls: [...write(path, bytes, seed).calls.slice(0, 2), ['fsync', 1], ['close', 1]] });

/** Some of everything. `round`: makes names and contents that were not there before. */
function steps(round: number): Step[] {
  const [old, dir] = [`file-${round - 1}`, `dir-${round}`];
  return [
    write(`file-${round}`, 5000, round),
    synced(`synced-${round}`, 70_000, 10 + round),
    { path: dir, calls: [['mkdir', dir, 0o755]] },
    write(`${dir}/large`, 300_000, 20 + round),
    write('again', 40_000, 30 + round),
    write('log', 300, 40 + round, O.APPEND),
    ...(round > 0 ? [{ path: `${dir}/moved`, calls: [['rename', old, `${dir}/moved`, RENAME.NONE]] } as Step, { path: `synced-${round - 1}`, calls: [['unlink', `synced-${round - 1}`]] } as Step] : []),
    { path: `${dir}/link`, calls: [['symlink', 'large', `${dir}/link`]] },
    { path: 'again', calls: [['truncate', 'again', 1234]] },
    { path: `file-${round}`, calls: [['chmod', `file-${round}`, 0o600]] },
  ];
}

/** Lives it. `end`: how its last daemon ends. Rejects when something hangs, dies, or answers what no disk answers. */
export async function live(mounted: MountedTree, faults: Faults, end: 'unmount' | 'kill', openDriver: () => Promise<Driver>): Promise<Life> {
  const life = new Living(mounted, openDriver);
  if (!await life.mount(faults)) return life;
  await life.changes(0);
  await life.told('pack', () => mounted.items('pack', {}, PATIENCE_MS));
  await life.changes(1);
  await life.leave('kill');
  if (!await life.mount(faults)) return life;
  await life.changes(2);
  await life.forget();
  await life.changes(3);
  await life.leave(end);
  return life;
}

class Living implements Life {
  readonly acknowledged: Acknowledged[] = [];
  readonly refused: string[] = [];
  readonly forgotten: { from: number; to: number }[] = [];
  private driver!: Driver;
  private partly = false;

  constructor(private readonly mounted: MountedTree, private readonly openDriver: () => Promise<Driver>) {}

  /** Is it mounted? */
  async mount(faults: Faults): Promise<boolean> {
    if (await this.told('mount', () => this.mounted.mount({ env: faults.environment })) === null) return false;
    this.partly = false;
    this.driver = await this.openDriver();
    await this.told('the walk', () => baselineDone(this.mounted, PATIENCE_MS));
    return true;
  }

  async leave(how: 'unmount' | 'kill'): Promise<void> {
    await this.driver.close();
    this.expectAlive(how);
    if (how === 'kill') await this.mounted.kill();
    else await this.told('unmount', () => this.mounted.unmount());
  }

  async changes(round: number): Promise<void> {
    for (const step of steps(round)) await this.change(step);
    this.expectAlive(`round ${round}`);
    await this.expectExact();
  }

  /** The daemon that met the fault shows what it acknowledged last, or says that it cannot. */
  private async expectExact(): Promise<void> {
    const last = this.acknowledged.at(-1);
    if (last === undefined || last.partly) return;
    const shown = await this.told('a view', async () => {
      await this.mounted.settled(PATIENCE_MS);
      return await snapshot(this.driver, path.join(this.mounted.tree, '.snapshots', `@#${last.seq}`));
    });
    const wrong = shown === null ? [] : differences(last.tree, shown);
    if (wrong.length > 0) throw new Error(`@#${last.seq} shows what never was: ${wrong.join('; ')}`);
  }

  /** What came since the last point is rolled back, forgotten, and gone from the disk. */
  async forget(): Promise<void> {
    const mark = await this.told('mark', () => this.mounted.items('mark', { name: 'kept' }));
    if (mark === null) return;
    const from = (mark[0] as { seq: number }).seq;
    for (const step of [write('again', 60_000, 77), write('vain', 100_000, 78)]) await this.change(step);
    const rolled = await this.told('rollback', () => this.mounted.items('rollback', { paths: [], to: 'kept', discard_after: true, time_zone: 'UTC' }, PATIENCE_MS));
    this.forgotten.push({ from, to: (await this.mounted.status()).seq });
    if (rolled !== null) await this.told('prune', () => this.mounted.items('prune', { now: true }, PATIENCE_MS));
  }

  /** Null when it was refused, as a failing disk may make it be refused: with an error of ours that says so, and does not speak of damage. */
  async told<T>(what: string, work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      const { message } = error as Error;
      const code = /\bERR_(?!DAEMON)[A-Z_]+/.exec(message)?.[0];
      const { failed } = code === undefined ? await this.mounted.status().catch(() => ({ failed: null })) : { failed: code };
      if (typeof failed !== 'string' || failed.endsWith('CORRUPT')) throw new Error(`${what}, where one call failed: ${message}`);
      this.refused.push(`${what}: ${failed} ${/"message":"([^"]*)"/.exec(message)?.[1] ?? message}`);
      return null;
    }
  }

  private async change({ path, calls }: Step): Promise<void> {
    for (const [op, ...args] of calls) {
      const { error } = await this.driver.call(op, ...args);
      if (error === '') continue;
      if (!ANSWERS.has(error) && !(this.refused.length > 0 && MISSING.has(error))) throw new Error(`${op} ${args.join(' ')}: ${error}`);
      this.refused.push(`${op} ${args.join(' ')}: ${error}`);
      this.partly = true;
      return;
    }
    const { seq } = await this.mounted.status();
    this.acknowledged.push({ seq, path, partly: this.partly, tree: await snapshot(this.driver, this.mounted.tree) });
  }

  private expectAlive(when: string): void {
    if (!this.mounted.alive) throw new Error(`${when}: the daemon has ended by itself`);
  }
}
