/** One call of the daemon to the store's disk goes wrong, RocksDB's and Node's too: refused or done, nothing acknowledged is lost (faults-run.ts: every call). */
import test from 'ava';
import type { Fault } from './support/faults.js';
import { faultyLife } from './support/faulty-life.js';

/** `refused`: what was told to be refused, and how. */
const FAULTS: (Fault & { what: string; refused: RegExp })[] = [
  { what: 'a table that RocksDB writes has no room', kind: 'ENOSPC', calls: 'write history/*.sst', nth: 3, refused: /ERR_DISK_FULL no room left/ },
  { what: 'the list of tables does not reach the disk', kind: 'EIO', calls: 'fdatasync history/MANIFEST-*', nth: 62, refused: /ERR_IO .*MANIFEST/ },
  { what: 'a database that is opened after a kill cannot name its new list', kind: 'EIO', calls: 'rename history/CURRENT', nth: 3, refused: /ERR_IO .*CURRENT/ },
  { what: 'the database\'s log does not reach the disk', kind: 'EIO', calls: 'write history/*.log', nth: 20, refused: /^$|ERR_(HISTORY_BEHIND|IO) .*Input.output error/ },
  { what: 'a record reaches the journal in part', kind: 'short', calls: 'pwritev journal/*.seg', nth: 40, refused: /^$/ },
];

for (const { what, refused, ...fault } of FAULTS) {
  test.serial(`${what}: nothing acknowledged is lost, and no wrong byte is read`, async (t) => {
    t.timeout(240_000);
    const life = await faultyLife(fault);
    t.deepEqual(life.wrong, []);
    t.regex(life.hit ?? 'not reached', new RegExp(`^${fault.calls!.split(' ')[0]} `));
    t.regex(life.refused.join('\n'), refused);
    t.true(life.acknowledged >= 20, `${life.acknowledged}`);
  });
}
