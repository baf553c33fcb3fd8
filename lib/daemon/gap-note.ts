/**
 * The gap that the tree is in (policy `on_full = "work"`), kept beside the journal as long as it lasts, so that a mount after
 * a crash or an unmount in it can tell of it. A store that takes nothing at all takes no note either: what changed is then
 * found as changed while the tree was not mounted.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { getSystemErrorName } from 'node:util';
import type { JournalStats } from '../native.js';

/** Of a mount record, `unrecorded`, too; with `records`, how many are missing, where a gap has ended. */
interface Noted { error: string; since_ns: string }

export class GapNote {
  private kept = false;

  private constructor(private readonly file: string, private noted: Noted | null) {}

  static async load(file: string): Promise<GapNote> {
    try {
      const { error, since_ns } = JSON.parse(await readFile(file, 'utf8')) as Noted;
      return new GapNote(file, { error: String(error), since_ns: String(BigInt(since_ns)) });
    } catch {
      return new GapNote(file, null);  // none, or one that was being written when all ended
    }
  }

  /** For the mount record; undefined when the last session did not end in a gap. */
  get text(): string | undefined { return this.noted === null ? undefined : JSON.stringify(this.noted); }

  /** Once for each gap. @throws what the disk says */
  async keep({ errno, sinceNs }: NonNullable<JournalStats['gap']>): Promise<void> {
    if (this.kept) return;
    this.noted = { error: getSystemErrorName(-errno), since_ns: String(sinceNs) };
    await writeFile(this.file, `${this.text}\n`, { mode: 0o600, flush: true });
    this.kept = true;
  }

  /** The mount record that tells of it is on stable storage. */
  async forget(): Promise<void> {
    await rm(this.file, { force: true });
    this.noted = null;
    this.kept = false;
  }
}
