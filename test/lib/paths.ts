import test from 'ava';
import { RewindError } from '../../lib/errors.js';
import { parseName, parsePath, pathBytes, safeForTerminal, showName, showPath } from '../../lib/paths.js';

const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

test.serial('valid UTF-8 is shown as text, a byte that is not as an escape', (t) => {
  t.is(showName(latin1('Füße-日本-🎈')), 'Füße-日本-🎈');
  t.is(showName('caf\xe9'), 'caf\\xe9');
  t.is(showName('\xed\xa0\x80'), '\\xed\\xa0\\x80');
  t.is(showName('\xf4\x90\x80\x80'), '\\xf4\\x90\\x80\\x80');
  t.is(showName('\xc0\xaf'), '\\xc0\\xaf');
});

test.serial('a backslash stands for itself unless it would read as an escape', (t) => {
  t.is(showName('a\\b'), 'a\\b');
  t.is(showName('a\\x4'), 'a\\x4');
  t.is(showName('a\\x41'), 'a\\x5cx41');
  t.is(parseName('a\\x5cx41'), 'a\\x41');
});

test.serial('showing and reading back gives the same bytes for any name', (t) => {
  const seed = Date.now() % 1_000_000;
  t.log(`seed ${seed}`);
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const parts = ['\\', 'x', '5c', 'c3', 'é', '\xc3', '\xa9', 'a', 'F', '\xff', '🎈', '\n', '\x1b'];
  const shown = new Map<string, string>();
  for (let i = 0; i < 20_000; i++) {
    const name = Array.from({ length: 1 + next(9) }, () => {
      const part = parts[next(parts.length)] as string;
      return next(2) ? part.replace(/[^\x00-\xff]/g, '?') : latin1(part);
    }).join('');
    const text = showName(name);
    t.is(parseName(text), name);
    t.is(parseName(safeForTerminal(text)), name, 'escaping for a terminal loses nothing');
    t.is(shown.get(text) ?? name, name, 'no two names look the same');
    shown.set(text, name);
  }
  for (let byte = 1; byte < 256; byte++) t.is(parseName(showName(String.fromCharCode(byte))), String.fromCharCode(byte));
});

test.serial('a path is read with or without slashes around it, and the root by any of its names', (t) => {
  t.deepEqual(parsePath('/src//./a.ts/'), ['src', 'a.ts']);
  for (const root of ['', '.', '/', './']) t.deepEqual(parsePath(root), []);
  t.is(showPath([]), '.');
  t.is(showPath(['a', latin1('é')]), 'a/é');
  t.is(pathBytes([]).toString(), '.');
  t.deepEqual(pathBytes(['a', '\xff']), Buffer.from([0x61, 0x2f, 0xff]));
});

test.serial('a path that leaves the tree, or that no file can have, is refused', (t) => {
  for (const bad of ['..', 'a/../b', '../x', 'a\\x2fb', 'a\\x00']) {
    t.is((t.throws(() => parsePath(bad), { instanceOf: RewindError }) as RewindError).code, 'ERR_USAGE', bad);
  }
});

test.serial('nothing that reaches a terminal can steer it', (t) => {
  t.is(safeForTerminal('a\x1b[31mb\nc\td\x7f'), 'a\\x1b[31mb\\x0ac\\x09d\\x7f');
  t.is(safeForTerminal('\x9b31m'), '\\xc2\\x9b31m', 'C1 control sequence introducer');
  t.is(safeForTerminal('a\u202eb'), 'a\\xe2\\x80\\xaeb', 'right-to-left override');
  t.is(safeForTerminal('plain Füße 🎈'), 'plain Füße 🎈');
});
