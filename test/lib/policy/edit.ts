import test from 'ava';
import { editRules, type RuleChange } from '../../../lib/policy/edit.js';
import { parsePolicy } from '../../../lib/policy/file.js';

const FILE = `# mine
interval = 5   # often

[[rule]]
match = "a/"   # the first
capture = "none"

# about the second
[[rule]]
match = [
  "*.db",
  "x",
]
recover = "automatic"  # by itself

# about the point
[[point]]
name = "schema"
match = "*.sql"
`;

const edit = (pattern: string, change: RuleChange, text = FILE): string => editRules(text, 'p', pattern, change).text;

test.serial('a rule is paused and resumed, and the text is as it was', (t) => {
  const paused = edit('*.db', 'pause');
  t.is(paused, FILE.replace('by itself\n', 'by itself\npaused = true\n'));
  t.deepEqual(parsePolicy(paused, 'p').recovery, []);
  t.deepEqual(parsePolicy(paused, 'p').paused, [{ patterns: ['*.db', 'x'], by: 'p:10', line: 10 }]);
  t.is(edit('x', 'resume', paused), FILE);
  t.is(edit('x', 'resume'), FILE);
  t.deepEqual(editRules(FILE, 'p', 'x', 'pause'), { text: paused, lines: [9], patterns: ['*.db', 'x'] });
});

test.serial('a point is named by its name or its pattern', (t) => {
  for (const word of ['schema', '*.sql']) t.is(parsePolicy(edit(word, 'pause'), 'p').points.points.length, 0);
  t.is(parsePolicy(FILE, 'p').points.points.length, 1);
});

test.serial('a group and an installer are paused, resumed, changed and removed by their names', (t) => {
  const text = `${FILE}
[[group]]
name = "sql"
include = "*.sql"

[[installer]]
exe = ["nix-env", "nix"]
install = "-i"  # nothing else
`;
  const of = (edited: string) => {
    const { groups, points } = parsePolicy(edited, 'p');
    return { groups: groups.map(({ name, everyMs }) => `${name} ${everyMs}`), installs: points.installers.some(({ is }) => is({ exe: '/usr/bin/nix', argv: [] })) };
  };
  t.deepEqual(of(text), { groups: ['sql null'], installs: true });
  t.deepEqual(of(edit('sql', 'pause', text)), { groups: [], installs: true });
  t.is(edit('sql', 'resume', edit('sql', 'pause', text)), text);
  t.deepEqual(of(edit('sql', { every: '5m' }, text)).groups, ['sql 300000']);
  t.is(edit('sql', 'remove', text), text.replace('[[group]]\nname = "sql"\ninclude = "*.sql"\n', ''));
  t.is(parsePolicy(edit('*.sql', 'pause', text), 'p').groups.length, 1, 'a pattern names a rule or a point');
  t.deepEqual(of(edit('nix', 'pause', text)), { groups: ['sql null'], installs: false });
  t.deepEqual(parsePolicy(edit('nix', 'pause', edit('sql', 'pause', text)), 'p').paused.map(({ patterns, line }) => [...patterns, line]), [['sql', 22], ['nix-env', 'nix', 27]]);
  t.is(edit('nix-env', 'resume', edit('nix', 'pause', text)), text);
  t.is(edit('nix', 'remove', text), text.replace(/\[\[installer\]\]\nexe.*\ninstall.*\n/, ''));
});

test.serial('a rule is removed with its keys, and nothing around it', (t) => {
  t.is(edit('a/', 'remove'), FILE.replace(/\[\[rule\]\]\nmatch = "a\/".*\ncapture = "none"\n/, ''));
  t.is(edit('schema', 'remove'), FILE.replace(/\[\[point\]\]\nname.*\nmatch.*\n/, ''));
});

test.serial('keys are set, changed and taken away; a rule that is not there is made', (t) => {
  t.is(edit('*.db', { recover: 'notified', retries: 5 }), FILE.replace('recover = "automatic"  # by itself\n', 'recover = "notified"\nretries = 5\n'));
  t.is(edit('a/', { recover: 'manual', capture: null }), FILE.replace('capture = "none"\n', 'recover = "manual"\n'));
  t.is(edit('new', { capture: 'none' }), `${FILE}\n[[rule]]\nmatch = "new"\ncapture = "none"\n`);
  t.is(edit('a "b"', { capture: 'none' }, ''), '[[rule]]\nmatch = "a \\"b\\""\ncapture = "none"\n');
});

test.serial('what cannot be done is refused, and nothing comes of it', (t) => {
  for (const [pattern, change, code, message] of [
    ['nowhere', 'pause', 'ERR_USAGE', /p has no rule for nowhere/], ['.cache/', 'remove', 'ERR_USAGE', /built-in/], ['a/', { capture: 'never' }, 'ERR_POLICY', /capture is "never"/],
    ['a/', { capture: null }, 'ERR_POLICY', /neither capture nor recover/], ['a/', { retries: 3 }, 'ERR_POLICY', /retries says nothing/], ['new', { recover: 'always' }, 'ERR_POLICY', /recover is "always"/],
    ['a/', { colour: 'red' }, 'ERR_POLICY', /"colour" is not known/],
  ] as [string, RuleChange, string, RegExp][]) t.throws(() => edit(pattern, change), { code, message }, pattern);
  t.throws(() => edit('a/', 'pause', 'interval = 0'), { code: 'ERR_POLICY', message: /interval/ });
  const inline = 'rule = [{ match = "a/", capture = "none" }]\n';
  t.throws(() => edit('a/', 'pause', inline), { code: 'ERR_POLICY', message: /cannot be changed from outside/ });
});
