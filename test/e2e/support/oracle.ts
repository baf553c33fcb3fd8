/**
 * The oracle: random steps on the mount and on a plain directory, the plain directory's whole state kept after each;
 * then the view of every step must show that state, with the times that the live tree showed. What it finds wrong it
 * throws, with the seed and the step.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Driver } from '../../helpers/driver.js';
import { mountSettled, baselineDone, type MountedTree } from '../../helpers/mount.js';
import { Random } from '../../helpers/random.js';
import type { Scope } from '../../helpers/scope.js';
import { copyTree, rsyncDifferences } from '../../helpers/trees.js';
import { contentFields, differences, parseSnapshot, type Field, type Snapshot } from '../../helpers/snapshot.js';
import type { Transport } from '../../../lib/transport.js';
import { Generator, processes, type Call } from './generator.js';

/** For a tree: in a small one changes meet each other more often; in a large one more kinds of objects do. */
export const OBJECTS = [6, 12, 9] as const;

export interface OracleOptions {
  seed: number;
  steps: number;
  where: 'disk' | 'memory';
  transport?: Transport;
  /** How many objects the tree is kept at, about. */
  objects?: number;
  /** Remount after these steps; `kill`: the daemon is killed before. */
  remounts?: { step: number; kill: boolean }[];
  /** Roll the tree back in the end to this many random steps. */
  rollbacks?: number;
  /** Views are compared every so many steps, all steps since the last time. */
  window?: number;
  log?: (text: string) => void;
}

interface Step {
  number: number;
  seq: number;
  calls: string;
  /** Raw text of the plain directory's snapshot, parsed when it is compared. */
  plain: string;
  /** Stat of everything in the live tree. */
  live: string;
}

/** Views are looked at side by side: each waits for history most of its time. */
const READERS = 4;

export interface OracleResult {
  steps: number;
  seq: number;
  views: number;
  rollbacks: number;
}

const timeFields: readonly Field[] = ['mtime', 'ctime'];
const statFields: readonly Field[] = ['mode', 'uid', 'gid', 'nlink', 'size', 'rdev'];

/** atime is what the last change left: reading moves it to now in the live tree, and reading is no change. */
function accessTimes(live: Snapshot, view: Snapshot): string[] {
  return [...live.values()].flatMap((object) => {
    const shown = view.get(object.path);
    const fits = !shown || shown.atime === object.atime || isOfThisRun(BigInt(object.atime));
    return fits ? [] : [`${object.path}: atime is ${shown.atime}, expected ${object.atime}`];
  });
}
const now = (): bigint => BigInt(Date.now()) * 1_000_000n;
const started = now();
const isOfThisRun = (time: bigint): boolean => started < time && time < now();

const describe = (calls: Call[]): string =>
  calls.map(({ who, op, args }) => `${who}: ${op} ${args.map((one) => (Buffer.isBuffer(one) ? JSON.stringify(one.toString('latin1')) : String(one)).slice(0, 60)).join(' ')}`).join('; ');

export class Oracle {
  private readonly random: Random;
  private readonly generator: Generator;
  private plainDrivers: Driver[] = [];
  private liveDrivers: Driver[] = [];
  private steps: Step[] = [];
  private readonly copies: { step: number; seq: number; directory: string }[] = [];
  private current: Snapshot = new Map();
  private views = 0;
  private last = '';

  private constructor(
    private readonly options: OracleOptions,
    private readonly scope: Scope,
    private readonly plain: string,
    private readonly mounted: MountedTree,
  ) {
    this.random = new Random(options.seed);
    this.generator = new Generator(this.random, { objects: options.objects ?? 20 });
  }

  static async run(scope: Scope, options: OracleOptions): Promise<OracleResult> {
    const plain = path.join(scope.temporary(options.where), 'plain');
    fs.mkdirSync(plain);
    const mounted = await mountSettled(scope, { where: options.where, transport: options.transport });
    for (const directory of [plain, mounted.tree]) fs.chmodSync(directory, 0o777);
    const oracle = new Oracle(options, scope, plain, mounted);
    scope.defer(() => oracle.stopDrivers());
    try {
      await oracle.startDrivers();
      return await oracle.all();
    } catch (error) {
      throw new Error(`seed ${options.seed}, ${oracle.last}: ${(error as Error).message}`, { cause: error });
    }
  }

  private async all(): Promise<OracleResult> {
    const { steps, window = 500, rollbacks = 0 } = this.options;
    const copied = new Set(Array.from({ length: rollbacks }, () => this.random.between(1, steps)));
    await this.observe(0, []);
    for (let number = 1; number <= steps; number++) {
      await this.step(number);
      if (copied.has(number)) await this.copy(number);
      const remount = this.options.remounts?.find((one) => one.step === number);
      if (remount) await this.remount(remount.kill);
      if (number % window === 0 || number === steps) {
        await this.compareViews();
        this.options.log?.(`seed ${this.options.seed}: ${number} of ${steps} steps, seq ${this.steps.at(-1)?.seq}`);
        this.steps = this.steps.slice(-1);
      }
    }
    await this.stopDrivers();
    for (const copy of this.copies.sort(() => (this.random.chance(0.5) ? 1 : -1))) await this.rollBack(copy);
    return { steps, seq: (await this.mounted.position()).seq, views: this.views, rollbacks: this.copies.length };
  }

