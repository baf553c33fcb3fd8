import test from 'ava';
import { isReplaced, isSealed } from '../../../lib/states/samples.js';

test.serial('what is packed is not taken for encrypted', (t) => {
  t.true(isSealed(Buffer.from(Array.from({ length: 4096 }, (_, i) => (Math.imul(i + 1, 2_654_435_761) >>> 11) ^ (Math.imul(i + 7, 40_503) >>> 3)).map((n) => n & 255))));
  t.false(isSealed(Buffer.concat([Buffer.from('789c', 'hex'), Buffer.from(Array.from({ length: 4096 }, (_, i) => (Math.imul(i + 1, 2_654_435_761) >>> 11) & 255))])));
  t.false(isSealed(Buffer.from('text that repeats '.repeat(100))));
  t.false(isSealed(Buffer.alloc(0)));
});

const CODE = Array.from({ length: 60 }, (_, i) => `function area${i}(width, height) {\n  if (width < 0) throw new Error("no area ${i}");\n  return width * height + offset${i % 7};\n}\n`).join('\n');

test.serial('who formats a text, renames in it, or puts a head before it keeps it', (t) => {
  const formatted = CODE.replace(/^ {2}/gm, '\t').replaceAll('"', "'").replaceAll(';', '').replaceAll(') {', ')\n{');
  for (const kept of [formatted, CODE.replaceAll('width', 'w'), `${'// All rights reserved.\n'.repeat(60)}${CODE}`, CODE.slice(0, 1000), CODE.replaceAll('\n', '\r\n')]) {
    t.false(isReplaced(Buffer.from(CODE).subarray(0, 4096), Buffer.from(kept).subarray(0, 8192)));
  }
});

test.serial('zeroes, nothing, noise and another text are not what was there', (t) => {
  const before = Buffer.from(CODE).subarray(0, 4096);
  for (const after of [Buffer.alloc(8192), Buffer.alloc(0), Buffer.from('You have been warned. '.repeat(300)), Buffer.from(CODE.split('').reverse().join(''))]) t.true(isReplaced(before, after));
  t.true(isReplaced(Buffer.from(Array.from({ length: 4096 }, (_, i) => (Math.imul(i + 1, 2_654_435_761) >>> 11) & 255)), Buffer.alloc(4096, 'x')));
  t.false(isReplaced(Buffer.from('short'), Buffer.alloc(0)), 'of so little nothing can be told');
});
