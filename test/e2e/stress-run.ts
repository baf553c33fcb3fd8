/** Stress by hand: `node dist/test/e2e/stress-run.js --seconds 7200 [--seed 7] [--where memory] [--transport dev] [--passed-on]`. */
import { parseArgs } from 'node:util';
import { freshSeed } from '../helpers/random.js';
import { scoped } from '../helpers/scope.js';
import { stress } from './support/stress.js';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '3600' }, seed: { type: 'string', default: String(freshSeed()) }, where: { type: 'string', default: 'disk' }, transport: { type: 'string' }, 'passed-on': { type: 'boolean' } },
});
process.stdout.write(`seed ${values.seed}\n`);
const result = await scoped((scope) =>
  stress(scope, {
    seed: Number(values.seed),
    seconds: Number(values.seconds),
    where: values.where === 'memory' ? 'memory' : 'disk',
    transport: values.transport === 'dev' || values.transport === 'io_uring' ? values.transport : undefined,
    passedOn: values['passed-on'],
    log: (text) => process.stdout.write(`${text}\n`),
  }),
);
process.stdout.write(`${JSON.stringify(result)}\n`);
