/**
 * yargs by way of `require`: the one bundled file of version 17 (18 has none) loads in a third of the time that modules take,
 * which every command waits for. (As a module, 17 breaks the help's lines within words.)
 */
import { createRequire } from 'node:module';
import type yargs from 'yargs';

/** As the default export of yargs: words to a parser. */
export const parserOf = createRequire(import.meta.url)('yargs/yargs') as typeof yargs;
