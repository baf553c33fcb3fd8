/**
 * Random steps for the oracle: every kind of change that a program can make, by several processes and users, on names
 * from a small pool, so that they meet. A step is a list of driver calls; it may fail (both sides must fail alike).
 * It is a function of the seed and of the tree's states before, so that a seed is a whole test.
 */
import { FALLOC, MAP, O, PROT, RENAME, S } from '../../helpers/constants.js';
import { unescapeToken, type Argument } from '../../helpers/driver.js';
import type { Random } from '../../helpers/random.js';
import type { ObjectState, Snapshot } from '../../helpers/snapshot.js';

export interface Call {
  /** Which of the processes. */
  who: number;
  op: string;
  args: Argument[];
}

/** uid, gid, groups of the processes. */
export const processes: readonly number[][] = [[0, 0], [0, 0], [1000, 1000, 2000]];

const names: readonly Buffer[] = [
  ...['a', 'b', 'c', 'd', 'e', 'f', 'file.txt', 'Name with space', '.hidden'].map((name) => Buffer.from(name)),
  Buffer.from([0xff, 0x80, 0x0a]), Buffer.from('日本'), Buffer.alloc(255, 0x7a),
];
const modes = [0o644, 0o600, 0o755, 0o777, 0o666, 0o700, 0o400, 0o4755, 0o2775, 0o1777, 0o000];
const xattrNames = ['user.one', 'user.two', 'user.three', 'trusted.four', 'security.five'];
/** Temporary slots, closed within their step; slots below are kept open over steps. */
const TEMP = 90;
const KEPT = 6;

const isType = (object: ObjectState, prefix: string): boolean => object.mode.startsWith(prefix);
const join = (directory: Buffer, name: Buffer): Buffer => Buffer.concat([directory, Buffer.from('/'), name]);

function aclValue(random: Random, isDefault: boolean): Buffer {
  const perm = (): number => random.below(8);
  const entries: [number, number, number][] = [[1, isDefault ? 7 : 6, 0xffffffff], [2, perm(), 1000], [4, perm(), 0xffffffff], [8, perm(), 2000], [16, perm(), 0xffffffff], [32, perm(), 0xffffffff]];
  const out = Buffer.alloc(4 + entries.length * 8);
  out.writeUInt32LE(2, 0);
  entries.forEach(([tag, bits, id], i) => {
    out.writeUInt16LE(tag, 4 + i * 8);
    out.writeUInt16LE(bits, 6 + i * 8);
    out.writeUInt32LE(id, 8 + i * 8);
  });
  return out;
}

export class Generator {
  private tree: Snapshot = new Map();
  private who = 0;
  private calls: Call[] = [];
  /** `who:slot` of descriptors that are kept open. */
  private readonly kept = new Set<string>();

  constructor(
    private readonly random: Random,
    private readonly options: { objects: number },
  ) {}

  /** The next step, given the tree as it is now. */
  step(tree: Snapshot): Call[] {
    this.tree = tree;
    this.calls = [];
    this.who = this.random.chance(0.6) ? 0 : this.random.below(processes.length);
    const full = tree.size > this.options.objects;
    const choices = full && this.random.chance(0.5) ? removing : all;
    const total = choices.reduce((sum, [weight]) => sum + weight, 0);
    let at = this.random.below(total);
    for (const [weight, act] of choices) {
      if (at < weight) {
        act(this);
        break;
      }
      at -= weight;
    }
    return this.calls;
  }

  /** All descriptors are gone (the processes were started anew). */
  forgetSlots(): void {
    this.kept.clear();
  }

  do(op: string, ...args: Argument[]): void {
    // A name may have become a fifo, whose open would wait for the other end.
    if (op === 'open') args[2] = Number(args[2]) | O.NONBLOCK;
    this.calls.push({ who: this.who, op, args });
  }

  get r(): Random {
    return this.random;
  }

