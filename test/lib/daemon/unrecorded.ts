import { constants } from 'node:os';
import test from 'ava';
import { journalFailure } from '../../../lib/daemon/errors.js';
import { noteCut, noteUsers } from '../../../lib/daemon/unrecorded.js';

const journal = () => {
  const appended: [number, unknown][] = [];
  return { appended, append: async (kind: number, payload: Buffer) => { appended.push([kind, JSON.parse(payload.toString())]); return { seq: 1, timeNs: 0n }; } };
};

test.serial('a journal that ended whole is not worth a word', async (t) => {
  const { appended, append } = journal();
  await noteCut({ firstSeq: 1, lastSeq: 5, cutBytes: 0, stranded: null }, { append }, () => t.fail());
  t.deepEqual(appended, []);
});

test.serial('a torn record is told, and is no gap: nobody was told that it was done', async (t) => {
  const { appended, append } = journal();
  const told: string[] = [];
  await noteCut({ firstSeq: 1, lastSeq: 5, cutBytes: 80, stranded: null }, { append }, (what, error) => told.push(`${what}: ${(error as Error).message}`));
  t.deepEqual(told, ['The journal ended in a record that was not whole: 80 bytes were cut behind #5']);
  t.deepEqual(appended, []);
});

test.serial('records that cannot be reached are a gap with their place', async (t) => {
  const { appended, append } = journal();
  const told: string[] = [];
  await noteCut({ firstSeq: 1, lastSeq: 5, cutBytes: 800, stranded: { firstSeq: 8, lastSeq: 12, kept: '/s/journal/6.cut' } }, { append }, (what) => told.push(what));
  t.is(told.length, 1);
  t.deepEqual(appended, [[4, { reason: 'crash', note: 'changes that the disk has only in part', first: 6, last: 12, kept: '/s/journal/6.cut' }]]);
});

test.serial('programs that write past the mount are a gap by name; those that only stand there are none', async (t) => {
  const { appended, append } = journal();
  await noteUsers([{ pid: 7, command: 'bash', writing: false }], { append });
  t.deepEqual(appended, []);
  await noteUsers([{ pid: 7, command: 'bash', writing: false }, { pid: 8, command: 'dd', writing: true }], { append });
  t.like(appended[0]![1], { reason: 'past-the-mount', programs: [{ pid: 8, command: 'dd' }] });
});

test.serial('a journal that cannot be written says with which error, and what to do', (t) => {
  t.is(journalFailure({ failedErrno: 0, gap: null }), null);
  t.is(journalFailure({ failedErrno: constants.errno.EIO, gap: { errno: constants.errno.EIO, sinceNs: 1n, records: 1 } }), null, 'in a gap the tree goes on');
  const failure = journalFailure({ failedErrno: constants.errno.EIO, gap: null });
  t.regex(failure?.message ?? '', /\(EIO\).*fails with EIO/);
  t.regex(failure?.hint ?? '', /unmount and mount again/);
});
