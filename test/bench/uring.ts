import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { offerUring, uringOffered } from '../../bench/uring.js';
import { scoped } from '../helpers/scope.js';

/** A kernel's parameter, as a file. */
const parameter = (value: string, body: (file: string) => Promise<void>): Promise<void> =>
  scoped(async (scope) => {
    const file = path.join(scope.temporary('memory'), 'enable_uring');
    fs.writeFileSync(file, value);
    await body(file);
  });

test.serial('io_uring that is off is on for as long as the scope, and that is said', (t) =>
  parameter('N\n', async (file) => {
    await scoped(async (scope) => {
      t.regex(offerUring(scope, file).join(), /was switched on for the run/);
      t.true(uringOffered(file));
    });
    t.false(uringOffered(file));
  }));

test.serial('io_uring that is on is left on, and not spoken of', (t) =>
  parameter('Y\n', async (file) => {
    await scoped(async (scope) => t.deepEqual(offerUring(scope, file), []));
    t.true(uringOffered(file));
  }));

test.serial('io_uring that cannot be switched on leaves its rows out, and that is said', (t) =>
  parameter('N\n', async (file) => {
    await scoped(async (scope) => t.regex(offerUring(scope, path.join(file, 'none')).join(), /ENOTDIR.*nothing was measured over it/));
  }));