  private some(filter: (object: ObjectState) => boolean): ObjectState | null {
    const fitting = [...this.tree.values()].filter(filter);
    return fitting.length > 0 ? this.random.pick(fitting) : null;
  }

  directory(): Buffer {
    const object = this.some((one) => isType(one, '04') && one.path.split('/').length < 5);
    return object ? unescapeToken(object.path) : Buffer.from('.');
  }

  /** A path that may or may not exist. */
  fresh(): Buffer {
    return join(this.directory(), this.random.pick(names));
  }

  any(): Buffer {
    const object = this.some((one) => one.path !== '.');
    return object && this.random.chance(0.95) ? unescapeToken(object.path) : this.fresh();
  }

  file(): { path: Buffer; size: number } {
    const object = this.some((one) => isType(one, '10'));
    return object ? { path: unescapeToken(object.path), size: Number(object.size) } : { path: this.fresh(), size: 0 };
  }

  of(type: string): Buffer {
    const object = this.some((one) => isType(one, type) && one.path !== '.');
    return object ? unescapeToken(object.path) : this.fresh();
  }

  /** Mostly small; sometimes across blocks of 64 KiB. */
  length(): number {
    return this.random.chance(0.75) ? this.random.between(1, 6000) : this.random.chance(0.8) ? this.random.between(6000, 90_000) : this.random.between(60_000, 200_000);
  }

  offset(size: number): number {
    if (this.random.chance(0.2)) return 0;
    if (this.random.chance(0.3)) return size;
    if (this.random.chance(0.15)) return Math.floor(this.random.below(size + 1) / 65_536) * 65_536;
    return this.random.below(Math.min(size + 70_000, 300_000) + 1);
  }

  content(): number {
    return this.random.chance(0.1) ? 0 : this.random.between(1, 1_000_000);
  }

  mode(): number {
    return this.random.pick(modes);
  }

  time(): Argument {
    return this.random.pick<Argument>(['omit', 0n, 1n, -1_500_000_000n, 1_700_000_000_123_456_789n, BigInt(this.random.next()) * 1_000_000_007n]);
  }

  keep(): number {
    const slot = this.random.below(KEPT);
    this.kept.add(`${this.who}:${slot}`);
    return slot;
  }

  /** A slot that some process keeps open, by preference. */
  open(): number {
    const mine = [...this.kept];
    if (mine.length === 0) return this.random.below(KEPT);
    const [who, slot] = this.random.pick(mine).split(':').map(Number) as [number, number];
    this.who = who;
    return slot;
  }

  drop(slot: number): void {
    this.kept.delete(`${this.who}:${slot}`);
  }

  /** Opens, does, closes. */
  within(path: Buffer, flags: number, body: (slot: number) => void, mode = 0o644): void {
    this.do('open', TEMP, path, flags, mode);
    body(TEMP);
    this.do('close', TEMP);
  }

  acl(isDefault: boolean): Buffer {
    return aclValue(this.random, isDefault);
  }

  /** Removes a directory with what is in it, deepest first, as rm -r does. */
  removeTree(path: Buffer): void {
    const prefix = `${path.toString('latin1')}/`;
    const inside = [...this.tree.values()].map((object) => ({ object, bytes: unescapeToken(object.path) })).filter(({ bytes }) => bytes.toString('latin1').startsWith(prefix));
    for (const { object, bytes } of inside.reverse()) this.do(isType(object, '04') ? 'rmdir' : 'unlink', bytes);
    this.do('rmdir', path);
  }
}

type Act = [weight: number, act: (g: Generator) => void];

