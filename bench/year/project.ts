/** What lies in the simulated tree, and the single acts of a developer's day upon it. */
import type { Random } from '../../test/helpers/random.js';
import { edited, logLine, objectCode, PAGE, recompiled, sourceSize, sourceText, updated } from './content.js';
import type { Inode, Opened, Place, SimulatedTree } from './tree.js';

const DIRECTORIES = 20;
const SOURCES = 600;
const UNITS = 240;
const LOGS = 6;
/** Rotated logs that stay. */
const OLD_LOGS = 3;
const PACKAGES = 60;
const PACKAGE_FILES = 40;
const PAGES = 2048;
/** Files that a checkout gives other content. */
const CHECKED_OUT = 200;
const SWAPS = 8;

/** `other`: what it holds on the other branch. */
interface Source extends Place { other: Buffer }

interface Log { place: Place; opened: Opened | null }

export class Project {
  readonly sources: Source[] = [];
  readonly database: Place;
  readonly logs: Log[];
  /** The directory whose changes are asked for. */
  readonly directory: Place;
  private readonly build: Inode;
  private readonly modules: Inode;
  private readonly objects: Place[] = [];
  /** The version of each package that is installed. */
  private readonly versions: number[];
  private readonly units: number;
  private databaseOpened: Opened | null = null;

  /** `part`: of the whole tree. */
  constructor(private readonly tree: SimulatedTree, private readonly random: Random, part: number) {
    this.units = Math.ceil(UNITS * part);
    this.versions = Array.from({ length: Math.ceil(PACKAGES * part) }, () => 1);
    const { root } = tree;
    const writer = tree.program('git', 'clone');
    const make = (parent: Inode, name: string): Inode => tree.mkdir({ parent, name }, writer);
    const [src, logs] = [make(root, 'src'), make(root, 'logs')];
    [this.build, this.modules] = [make(root, 'build'), make(root, 'node_modules')];
    const directories = Array.from({ length: DIRECTORIES }, (_, i) => make(src, `part${i}`));
    for (let i = 0; i < SOURCES * part; i++) this.addSource({ parent: directories[i % DIRECTORIES]!, name: `file${i}.ts` }, writer);
    this.directory = { parent: src, name: 'part0' };
    this.database = { parent: root, name: 'data.db' };
    const pages = Buffer.concat(Array.from({ length: PAGES * part }, () => objectCode(random, PAGE)));
    this.save(tree.create(this.database, writer), pages);
    this.logs = Array.from({ length: LOGS }, (_, i) => ({ place: { parent: logs, name: `log${i}` }, opened: null }));
    this.compile(this.units);
    this.install();
  }

  /** Services start: they open their logs, the old ones move on, and the database. */
  startServices(): void {
    const { tree } = this;
    const writer = tree.program('node', 'server.js');
    for (const log of this.logs) {
      const { parent, name } = log.place;
      if (log.opened) tree.close(log.opened);
      const numbered = (n: number): Place => ({ parent, name: n === 0 ? name : `${name}.${n}` });
      if (parent.entries!.has(numbered(OLD_LOGS).name)) tree.remove(numbered(OLD_LOGS), writer);
      for (let n = OLD_LOGS - 1; n >= 0; n--) if (parent.entries!.has(numbered(n).name)) tree.rename(numbered(n), numbered(n + 1), writer);
      log.opened = tree.create(log.place, writer);
    }
    if (this.databaseOpened) tree.close(this.databaseOpened);
    this.databaseOpened = tree.open(fileAt(this.database), writer);
  }

  append(): void {
    const { opened } = this.random.pick(this.logs);
    this.tree.write(opened!, opened!.file.attr.size, logLine(this.random, this.tree.now));
  }

  /** A transaction: some pages get other rows. */
  update(): void {
    const { random, tree } = this;
    const { content } = fileAt(this.database);
    for (let i = random.between(3, 7); i > 0; i--) {
      const at = PAGE * random.below(content.length / PAGE);
      const page = updated(content.subarray(at, at + PAGE), random);
      page.copy(content, at);
      tree.write(this.databaseOpened!, at, page);
    }
  }

