/** Archives that earlier versions of rewindfs wrote: each shows what it showed then. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { Chain } from '../../../lib/archive/chain.js';
import { ArchiveReader } from '../../../lib/archive/reader.js';
import { fileOf, stateOf } from '../../helpers/archives.js';
import { scoped } from '../../helpers/scope.js';

/** Archives that go on from each other, in base64; what they show at each seq (test/helpers/archives.ts); their heads. */
interface Golden { archives: string[]; shows: Record<string, string[]>; heads: unknown[] }

for (const version of [1]) {
  test.serial(`archives of format ${version} show what they did`, async (t) => {
    const golden = JSON.parse(readFileSync(new URL(`../../../../fixtures/archive-format-${version}.json`, import.meta.url), 'utf8')) as Golden;
    await scoped(async (scope) => {
      const directory = scope.temporary();
      const chain = await Chain.open(golden.archives.map((bytes, i) => fileOf(directory, String(i), Buffer.from(bytes, 'base64'))));
      const reader = new ArchiveReader(chain);
      const shows: Golden['shows'] = {};
      for (const { head } of chain.archives) shows[head.at.seq] = await stateOf(reader, head.at.seq);
      t.deepEqual(shows, golden.shows);
      t.deepEqual(JSON.parse(JSON.stringify(chain.archives.map(({ head }) => head), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))), golden.heads);
      await chain.close();
    });
  });
}
