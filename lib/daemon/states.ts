/** Joins the recorder of states to a mounted tree: what it sees, where its points go, and when it looks. */
import type { Extractor } from '../extractor/loop.js';
import type { HistoryReader } from '../history/reader.js';
import type { Journal } from '../native.js';
import type { PolicySource } from '../policy/source.js';
import { PROC } from '../states/processes.js';
import { StateRecorder } from '../states/recorder.js';
import { appendPoint } from './mark.js';

const TICK_MS = 1000;

/** Begins; answers how to end it, once what it has seen is recorded. */
export function recordStates(tree: { history: HistoryReader; journal: Journal; policy: PolicySource }, extractor: Extractor, failed: (error: unknown) => void): () => Promise<void> {
  const recorder = new StateRecorder({
    history: tree.history, processes: PROC, failed, now: () => performance.now(),
    add: (point) => appendPoint(tree, point),
  }, tree.policy.policy.points);
  tree.policy.follow(({ points }) => recorder.setRules(points));
  extractor.overhear((changes) => recorder.changed(changes));
  const timer = setInterval(() => void recorder.tick(), TICK_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await recorder.tick();
  };
}
