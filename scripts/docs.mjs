/** Writes what the docs say of commands, options and methods from their tables (after `npm run build`). */
import { readFileSync, writeFileSync } from 'node:fs';
import { commandTable, reference, withGenerated } from '../dist/cli/reference.js';
import { apiReference } from '../dist/lib/daemon/api.js';

for (const [path, generated] of [['README.md', commandTable()], ['docs/cli.md', reference()], ['docs/api.md', apiReference()]]) {
  const url = new URL(`../${path}`, import.meta.url);
  writeFileSync(url, withGenerated(readFileSync(url, 'utf8'), generated));
}
