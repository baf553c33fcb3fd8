/** Joins the recorder of states to a mounted tree: what it sees, where its points go, when it looks, and what an alarm does. */
import type { Extractor } from '../extractor/loop.js';
import type { History } from '../history/history.js';
import type { Seq } from '../history/types.js';
import type { Journal } from '../native.js';
import type { PolicySource } from '../policy/source.js';
import type { Blocks } from '../states/blocks.js';
import { safeForTerminal } from '../paths.js';
import { NETWORK } from '../states/connections.js';
import { PROC } from '../states/processes.js';
import { ClockWatch } from '../states/clock.js';
import { StateRecorder } from '../states/recorder.js';
import type { Tripped } from '../states/tripwires.js';
import { formatTimeUtc } from '../time/format.js';
import { NS_PER_MS, NS_PER_S } from '../time/zone.js';
import { runHook } from './hook.js';
import { appendPoint } from './mark.js';
import type { AlarmRow } from './protocol.js';
import { writerRow } from './rows.js';

const TICK_MS = 1000;

type Watched = { history: History; journal: Journal; policy: PolicySource; blocks: Blocks; mountpoint: string };

/** The recorder of a mounted tree. */
export interface States {
  /** Somebody made a point of this instant. */
  pointMade(seq: Seq): void;
  /** Resolves once what it has seen is recorded. */
  end(): Promise<void>;
}

export function recordStates(tree: Watched, extractor: Extractor, tell: (alarm: AlarmRow) => void, failed: (error: unknown) => void): States {
  const recorder = new StateRecorder({
    history: tree.history, processes: PROC, network: NETWORK, pid: process.pid, failed, lastSeq: () => tree.journal.stats().lastSeq, now: () => performance.now(),
    add: (point) => appendPoint(tree, point),
    alarm: (tripped, command) => alarm(tree, tripped, command, tell, failed),
  }, tree.policy.policy.points, tree.policy.policy.trips, tree.policy.policy.groups);
  let ignore: (() => void) | null = null;
  tree.policy.follow(({ points, trips, groups }) => {
    recorder.setRules(points, trips, groups);
    // Who is to be stopped must be seen soon: history follows as closely as for `rewind watch`.
    ignore?.();
    ignore = trips.block.length > 0 ? extractor.onChanges(() => undefined) : null;
  });
  extractor.overhear((changes) => recorder.changed(changes));
  const clock = new ClockWatch();
  const readClock = (): Promise<void> => noteClock(tree, clock).catch(failed);
  const timer = setInterval(() => {
    void recorder.tick();
    void readClock();
  }, TICK_MS);
  timer.unref();
  return {
    pointMade: (seq) => recorder.pointMade(seq),
    end: async () => {
      clearInterval(timer);
      await readClock();
      await recorder.stop();
    },
  };
}

/** Of the first reading after the clock was set back people are told, too. */
async function noteClock(tree: Watched, clock: ClockWatch): Promise<void> {
  const { watermark: lastSeq, timeNs: lastNs } = tree.history.meta();
  const noted = clock.look({ wallNs: BigInt(Date.now()) * NS_PER_MS, lastNs, lastSeq, steadyMs: performance.now() });
  if (noted === null) return;
  const note = noted.behindNs === null ? '' : `the clock of the machine was set back: ${formatTimeUtc(noted.wallNs)} is ${noted.behindNs / NS_PER_S} s before the newest change`;
  await appendPoint(tree, { kind: 'clock', name: '', note, phase: 'after', at: lastSeq, detail: { clock: String(noted.wallNs) } });
}

/** Stops who is to be stopped, then tells everybody. */
async function alarm(tree: Watched, tripped: Tripped, command: string, tell: (alarm: AlarmRow) => void, failed: (error: unknown) => void): Promise<string> {
  const { what, count, first, writer, families } = tripped;
  const { trips } = tree.policy.policy;
  const stopped: number[] = [];
  for (const family of trips.block.includes(what) ? families : []) {
    if (await tree.blocks.add({ ...family, command, what, count, first, sinceMs: Date.now() })) stopped.push(family.pid);
  }
  const blocked = stopped.length > 0;
  if (trips.hook) {
    runHook(trips.hook, {
      REWIND_ALARM: what, REWIND_COUNT: String(count), REWIND_SEQ: String(first), REWIND_PID: String(writer.pid), REWIND_EXE: writer.exe, REWIND_COMMAND: command,
      REWIND_TREE: tree.mountpoint, REWIND_BLOCKED: blocked ? '1' : '',
    }, failed);
  }
  const timeNs = await tree.history.timeOf(first);
  tell({ type: 'alarm', alarm: what, first_seq: first, count, time: formatTimeUtc(timeNs ?? 0n), command: safeForTerminal(command), writer: writerRow(writer), blocked });
  return blocked ? `; blocked: ${stopped.map((pid) => `rewind release ${pid}`).join(', ')}` : '';
}
