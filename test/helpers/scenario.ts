/**
 * Seeded random sessions on the model: every step changes the model and writes the records that the engine would have
 * written, before-images, background walk and remounts included; the state after every record is kept.
 */
import { Flag, Kind } from '../../lib/extractor/record.js';
import { attrOf, isDirectory, isFile, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, type ModelNode } from './model.js';
import { BLOCK, MAX_FILE, Session, type Difference } from './session.js';

export class Scenario extends Session {
  private freshName(): string {
    const { random } = this;
    if (random.chance(0.05)) return `caf\xe9\xff-${random.below(5)}`;
    if (random.chance(0.02)) return 'n'.repeat(255);
    return random.pick(['a', 'b', 'c', 'd', 'e', 'f', 'foo', 'foo.txt', 'foo\x01', 'g h']);
  }

  private bytes(length: number): Buffer {
    const { random } = this;
    const bytes = Buffer.alloc(length);
    if (random.chance(0.1)) return bytes;
    if (random.chance(0.2)) return bytes.fill(random.pick(['same', 'other']));
    for (let i = 0; i < length; i += 4) bytes.writeUIntLE(random.next() % 2 ** (8 * Math.min(4, length - i)), i, Math.min(4, length - i));
    return bytes;
  }

  private file(): ModelNode | undefined {
    const files = [...this.model.names().map((entry) => entry.node), ...this.handles].filter(isFile);
    return files.length === 0 ? undefined : this.random.pick(files);
  }

  /** One random operation, or a step of the walk. */
  step(): void {
    const { random } = this;
    if (this.pending !== null && random.chance(0.15)) {
      this.walkStep();
      return;
    }
    const roll = random.below(100);
    if (roll < 16) this.create();
    else if (roll < 40) this.write();
    else if (roll < 48) this.truncate();
    else if (roll < 55) this.fallocate();
    else if (roll < 67) this.rename();
    else if (roll < 77) this.remove();
    else if (roll < 82) this.link();
    else if (roll < 88) this.setattr();
    else if (roll < 94) this.xattr();
    else this.other();
  }

  private create(): void {
    const { model, random } = this;
    const parent = random.pick(model.directories());
    const name = this.freshName();
    if (parent.children.has(name)) return;
    const [kind, mode] = random.pick([[Kind.Create, S_IFREG | 0o644], [Kind.Create, S_IFREG | 0o600], [Kind.Create, S_IFREG | 0o644], [Kind.Mkdir, S_IFDIR | 0o755], [Kind.Symlink, S_IFLNK | 0o777], [Kind.Mknod, S_IFIFO | 0o600], [Kind.Tmpfile, S_IFREG | 0o600]] as const);
    if (kind !== Kind.Tmpfile) this.beforeName(parent, name, undefined);
    const node = model.make(mode);
    this.born(node);
    if (kind === Kind.Symlink) {
      node.data = random.chance(0.2) ? Buffer.alloc(600, 't') : Buffer.from(`to/${name}`, 'latin1');
      node.size = node.data.length;
    }
    if (kind === Kind.Tmpfile) {
      node.nlink = 0;
      this.handles.push(node);
      this.emit({ kind, ino: node.ino, parent: parent.ino, attr: attrOf(node) });
      return;
    }
    parent.children.set(name, node);
    if (kind === Kind.Mkdir) parent.nlink++;
    model.touch(parent);
    this.emit({ kind, ino: node.ino, parent: parent.ino, name, attr: attrOf(node), parentAttr: attrOf(parent), flags: kind === Kind.Create ? Flag.Opened : 0, ...(kind === Kind.Symlink ? { payload: node.data } : {}) });
  }

  private write(): void {
    const { model, random } = this;
    const node = this.file();
    if (node === undefined) return;
    const small = random.chance(0.5);
    const offset = random.chance(0.3) ? node.size : random.below(Math.min(node.size + 3000, MAX_FILE));
    const aligned = random.chance(0.2) ? Math.floor(offset / BLOCK) * BLOCK : offset;
    const payload = this.bytes(small ? random.between(1, 700) : random.chance(0.2) ? BLOCK : random.between(1, 2 * BLOCK));
    for (let repeat = random.chance(0.05) ? 80 : 1; repeat > 0; repeat--) {
      this.saveBlocks(node, aligned, aligned + payload.length);
      this.saveNode(node);
      const data = Buffer.alloc(Math.max(node.size, aligned + payload.length));
      node.data.copy(data);
      payload.copy(data, aligned);
      model.setData(node, data);
      this.emit({ kind: Kind.Write, ino: node.ino, offset: aligned, length: payload.length, payload: Buffer.from(payload), attr: attrOf(node) });
      if (payload.length > 1000) break;
      payload[0]! ^= 0x55;
    }
  }

