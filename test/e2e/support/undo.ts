/**
 * Three writers, real processes, change the same few files and names of a mounted tree; the calls of two of them are also
 * made in a plain directory, where the third never ran. Then the third is undone: where no conflict was reported, the two
 * trees must be equal. A call of the two that has another result where the third never ran, or finds something where there was
 * nothing, depended on the third: what it touched, by whatever name then and later, is compared no more.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Driver } from '../../helpers/driver.js';
import { mountSettled, rewind } from '../../helpers/mount.js';
import { Random } from '../../helpers/random.js';
import type { Scope } from '../../helpers/scope.js';
import { copyTree } from '../../helpers/trees.js';
import { differences, pathBytes, snapshot, type Field, type ObjectState, type Snapshot } from '../../helpers/snapshot.js';

const FILES = ['a', 'b', 'c', 'd/a', 'd/b', 'e/a', 'big'];
const NAMES = [...FILES, 'n1', 'n2', 'd/n', 'e/n', 'sub', 'sub/x', 'sub/y'];
const FIELDS: readonly Field[] = ['mode', 'uid', 'gid', 'nlink', 'size', 'body', 'xattrs'];

export interface UndoResult {
  conflicts: number;
  /** Paths that were not compared. */
  excluded: number;
  compared: number;
  taken: number;
}

/** One call; every text that is written and every mode is another one, so that equal is not equal by chance. */
function call(random: Random, number: number): string[] {
  const name = random.pick(NAMES);
  const file = random.pick(FILES);
  switch (random.below(12)) {
    case 0: return ['mkdir', random.pick(['sub', 'e/n', 'n1']), '493'];
    case 1: return ['unlink', name];
    case 2: return ['rename', name, random.pick(NAMES), '0'];
    case 3: return ['link', file, random.pick(NAMES)];
    case 4: return ['chmod', file, String(0o400 + (number % 0o377))];
    case 5: return ['setxattr', file, random.pick(['user.x', 'user.y']), `v${number}`, '0'];
    case 6: return ['truncate', file, String(random.below(3000))];
    case 7: return ['put', name, `line ${number}`];
    case 8: return ['put', file, `line ${number}`];
    default: return ['over', file, String(random.below(2500)), `<${number}:${'x'.repeat(random.below(300))}>`];
  }
}

/** `put`: a new content, as a shell does it; `over`: some bytes of a file that exists. */
async function make(driver: Driver, [op, name, ...rest]: string[]): Promise<string> {
  if (op !== 'put' && op !== 'over') return (await driver.call(op!, name!, ...rest)).error;
  const flags = op === 'put' ? fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC : fs.constants.O_WRONLY;
  const opened = await driver.call('open', '0', name!, flags, 0o644);
  if (opened.error) return opened.error;
  if (op === 'over') await driver.ok('seek', '0', rest[0]!, 0);
  await driver.ok('text', '0', rest.at(-1)!);
  await driver.ok('close', '0');
  return '';
}

