/** A bisect by hand: each answer leads to the next instant to look at. */
import type { ForkRow } from '../../lib/daemon/protocol.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';
import { nextStep, type Verdict } from '../../lib/bisect/search.js';
import { readBisect, removeBisect, writeBisect, type BisectState } from '../../lib/bisect/state.js';
import { time_zone, type Tree } from '../ask.js';
import type { Output } from '../output.js';
import { describe, report } from './report.js';
import { pastAt, savesBetween, type Ends } from './ground.js';

/** The fork that is looked at. */
const FORK = 'bisect';

export async function start(tree: Tree, ends: Ends, paths: string[], readOnly: boolean, out: Output): Promise<void> {
  const begun = await readBisect(tree.found.store).then(() => true, () => false);
  if (begun) throw new RewindError('ERR_BISECT_STATE', 'A bisect was begun already', 'rewind bisect status shows it; rewind bisect reset ends it.');
  await goOn(tree, { ...ends, paths, readOnly, verdicts: [], current: null }, out);
}

export async function answer(tree: Tree, verdict: Verdict, out: Output): Promise<void> {
  const state = await readBisect(tree.found.store);
  if (state.current === null) throw new RewindError('ERR_BISECT_STATE', 'The bisect has come to its end', 'rewind bisect status shows what it found; rewind bisect reset ends it.');
  await goOn(tree, { ...state, verdicts: [...state.verdicts, [state.current, verdict]] }, out);
}

export async function status(tree: Tree, out: Output): Promise<void> {
  const state = await readBisect(tree.found.store);
  for (const [seq, verdict] of state.verdicts) out.remark(`${verdict.padEnd(5)} #${seq}`);
  await goOn(tree, state, out);
}

export async function reset(tree: Tree, out: Output): Promise<void> {
  await leave(tree);
  await removeBisect(tree.found.store);
  if (out.json) await out.object({ type: 'reset' });
  else await out.line('The bisect is over');
}

async function goOn(tree: Tree, state: BisectState, out: Output): Promise<void> {
  const saves = await savesBetween(tree, state.paths, state);
  const bySeq = new Map(saves.map((save, i) => [save.seq, i]));
  const step = nextStep(saves.length, new Map(state.verdicts.map(([seq, verdict]) => [bySeq.get(seq) ?? -1, verdict])));
  if (step.kind !== 'test') {
    await leave(tree);
    await writeBisect(tree.found.store, { ...state, current: null });
    const suspects = step.kind === 'found' ? [saves[step.index]!] : saves.slice(step.from, step.to + 1);
    return await report(tree, { suspects, lastGood: saves[step.good]?.seq ?? state.good, paths: state.paths }, out);
  }
  const save = saves[step.index]!;
  const path = state.readOnly ? await pastAt(tree, save.seq) : (await look(tree, save.seq)).path;
  await writeBisect(tree.found.store, { ...state, current: save.seq });
  if (out.json) return await out.object({ type: 'test', seq: save.seq, time: save.time, path, left: step.left });
  out.remark(`After ${describe(save)}; at most ${step.left} to look at. Then: rewind bisect good, bad or skip`);
  await out.line(safeForTerminal(path));
}

/** The fork of an instant, always in the same place. */
async function look(tree: Tree, seq: number): Promise<ForkRow> {
  await leave(tree);
  for await (const fork of tree.client.call('fork', { time: `#${seq}`, name: FORK, time_zone })) return fork;
  throw new RewindError('ERR_DAEMON_TALK', 'The daemon made no fork', 'See daemon.log in the store.');
}

async function leave(tree: Tree): Promise<void> {
  try {
    for await (const row of tree.client.call('fork_drop', { name: FORK, lazy: true })) void row;
  } catch (error) {
    if (!(error instanceof RewindError) || error.code !== 'ERR_FORK_UNKNOWN') throw error;
  }
}