  private truncate(): void {
    const { model, random } = this;
    const node = this.file();
    if (node === undefined) return;
    const size = random.chance(0.3) ? 0 : random.below(Math.max(1, Math.min(MAX_FILE, node.size * 2)));
    this.saveBlocks(node, size, Math.max(node.size, size));
    this.saveNode(node);
    const data = Buffer.alloc(size);
    node.data.copy(data);
    model.setData(node, data);
    this.emit({ kind: Kind.Truncate, ino: node.ino, length: size, attr: attrOf(node) });
  }

  private fallocate(): void {
    const { model, random } = this;
    const node = this.file();
    if (node === undefined || node.size === 0) return;
    const mode = random.pick([0, 3, 3, 16, 17, 8, 32]);
    if (mode === 8 || mode === 32) {
      this.moveRange(node, mode);
      return;
    }
    const offset = random.below(node.size);
    const length = random.between(1, random.chance(0.5) ? 3000 : 3 * BLOCK);
    this.saveBlocks(node, offset, offset + length);
    this.saveNode(node);
    const data = Buffer.alloc(mode & 1 ? node.size : Math.max(node.size, offset + length));
    node.data.copy(data);
    if (mode !== 0) data.fill(0, offset, Math.min(offset + length, data.length));
    model.setData(node, data);
    this.emit({ kind: Kind.Fallocate, ino: node.ino, aux: mode, offset, length, attr: attrOf(node) });
  }

  /** Collapse or insert: the file reads as zero from the offset on until the writes that follow. */
  private moveRange(node: ModelNode, mode: number): void {
    const { model, random } = this;
    const unit = 4096;
    const offset = random.below(Math.ceil(node.size / unit)) * unit;
    if (mode === 8 && offset + unit >= node.size) return;
    this.saveBlocks(node, offset, node.size);
    this.saveNode(node);
    const tail = mode === 8 ? node.data.subarray(offset + unit) : Buffer.concat([Buffer.alloc(unit), node.data.subarray(offset)]);
    const data = Buffer.alloc(offset + tail.length);
    node.data.copy(data, 0, 0, offset);
    model.setData(node, data);
    this.emit({ kind: Kind.Fallocate, ino: node.ino, aux: mode, offset, length: unit, attr: attrOf(node), flags: Flag.More });
    for (let at = 0; at < tail.length; at += 100_000) {
      const payload = tail.subarray(at, at + 100_000);
      const next = Buffer.from(node.data);
      payload.copy(next, offset + at);
      model.setData(node, next);
      this.emit({ kind: Kind.Write, ino: node.ino, offset: offset + at, length: payload.length, payload, attr: attrOf(node), flags: at + 100_000 < tail.length ? Flag.More : 0 });
    }
  }

  private rename(): void {
    const { model, random } = this;
    const names = model.names();
    if (names.length === 0) return;
    const { parent, name, node } = random.pick(names);
    const parent2 = random.chance(0.5) ? parent : random.pick(model.directories());
    const name2 = this.freshName();
    const target = parent2.children.get(name2);
    const exchange = target !== undefined && random.chance(0.3);
    if (target === node || (isDirectory(node) && model.contains(node, parent2)) || (target !== undefined && isDirectory(target) && exchange && model.contains(target, parent))) return;
    if (target !== undefined && !exchange && (isDirectory(target) !== isDirectory(node) || target.children.size > 0)) return;
    this.saveNode(node);
    this.saveName(parent, name);
    this.beforeName(parent2, name2, target);
    this.saveNode(parent);
    parent.children.delete(name);
    parent2.children.set(name2, node);
    if (exchange) parent.children.set(name, target!);
    else if (target !== undefined) target.nlink = isDirectory(target) ? 0 : target.nlink - 1;
    this.recount(parent);
    this.recount(parent2);
    node.ctime = model.tick();
    if (target !== undefined) target.ctime = model.tick();
    model.touch(parent);
    model.touch(parent2);
    this.emit({
      kind: Kind.Rename, ino: node.ino, parent: parent.ino, name, name2, attr: attrOf(node), parentAttr: attrOf(parent),
      parent2: { ino: parent2.ino, attr: attrOf(parent2) }, flags: exchange ? Flag.Exchange : 0,
      ...(target === undefined ? {} : { target: { ino: target.ino, attr: attrOf(target) } }),
    });
    if (target !== undefined && target.nlink === 0) this.goneOrHeld(target);
  }

  private recount(directory: ModelNode): void {
    directory.nlink = 2 + [...directory.children.values()].filter(isDirectory).length;
  }

  private goneOrHeld(node: ModelNode): void {
    if (this.handles.includes(node)) return;
    if (isFile(node) && this.random.chance(0.3)) this.handles.push(node);
    else this.model.release(node);
  }

  private remove(): void {
    const { model, random } = this;
    const names = model.names().filter(({ node }) => !isDirectory(node) || node.children.size === 0);
    if (names.length === 0) return;
    const { parent, name, node } = random.pick(names);
    this.beforeName(parent, name, node);
    parent.children.delete(name);
    node.nlink = isDirectory(node) ? 0 : node.nlink - 1;
    node.ctime = model.tick();
    this.recount(parent);
    model.touch(parent);
    this.emit({ kind: isDirectory(node) ? Kind.Rmdir : Kind.Unlink, ino: node.ino, parent: parent.ino, name, attr: attrOf(node), parentAttr: attrOf(parent) });
    if (node.nlink === 0) this.goneOrHeld(node);
  }