const dataActs: Act[] = [
  [8, (g) => g.within(g.fresh(), O.RDWR | O.CREAT | (g.r.chance(0.5) ? O.EXCL : 0), (s) => g.do('write', s, 0, g.length(), g.content()), g.mode())],
  [10, (g) => { const f = g.file(); g.within(f.path, O.RDWR, (s) => g.do('write', s, g.offset(f.size), g.length(), g.content())); }],
  [5, (g) => { const f = g.file(); g.within(f.path, O.WRONLY | O.TRUNC, (s) => { for (let i = g.r.between(1, 4); i > 0; i--) g.do('write', s, -1, g.length(), g.content()); }); }],
  [4, (g) => g.within(g.file().path, O.WRONLY | O.APPEND, (s) => g.do('write', s, -1, g.r.between(1, 300), g.content()))],
  [1, (g) => g.within(g.file().path, O.RDWR, (s) => g.do('writev', s, g.r.below(5000), g.length(), g.content()))],
  [4, (g) => { const f = g.file(); g.do('truncate', f.path, g.offset(f.size)); }],
  [5, (g) => { const f = g.file(); g.within(f.path, O.RDWR, (s) => g.do('fallocate', s, g.r.pick([FALLOC.ALLOCATE, FALLOC.KEEP_SIZE, FALLOC.PUNCH, FALLOC.ZERO, FALLOC.ZERO_KEEP]), g.r.below(f.size + 5000), g.r.between(1, 90_000))); }],
  [4, (g) => { const [from, to] = [g.file(), g.file()]; g.do('open', 91, from.path, O.RDONLY, 0); g.within(to.path, O.RDWR, (s) => g.do('copyrange', 91, g.r.below(from.size + 1), s, g.offset(to.size), g.length())); g.do('close', 91); }],
  [1, (g) => { const from = g.file(); g.do('open', 91, from.path, O.RDONLY, 0); g.within(g.file().path, O.RDWR, (s) => g.do('sendfile', s, 91, 0, g.length())); g.do('close', 91); }],
  [4, (g) => {
    const f = g.file();
    if (f.size === 0) return g.do('truncate', f.path, 5000);
    g.within(f.path, O.RDWR, (s) => {
      g.do('map', 1, s, f.size, PROT.READ | PROT.WRITE, MAP.SHARED);
      for (let i = g.r.between(1, 3); i > 0; i--) { const at = g.r.below(f.size); g.do('mapwrite', 1, at, g.r.between(1, f.size - at), g.content()); }
      g.do('mapsync', 1);
      g.do('unmap', 1);
    });
  }],
  [1, (g) => g.within(g.fresh(), O.RDWR | O.CREAT, (s) => g.do('write', s, g.r.below(100_000), g.r.between(1_000_000, 1_300_000), g.content()))],
];

const slotActs: Act[] = [
  [4, (g) => g.do('open', g.keep(), g.file().path, O.RDWR | (g.r.chance(0.2) ? O.APPEND : 0), 0)],
  [1, (g) => g.do('open', g.keep(), g.fresh(), O.RDWR | O.CREAT, g.mode())],
  [6, (g) => g.do('write', g.open(), g.offset(20_000), g.length(), g.content())],
  [2, (g) => g.do('ftruncate', g.open(), g.r.below(100_000))],
  [1, (g) => g.do('fchmod', g.open(), g.mode())],
  [1, (g) => g.do('fchown', g.open(), g.r.below(3), g.r.below(3))],
  [1, (g) => g.do('futimens', g.open(), g.time(), g.time())],
  [1, (g) => g.do(g.r.chance(0.5) ? 'fsync' : 'fdatasync', g.open())],
  [1, (g) => g.do('fallocate', g.open(), g.r.pick([FALLOC.ALLOCATE, FALLOC.PUNCH, FALLOC.ZERO]), g.r.below(50_000), g.r.between(1, 50_000))],
  [3, (g) => { const slot = g.open(); g.do('close', slot); g.drop(slot); }],
  [2, (g) => { g.do('open', TEMP, g.directory(), O.TMPFILE | O.RDWR, g.mode()); g.do('write', TEMP, 0, g.length(), g.content()); if (g.r.chance(0.8)) g.do('linkfd', TEMP, g.fresh()); if (g.r.chance(0.5)) g.do('write', TEMP, 100, 500, g.content()); g.do('close', TEMP); }],
  [1, (g) => g.do('open', g.keep(), g.directory(), O.TMPFILE | O.RDWR, g.mode())],
  [1, (g) => g.do('linkfd', g.open(), g.fresh())],
];

