import { constants } from 'node:os';
import test from 'ava';
import { watchStore } from '../../../lib/daemon/store-watch.js';
import { MemoryJournal } from '../../helpers/extract.js';
import { until } from '../../helpers/run.js';

const { EIO, ENOSPC, EROFS } = constants.errno;

test.serial('what the journal refuses is told once, with what to do, and that it is over', async (t) => {
  const journal = new MemoryJournal([]);
  const told: string[] = [];
  const end = watchStore({ stats: () => ({ ...journal.stats(), ...now }) }, (what, error) => told.push(error ? `${what}: ${error.message}` : what));
  let now = { failedErrno: 0, refusedErrno: ENOSPC };
  await until('it is told', () => told.length === 1);
  now = { failedErrno: 0, refusedErrno: 0 };
  await until('its end is told', () => told.length === 2);
  now = { failedErrno: 0, refusedErrno: EROFS };
  await until('another reason is told', () => told.length === 3);
  now = { failedErrno: EIO, refusedErrno: EIO };
  await until('what no room mends is told', () => told.length === 4);
  end();
  t.deepEqual(told.map((line) => line.replace(/ \(.*/, '')), [
    'Changes are refused: The disk of the store has no room for changes', 'Changes are taken again',
    'Changes are refused: The disk of the store takes no changes', 'Changes are refused: The journal cannot be written']);
});