  private link(): void {
    const { model, random } = this;
    const node = this.file();
    const parent = random.pick(model.directories());
    const name = this.freshName();
    if (node === undefined || parent.children.has(name)) return;
    this.beforeName(parent, name, undefined);
    this.saveNode(node);
    parent.children.set(name, node);
    node.nlink++;
    node.ctime = model.tick();
    model.touch(parent);
    this.emit({ kind: Kind.Link, ino: node.ino, parent: parent.ino, name, attr: attrOf(node), parentAttr: attrOf(parent) });
  }

  private anyNode(): ModelNode {
    return this.random.pick([this.model.root, ...this.model.names().map((entry) => entry.node)]);
  }

  private setattr(): void {
    const { model, random } = this;
    const node = this.anyNode();
    this.saveNode(node);
    node.mode = (node.mode & 0o170000) | random.below(0o7777);
    node.uid = random.below(3);
    node.atime = model.tick();
    node.ctime = model.tick();
    this.emit({ kind: Kind.Setattr, ino: node.ino, aux: 11, attr: attrOf(node) });
  }

  private xattr(): void {
    const { model, random } = this;
    const node = this.anyNode();
    const name = random.pick(['user.a', 'user.b', 'security.x']);
    this.saveNode(node);
    const removed = node.xattrs.has(name) && random.chance(0.5);
    const value = random.chance(0.2) ? Buffer.alloc(0) : this.bytes(random.between(1, 40));
    if (removed) node.xattrs.delete(name);
    else node.xattrs.set(name, value);
    node.ctime = model.tick();
    this.emit({ kind: removed ? Kind.Removexattr : Kind.Setxattr, ino: node.ino, name, attr: attrOf(node), ...(removed ? {} : { payload: value }) });
  }

  private other(): void {
    const { random } = this;
    const held = this.handles.length > 0 && random.chance(0.5) ? this.handles.splice(random.below(this.handles.length), 1)[0]! : undefined;
    if (held !== undefined) {
      this.emit({ kind: Kind.Close, ino: held.ino });
      if (held.nlink === 0) this.model.release(held);
    } else if (random.chance(0.5)) {
      this.emit({ kind: Kind.Mark, payload: { kind: 'mark', name: `m${this.seq}`, note: '' } });
    } else {
      this.emit({ kind: Kind.Writer, payload: { pid: 1, start: 2, ppid: 0, exe: '/bin/x', argv: ['x'], uid: 0, gid: 0, cgroup: '/', certain: true } });
    }
  }

  /** Changes while not mounted: applied to the model only. Answers what the next mount's walk will find different. */
  changeUnmounted(steps: number): Difference {
    for (const node of this.handles.splice(0)) if (node.nlink === 0) this.model.release(node);
    const { model } = this;
    const before = new Map(model.names().map((entry) => [`${entry.parent.ino}/${entry.name}`, entry]));
    const nodes = new Map([model.root, ...model.names().map((entry) => entry.node)].map((node) => [node, { attr: JSON.stringify(attrOf(node), stringify), data: node.data, xattrs: JSON.stringify([...node.xattrs]) }]));
    const { records, states } = this;
    const [count, seq] = [records.length, this.seq];
    for (let i = 0; i < steps; i++) this.step();
    records.length = count;
    for (let late = seq + 1; late <= this.seq; late++) states.delete(late);
    this.seq = seq;
    for (const node of this.handles.splice(0)) if (node.nlink === 0) this.model.release(node);
    const changed: Difference = { nodes: new Set(), names: new Set(), data: new Set(), gone: [] };
    const after = new Set<string>();
    const used = new Set(model.names().map((entry) => entry.node.ino));
    const living = new Map(model.directories().map((directory) => [directory.ino, directory]));
    for (const { parent, name, node } of model.names()) {
      const id = `${parent.ino}/${name}`;
      after.add(id);
      const old = before.get(id);
      if (old?.node.ino !== node.ino) changed.names.add(id);
    }
    for (const [id, { parent: then, name }] of before) {
      // What lay in a directory that is gone is gone too, unless its number stands for another object now.
      const parent = living.get(then.ino) ?? (used.has(then.ino) ? undefined : then);
      if (!after.has(id) && parent !== undefined) changed.gone.push({ parent, name });
    }
    for (const node of [model.root, ...model.names().map((entry) => entry.node)]) {
      const old = nodes.get(node);
      if (old === undefined || old.attr !== JSON.stringify(attrOf(node), stringify) || old.xattrs !== JSON.stringify([...node.xattrs])) changed.nodes.add(node);
      if (old === undefined || !old.data.equals(node.data)) changed.data.add(node);
    }
    return changed;
  }
}

const stringify = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value);
