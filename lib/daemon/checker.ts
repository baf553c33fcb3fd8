/**
 * Compares files under `recover = "automatic"` with history, so often as their rules say, and has put back what is not
 * what was written last. Guarantees: one file after the other, at most a part of the time, so that the disk stays with the
 * tree's programs; a comparison that is due while nothing is mounted is made up for at the next mount.
 */
import type { History } from '../history/history.js';
import { ROOT, type Name, type NodeId, type Seq } from '../history/types.js';
import { pathBytes } from '../paths.js';
import type { RecoveryRule } from '../policy/recovery.js';
import { isDir, isFile } from '../recovery/compare.js';
import { damageOf, isUnharmed } from '../recovery/damage.js';
import { orAborted, restFor, type Recoverer, type Ward } from './recovery.js';

const TICK_MS = 1000;
/** So many times as long as a comparison took it rests. */
const REST = 3;
const MAX_REST_MS = 5000;

export class Checker {
  private timer: NodeJS.Timeout | null = null;
  private work: Promise<void> | null = null;
  private stopping = new AbortController();

  constructor(private readonly ward: Ward, private readonly recoverer: Recoverer) {}

  start(): void {
    this.stopping = new AbortController();
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    if (this.timer) clearInterval(this.timer);
    await this.work;
  }

  private tick(): void {
    const due = this.ward.policy.recovery().automatic.filter((rule) => this.isDue(rule));
    if (this.work || due.length === 0) return;
    this.work = this.check(due).catch((error: unknown) => this.ward.report('Files could not be compared with history', error)).finally(() => { this.work = null; });
  }

  private isDue({ pattern, checkMs }: RecoveryRule): boolean {
    const last = this.recoverer.jobs.checkedAt(pattern);
    // A clock that was set back must not put it off for ever.
    return checkMs !== null && (last === null || Date.now() - last >= checkMs || last > Date.now());
  }

  private async check(due: readonly RecoveryRule[]): Promise<void> {
    const { history, policy, engine } = this.ward;
    const { signal } = this.stopping;
    await orAborted(this.ward.walked(), signal);
    const began = new Date();
    const now = await this.ward.settle();
    for await (const path of filesOf(history, now)) {
      if (signal.aborted) return;
      const rule = policy.recovery().rule(pathBytes(path));
      if (!rule || !due.some(({ pattern, by }) => pattern === rule.pattern && by === rule.by)) continue;
      const started = performance.now();
      const damage = await damageOf(history, path, (...args) => engine.readBacking(...args), () => this.ward.settle()).catch(() => null);
      if (damage && !isUnharmed(damage)) await this.recoverer.recover({ path, cause: 'check', by: null });
      const rest = Math.min(MAX_REST_MS, REST * (performance.now() - started));
      await restFor(rest, signal);
    }
    await this.recoverer.jobs.noteCheck(due.map(({ pattern }) => pattern), began);
  }
}

/** Paths of all regular files at an instant, each by one of its names. */
async function* filesOf(history: History, seq: Seq): AsyncGenerator<Name[]> {
  const directories: { node: NodeId; path: Name[] }[] = [{ node: ROOT, path: [] }];
  const seen = new Set<NodeId>();
  for (let directory = directories.pop(); directory; directory = directories.pop()) {
    const entries = await history.list(directory.node, seq);
    const attrs = await history.attrs(entries.map(({ node }) => node), seq);
    for (const [i, { name, node }] of entries.entries()) {
      const attr = attrs[i];
      const path = [...directory.path, name];
      if (attr && isDir(attr)) directories.push({ node, path });
      else if (attr && isFile(attr) && !(attr.nlink > 1 && seen.has(node))) {
        if (attr.nlink > 1) seen.add(node);
        yield path;
      }
    }
  }
}
