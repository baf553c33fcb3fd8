/** Trip wires over a history in memory: what counts, for whom and for how long. */
import test from 'ava';
import type { Change, NodeId, Writer } from '../../../lib/history/types.js';
import { DEFAULT_TRIPS, type TripRules } from '../../../lib/policy/trips.js';
import { TripWires, type Tripped } from '../../../lib/states/tripwires.js';

const S_IFREG = 0o100000;
const LETTER = Buffer.from('Dear reader,\nnothing of what follows is of any interest to anybody who has something better to do.\n'.repeat(8));
const NOISE = Buffer.from(Array.from({ length: 1024 }, (_, i) => (Math.imul(i + 1, 2_654_435_761) >>> 11 ^ Math.imul(i + 7, 40_503) >>> 3) & 255));

type Command = Partial<Writer> & { argv: string[] };

/** A tree, who changes it, and what was noticed. */
class Scene {
  readonly noticed: Tripped[] = [];
  private readonly wires: TripWires;
  private readonly changes: Change[] = [];
  private readonly contents = new Map<NodeId, { seq: number; data: Buffer }[]>();
  private readonly writers: Writer[] = [];
  private readonly directories = ['', 'src', 'app/node_modules/dep/lib'];
  private seq = 100;
  private nodes = 1000;
  private ms = 0;

  constructor(rules: Partial<TripRules> = {}) {
    this.wires = new TripWires({
      writer: async (id) => this.writers[id - 1] ?? null,
      attr: async (node, seq) => {
        const data = this.at(node, seq);
        return data && { mode: S_IFREG, size: data.length } as never;
      },
      read: async (node, offset, length, seq) => this.at(node, seq)!.subarray(offset, offset + length),
      nodeChanges: (node, _after, upTo) => [...this.changes].reverse().filter((change) => change.node === node && change.seq <= upTo) as never,
      pathOf: async (node) => this.directories[node]!.split('/').filter(Boolean),
    }, { ...DEFAULT_TRIPS, ...rules });
  }

  process(command: Command): number {
    const id = this.writers.length + 1;
    return this.writers.push({ id, pid: id * 10, start: id, ppid: 5, exe: `/usr/bin/${command.argv[0]}`, uid: 0, gid: 0, cgroup: '/', certain: true, ancestors: ['5:1'], ...command });
  }

  /** Files that were there before history; nobody knows who made them. */
  found(count: number, data = LETTER): NodeId[] {
    return Array.from({ length: count }, () => {
      this.contents.set(++this.nodes, [{ seq: 0, data }]);
      return this.nodes;
    });
  }

  /** `ms` pass before it. */
  async write(writer: number, node: NodeId, data: Buffer, ms = 1): Promise<void> {
    const marker = this.contents.has(node) ? 'modify' : 'create';
    this.contents.set(node, [...this.contents.get(node) ?? [], { seq: this.seq + 1, data }]);
    await this.happens(writer, marker, node, ms, { parent: undefined, length: data.length, kind: data.length === 0 ? 25 : 24 });
  }

  async make(writer: number, count: number, ms = 1): Promise<NodeId[]> {
    const made = Array.from({ length: count }, () => ++this.nodes);
    for (const node of made) await this.write(writer, node, LETTER, ms);
    return made;
  }

  async remove(writer: number, nodes: readonly NodeId[], { ms = 1, directory = 1, name = 'a.txt' } = {}): Promise<void> {
    for (const node of nodes) await this.happens(writer, 'delete', node, ms, { parent: directory, name });
  }

  async rename(writer: number, nodes: readonly NodeId[], to: string, target?: NodeId): Promise<void> {
    for (const node of nodes) await this.happens(writer, 'rename', node, 1, { parent: 1, name: 'a.txt', parent2: 1, name2: to, target });
  }

  get what(): string[] {
    return this.noticed.map(({ what }) => what);
  }

  private at(node: NodeId, seq: number): Buffer | null {
    return this.contents.get(node)?.filter((one) => one.seq <= seq).at(-1)?.data ?? null;
  }

  private async happens(writer: number, marker: Change['marker'], node: NodeId, ms: number, more: Partial<Change>): Promise<void> {
    this.ms += ms;
    const seq = ++this.seq;
    const change = { seq, record: seq, timeNs: BigInt(Math.round(this.ms * 1e6)), kind: 14, marker, node, offset: 0, length: 0, size: 0, writer, save: 0, writeback: false, unmounted: false, ...more };
    this.changes.push(change);
    this.noticed.push(...await this.wires.look(change));
  }
}

test.serial('files that were there before history count: rm -r of a thousand of them trips, an encrypting loop over fifty', async (t) => {
  const scene = new Scene();
  const rm = scene.process({ argv: ['rm', '-r', 'src'] });
  await scene.remove(rm, scene.found(999));
  t.deepEqual(scene.noticed, []);
  await scene.remove(rm, scene.found(1));
  t.like(scene.noticed[0], { what: 'deletion', count: 1000, first: 101, families: [{ pid: 10, start: 1 }] });
  const openssl = scene.process({ argv: ['openssl', 'enc'], ppid: 6 });
  for (const node of scene.found(100)) await scene.write(openssl, node, NOISE);
  t.deepEqual(scene.what, ['deletion', 'encryption']);
});

test.serial('what tools make again is spared when it is deleted, however much it is; what lies beside it is not', async (t) => {
  const scene = new Scene();
  const npm = scene.process({ argv: ['npm', 'ci'] });
  await scene.remove(npm, scene.found(5000), { directory: 2, name: 'index.js' });
  const rm = scene.process({ argv: ['rm', '-f'] });
  await scene.remove(rm, scene.found(2000), { name: 'part.o' });
  await scene.remove(rm, scene.found(900));
  t.deepEqual(scene.what, []);
  await scene.remove(rm, scene.found(100));
  t.deepEqual(scene.what, ['deletion']);
  t.is(scene.noticed[0]!.writer.argv[0], 'rm');
});

