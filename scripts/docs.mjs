/** Writes what the docs say of commands and options from the option table (after `npm run build`). */
import { readFileSync, writeFileSync } from 'node:fs';
import { commandTable, reference, withGenerated } from '../dist/cli/reference.js';

for (const [path, generated] of [['README.md', commandTable()], ['docs/cli.md', reference()]]) {
  const url = new URL(`../${path}`, import.meta.url);
  writeFileSync(url, withGenerated(readFileSync(url, 'utf8'), generated));
}
