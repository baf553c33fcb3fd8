/** A command that is run at an alarm, and fails, or hangs. */
import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { runHook } from '../../../lib/daemon/hook.js';
import { hasEnded, until } from '../../helpers/run.js';
import { scoped } from '../../helpers/scope.js';

test.serial('a hook is told what happened; one that fails is reported with what it said', (t) => scoped(async (scope) => {
  const told = path.join(scope.temporary(), 'told');
  const failures: string[] = [];
  const failed = ({ message }: Error): void => { failures.push(message); };
  runHook(`echo "$REWIND_ALARM" > ${told}`, { REWIND_ALARM: 'deletion' }, failed);
  await until('it was told', () => fs.existsSync(told) && fs.readFileSync(told, 'utf8') === 'deletion\n');
  runHook('echo "no such user" >&2; exit 3', {}, failed);
  runHook('nosuchcommand-at-all', {}, failed);
  await until('both have failed', () => failures.length === 2);
  t.true(failures.includes('the hook for an alarm ended with exit code 3: no such user'));
  t.true(failures.some((message) => /exit code 127.*nosuchcommand/.test(message)));
}));

test.serial('a hook that hangs ends with all that it started, and is reported', (t) => scoped(async (scope) => {
  const pids = path.join(scope.temporary(), 'pids');
  const failures: string[] = [];
  runHook(`sleep 1000 & echo $! >> ${pids}; sleep 1000 & echo $! >> ${pids}; wait`, {}, ({ message }) => { failures.push(message); }, 2000);
  await until('it was ended', () => failures.length === 1);
  t.is(failures[0], 'the hook for an alarm did not end within 2 s');
  const started = fs.readFileSync(pids, 'utf8').trim().split('\n');
  t.is(started.length, 2);
  await until('what it started has ended', () => started.every((pid) => hasEnded(Number(pid))));
}));

test.serial('what a hook leaves behind has its time, too', (t) => scoped(async (scope) => {
  const pid = path.join(scope.temporary(), 'pid');
  runHook(`sleep 1000 & echo $! > ${pid}`, {}, () => t.fail('it ended well'), 2000);
  await until('it has started', () => fs.existsSync(pid) && fs.readFileSync(pid, 'utf8') !== '');
  const left = fs.readFileSync(pid, 'utf8').trim();
  await until('it has ended', () => hasEnded(Number(left)));
  t.pass();
}));
