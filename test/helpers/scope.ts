/**
 * What a test acquires it gives back, in reverse order, also when it fails. A mount that is still there in the end is
 * taken away and fails the run: a leaked mount is a defect, never an accident.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from './run.js';

/** Mount points at or below a directory, innermost last, from the kernel's table. */
export function mountsUnder(directory: string): string[] {
  const unescape = (text: string): string => text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
  return fs
    .readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => unescape(line.split(' ')[4]!))
    .filter((point) => point === directory || point.startsWith(`${directory}/`));
}

export class Scope {
  private readonly releases: (() => void | Promise<void>)[] = [];

  defer(release: () => void | Promise<void>): void {
    this.releases.push(release);
  }

  /** A fresh directory: on disk, or in memory (tmpfs). Removed in the end; mounts in it fail the test. */
  temporary(where: 'disk' | 'memory' = 'disk'): string {
    const base = where === 'memory' ? process.env['REWIND_TEST_MEMORY'] ?? '/dev/shm' : os.tmpdir();
    const directory = fs.mkdtempSync(path.join(fs.realpathSync(base), 'rewindfs-test-'));
    fs.chmodSync(directory, 0o755);
    this.defer(async () => {
      const leaked = mountsUnder(directory);
      for (const point of leaked.reverse()) await run('umount', ['-l', point], { timeoutMs: 20_000 });
      await run('rm', ['-rf', '--one-file-system', directory], { timeoutMs: 300_000 });
      if (leaked.length > 0) throw new Error(`a mount was leaked: ${leaked.join(', ')}`);
    });
    return directory;
  }

  /** Gives everything back; the first failure is thrown after all were tried. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const release of this.releases.splice(0).reverse()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}

/** Runs `body` with a scope that is closed afterwards. A failure of the body wins over one of the closing. */
export async function scoped<T>(body: (scope: Scope) => Promise<T>): Promise<T> {
  const scope = new Scope();
  let result: T;
  try {
    result = await body(scope);
  } catch (error) {
    await scope.close().catch(() => undefined);
    throw error;
  }
  await scope.close();
  return result;
}
