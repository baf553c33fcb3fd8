/**
 * A bisect by hand: each answer leads to the next instant to look at. The fork that is looked at is the search's own while
 * its state says so: no other may have that name meanwhile, and one that had it before is left alone.
 */
import type { ForkRow, LogRow } from '../../lib/daemon/protocol.js';
import { RewindError } from '../../lib/errors.js';
import { safeForTerminal } from '../../lib/paths.js';
import { nextStep, type Step, type Verdict } from '../../lib/bisect/search.js';
import { BISECT_FORK, readBisect, removeBisect, writeBisect, type BisectState } from '../../lib/bisect/state.js';
import { time_zone, type Tree } from '../ask.js';
import type { Output } from '../output.js';
import { describe, report, type Outcome } from './report.js';
import { pastAt, savesBetween, type Ends } from './ground.js';


export async function start(tree: Tree, ends: Ends, paths: string[], readOnly: boolean, out: Output): Promise<void> {
  const begun = await readBisect(tree.found.store).then(() => true, () => false);
  if (begun) throw new RewindError('ERR_BISECT_STATE', 'A bisect was begun already', 'rewind bisect status shows it; rewind bisect reset ends it.');
  if (!readOnly && await forkOf(tree)) throw new RewindError('ERR_EXISTS', `There is a fork ${BISECT_FORK} already, where a bisect looks at instants`, `rewind fork keep ${BISECT_FORK} brings what was changed in it into the tree; then rewind fork drop ${BISECT_FORK}`);
  await goOn(tree, { ...ends, paths, readOnly, verdicts: [], current: null }, out).catch(async (error: unknown) => {
    await removeBisect(tree.found.store);
    throw error;
  });
}

export async function answer(tree: Tree, verdict: Verdict, out: Output): Promise<void> {
  const state = await readBisect(tree.found.store);
  if (state.current === null) throw new RewindError('ERR_BISECT_STATE', 'The bisect has come to its end', 'rewind bisect status shows what it found; rewind bisect reset ends it.');
  await goOn(tree, { ...state, verdicts: [...state.verdicts, [state.current, verdict]] }, out);
}

export async function status(tree: Tree, out: Output): Promise<void> {
  const state = await readBisect(tree.found.store);
  for (const [seq, verdict] of state.verdicts) out.remark(`${verdict.padEnd(5)} #${seq}`);
  const { saves, step } = await whereTo(tree, state);
  if (step.kind !== 'test') return await report(tree, outcomeOf(state, saves, step), out, false);
  const fork = state.readOnly ? null : await forkOf(tree);
  if (!state.readOnly && !fork) out.remark('The fork was dropped; this is the same instant, read-only.');
  if (fork && !fork.mounted) out.remark(`The fork is at rest: rewind fork open ${BISECT_FORK} shows it again.`);
  await show(saves[step.index]!, step.left, fork?.path ?? await pastAt(tree, saves[step.index]!.seq), out);
}

export async function reset(tree: Tree, out: Output): Promise<void> {
  const state = await readBisect(tree.found.store).catch((error: RewindError) => {
    if (error.code === 'ERR_BISECT_STATE' || error.code === 'ERR_STORE_CORRUPT') return null;
    throw error;
  });
  if (state) await leave(tree, state);
  await removeBisect(tree.found.store);
  if (out.json) await out.object({ type: 'reset' });
  else await out.line('The bisect is over');
}

async function goOn(tree: Tree, state: BisectState, out: Output): Promise<void> {
  const { saves, step } = await whereTo(tree, state);
  await leave(tree, state);
  if (step.kind !== 'test') {
    await writeBisect(tree.found.store, { ...state, current: null });
    return await report(tree, outcomeOf(state, saves, step), out);
  }
  const save = saves[step.index]!;
  // The state comes first: with it the fork is the search's own.
  await writeBisect(tree.found.store, { ...state, current: save.seq });
  const path = state.readOnly ? await pastAt(tree, save.seq) : (await look(tree, save.seq)).path;
  await show(save, step.left, path, out);
}

async function whereTo(tree: Tree, state: BisectState): Promise<{ saves: LogRow[]; step: Step }> {
  const saves = await savesBetween(tree, state.paths, state);
  const bySeq = new Map(saves.map((save, i) => [save.seq, i]));
  return { saves, step: nextStep(saves.length, new Map(state.verdicts.map(([seq, verdict]) => [bySeq.get(seq) ?? -1, verdict]))) };
}

function outcomeOf({ good, paths }: BisectState, saves: LogRow[], step: Exclude<Step, { kind: 'test' }>): Outcome {
  const suspects = step.kind === 'found' ? [saves[step.index]!] : saves.slice(step.from, step.to + 1);
  return { suspects, lastGood: saves[step.good]?.seq ?? good, paths };
}

async function show(save: LogRow, left: number, path: string, out: Output): Promise<void> {
  if (out.json) return await out.object({ type: 'test', seq: save.seq, time: save.time, path, left });
  out.remark(`After ${describe(save)}; at most ${left} to look at. Then: rewind bisect good, bad or skip`);
  await out.line(safeForTerminal(path));
}

/** The fork of an instant, always in the same place. */
async function look(tree: Tree, seq: number): Promise<ForkRow> {
  for await (const fork of tree.client.call('fork', { time: `#${seq}`, name: BISECT_FORK, time_zone })) return fork;
  throw new RewindError('ERR_DAEMON_TALK', 'The daemon made no fork', 'See daemon.log in the store.');
}

async function forkOf(tree: Tree): Promise<ForkRow | null> {
  for await (const fork of tree.client.call('forks', {})) if (fork.name === BISECT_FORK) return fork;
  return null;
}

/** Drops the fork if it is the search's own. */
async function leave(tree: Tree, { current, readOnly }: BisectState): Promise<void> {
  if (readOnly || current === null) return;
  try {
    for await (const row of tree.client.call('fork_drop', { name: BISECT_FORK, lazy: true })) void row;
  } catch (error) {
    if (!(error instanceof RewindError) || error.code !== 'ERR_FORK_UNKNOWN') throw error;
  }
}
