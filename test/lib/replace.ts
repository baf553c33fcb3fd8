import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { asideOf, replaceFile, replaceFileForGood } from '../../lib/replace.js';
import { scoped } from '../helpers/scope.js';

test.serial('a file is replaced whole and for its owner only, whatever a kill has left beside it', (t) => scoped(async (scope) => {
  const file = path.join(scope.temporary('disk'), 'file');
  for (const [replace, text] of [[replaceFile, 'first'], [replaceFileForGood, 'second, longer'], [replaceFile, '']] as const) {
    fs.writeFileSync(asideOf(file), 'what a kill has left, longer than anything that comes', { mode: 0o600 });
    await replace(file, text);
    t.deepEqual([fs.readFileSync(file, 'utf8'), fs.statSync(file).mode & 0o777, fs.existsSync(asideOf(file))], [text, 0o600, false]);
  }
}));

test.serial('what cannot be written leaves the old file', (t) => scoped(async (scope) => {
  const file = path.join(scope.temporary('disk'), 'file');
  await replaceFile(file, 'old');
  fs.mkdirSync(asideOf(file));
  await t.throwsAsync(replaceFile(file, 'new'), { code: 'EISDIR' });
  t.is(fs.readFileSync(file, 'utf8'), 'old');
}));