const nameOf = (object: ObjectState): string => pathBytes(object).toString().replace(/^\.\//, '');

/** The names of an object, so that what a call touched is excluded by every name that it has. */
function withLinks(tree: Snapshot, names: Set<string>): Set<string> {
  const inodes = new Set([...tree.values()].filter((object) => names.has(nameOf(object))).map(({ ino }) => ino));
  return new Set([...names, ...[...tree.values()].filter(({ ino }) => inodes.has(ino)).map((object) => nameOf(object))]);
}

function inodeAt(place: string, name: string): number | null {
  try {
    return fs.lstatSync(path.join(place, name)).ino;
  } catch {
    return null;
  }
}

/** Of a directory: names and objects that calls touched which depended on the third writer. */
class Tainted {
  readonly names = new Set<string>();
  private readonly inodes = new Set<number>();
  /** What calls reached by each name. */
  private readonly reached = new Map<string, Set<number>>();

  constructor(private readonly place: string) {}

  /** Does one of the names lead to such an object, or did it? */
  has(names: readonly string[]): boolean {
    return names.some((name) => this.names.has(name) || this.inodes.has(inodeAt(this.place, name) ?? -1));
  }

  /** To be called before the call changes what the names lead to. Answers how to add all that it touches, by all names. */
  touching(names: readonly string[]): () => void {
    const inodes = new Set<number>();
    for (const name of names) {
      const inode = inodeAt(this.place, name);
      if (inode === null) continue;
      inodes.add(inode);
      this.reached.set(name, new Set([...this.reached.get(name) ?? [], inode]));
    }
    const all = [...names, ...NAMES.filter((name) => inodes.has(inodeAt(this.place, name) ?? -1))];
    return () => {
      for (const name of all) this.names.add(name);
      for (const inode of inodes) this.inodes.add(inode);
    };
  }

  /** Names that the objects have now, and all objects that were reached by a name of which a conflict is told. */
  now(conflicts: readonly string[]): string[] {
    for (const name of conflicts) for (const inode of this.reached.get(name) ?? []) this.inodes.add(inode);
    return NAMES.filter((name) => this.inodes.has(inodeAt(this.place, name) ?? -1));
  }
}

/** @throws with the seed and what differs */
export async function undoOneWriter(scope: Scope, seed: number, steps: number): Promise<UndoResult> {
  const random = new Random(seed);
  const start = scope.temporary('memory');
  for (const directory of ['d', 'e']) fs.mkdirSync(path.join(start, directory));
  for (const [i, file] of FILES.entries()) {
    fs.writeFileSync(path.join(start, file), file === 'big' ? Buffer.alloc(3000, 0) : Array.from({ length: 80 }, (_, line) => `${file} ${line} ${'.'.repeat(i)}\n`).join(''));
  }
  const tree = path.join(scope.temporary('memory'), 'tree');
  const plain = path.join(scope.temporary('memory'), 'plain');
  for (const place of [tree, plain]) {
    fs.mkdirSync(place);
    await copyTree(start, place);
  }
  const mounted = await mountSettled(scope, { where: 'memory', tree });
  const writers = [await mounted.driver(), await mounted.driver(), await mounted.driver()];
  const control = new Driver();
  scope.defer(() => control.close());
  await control.ok('base', plain);
  const tainted = [new Tainted(tree), new Tainted(plain)];
  let idle = true;
  for (let i = 0; i < steps; i++) {
    const who = random.below(3);
    const one = call(random, i);
    const names = one.slice(1, one[0] === 'rename' || one[0] === 'link' ? 3 : 2);
    const taint = tainted.map((one) => one.touching(names));
    const depends = tainted.some((one) => one.has(names));
    const there = names.every((name) => (inodeAt(tree, name) === null) === (inodeAt(plain, name) === null));
    const result = await make(writers[who]!, one);
    if (who === 0) {
      idle &&= result !== '';
      continue;
    }
    const same = await make(control, one) === result;
    if (!same || !there || depends) for (const add of taint) add();
  }
  const undone = await rewind(['undo', '--writer', String(writers[0]!.pid), '--yes', '--json', '--tree', tree], { timeoutMs: 120_000 });
  if (idle && undone.stderr.includes('ERR_WRITER_UNKNOWN')) return { conflicts: 0, excluded: 0, compared: 0, taken: 0 };
  if (undone.code !== 0 && undone.code !== 3) throw new Error(`seed ${seed}: undo: exit ${undone.code}\n${undone.stdout}\n${undone.stderr}`);
  const rows = undone.stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  const conflicts = rows.filter((row) => row['type'] === 'conflict').map((row) => String(row['path']));
  if ((undone.code === 3) !== (conflicts.length > 0)) throw new Error(`seed ${seed}: exit ${undone.code} with ${conflicts.length} conflicts`);
  // A conflict has the path of before the undo.
  const moved = rows.filter((row) => row['action'] === 'rename' && conflicts.includes(String(row['from']))).map((row) => String(row['path']));
  const depended = tainted.flatMap((one) => [...one.names, ...one.now(conflicts)]);
  const [want, have] = [await snapshot(control, plain), await snapshot(control, tree)];
  const excluded = withLinks(want, withLinks(have, new Set([...conflicts, ...moved, ...depended])));
  const outside = (name: string): boolean => ![...excluded].some((other) => name === other || name.startsWith(`${other}/`) || other.startsWith(`${name}/`));
  const restrict = (all: Snapshot): Snapshot => new Map([...all].filter(([, object]) => outside(nameOf(object))));
  const [expected, actual] = [restrict(want), restrict(have)];
  const wrong = differences(expected, actual, FIELDS).filter((line) => !line.includes('nlink') || depended.length === 0);
  if (wrong.length > 0) throw new Error(`seed ${seed}: ${wrong.join('; ')} (conflicts: ${conflicts.join(', ')}; depended: ${[...new Set(depended)].join(', ')})`);
  return { conflicts: conflicts.length, excluded: want.size - expected.size, compared: expected.size, taken: Number(rows.find((row) => row['type'] === 'coverage')?.['taken_back'] ?? 0) };
}
