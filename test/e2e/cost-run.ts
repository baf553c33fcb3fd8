/** Prints what 100 changes cost in trees of some sizes: node dist/test/e2e/cost-run.js 1000 200000 */
import { scoped } from '../helpers/scope.js';
import { costOf } from './support/cost.js';

for (const files of process.argv.slice(2).map(Number)) {
  console.log(files, JSON.stringify(await scoped((scope) => costOf(scope, files, 100))));
}
