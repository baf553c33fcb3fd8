/** The oracle by hand: `node dist/test/e2e/oracle-run.js --steps 100000 --seed 7 [--where memory] [--objects 40]`. A seed does the same only with the same options: what is not given is as in support/seeds.ts. */
import { parseArgs } from 'node:util';
import { freshSeed } from '../helpers/random.js';
import { scoped } from '../helpers/scope.js';
import { Oracle } from './support/oracle.js';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(freshSeed()) },
    where: { type: 'string', default: 'disk' },
    objects: { type: 'string', default: '20' },
    rollbacks: { type: 'string', default: '2' },
    remounts: { type: 'string', default: '2' },
  },
});
const steps = Number(values.steps);
const remounts = Array.from({ length: Number(values.remounts) }, (_, i) => ({ step: Math.floor((steps * (i + 1)) / (Number(values.remounts) + 1)), kill: i % 2 === 1 }));
const started = Date.now();
process.stdout.write(`seed ${values.seed}, ${steps} steps\n`);
const result = await scoped((scope) =>
  Oracle.run(scope, {
    seed: Number(values.seed),
    steps,
    where: values.where === 'memory' ? 'memory' : 'disk',
    objects: Number(values.objects),
    rollbacks: Number(values.rollbacks),
    remounts,
    log: (text) => process.stdout.write(`${text}, ${((Date.now() - started) / 1000).toFixed(0)} s\n`),
  }),
);
process.stdout.write(`${JSON.stringify(result)}\n`);
