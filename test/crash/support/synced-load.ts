/**
 * A process that makes the operations of one writer (synced-ops.ts), and logs each before it begins with it and once the
 * last fsync was answered, to a file outside of the tree and its disks. It ends when the tree stops answering.
 * `node synced-load.js DIRECTORY LOG WRITER FIRST`
 */
import fs from 'node:fs';
import path from 'node:path';
import { operation, type SyncedOp, type Writer } from './synced-ops.js';

/** A line of the log. */
export interface Note {
  writer: Writer;
  n: number;
  done: boolean;
  /** CLOCK_MONOTONIC, as the log of the disks has it. */
  ns: string;
  /** Of the wall clock; the writer's next operation begins later. */
  ms: number;
}

function syncPath(file: string): void {
  const fd = fs.openSync(file, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function put(file: string, flags: string, data: Buffer, offset: number | null, sync: (fd: number) => void): void {
  const fd = fs.openSync(file, flags);
  try {
    for (let at = 0; at < data.length;) at += fs.writeSync(fd, data, at, data.length - at, offset === null ? null : offset + at);
    sync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function execute(root: string, op: SyncedOp): void {
  const at = (relative: string): string => path.join(root, relative);
  switch (op.do) {
    case 'append':
      put(at(op.path), 'a', op.data, null, fs.fsyncSync);
      syncPath(path.dirname(at(op.path)));
      break;
    case 'replace':
      put(at(`${op.path}.new`), 'w', op.data, null, fs.fsyncSync);
      fs.renameSync(at(`${op.path}.new`), at(op.path));
      syncPath(root);
      break;
    case 'write': put(at(op.path), 'r+', op.data, op.offset, fs.fdatasyncSync); break;
    case 'make':
      fs.mkdirSync(at(op.directory));
      put(at(op.path), 'wx', op.data, null, fs.fsyncSync);
      syncPath(at(op.directory));
      syncPath(root);
      break;
    case 'move':
      fs.renameSync(at(op.from), at(op.to));
      syncPath(path.dirname(at(op.to)));
      break;
    case 'remove':
      fs.unlinkSync(at(op.path));
      fs.rmdirSync(at(op.directory));
      syncPath(root);
      break;
  }
}

function main(root: string, logPath: string, writer: Writer, first: number): void {
  const log = fs.openSync(logPath, 'a');
  const note = (n: number, done: boolean): void => {
    const line: Note = { writer, n, done, ns: String(process.hrtime.bigint()), ms: Date.now() + 1 };
    fs.writeSync(log, `${JSON.stringify(line)}\n`);
    if (done) while (Date.now() <= line.ms);
  };
  for (let n = first; ; n++) {
    note(n, false);
    execute(root, operation(writer, n));
    note(n, true);
  }
}

const [root, logPath, writer, first] = process.argv.slice(2);
if (root !== undefined && logPath !== undefined && first !== undefined) {
  try {
    main(root, logPath, writer as Writer, Number(first));
  } catch (error) {
    process.stdout.write(`${(error as NodeJS.ErrnoException).code}\n`);
  }
}
