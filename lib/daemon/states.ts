/** Joins the recorder of states to a mounted tree: what it sees, where its points go, and when it looks. */
import { execFile } from 'node:child_process';
import type { Extractor } from '../extractor/loop.js';
import type { HistoryReader } from '../history/reader.js';
import type { Journal } from '../native.js';
import type { PolicySource } from '../policy/source.js';
import { PROC } from '../states/processes.js';
import { StateRecorder } from '../states/recorder.js';
import type { Tripped } from '../states/tripwires.js';
import { appendPoint } from './mark.js';

const TICK_MS = 1000;
const HOOK_MS = 30_000;

/** Begins; answers how to end it, once what it has seen is recorded. */
export function recordStates(tree: { history: HistoryReader; journal: Journal; policy: PolicySource; mountpoint: string }, extractor: Extractor, failed: (error: unknown) => void): () => Promise<void> {
  const recorder = new StateRecorder({
    history: tree.history, processes: PROC, failed, now: () => performance.now(),
    add: (point) => appendPoint(tree, point),
    alarm: (tripped, command) => { if (tree.policy.policy.trips.hook) runHook(tree.policy.policy.trips.hook, tree.mountpoint, tripped, command, failed); },
  }, tree.policy.policy.points, tree.policy.policy.trips);
  tree.policy.follow(({ points, trips }) => recorder.setRules(points, trips));
  extractor.overhear((changes) => recorder.changed(changes));
  const timer = setInterval(() => void recorder.tick(), TICK_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await recorder.stop();
  };
}

/** Somebody else's program: it gets a while, and what becomes of it is no concern of the tree's. */
function runHook(hook: string, tree: string, { what, count, first, writer }: Tripped, command: string, failed: (error: unknown) => void): void {
  const env = { ...process.env, REWIND_ALARM: what, REWIND_COUNT: String(count), REWIND_SEQ: String(first), REWIND_PID: String(writer.pid), REWIND_EXE: writer.exe, REWIND_COMMAND: command, REWIND_TREE: tree };
  execFile('/bin/sh', ['-c', hook], { cwd: '/', env, timeout: HOOK_MS, killSignal: 'SIGKILL' }, (error) => { if (error) failed(new Error(`the hook for an alarm failed: ${error.message}`, { cause: error })); });
}
