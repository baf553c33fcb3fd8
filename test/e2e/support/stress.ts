/**
 * Stress: four processes change one directory at random, and map a file of their own, while a fifth works on one large file,
 * whose every answer is compared with the same calls on a plain file. Afterwards live tree, newest view and backing directory
 * are equal, and past states of the file are still what they were.
 */
import fs from 'node:fs';
import path from 'node:path';
import { FALLOC, MAP, O, PROT, SEEK } from '../../helpers/constants.js';
import { Driver, type Argument } from '../../helpers/driver.js';
import { mountSettled, passOn, type MountedTree } from '../../helpers/mount.js';
import { Random } from '../../helpers/random.js';
import { until } from '../../helpers/run.js';
import type { Scope } from '../../helpers/scope.js';
import { differences, snapshot, type Field } from '../../helpers/snapshot.js';
import { Generator } from './generator.js';
import { changeOwnFile } from './own-file.js';
import type { Transport } from '../../../lib/transport.js';

export interface StressOptions {
  seed: number;
  seconds: number;
  where: 'disk' | 'memory';
  transport?: Transport;
  /** Files are read and written by the kernel (policy on-close). */
  passedOn?: boolean;
  log?: (text: string) => void;
}

export interface StressResult {
  /** Calls on the large file, steps of the four. */
  calls: number;
  steps: number;
  /** How often one of the four changed its own file. */
  mapped: number;
  /** Past states of the file that were looked at again. */
  instants: number;
}

const everything: readonly Field[] = ['mode', 'uid', 'gid', 'nlink', 'size', 'rdev', 'body', 'xattrs', 'mtime', 'ctime'];
const MOST_BYTES = 1 << 20;
const STEPS_AT_ONCE = 30;
const KEPT_INSTANTS = 40;

/** One file, the same calls on both sides. */
class FileStress {
  calls = 0;
  private size = 0;
  private readonly kept: { seq: number; content: string }[] = [];

  constructor(private readonly random: Random, private readonly mounted: MountedTree, private readonly live: Driver, private readonly plain: Driver) {}

  async open(): Promise<void> {
    await this.both('open', 1, 'file', O.RDWR | O.CREAT, 0o644);
    await this.both('open', 2, 'source', O.RDWR | O.CREAT, 0o644);
    await this.both('write', 2, 0, MOST_BYTES, 99);
  }

  /** One random call; then what it answered and, of every twentieth, the whole content are compared. */
  async step(): Promise<void> {
    const { random } = this;
    const at = random.below(MOST_BYTES - 1);
    const bytes = 1 + random.below(random.chance(0.8) ? 20_000 : MOST_BYTES - at);
    const inside = Math.min(at, this.size), rest = Math.max(0, Math.min(bytes, this.size - inside));
    const seed = random.next();
    switch (random.below(14)) {
      case 0: case 1: case 2: await this.both('write', 1, at, bytes, seed); break;
      case 3: await this.both('writev', 1, at, bytes, seed); break;
      case 4: case 5: await this.both('read', 1, at, bytes); break;
      case 6: await this.both('ftruncate', 1, random.chance(0.3) ? random.below(5000) : at); break;
      case 7: await this.both('fallocate', 1, FALLOC.PUNCH, at, bytes); break;
      case 8: await this.both('fallocate', 1, random.pick([FALLOC.ALLOCATE, FALLOC.KEEP_SIZE]), at, bytes); break;
      case 9: await this.both('copyrange', 2, random.below(MOST_BYTES), 1, at, bytes); break;
      case 10: await this.both('copyrange', 1, inside, 1, Math.min(inside + bytes, MOST_BYTES), bytes); break;
      case 11: await this.mapped(inside, rest, seed); break;
      case 12: await this.both(random.pick(['fsync', 'fdatasync']), 1); break;
      default: await this.reopen();
    }
    this.size = Number(await this.both('seek', 1, 0, SEEK.END));
    if (++this.calls % 20 === 0) await this.both('read', 1, 0, 3 * MOST_BYTES);
    if (this.calls % 200 === 0) await this.keep();
  }

  /** Every past state that was kept is still shown, and the last one is what the file holds. */
  async finish(): Promise<number> {
    await this.keep();
    for (const { seq, content } of this.kept) {
      const reader = new Driver();
      try {
        await reader.ok('open', 1, path.join(this.mounted.tree, '.snapshots', `@#${seq}`, 'one/file'), O.RDONLY, 0);
        const shown = await reader.ok('read', 1, 0, 3 * MOST_BYTES);
        if (shown !== content) throw new Error(`the view @#${seq} shows ${shown}, it was ${content}`);
      } finally {
        await reader.close();
      }
    }
    return this.kept.length;
  }

  private async mapped(at: number, bytes: number, seed: number): Promise<void> {
    if (this.size === 0 || bytes === 0) return;
    await this.both('map', 1, 1, this.size, PROT.READ | PROT.WRITE, this.random.chance(0.8) ? MAP.SHARED : MAP.PRIVATE);
    await this.both('mapread', 1, at, bytes);
    await this.both('mapwrite', 1, at, bytes, seed);
    if (this.random.chance(0.3)) await this.both('mapsync', 1);
    if (this.random.chance(0.5)) await this.both('write', 1, at, Math.ceil(bytes / 2), seed + 1);
    await this.both('mapread', 1, 0, this.size);
    await this.both('unmap', 1);
  }

