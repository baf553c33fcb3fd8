/** Acknowledged calls against what history has of them: that there is a record, and that the state after it is what the call made. */
import fs from 'node:fs';
import path from 'node:path';
import type { MountedTree } from '../../helpers/mount.js';
import type { Random } from '../../helpers/random.js';
import { payload, type Acknowledged } from './load.js';

interface Row {
  seq: number;
  kind: string;
  path: string | null;
  offset?: number;
  length?: number;
}

/** So many calls of each kind are looked at in the state after them. */
const SAMPLE = 12;

/** What the records of one stretch say, by kind and path. */
export class Recorded {
  private constructor(private readonly mounted: MountedTree, private readonly rows: Map<string, Row[]>) {}

  static async since(mounted: MountedTree, seq: number): Promise<Recorded> {
    const rows = new Map<string, Row[]>();
    for (const item of await mounted.items('log', { path: '', all_writes: true, since: `#${seq}` }, 300_000)) {
      const row = item as unknown as Row;
      // The path of a write is its file's at that time; later renames do not change it.
      const key = `${row.kind} ${row.path}`;
      rows.set(key, [...rows.get(key) ?? [], row]);
    }
    return new Recorded(mounted, rows);
  }

  /** Calls without a record that says the same. Names are used once, so a record is found by what it says. */
  missing(done: Acknowledged[]): Acknowledged[] {
    return done.filter((one) => this.lastRecordOf(one) === null);
  }

  /** Of a sample, what the state after a call shows that is not what the call made. */
  wrong(done: Acknowledged[], random: Random): string[] {
    const sample = (['write', 'truncate', 'chmod'] as const).flatMap((kind) => {
      const all = done.filter((one) => one.kind === kind);
      return Array.from({ length: Math.min(SAMPLE, all.length) }, () => random.pick(all));
    });
    return sample.flatMap((one) => {
      // A file's mode may be changed again: one of these records must have made this one.
      const seqs = one.kind === 'chmod' ? this.rowsOf(one).map(({ seq }) => seq) : [this.lastRecordOf(one)];
      const found = seqs.map((seq) => differs(one, path.join(this.mounted.tree, '.snapshots', `@#${seq}`, one.path)));
      return found.includes(null) ? [] : [`${JSON.stringify(one)} at #${seqs.join(', #')}: ${found.join(', ')}`];
    });
  }

  private rowsOf({ kind, path: name }: Acknowledged): Row[] {
    return this.rows.get(`${kind === 'chmod' ? 'setattr' : kind} ${name}`) ?? [];
  }

  /** seq of the record with which the call was done. The kernel cuts a write(2) at pages and at 1 MiB. */
  private lastRecordOf(one: Acknowledged): number | null {
    const rows = this.rowsOf(one);
    if (one.kind === 'truncate') return rows.find(({ length }) => length === one.length)?.seq ?? null;
    if (one.kind !== 'write') return rows.at(-1)?.seq ?? null;
    const end = one.offset! + one.length!;
    let at = one.offset!;
    let last: number | null = null;
    for (const { seq, offset, length } of rows.sort((a, b) => a.offset! - b.offset!)) {
      if (offset! > at || offset! + length! <= at || at >= end) continue;
      at = offset! + length!;
      last = Math.max(last ?? 0, seq);
    }
    return at >= end ? last : null;
  }
}

function differs(one: Acknowledged, file: string): string | null {
  const { size, mode } = fs.statSync(file);
  if (one.kind === 'chmod') return (mode & 0o7777) === one.mode ? null : `mode ${mode.toString(8)}`;
  if (one.kind === 'truncate') return size === one.length ? null : `size ${size}`;
  const expected = payload(one.number, one.length!);
  const found = fs.readFileSync(file).subarray(one.offset, one.offset! + one.length!);
  return found.equals(expected) ? null : `other bytes, the first at ${found.findIndex((byte, i) => byte !== expected[i])} of ${found.length}`;
}
