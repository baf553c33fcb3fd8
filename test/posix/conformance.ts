/**
 * Every conformance case sees the same on the live mount as on a plain directory of the same file system: over each transport,
 * and with files that the kernel passes on to the directory (policy on-close), which is another way through it.
 */
import fs from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mountTree, passOn, type MountedTree } from '../helpers/mount.js';
import { Scope } from '../helpers/scope.js';
import { transports } from '../helpers/transport.js';
import type { Transport } from '../../lib/transport.js';
import { attributeCases } from './cases/attributes.js';
import { runCase, type Case } from './cases/case.js';
import { dataCases } from './cases/data.js';
import { deviations } from './cases/deviations.js';
import { kernelCases } from './cases/kernel.js';
import { matrixCases } from './cases/matrix.js';
import { nameCases } from './cases/names.js';
import { permissionCases } from './cases/permissions.js';
import { processCases } from './cases/processes.js';
import { programCases } from './cases/programs.js';
import { raceCases } from './cases/races.js';
import { viewCases } from './cases/views.js';

/** A mount that the cases are run on. */
interface Side {
  name: string;
  transport: Transport;
  passedOn: boolean;
}

const sides: readonly Side[] = [
  ...transports.map((transport) => ({ name: `over ${transport}`, transport, passedOn: false })),
  { name: 'passed on by the kernel', transport: transports[0]!, passedOn: true },
];

// REWIND_PLAIN=1 proves the cases themselves: all sides are plain directories.
const onlyPlain = process.env['REWIND_PLAIN'] !== undefined;
const scope = new Scope();
let plain: string;
const mounts = new Map<Side, MountedTree>();

async function mount({ transport, passedOn }: Side): Promise<MountedTree> {
  if (onlyPlain) return { tree: scope.temporary('disk') } as MountedTree;
  const mounted = await mountTree(scope, { transport });
  if (passedOn) await passOn(mounted);
  return mounted;
}

test.before(async () => {
  plain = scope.temporary('disk');
  await Promise.all(sides.map(async (side) => void mounts.set(side, await mount(side))));
});
test.after.always(() => scope.close());

/** As deepEqual, but of long transcripts only what differs is shown. */
function same(t: ExecutionContext, seen: string[], expected: string[]): void {
  const different = expected.flatMap((line, i) => (line === seen[i] ? [] : [`${line}\n  but here: ${seen[i]}`]));
  t.deepEqual(different, []);
  t.is(seen.length, expected.length);
}

const all: Case[] = [...nameCases, ...dataCases, ...attributeCases, ...permissionCases, ...processCases, ...programCases, ...kernelCases, ...raceCases, ...viewCases, ...matrixCases];

if (!onlyPlain) {
  test.serial('what is passed on is written by the kernel, and by us where it is not', async (t) => {
    for (const side of sides) {
      const mounted = mounts.get(side)!;
      fs.writeFileSync(path.join(mounted.tree, 'probe'), 'x');
      const { requests } = await mounted.control('status') as { requests: Record<string, number> };
      t.is(requests['write'] ?? 0, side.passedOn ? 0 : 1, side.name);
    }
  });
}

/** A directory of its own for each case in one of the places. */
function directory(base: string, name: string): string {
  const made = path.join(base, name);
  fs.mkdirSync(made);
  return made;
}

/** What a plain directory answers: asked once, by the first side that wants to know. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => (answer ??= ask());
}

all.forEach((one, i) => {
  const name = `case-${i}`;
  const onPlain = once(() => runCase(one, directory(plain, name)));
  const shownPlain = once(() => runCase(one, path.join(plain, name), 'look'));
  for (const side of one.large ? sides.slice(0, 1) : sides) {
    test.serial(`${one.name} (${side.name})`, async (t) => {
      t.timeout(600_000);
      const { tree } = mounts.get(side)!;
      const expected = await onPlain();
      const seen = await runCase(one, directory(tree, name));
      t.true(expected.length > 0);
      same(t, seen, expected);
      if (!one.look) return;
      same(t, await runCase(one, path.join(tree, name), 'look'), await shownPlain());
      const view = onlyPlain ? tree : path.join(tree, '.snapshots/@now');
      same(t, await runCase(one, path.join(view, name), 'look'), await shownPlain());
    });
  }
});

deviations.forEach((one, i) => {
  const answer = async (base: string): Promise<string> => {
    let seen = '';
    await runCase({ name: one.name, run: async (calls) => void (seen = await one.see(calls)) }, directory(base, `deviation-${i}`));
    return seen;
  };
  const onPlain = once(() => answer(plain));
  for (const side of sides) {
    test.serial(`known deviation: ${one.name} (${side.name})`, async (t) => {
      const [expected, seen] = [await onPlain(), await answer(mounts.get(side)!.tree)];
      // A kernel may have less of them: the mount then answers as the directory does.
      t.true(seen === expected || (seen === one.mount && expected === one.plain), `directory: ${expected}; mount: ${seen}`);
      t.log(`directory: ${expected}; mount: ${seen}`);
    });
  }
});
