/** Programs named by a pattern: one reading for `--exe` of every command and for the policy file. */
import test from 'ava';
import { compileProgramGlob } from '../../lib/program.js';

const CASES: [pattern: string, exe: string, argv: string, fits: boolean][] = [
  ['sed', '/usr/bin/sed', 'sed -i s/a/b/ x', true],
  ['se[cd]', '/usr/bin/sed', 'sed', true],
  ['s?d', '/usr/bin/sed', 'sed', true],
  ['ed', '/usr/bin/sed', 'sed', false],
  ['s.d', '/usr/bin/sed', 'sed', false],
  ['/usr/bin/sed', '/usr/bin/sed', 'sed', true],
  ['/usr/*/sed', '/usr/bin/sed', 'sed', true],
  ['/usr/*', '/usr/bin/sed', 'sed', false],
  ['/usr/**', '/usr/bin/sed', 'sed', true],
  ['bin/sed', '/usr/bin/sed', 'sed', false],
  ['node', '/usr/bin/node', 'node /usr/bin/npm ci', true],
  ['npm', '/usr/bin/node', 'node /usr/bin/npm ci', true],
  ['np*', '/usr/bin/node', 'node /usr/lib/node_modules/npm/bin/npm-cli.js ci', true],
  ['ci', '/usr/bin/node', 'node /usr/bin/npm ci', false],
  ['tool', '/home/a/tool (deleted)', 'tool', true],
  ['tool', '', 'tool x', true],
  ['gr\u00fcn', '/usr/bin/gr\u00fcn', 'x', true],
];

for (const [pattern, exe, argv, fits] of CASES) {
  test.serial(`${pattern} ${fits ? 'means' : 'does not mean'} ${exe} (${argv})`, (t) => {
    t.is(compileProgramGlob(pattern)({ exe, argv: argv.split(' ') }), fits);
  });
}

test.serial('a pattern that cannot be read is refused', (t) => {
  for (const wrong of ['', '[a', 'a\\']) t.throws(() => compileProgramGlob(wrong), { code: 'ERR_USAGE' }, wrong);
});
