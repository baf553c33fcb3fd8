/** A database read file by file is the one that RocksDB reads; a damaged block costs its own keys only, and is told. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { FAMILIES, type Family } from '../../../lib/history/families.js';
import { u64Key } from '../../../lib/history/keys.js';
import { Rocks } from '../../../lib/history/rocks.js';
import { Losses } from '../../../lib/repair/losses.js';
import { salvage, type Salvaged } from '../../../lib/repair/salvage.js';
import { Random } from '../../helpers/random.js';
import { scoped, type Scope } from '../../helpers/scope.js';

type Dump = Map<Family, Map<string, string>>;

async function dumpOf(rocks: Rocks): Promise<Dump> {
  const dump: Dump = new Map();
  for (const family of FAMILIES) {
    const entries = new Map<string, string>();
    for await (const { key, value } of rocks.scan(family, {}, { stored: true })) entries.set(key.toString('hex'), value.toString('hex'));
    dump.set(family, entries);
  }
  return dump;
}

/** Tables of several levels over the same keys, blob files, deletions, and a log. */
async function makeDatabase(directory: string, seed: number): Promise<Dump> {
  const random = new Random(seed);
  const rocks = await Rocks.open(directory, { readOnly: false });
  const families: Family[] = ['meta', 'nodes', 'content', 'changes', 'removed'];
  for (let round = 0; round < 6; round++) {
    const batch = rocks.batch();
    for (let i = 0; i < 800; i++) {
      const family = random.pick(families);
      const key = u64Key(random.below(2000));
      if (random.below(4) === 0) batch.delete(family, key);
      else batch.put(family, key, Buffer.alloc(random.below(family === 'content' ? 4000 : 200), random.below(256)));
    }
    await rocks.commit(batch);
    if (round < 5) await rocks.flush();
    if (round === 3) await rocks.compact('nodes');
  }
  const dump = await dumpOf(rocks);
  await rocks.close();
  return dump;
}

async function read(scope: Scope, directory: string): Promise<{ dump: Dump; losses: Losses; salvaged: Salvaged }> {
  const losses = new Losses();
  const into = await Rocks.open(`${scope.temporary('memory')}/new`, { readOnly: false });
  try {
    const salvaged = await salvage(directory, into, Buffer.alloc(16), losses);
    return { dump: await dumpOf(into), losses, salvaged };
  } finally {
    await into.close();
  }
}

for (const seed of [1, 2, 3]) {
  test.serial(`tables of several levels, blob files and a log are read as RocksDB reads them: seed ${seed}`, (t) => scoped(async (scope) => {
    const directory = `${scope.temporary('memory')}/history`;
    const expected = await makeDatabase(directory, seed);
    const { dump, losses, salvaged } = await read(scope, directory);
    t.deepEqual(dump, expected);
    t.deepEqual(losses.all, []);
    t.is(salvaged.cut, null);
    t.true([...expected.values()].some((entries) => entries.size > 500));
  }));
}

test.serial('a flipped byte costs the keys of a block, all of which are told; no value is wrong', (t) => scoped(async (scope) => {
  const directory = `${scope.temporary('memory')}/history`;
  const expected = await makeDatabase(directory, 4);
  const random = new Random(5);
  let [partly, wholly] = [0, 0];
  for (let i = 0; i < 40; i++) {
    const name = random.pick(readdirSync(directory).filter((one) => /\.(sst|blob)$/.test(one)));
    const whole = readFileSync(`${directory}/${name}`);
    const broken = Buffer.from(whole);
    broken[random.below(broken.length)]! ^= 1 << random.below(8);
    writeFileSync(`${directory}/${name}`, broken);
    const { dump, losses } = await read(scope, directory);
    writeFileSync(`${directory}/${name}`, whole);
    const isTold = (family: Family, key: string): boolean => losses.in(family).some(({ from, to }) => (from === null || from.toString('hex') <= key) && (to === null || to.toString('hex') >= key));
    for (const family of FAMILIES) {
      for (const [key, value] of expected.get(family)!) if (dump.get(family)!.get(key) !== value) t.true(isTold(family, key), `${name}: ${family} ${key}`);
      for (const key of dump.get(family)!.keys()) if (!expected.get(family)!.has(key)) t.true(isTold(family, key), `${name}: ${family} ${key}, which was deleted`);
    }
    if (losses.all.length > 0) {
      const total = [...expected.values()].reduce((sum, entries) => sum + entries.size, 0);
      if ([...dump.values()].reduce((sum, entries) => sum + entries.size, 0) > total / 2) partly++;
      else wholly++;
    }
  }
  t.true(partly > 10, `${partly}`);
  t.is(wholly, 0);
}));
