/** Who is stopped: whoever did the large majority, and a parent only when many processes share it. */
import test from 'ava';
import type { Writer } from '../../../lib/history/types.js';
import { familiesOf, writerOfMost } from '../../../lib/states/culprits.js';

const by = (pid: number, count: number, more: Partial<Writer> = {}): { writer: Writer }[] => Array.from({ length: count }, () => (
  { writer: { id: pid, pid, start: pid + 1, ppid: 5, exe: '/bin/x', argv: ['x'], uid: 0, gid: 0, cgroup: '', certain: true, ancestors: ['5:6', '3:4'], ...more } }
));

test.serial('a sibling that did next to nothing is let alone, and so is the parent', (t) => {
  const done = [...by(10, 999), ...by(20, 1)];
  t.deepEqual(familiesOf(done), [{ pid: 10, start: 11 }]);
  t.is(writerOfMost(done).pid, 10);
});

test.serial('a few that shared it are stopped each', (t) => {
  t.deepEqual(familiesOf([...by(10, 500), ...by(20, 450), ...by(30, 50)]), [{ pid: 10, start: 11 }, { pid: 20, start: 21 }]);
});

test.serial('of many that did one file each the one that started them is stopped', (t) => {
  const loop = Array.from({ length: 100 }, (_, i) => by(100 + i, 1)).flat();
  t.deepEqual(familiesOf(loop), [{ pid: 5, start: 6 }]);
  t.is(writerOfMost(loop).pid, 199);
  t.deepEqual(familiesOf(Array.from({ length: 100 }, (_, i) => by(100 + i, 1, { ancestors: [] })).flat()), [], 'when it has ended nobody can be named');
});

test.serial('of a loop that starts a shell for each file the loop is stopped', (t) => {
  t.deepEqual(familiesOf(Array.from({ length: 100 }, (_, i) => by(100 + i, 1, { ancestors: [`${1000 + i}:7`, '5:6', '3:4'] })).flat()), [{ pid: 5, start: 6 }]);
});

test.serial('nobody is stopped on a suspicion', (t) => {
  t.deepEqual(familiesOf([...by(10, 50), ...by(20, 50, { certain: false })]), []);
  t.deepEqual(familiesOf(by(10, 50, { certain: false })), []);
});
