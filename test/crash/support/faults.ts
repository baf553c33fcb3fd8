/** One call of a daemon goes wrong: build/faults.so (test/native/faults) in its environment, and what it noted. */
import fs from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../helpers/run.js';

export const FAULT_KINDS = ['EIO', 'ENOSPC', 'short'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  kind: FaultKind;
  /** Which of the calls that match; 0: none. */
  nth: number;
  /** So many from there on; 1 when not given. */
  many?: number;
  /** Pattern of `CALL PATH`, the path relative to the store (fnmatch(3)); all when not given. */
  calls?: string;
}

/** What goes wrong in processes with this environment, of what they change below one directory. */
export class Faults {
  /** `notes`: an empty directory, outside of `below`. */
  constructor(private readonly below: string, private readonly notes: string, private readonly fault: Fault) {}

  get environment(): NodeJS.ProcessEnv {
    const { kind, nth, many = 1, calls = '*' } = this.fault;
    return {
      ...process.env, LD_PRELOAD: path.join(projectRoot, 'build/faults.so'), FAULTS_BELOW: this.below, FAULTS_NOTES: this.notes,
      FAULTS_CALLS: calls, FAULTS_NTH: String(nth), FAULTS_MANY: String(many), FAULTS_KIND: kind,
    };
  }

  /** Calls that were counted so far. */
  get count(): number {
    return Number(fs.readFileSync(path.join(this.notes, 'count')).readBigUInt64LE());
  }

  /** The first call that went wrong; null while none has. */
  get hit(): string | null {
    return /^\d+ WRONG (.*)$/m.exec(fs.readFileSync(path.join(this.notes, 'calls'), 'utf8'))?.[1] ?? null;
  }
}
