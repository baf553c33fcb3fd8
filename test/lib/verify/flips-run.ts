/** Flipped bytes by hand: `node dist/test/lib/verify/flips-run.js --flips 1000 [--seed 7]`. */
import { parseArgs } from 'node:util';
import { freshSeed } from '../../helpers/random.js';
import { scoped } from '../../helpers/scope.js';
import { flips } from './support/flips.js';

const { values } = parseArgs({ options: { flips: { type: 'string', default: '1000' }, seed: { type: 'string', default: String(freshSeed()) } } });
process.stdout.write(`seed ${values.seed}\n`);
process.stdout.write(`${JSON.stringify(await scoped((scope) => flips(scope, Number(values.seed), Number(values.flips))), null, 2)}\n`);
