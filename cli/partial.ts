/** What is not whole yet does not outlive us: a file or directory is removed when the program ends before it has its name. */
import { rmSync } from 'node:fs';

/** Exit code of a program that SIGTERM ended, as shells say it. */
const TERMINATED = 143;
/** How often, and how long after the time before, in milliseconds more each time, removing is tried again. */
const RETRIES = 20;
const RETRY_MS = 20;

/** Runs work that makes something at a path of its own; whatever ends it early, but SIGKILL, takes that path away. */
export async function orRemoved<T>(path: string, work: () => Promise<T>): Promise<T> {
  // What was handed to another thread may still be coming: no more does while this one waits.
  const remove = (): void => rmSync(path, { recursive: true, force: true, maxRetries: RETRIES, retryDelay: RETRY_MS });
  const terminate = (): void => process.exit(TERMINATED);
  process.once('exit', remove);
  process.once('SIGTERM', terminate);
  try {
    return await work();
  } catch (error) {
    remove();
    throw error;
  } finally {
    process.off('exit', remove);
    process.off('SIGTERM', terminate);
  }
}
