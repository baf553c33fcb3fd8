/**
 * Calls that go wrong, by hand: `node dist/test/crash/faults-run.js --from 1 --to N [--step 1] [--kind EIO|ENOSPC|short] [--many 1] [--calls 'PATTERN']`.
 * Without `--to`: to the last. `--calls 'rename *'` counts only such calls (fnmatch(3) with FNM_EXTMATCH of `CALL PATH`, the path relative to
 * the store); all but what RocksDB writes to its LOG, where none is named.
 */
import { parseArgs } from 'node:util';
import { FAULT_KINDS, type FaultKind } from './support/faults.js';
import { faultyLife } from './support/faulty-life.js';

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '1' }, to: { type: 'string' }, step: { type: 'string', default: '1' }, kind: { type: 'string' }, many: { type: 'string', default: '1' },
    calls: { type: 'string', default: '!(write history/LOG)' },
  },
});

const log = (text: string): void => void process.stdout.write(`${text}\n`);
let ending = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { ending = true; });  // after this life
let [lives, hits, failures] = [0, 0, 0];
for (const kind of values.kind === undefined ? FAULT_KINDS : [values.kind as FaultKind]) {
  const whole = await faultyLife({ kind, nth: 0, calls: values.calls });
  log(`${kind}: ${whole.count} calls`);
  for (let nth = Number(values.from); nth <= Number(values.to ?? whole.count) && !ending; nth += Number(values.step)) {
    const { hit, refused, acknowledged, wrong, ms } = await faultyLife({ kind, nth, many: Number(values.many), calls: values.calls });
    lives++;
    if (hit !== null) hits++;
    if (wrong.length > 0) failures++;
    log(`${kind} ${nth} ${hit ?? 'not reached'}: ${acknowledged} acknowledged, ${refused.length} refused${refused.length > 0 ? ` (${refused[0]!.slice(0, 300)})` : ''}, ${ms} ms`);
    for (const what of wrong.slice(0, 20)) log(`  WRONG ${what}`);
  }
}
log(JSON.stringify({ lives, hits, failures }));
process.exitCode = failures > 0 ? 1 : 0;
