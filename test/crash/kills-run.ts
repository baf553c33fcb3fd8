/** Kills by hand: `node dist/test/crash/kills-run.js --kills 1000 [--seed N] [--where memory]`. */
import { parseArgs } from 'node:util';
import { freshSeed } from '../helpers/random.js';
import { scoped } from '../helpers/scope.js';
import { kills } from './support/kills.js';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '1000' }, seed: { type: 'string', default: String(freshSeed()) }, where: { type: 'string', default: 'disk' } },
});
process.stdout.write(`seed ${values.seed}\n`);
const result = await scoped((scope) =>
  kills(scope, { seed: Number(values.seed), kills: Number(values.kills), where: values.where === 'memory' ? 'memory' : 'disk', log: (text) => process.stdout.write(`${text}\n`) }),
);
process.stdout.write(`${JSON.stringify(result)}\n`);
