/**
 * A process that changes a tree and logs every call once it was acknowledged, to a file outside of the tree. It ends
 * when the tree stops answering. `node load.js DIRECTORY LOG NAME SEED FIRST`.
 *
 * Every object gets a name that is used once, so that each line of the log can be looked for in history.
 */
import fs from 'node:fs';
import { Random } from '../../helpers/random.js';

/** One acknowledged call. Paths are relative to the tree. */
export interface Acknowledged {
  kind: 'create' | 'write' | 'truncate' | 'rename' | 'unlink' | 'mkdir' | 'rmdir' | 'symlink' | 'link' | 'chmod';
  path: string;
  from?: string;
  offset?: number;
  length?: number;
  mode?: number;
  /** mkdir, create ...: counts up; what comes next starts above it. */
  number: number;
}

/** What a write of `length` bytes by call `number` holds. */
export function payload(number: number, length: number): Buffer {
  const out = Buffer.alloc(length, `${number} `);
  return out;
}

const [directory, logPath, name, seed, first] = process.argv.slice(2) as [string, string, string, string, string];

function main(): void {
  const random = new Random(Number(seed));
  const log = fs.openSync(logPath, 'a');
  let number = Number(first);
  const note = (entry: Omit<Acknowledged, 'number'>): void => {
    fs.writeSync(log, `${JSON.stringify({ ...entry, number })}\n`);
  };
  const at = (relative: string): string => `${directory}/${relative}`;
  const alive: { path: string; size: number }[] = fs.readdirSync(directory).filter((one) => one.startsWith(`${name}-f`)).map((one) => ({ path: one, size: fs.statSync(at(one)).size }));
  for (;;) {
    number++;
    const path = `${name}-f${number}`;
    const fd = fs.openSync(at(path), 'wx', 0o644);
    note({ kind: 'create', path });
    let size = 0;
    for (let i = random.between(1, 4); i > 0; i--) {
      const length = random.chance(0.9) ? random.between(1, 5000) : random.between(60_000, 300_000);
      // Cut by the kernel into several requests, a write may be short when the daemon dies in between.
      const written = fs.writeSync(fd, payload(number, length), 0, length, size);
      note({ kind: 'write', path, offset: size, length: written });
      size += written;
    }
    if (random.chance(0.1)) fs.fsyncSync(fd);
    fs.closeSync(fd);
    alive.push({ path, size });
    if (random.chance(0.3)) {
      const one = random.pick(alive);
      const to = `${name}-f${++number}`;
      fs.renameSync(at(one.path), at(to));
      note({ kind: 'rename', from: one.path, path: to });
      one.path = to;
    }
    if (random.chance(0.2)) {
      const one = random.pick(alive);
      one.size = random.below(one.size + 1);
      fs.truncateSync(at(one.path), one.size);
      note({ kind: 'truncate', path: one.path, length: one.size });
    }
    if (random.chance(0.2)) {
      const one = random.pick(alive);
      const mode = 0o400 + random.below(0o200);
      fs.chmodSync(at(one.path), mode);
      note({ kind: 'chmod', path: one.path, mode });
    }
    if (random.chance(0.2)) {
      fs.mkdirSync(at(`${name}-d${number}`));
      note({ kind: 'mkdir', path: `${name}-d${number}` });
      fs.symlinkSync('nowhere', at(`${name}-d${number}/link`));
      note({ kind: 'symlink', path: `${name}-d${number}/link` });
      fs.unlinkSync(at(`${name}-d${number}/link`));
      note({ kind: 'unlink', path: `${name}-d${number}/link` });
      fs.rmdirSync(at(`${name}-d${number}`));
      note({ kind: 'rmdir', path: `${name}-d${number}` });
    }
    while (alive.length > 15) {
      const [one] = alive.splice(random.below(alive.length), 1);
      fs.unlinkSync(at(one!.path));
      note({ kind: 'unlink', path: one!.path });
    }
  }
}

if (directory !== undefined && first !== undefined) {
  try {
    main();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    process.stdout.write(`${code}\n`);
    process.exitCode = 0;
  }
}