const nameActs: Act[] = [
  [5, (g) => g.do('mkdir', g.fresh(), g.mode() | 0o700)],
  [7, (g) => g.do('rename', g.any(), g.fresh(), RENAME.NONE)],
  [3, (g) => g.do('rename', g.any(), g.any(), RENAME.NONE)],
  [2, (g) => g.do('rename', g.any(), g.any(), RENAME.EXCHANGE)],
  [2, (g) => g.do('rename', g.any(), g.fresh(), RENAME.NOREPLACE)],
  [3, (g) => g.do('rename', g.of('04'), g.fresh(), RENAME.NONE)],
  [5, (g) => g.do('link', g.any(), g.fresh())],
  // No target leads out of the tree: what is made through it would not be a change of the tree.
  [4, (g) => g.do('symlink', g.r.pick<Argument>(['a', 'a/../b', '/nowhere/at/all', 'x'.repeat(300), Buffer.from([0xfe, 0x2f, 0xff])]), g.fresh())],
  [3, (g) => { const [mode, major, minor] = g.r.pick([[S.FIFO, 0, 0], [S.CHR, 1, 3], [S.BLK, 7, 77], [S.SOCK, 0, 0], [S.REG, 0, 0], [S.CHR, 0, 0]]); g.do('mknod', g.fresh(), mode! | g.mode(), major!, minor!); }],
  // A save as editors do it: a new file, written, moved over the old one.
  [4, (g) => { const target = g.file().path; const temporary = g.fresh(); g.within(temporary, O.WRONLY | O.CREAT | O.TRUNC, (s) => { g.do('write', s, 0, g.length(), g.content()); if (g.r.chance(0.3)) g.do('fsync', s); }, 0o600); g.do('chmod', temporary, g.mode()); g.do('rename', temporary, target, RENAME.NONE); }],
  // A file that lives and dies within the step, and one that takes the place of what it was.
  [2, (g) => { const path = g.fresh(); g.within(path, O.WRONLY | O.CREAT | O.EXCL, (s) => g.do('write', s, 0, g.length(), g.content())); g.do('unlink', path); }],
  [2, (g) => { const path = g.file().path; g.do('unlink', path); g.within(path, O.WRONLY | O.CREAT, (s) => g.do('write', s, 0, g.length(), g.content())); }],
];

const attributeActs: Act[] = [
  [4, (g) => g.do('chmod', g.any(), g.mode())],
  [1, (g) => g.do('chmod', g.directory(), g.r.pick([0o777, 0o1777, 0o2777, 0o755]))],
  [3, (g) => g.do('chown', g.any(), g.r.pick([0, 1000, 1001, -1]), g.r.pick([0, 1000, 2000, -1]))],
  [3, (g) => g.do('utimens', g.any(), g.time(), g.time())],
  [5, (g) => g.do('setxattr', g.any(), g.r.pick(xattrNames), Buffer.alloc(g.r.below(g.r.chance(0.9) ? 60 : 900), g.r.below(256)), g.r.pick([0, 0, 0, 1, 2]))],
  [2, (g) => g.do('removexattr', g.any(), g.r.pick(xattrNames))],
  [2, (g) => g.do('setxattr', g.any(), 'system.posix_acl_access', g.acl(false), 0)],
  [1, (g) => g.do('setxattr', g.of('04'), 'system.posix_acl_default', g.acl(true), 0)],
  [1, (g) => g.do('removexattr', g.any(), g.r.pick(['system.posix_acl_access', 'system.posix_acl_default']))],
];

const removing: Act[] = [
  [6, (g) => g.do('unlink', g.any())],
  [3, (g) => g.do('rmdir', g.of('04'))],
  [1, (g) => g.removeTree(g.of('04'))],
];

const all: Act[] = [...dataActs, ...slotActs, ...nameActs, ...attributeActs, ...removing.slice(0, 2)];
