import test from 'ava';
import type { Point } from '../../../lib/history/types.js';
import { nextRedo, nextUndo, operationsOf, type OperationDetail } from '../../../lib/recovery/operations.js';

/** Points of operations in order: what each is, and which it takes back. */
function points(...operations: [id: number, operation: OperationDetail['operation'], takesBack?: number][]): Point[] {
  return operations.flatMap(([id, operation, takesBack]): Point[] => {
    const detail = { operation, applier: '1:1', ...takesBack !== undefined && { takesBack } };
    const common = { timeNs: BigInt(id), kind: operation, name: '', note: '' };
    return [{ ...common, id, seq: id, detail: { ...detail, phase: 'before' } }, { ...common, id: id + 1, seq: id + 1, detail: { ...detail, phase: 'after', of: id } }];
  });
}

const next = (list: Point[]): (number | null)[] => [nextUndo(operationsOf(list))?.id ?? null, nextRedo(operationsOf(list))?.id ?? null];

test.serial('undo goes back one operation after the other, redo forward again', (t) => {
  t.deepEqual(next([]), [null, null]);
  t.deepEqual(next(points([10, 'rollback'], [20, 'run'])), [20, null]);
  t.deepEqual(next(points([10, 'rollback'], [20, 'run'], [30, 'undo', 20])), [10, 30]);
  t.deepEqual(next(points([10, 'rollback'], [20, 'run'], [30, 'undo', 20], [40, 'undo', 10])), [null, 40]);
  t.deepEqual(next(points([10, 'rollback'], [20, 'run'], [30, 'undo', 20], [40, 'undo', 10], [50, 'redo', 40])), [10, 30]);
  t.deepEqual(next(points([10, 'rollback'], [20, 'run'], [30, 'undo', 20], [40, 'redo', 30])), [20, null]);
});

test.serial('what is done anew ends what could be redone; an undo of a selection is an operation itself', (t) => {
  t.deepEqual(next(points([10, 'run'], [20, 'undo', 10], [30, 'rollback'])), [30, null]);
  t.deepEqual(next(points([10, 'undo'])), [10, null]);
});

test.serial('the log says which stand, and which was interrupted', (t) => {
  const list = points([10, 'rollback'], [20, 'run'], [30, 'undo', 20]);
  t.deepEqual(operationsOf(list).map(({ id, undone, after }) => [id, undone, after]), [[10, false, 11], [20, true, 21], [30, false, 31]]);
  t.is(operationsOf(list.slice(0, -1)).at(-1)!.after, null);
});
