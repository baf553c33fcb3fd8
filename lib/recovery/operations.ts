/**
 * Operations: what rewindfs itself, or a command under `rewind run`, did to the tree as a whole. Nothing is kept of them
 * but the two points that frame each (their `detail`), so the log of operations is a function of history (I4). As in jj
 * they are sequential: `undo` takes back the newest that stands, `redo` the newest undo, and whatever is done anew ends
 * what could be redone. One that was interrupted (its daemon died, some of its steps failed) stands as any other until it
 * is gone on with, which makes the two one.
 */
import type { Point, Seq } from '../history/types.js';
import type { Selection } from './undo/select.js';

export type OperationKind = 'rollback' | 'undo' | 'redo' | 'replay' | 'restore' | 'fork' | 'run';

/** What the points of an operation say of it. */
export interface OperationDetail {
  operation: OperationKind;
  phase: 'before' | 'after';
  /** The process that carries it out, `PID:START`; empty for a run, whose changes are its session's. */
  applier: string;
  /** `after`: seq of the point before. */
  of?: Seq;
  /** The operation that an `undo` without a selection, or a `redo`, takes back. */
  takesBack?: Seq;
  /** Writers whose changes it took back or put again. */
  writers?: Seq[];
  /** What a rollback goes to: paths with their names joined by `/`, bytes as latin1. */
  parts?: { path: string; to: Seq }[];
  /** Of a rollback: only members of this group. */
  group?: string;
  /** What is kept of a fork; no paths: all of it. */
  keeps?: { fork: string; paths: string[] };
  /** Whose changes an undo takes back. */
  selection?: Selection;
  /** Nothing that it concerns changed only before this seq. */
  since?: Seq;
  /** An interrupted operation that it goes on with. */
  resumes?: Seq;
  /** Of one that has ended: not all of it was done. */
  partly?: boolean;
  /** Of a run. */
  session?: string;
  argv?: string[];
  /** Of a run that has ended. */
  code?: number;
  /** Of one that has ended: it changed nothing, so that there is nothing to take back. */
  empty?: boolean;
}

export interface Operation {
  /** seq of the point before it. */
  id: Seq;
  kind: OperationKind;
  /** null: it has not ended, or its daemon died. */
  after: Seq | null;
  /** The mount at which its daemon was found dead; null when it was not. */
  foundDead: Seq | null;
  /** Not all of it was done. */
  interrupted: boolean;
  /** The operation that went on with it. */
  resumedBy: Seq | null;
  timeNs: bigint;
  note: string;
  name: string;
  detail: OperationDetail;
  /** Exit code of a run. */
  code: number | null;
  /** It was taken back. */
  undone: boolean;
  /** It is known to have changed nothing. */
  empty: boolean;
}

function detailOf({ detail }: Point): OperationDetail | null {
  return detail && typeof detail['operation'] === 'string' && typeof detail['phase'] === 'string' ? detail as unknown as OperationDetail : null;
}

/** Oldest first. `running`: the one that is under way in this process. */
export function operationsOf(points: readonly Point[], running: Seq | null = null): Operation[] {
  const operations = new Map<Seq, Operation>();
  for (const point of [...points].sort((a, b) => a.seq - b.seq)) {
    const detail = detailOf(point);
    if (point.kind === 'mount') for (const operation of operations.values()) if (operation.after === null) operation.foundDead ??= point.seq;
    if (!detail) continue;
    if (detail.phase === 'before') {
      const { id, ...rest } = { id: point.seq, kind: detail.operation, timeNs: point.timeNs, note: point.note, name: point.name, detail };
      operations.set(id, { id, ...rest, after: null, foundDead: null, interrupted: detail.operation !== 'run' && id !== running, resumedBy: null, code: null, undone: false, empty: false });
      continue;
    }
    const operation = operations.get(detail.of ?? -1);
    if (operation) Object.assign(operation, { after: point.seq, code: detail.code ?? null, empty: detail.empty === true, interrupted: detail.partly === true });
  }
  const all = [...operations.values()];
  for (const { id, detail } of all) if (detail.resumes !== undefined) Object.assign(operations.get(detail.resumes) ?? {}, { resumedBy: id });
  for (const id of stacks(all).undone) (operations.get(id) as Operation).undone = true;
  return all;
}

/** The interrupted operation that can be gone on with: nothing else was done since, and it was not taken back. */
export function nextResume(operations: readonly Operation[]): Operation | null {
  const last = operations.filter(({ kind }) => kind !== 'run').at(-1);
  return last?.interrupted && !last.undone ? last : null;
}

/** Which operations an undo takes back, and which a redo: the newest is the last of each. */
function stacks(operations: readonly Operation[]): { standing: Seq[]; redoable: Seq[]; undone: Set<Seq> } {
  const standing: Seq[] = [];
  const redoable: Seq[] = [];
  const undone = new Set<Seq>();
  const taken = new Map<Seq, Seq>();
  for (const { id, empty, interrupted, detail: { operation, takesBack, resumes } } of operations) {
    if (resumes !== undefined) remove(standing, resumes);
    if (interrupted) {
      // What it did so far is to be taken back before anything else.
      standing.push(id);
    } else if (operation === 'undo' && takesBack !== undefined) {
      remove(standing, takesBack);
      undone.add(takesBack);
      taken.set(id, takesBack);
      redoable.push(id);
    } else if (operation === 'redo' && takesBack !== undefined) {
      remove(redoable, takesBack);
      const original = taken.get(takesBack);
      undone.add(takesBack);
      if (original !== undefined) {
        undone.delete(original);
        standing.push(original);
      }
    } else if (!empty) {
      standing.push(id);
      redoable.length = 0;
    }
  }
  return { standing, redoable, undone };
}

function remove(list: Seq[], id: Seq): void {
  const at = list.lastIndexOf(id);
  if (at >= 0) list.splice(at, 1);
}

/** What `undo` without a selection would take back; null when there is nothing. */
export function nextUndo(operations: readonly Operation[]): Operation | null {
  const id = stacks(operations).standing.at(-1);
  return operations.find((operation) => operation.id === id) ?? null;
}

/** The undo that `redo` would take back; null when there is none. */
export function nextRedo(operations: readonly Operation[]): Operation | null {
  const id = stacks(operations).redoable.at(-1);
  return operations.find((operation) => operation.id === id) ?? null;
}
