/** docs/space.md, from the figures of both benchmarks that it tells of. */
import fs from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../../test/helpers/run.js';
import type { Result as Year } from '../year/model.js';
import { part } from '../year/report.js';
import type { Result } from './model.js';
import { document } from './report.js';

const read = (file: string): unknown => JSON.parse(fs.readFileSync(path.join(projectRoot, file), 'utf8'));

export const page = (): string => `${document(read('bench/space.json') as Result)}\n${part(read('bench/year.json') as Year)}`;

export const writePage = (): void => fs.writeFileSync(path.join(projectRoot, 'docs/space.md'), page());