test.serial('version control is trusted with what it deletes, renames and writes over; not with what cannot be read any more', async (t) => {
  const scene = new Scene();
  const git = scene.process({ argv: ['git', 'checkout', 'main'] });
  await scene.remove(git, scene.found(3000));
  await scene.rename(git, scene.found(500), 'a.md');
  for (const node of scene.found(400)) await scene.write(git, node, Buffer.alloc(500));
  t.deepEqual(scene.what, []);
  for (const node of scene.found(100)) await scene.write(git, node, NOISE, 20);
  t.deepEqual(scene.what, ['encryption']);
});

test.serial('content that zeroes, nothing or another text takes the place of', async (t) => {
  for (const data of [Buffer.alloc(LETTER.length), Buffer.alloc(0), Buffer.from('Pay, or you never see it again. '.repeat(25)), LETTER.subarray(0, 20)]) {
    const scene = new Scene();
    const wiper = scene.process({ argv: ['wiper'] });
    for (const node of scene.found(200)) await scene.write(wiper, node, data);
    t.like(scene.noticed[0], { what: 'overwriting', count: 200, first: 101 }, String(data.subarray(0, 10)));
    t.is(scene.noticed.length, 1);
  }
  const renaming = new Scene();
  const wiper = renaming.process({ argv: ['wiper'] });
  const [blank] = renaming.found(1, Buffer.alloc(1000));
  for (const node of renaming.found(200)) await renaming.rename(wiper, [blank!], 'a.txt', node);
  t.deepEqual(renaming.what, ['overwriting']);
});

test.serial('who changes many files, or makes his own anew, writes over nothing', async (t) => {
  const scene = new Scene();
  const formatter = scene.process({ argv: ['prettier', '--write'] });
  for (const node of scene.found(2000)) await scene.write(formatter, node, Buffer.from(LETTER.toString().replaceAll('\n', '\r\n\t').replaceAll('of', '(of)')));
  const build = scene.process({ argv: ['build'] });
  for (const node of await scene.make(build, 1000)) await scene.write(build, node, NOISE.subarray(0, 200));
  t.deepEqual(scene.what, []);
});

test.serial('what is encrypted in place is told once, unless only writing over is to be stopped', async (t) => {
  const scene = new Scene();
  const locker = scene.process({ argv: ['locker'] });
  for (const node of scene.found(400)) await scene.write(locker, node, NOISE);
  t.deepEqual(scene.what, ['encryption']);
  const stopping = new Scene({ block: ['overwriting'] });
  const other = stopping.process({ argv: ['locker'] });
  for (const node of stopping.found(400)) await stopping.write(other, node, NOISE);
  t.deepEqual(stopping.what, ['encryption', 'overwriting']);
});

test.serial('a group that did much of its own is not looked away from', async (t) => {
  const scene = new Scene();
  const node = scene.process({ argv: ['tool'] });
  await scene.remove(node, await scene.make(node, 2000), { ms: 0.1 });
  await scene.make(node, 20, 1000);
  await scene.remove(node, scene.found(1500), { ms: 1000 / 150 });
  t.deepEqual(scene.what, ['deletion']);
});

test.serial('samples are counted within the time: who wrote for long may still be noticed', async (t) => {
  const scene = new Scene();
  const tool = scene.process({ argv: ['tool'] });
  for (let i = 0; i < 40; i++) for (const node of scene.found(50)) await scene.write(tool, node, Buffer.concat([LETTER, Buffer.from(String(i))]), 10);
  t.deepEqual(scene.what, []);
  for (const node of scene.found(100)) await scene.write(tool, node, NOISE, 100);
  t.deepEqual(scene.what, ['encryption']);
});

test.serial('a wire that tripped is set again when it is quiet, though the group goes on', async (t) => {
  const scene = new Scene();
  const rm = scene.process({ argv: ['rm'] });
  await scene.remove(rm, scene.found(3000), { ms: 5 });
  t.deepEqual(scene.what, ['deletion'], 'once, as long as it lasts');
  await scene.make(rm, 15, 1000);
  await scene.remove(rm, scene.found(1000));
  t.deepEqual(scene.what, ['deletion', 'deletion']);
});

test.serial('services of one parent are told apart by the group that the system holds them in', async (t) => {
  const scene = new Scene();
  const [one, two] = [scene.process({ argv: ['sync'], cgroup: '/user/a.service' }), scene.process({ argv: ['mail'], cgroup: '/user/b.service' })];
  await scene.remove(one, scene.found(600));
  await scene.remove(two, scene.found(600));
  t.deepEqual(scene.what, []);
  await scene.remove(two, scene.found(400));
  t.like(scene.noticed[0], { what: 'deletion', first: 701 });
});

test.serial('a loop that starts a shell for each file is one, and is told once', async (t) => {
  const scene = new Scene();
  for (const [i, node] of scene.found(300).entries()) {
    const shell = 1000 + i;
    await scene.write(scene.process({ argv: ['openssl', 'enc'], ppid: shell, ancestors: [`${shell}:7`, '5:1', '3:1'] }), node, NOISE, 20);
  }
  t.deepEqual(scene.what, ['encryption']);
  t.deepEqual(scene.noticed[0]!.families, [{ pid: 5, start: 1 }]);
  const nested = new Scene();
  const rm = nested.process({ argv: ['rm'], ancestors: ['5:1', '3:1'] });
  await nested.remove(rm, nested.found(2500));
  t.deepEqual(nested.what, ['deletion'], 'of the nearest group that trips');
});
