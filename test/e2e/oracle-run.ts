/**
 * The oracle by hand: `node dist/test/e2e/oracle-run.js --steps 100000 --seed 7 [--where memory] [--objects 40]`; with `--seeds 50`
 * so many seeds, one after another, each in the place, over the transport and with as many objects as its number says. A
 * seed does the same only with the same options: what is not given is as in support/seeds.ts.
 */
import { parseArgs } from 'node:util';
import { freshSeed } from '../helpers/random.js';
import { scoped } from '../helpers/scope.js';
import { transportOf } from '../helpers/transport.js';
import type { Transport } from '../../lib/transport.js';
import { OBJECTS, Oracle, type OracleOptions } from './support/oracle.js';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(freshSeed()) },
    seeds: { type: 'string', default: '1' },
    where: { type: 'string' },
    objects: { type: 'string' },
    transport: { type: 'string' },
    rollbacks: { type: 'string', default: '2' },
    remounts: { type: 'string', default: '2' },
  },
});
const steps = Number(values.steps);
const seeds = Number(values.seeds);
const remounts = Array.from({ length: Number(values.remounts) }, (_, i) => ({ step: Math.floor((steps * (i + 1)) / (Number(values.remounts) + 1)), kill: i % 2 === 1 }));
const started = Date.now();

function options(number: number): OracleOptions {
  return {
    seed: (Number(values.seed) + number) >>> 0,
    steps,
    where: (values.where ?? (number % 2 === 0 ? 'disk' : 'memory')) === 'memory' ? 'memory' : 'disk',
    objects: Number(values.objects ?? OBJECTS[number % OBJECTS.length]),
    transport: (values.transport as Transport | undefined) ?? transportOf(Math.floor(number / 2)),
    rollbacks: Number(values.rollbacks),
    remounts,
    log: (text) => process.stdout.write(`${text}, ${((Date.now() - started) / 1000).toFixed(0)} s\n`),
  };
}

for (let number = 0; number < seeds; number++) {
  const { seed, where, objects, transport } = options(number);
  process.stdout.write(`seed ${seed}, ${steps} steps, ${objects} objects, ${where}, ${transport}\n`);
  try {
    process.stdout.write(`${JSON.stringify(await scoped((scope) => Oracle.run(scope, options(number))))}\n`);
  } catch (error) {
    process.stdout.write(`FAILED ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