  /** An editor writes the file anew, or another one that it renames over it; a swap file comes and goes. */
  edit(): void {
    const { random, tree } = this;
    // Most work is on few files.
    const source = this.sources[Math.floor(this.sources.length * (random.below(1000) / 1000) ** 3)]!;
    const writer = tree.program('vim', source.name);
    const swap: Place = { parent: source.parent, name: `.${source.name}.swp` };
    const swapped = tree.create(swap, writer);
    for (let i = 0; i < SWAPS; i++) tree.write(swapped, 512 * i, objectCode(random, 400));
    const content = edited(fileAt(source).content, random);
    if (random.chance(0.5)) {
      const opened = tree.open(fileAt(source), writer);
      tree.truncate(opened, 0);
      this.save(opened, content);
    } else {
      const beside: Place = { parent: source.parent, name: `${source.name}.${random.next().toString(36)}` };
      this.save(tree.create(beside, writer), content);
      tree.rename(beside, source, writer);
    }
    tree.close(swapped);
    tree.remove(swap, writer);
  }

  /** So many units are compiled again. */
  compile(units: number): void {
    const { random, tree } = this;
    for (let i = 0; i < units; i++) {
      const unit = units >= this.units ? i % this.units : random.below(this.units);
      const object: Place = this.objects[unit] ??= { parent: this.build, name: `unit${unit}.o` };
      const before = this.build.entries!.get(object.name);
      const writer = tree.program('cc1plus', '-c', `unit${unit}.cc`);
      const code = before ? recompiled(before.content, random) : objectCode(random, random.between(2000, 24_000));
      if (before) tree.remove(object, writer);
      const opened = tree.create(object, writer);
      tree.fill(opened, code, 1 << 13);
      tree.close(opened);
      const opened2 = this.anew({ parent: this.build, name: `unit${unit}.d` }, writer);
      this.save(opened2, Buffer.from(`unit${unit}.o: unit${unit}.cc ${random.below(4)}\n`));
    }
  }

  /** The other branch: files are removed and made anew, as git does. Now and then it has been merged. */
  checkOut(): void {
    const { random, tree } = this;
    const writer = tree.program('git', 'checkout', 'other');
    const from = random.below(this.sources.length);
    for (let i = 0; i < Math.min(CHECKED_OUT, this.sources.length); i++) {
      const source = this.sources[(from + i) % this.sources.length]!;
      const before = fileAt(source).content;
      tree.remove(source, writer);
      this.save(tree.create(source, writer), source.other);
      source.other = random.chance(0.1) ? edited(source.other, random) : before;
    }
  }

  /** Modules are removed, and installed anew, some in another version. */
  reinstall(): void {
    const writer = this.tree.program('rm', '-rf', 'node_modules');
    for (const [name, one] of [...this.modules.entries!]) {
      for (const file of [...one.entries!.keys()]) this.tree.remove({ parent: one, name: file }, writer);
      this.tree.remove({ parent: this.modules, name }, writer);
    }
    for (let i = 0; i < this.versions.length / 6; i++) this.versions[this.random.below(this.versions.length)]!++;
    this.install();
  }

  /** Somebody changes permissions. */
  chmod(): void {
    this.tree.chmod(fileAt(this.random.pick(this.sources)), this.random.pick([0o644, 0o600, 0o755]), this.tree.program('chmod'));
  }

  private install(): void {
    const { tree } = this;
    const writer = tree.program('npm', 'install');
    for (const [i, version] of this.versions.entries()) {
      const directory = tree.mkdir({ parent: this.modules, name: `package${i}` }, writer);
      for (let n = 0; n < PACKAGE_FILES; n++) {
        const opened = tree.create({ parent: directory, name: `${n}.js` }, writer);
        this.save(opened, packaged(i, n, version));
        if (n % 10 === 0) tree.chmod(opened.file, 0o755, writer);
      }
    }
  }

  private addSource(place: Place, writer: number): void {
    const text = sourceText(this.random, sourceSize(this.random));
    this.save(this.tree.create(place, writer), text);
    this.sources.push({ ...place, other: edited(text, this.random) });
  }

  private anew(place: Place, writer: number): Opened {
    const known = place.parent.entries!.get(place.name);
    if (known === undefined) return this.tree.create(place, writer);
    const opened = this.tree.open(known, writer);
    this.tree.truncate(opened, 0);
    return opened;
  }

  private save(opened: Opened, content: Buffer): void {
    this.tree.fill(opened, content);
    this.tree.close(opened);
  }
}

export const fileAt = ({ parent, name }: Place): Inode => parent.entries!.get(name)!;

const texts = new Map<string, Buffer>();

/** A file of a package: the same whenever that version is installed. A file has few versions of its own. */
function packaged(one: number, file: number, version: number): Buffer {
  const key = `${file}/${(one + version) % 16}`;
  let text = texts.get(key);
  if (!text) texts.set(key, (text = Buffer.from(`/* ${key} */\n`.repeat(40 + (file * 37) % 200))));
  return Buffer.concat([Buffer.from(`// package ${one} ${version}\n`), text]);
}
