/** An undo whose changes lie where history was thinned: their two sides are not both there, and nothing is made up. */
import test from 'ava';
import { planUndo } from '../../../../lib/recovery/undo/plan.js';
import type { Selected } from '../../../../lib/recovery/undo/select.js';
import type { Seq } from '../../../../lib/history/types.js';
import { discard, takeBack } from '../../../../lib/retention/trash.js';
import { FoldedHistory } from '../../../helpers/folded-history.js';
import { ModelTree } from '../../../helpers/model-tree.js';
import { scoped } from '../../../helpers/scope.js';

const only = (...seqs: Seq[]): Selected => ({ writers: [], after: Math.min(...seqs) - 1, has: ({ seq }) => seqs.includes(seq) });

test.serial('a change whose two sides are not both kept cannot be undone; one that has them can', async (t) => {
  await scoped(async (scope) => {
    const tree = new ModelTree();
    const path = Buffer.from('file');
    tree.do({ op: 'create', path, mode: 0o644 });
    for (const text of ['one', 'two', 'three', 'four']) {
      tree.sleep(1_000_000_000n);
      tree.do({ op: 'write', path, offset: 0, data: Buffer.from(text.padEnd(8)) });
    }
    const { history } = await FoldedHistory.open(scope.temporary('memory'), tree);
    scope.defer(() => history.close());
    const now = history.watermark();
    await discard(history, [{ from: now - 3, to: now - 1 }], 'test', Date.now(), 0);
    for (const hidden of [now - 2, now - 1]) await t.throwsAsync(planUndo(history, only(hidden), { now }), { code: 'ERR_TIME_THINNED' });
    t.is((await planUndo(history, only(now), { now })).plan.counts.updated, 1);
    await takeBack(history);
    t.is((await planUndo(history, only(now - 1), { now })).coverage.changes, 1);
  });
});
