/** Who recovers a file when: orders that meet, and attempts that do not end in their time. */
import test from 'ava';
import path from 'node:path';
import { JobTable } from '../../../lib/daemon/jobs.js';
import { Hopeless, Recoverer, type Order, type Ward } from '../../../lib/daemon/recovery.js';
import { parsePolicy } from '../../../lib/policy/file.js';
import { RecoveryPolicy } from '../../../lib/policy/recovery.js';
import { until } from '../../helpers/run.js';
import { scoped, type Scope } from '../../helpers/scope.js';

const RULES = '[[rule]]\nmatch = "*"\nrecover = "automatic"\nretries = 1\ntimeout = "1s"\n';

interface Asked { order: Order; begun: Promise<void>; end(): void }

/** An order whose try hangs until it is ended, and then has no hope. */
function asked(words: string): Asked {
  let begin!: () => void;
  let end!: () => void;
  const begun = new Promise<void>((resolve) => { begin = resolve; });
  const ended = new Promise<void>((resolve) => { end = resolve; });
  const goBack = async (): Promise<never> => {
    begin();
    await ended;
    throw new Hopeless(words);
  };
  return { order: { path: ['f'], cause: 'asked', by: null, goBack, own: true }, begun, end };
}

/** A tree that history knows nothing of; `walked` is under way until it is ended. */
async function recovering(scope: Scope): Promise<{ recoverer: Recoverer; walk: () => void; reports: string[] }> {
  let walk!: () => void;
  const walked = new Promise<void>((resolve) => { walk = resolve; });
  const reports: string[] = [];
  const policy = { recovery: () => new RecoveryPolicy(parsePolicy(RULES, 'p').recovery), follow: (follower: () => void) => follower() };
  const ward = {
    history: { resolve: async () => null }, engine: { onTrouble: () => undefined, setPatience: () => undefined }, policy, mountpoint: '/nowhere',
    settle: async () => 1, walked: () => walked, addPoint: async () => undefined, report: (what: string) => { reports.push(what); },
  } as unknown as Ward;
  const recoverer = new Recoverer(ward, await JobTable.load(path.join(scope.temporary(), 'recoveries.json')));
  recoverer.start();
  return { recoverer, walk, reports };
}

const left = (promise: Promise<unknown>): Promise<boolean> => Promise.race([promise.then(() => false), new Promise<boolean>((resolve) => { setTimeout(resolve, 100, true); })]);

test.serial('who asks for a version while the file is being recovered gets that version, once the other job has ended', (t) => scoped(async (scope) => {
  const { recoverer, walk } = await recovering(scope);
  const check = recoverer.recover({ path: ['f'], cause: 'check', by: null });
  const wanted = asked('the version that was asked for');
  const job = recoverer.recover(wanted.order);
  t.not(job, check);
  for (const order of [{ path: ['f'], cause: 'read' as const, by: null }, { ...wanted.order, own: false }]) t.is(recoverer.recover(order), job, 'who only wants it well joins');
  t.true(await left(wanted.begun), 'one job a file');
  walk();
  t.like(await check, { cause: 'check', result: 'failed' });
  await wanted.begun;
  wanted.end();
  t.like(await job, { cause: 'asked', result: 'failed', note: 'the version that was asked for' });
}));

test.serial('a try that does not end in its time fails; no other writes the file until it has ended', (t) => scoped(async (scope) => {
  const { recoverer, walk, reports } = await recovering(scope);
  walk();
  const [hanging, second, third] = [asked('first'), asked('second'), asked('third')];
  const failed = await recoverer.recover(hanging.order);
  t.like(failed, { result: 'failed', note: 'it did not end within 1 s', tries_left: 0 });
  await until('it is told', () => reports.length === 1);
  t.like(await recoverer.recover(second.order), { result: 'failed', note: 'it did not end within 1 s' });
  const job = recoverer.recover(third.order);
  t.true(await left(third.begun));
  hanging.end();
  await third.begun;
  third.end();
  t.like(await job, { result: 'failed', note: 'third' });
  t.true(await left(second.begun), 'a job that was given up begins nothing more');
}));
