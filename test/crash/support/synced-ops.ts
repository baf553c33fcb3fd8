/**
 * Operations that a writer makes one after another, each followed by every fsync that makes it last. Pure: the n-th of a
 * writer follows from its kind and n, and so does what a tree holds after it.
 */
import { Random } from '../../helpers/random.js';

export const WRITERS = ['append', 'replace', 'inplace', 'names'] as const;
export type Writer = (typeof WRITERS)[number];

/** Paths are relative to the tree. */
export type SyncedOp =
  | { do: 'append'; path: string; data: Buffer }
  /** Written aside, synced, renamed: what a careful editor does. */
  | { do: 'replace'; path: string; data: Buffer }
  | { do: 'write'; path: string; offset: number; data: Buffer }
  /** A file in a directory that is new, too. */
  | { do: 'make'; directory: string; path: string; data: Buffer }
  | { do: 'move'; from: string; to: string }
  /** A directory and the file in it. */
  | { do: 'remove'; directory: string; path: string };

const BLOCK = 4096;
const INPLACE_BLOCKS = 256;
/** Directories that a writer of names leaves. */
const KEPT = 6;

function content(writer: Writer, n: number, length: number): Buffer {
  return Buffer.alloc(length, `${writer} ${n}\n`);
}

/** The n-th operation, from 0. */
export function operation(writer: Writer, n: number): SyncedOp {
  const random = new Random(n * 7 + WRITERS.indexOf(writer));
  switch (writer) {
    case 'append': return { do: 'append', path: `log-${Math.floor(n / 50)}`, data: content(writer, n, random.between(1, 3000)) };
    case 'replace': return { do: 'replace', path: `saved-${random.below(6)}`, data: content(writer, n, random.chance(0.8) ? random.between(0, 9000) : random.between(50_000, 400_000)) };
    case 'inplace':
      if (n === 0) return { do: 'replace', path: 'table', data: content(writer, n, INPLACE_BLOCKS * BLOCK) };
      return { do: 'write', path: 'table', offset: random.below(INPLACE_BLOCKS) * BLOCK, data: content(writer, n, random.between(1, 4) * BLOCK) };
    case 'names': {
      const [step, group] = [n % 3, Math.floor(n / 3)];
      if (step === 0) return { do: 'make', directory: `made-${group}`, path: `made-${group}/file`, data: content(writer, n, random.between(0, 20_000)) };
      if (step === 1) return { do: 'move', from: `made-${group}/file`, to: `made-${group}/moved` };
      if (group < KEPT) return { do: 'append', path: `made-${group}/moved`, data: content(writer, n, 100) };
      return { do: 'remove', directory: `made-${group - KEPT}`, path: `made-${group - KEPT}/moved` };
    }
  }
}

/** Files and their contents. */
export type Contents = Map<string, Buffer>;

export function apply(contents: Contents, op: SyncedOp): void {
  switch (op.do) {
    case 'append': contents.set(op.path, Buffer.concat([contents.get(op.path) ?? Buffer.alloc(0), op.data])); break;
    case 'replace': case 'make': contents.set(op.path, op.data); break;
    case 'write': {
      const before = contents.get(op.path)!;
      const after = Buffer.alloc(Math.max(before.length, op.offset + op.data.length));
      before.copy(after);
      op.data.copy(after, op.offset);
      contents.set(op.path, after);
      break;
    }
    case 'move':
      contents.set(op.to, contents.get(op.from)!);
      contents.delete(op.from);
      break;
    case 'remove': contents.delete(op.path); break;
  }
}

/** What the first `count` operations of a writer leave. */
export function contentsAfter(writer: Writer, count: number): Contents {
  const contents: Contents = new Map();
  for (let n = 0; n < count; n++) apply(contents, operation(writer, n));
  return contents;
}

/** The files that an operation touches, by the names that they had before and have after it. */
export function touched(op: SyncedOp): string[] {
  return op.do === 'move' ? [op.from, op.to] : [op.path];
}