  private async step(number: number): Promise<void> {
    const calls = this.generator.step(this.current);
    this.last = `step ${number} (${describe(calls)})`;
    for (const call of calls) {
      const [want, have] = await Promise.all([this.plainDrivers[call.who]!.call(call.op, ...call.args), this.liveDrivers[call.who]!.call(call.op, ...call.args)]);
      if (want.error !== have.error || want.text !== have.text) {
        throw new Error(`${describe([call])} answered ${have.error || `ok ${have.text}`}, on a plain directory ${want.error || `ok ${want.text}`}`);
      }
    }
    await this.observe(number, calls);
  }

  /** Keeps what both sides look like now, and compares what needs no view. */
  private async observe(number: number, calls: Call[]): Promise<void> {
    const [plain, live, { seq }] = await Promise.all([
      this.plainDrivers[0]!.ok('snapshot', this.plain),
      this.liveDrivers[0]!.ok('metadata', this.mounted.tree),
      this.mounted.position(),
    ]);
    this.steps.push({ number, seq, calls: describe(calls), plain, live });
    this.current = parseSnapshot(plain);
    const wrong = differences(this.current, parseSnapshot(live), statFields);
    if (wrong.length > 0) throw new Error(`the live tree differs:\n${wrong.slice(0, 20).join('\n')}`);
    if (number % 50 === 0) await this.compareContent();
  }

  private async compareContent(): Promise<void> {
    const wrong = differences(this.current, parseSnapshot(await this.liveDrivers[0]!.ok('snapshot', this.mounted.tree)));
    if (wrong.length > 0) throw new Error(`the live tree differs:\n${wrong.slice(0, 20).join('\n')}`);
  }

  /** Every step kept: the view of its seq shows the plain directory's state, with the live tree's times. */
  private async compareViews(): Promise<void> {
    this.last = 'the views';
    const readers = Array.from({ length: READERS }, () => new Driver(120_000));
    try {
      await Promise.all(readers.map(async (reader, r) => {
        for (let i = r; i < this.steps.length; i += READERS) await this.compareView(reader, this.steps[i]!, this.steps[i - 1]);
      }));
    } finally {
      await Promise.all(readers.map((reader) => reader.close()));
    }
  }

  private async compareView(reader: Driver, step: Step, before: Step | undefined): Promise<void> {
    this.views++;
    // No record, no change: there is no other instant to look at.
    if (before?.seq === step.seq) {
      const moved = differences(parseSnapshot(before.plain), parseSnapshot(step.plain));
      if (moved.length > 0) throw new Error(`step ${step.number} (${step.calls}) changed the tree without a record:\n${moved.slice(0, 20).join('\n')}`);
      return;
    }
    const view = parseSnapshot(await reader.ok('snapshot', path.join(this.mounted.tree, '.snapshots', `@#${step.seq}`)));
    const live = parseSnapshot(step.live);
    const wrong = [...differences(parseSnapshot(step.plain), view, contentFields), ...differences(live, view, timeFields), ...accessTimes(live, view)];
    if (wrong.length > 0) throw new Error(`view @#${step.seq} of step ${step.number} (${step.calls}) differs:\n${wrong.slice(0, 20).join('\n')}`);
  }

  private async copy(number: number): Promise<void> {
    const directory = this.scope.temporary('disk');
    await copyTree(this.mounted.tree, directory);
    this.copies.push({ step: number, seq: this.steps.at(-1)!.seq, directory });
  }

  private async rollBack(copy: { step: number; seq: number; directory: string }): Promise<void> {
    this.last = `rollback to #${copy.seq}, step ${copy.step}`;
    // The drivers keep files open.
    await this.mounted.rewind('rollback', '--to', `#${copy.seq}`, '--yes', '--force');
    const wrong = await rsyncDifferences(copy.directory, this.mounted.tree);
    if (wrong !== '') throw new Error(`rsync finds differences:\n${wrong}`);
  }

  private async remount(kill: boolean): Promise<void> {
    this.last = kill ? 'remount after SIGKILL' : 'remount';
    await this.stopDrivers();
    if (kill) await this.mounted.kill();
    else await this.mounted.unmount();
    await this.mounted.mount();
    await baselineDone(this.mounted);
    this.generator.forgetSlots();
    await this.startDrivers();
    await this.compareContent();
  }

  private async startDrivers(): Promise<void> {
    for (const [drivers, directory] of [[this.plainDrivers, this.plain], [this.liveDrivers, this.mounted.tree]] as const) {
      for (const [uid, gid, ...groups] of processes) {
        const driver = new Driver();
        drivers.push(driver);
        await driver.ok('umask', 0o022);
        await driver.ok('base', directory);
        if (uid !== 0) await driver.ok('as', uid!, gid!, ...groups);
      }
    }
  }

  private async stopDrivers(): Promise<void> {
    const all = [...this.plainDrivers.splice(0), ...this.liveDrivers.splice(0)];
    await Promise.all(all.map((driver) => driver.close()));
  }
}