  private async reopen(): Promise<void> {
    await this.both('close', 1);
    await this.both('open', 1, 'file', O.RDWR | (this.random.chance(0.1) ? O.TRUNC : 0), 0);
  }

  /** What a mapping changed is a record once it was written back. */
  private async keep(): Promise<void> {
    await this.both('fsync', 1);
    const content = await this.both('read', 1, 0, 3 * MOST_BYTES);
    const { seq } = await this.mounted.position();
    if (this.kept.length < KEPT_INSTANTS) this.kept.push({ seq, content });
    else this.kept[this.random.below(KEPT_INSTANTS)] = { seq, content };
  }

  private async both(op: string, ...args: Argument[]): Promise<string> {
    const [want, have] = await Promise.all([this.plain.call(op, ...args), this.live.call(op, ...args)]);
    if (want.error !== have.error || want.text !== have.text) {
      throw new Error(`call ${this.calls}, ${op} ${args.join(' ')}: ${have.error || have.text}, on a plain file ${want.error || want.text}`);
    }
    return have.text;
  }
}

/** Random steps of one process in the shared directory and, in between, its own file, until the time is over. */
async function changeTree(driver: Driver, observer: Driver, { directory, own, end }: { directory: string; own: string; end: number }, random: Random): Promise<{ steps: number; mapped: number }> {
  const generator = new Generator(random, { objects: 60 });
  let steps = 0, mapped = 0;
  while (Date.now() < end) {
    // Somebody may remove what is just being listed.
    const tree = await snapshot(observer, directory).catch(() => null);
    if (!tree) continue;
    const pending: Promise<unknown>[] = [];
    for (let i = 0; i < STEPS_AT_ONCE; i++, steps++) {
      const calls = generator.step(tree);
      // A mapping of a file that another process cuts off ends in SIGBUS, as everywhere.
      if (calls.some((call) => call.op === 'map')) continue;
      for (const call of calls) pending.push(driver.call(call.op, ...call.args));
    }
    await Promise.all(pending);
    await changeOwnFile(driver, own, random);
    mapped++;
  }
  return { steps, mapped };
}

/** Runs for the time given; rejects when anything differs. */
export async function stress(scope: Scope, { seed, seconds, where, transport, passedOn, log }: StressOptions): Promise<StressResult> {
  const mounted = await mountSettled(scope, { where, transport });
  if (passedOn) await passOn(mounted);
  const plain = scope.temporary(where);
  const drivers: Driver[] = [];
  const driverIn = async (directory: string, ...identity: number[]): Promise<Driver> => {
    const driver = new Driver(300_000);
    drivers.push(driver);
    scope.defer(() => driver.close());
    await driver.ok('base', directory);
    if (identity.length > 0) await driver.ok('as', ...identity);
    return driver;
  };
  const [one, many] = [path.join(mounted.tree, 'one'), path.join(mounted.tree, 'many')];
  fs.mkdirSync(one);
  fs.mkdirSync(many);
  fs.chmodSync(many, 0o777);
  const file = new FileStress(new Random(seed), mounted, await driverIn(one), await driverIn(plain));
  await file.open();
  const end = Date.now() + seconds * 1000;
  const fileLoop = async (): Promise<void> => {
    for (let shown = Date.now(); Date.now() < end; ) {
      await file.step();
      if (Date.now() - shown > 60_000) {
        log?.(`${file.calls} calls on the file`);
        shown = Date.now();
      }
    }
  };
  const identities = [[], [], [0, 0], [1000, 1000, 2000]];
  const loops = identities.map(async (identity, i) => {
    const own = path.join(one, `of-${i}`);
    fs.mkdirSync(own);
    fs.chmodSync(own, 0o777);
    return changeTree(await driverIn(many, ...identity), await driverIn(mounted.tree), { directory: many, own: path.join(own, 'mapped'), end }, new Random((seed + i + 1) >>> 0));
  });
  const [, ...done] = await Promise.all([fileLoop(), ...loops]);
  const instants = await file.finish();
  await Promise.all(drivers.map((driver) => driver.close()));
  await until('the last close was heard of', async () => (await mounted.control('status'))['handles'] === 0);
  await compareAll(scope, mounted);
  const sum = (of: 'steps' | 'mapped'): number => done.reduce((all, one) => all + one[of], 0);
  return { calls: file.calls, steps: sum('steps'), mapped: sum('mapped'), instants };
}

/** Live tree, newest view and, unmounted, the backing directory. */
async function compareAll(scope: Scope, mounted: MountedTree): Promise<void> {
  const observer = new Driver(300_000);
  scope.defer(() => observer.close());
  const live = await snapshot(observer, mounted.tree);
  const fail = (what: string, wrong: string[]): void => {
    if (wrong.length > 0) throw new Error(`${what} differs from the live tree:\n${wrong.slice(0, 20).join('\n')}`);
  };
  fail('the newest view', differences(live, await snapshot(observer, path.join(mounted.tree, '.snapshots/@now')), everything));
  await observer.ok('base', '/');
  await mounted.unmount();
  fail('the backing directory', differences(live, await snapshot(observer, mounted.tree), everything));
}
