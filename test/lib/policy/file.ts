import test from 'ava';
import { parsePolicy } from '../../../lib/policy/file.js';
import { DEFAULT_RULES } from '../../../lib/policy/defaults.js';
import { DEFAULT_POINTS } from '../../../lib/policy/points.js';
import { DEFAULT_RECOVERY, RecoveryPolicy } from '../../../lib/policy/recovery.js';
import { DEFAULT_RETENTION } from '../../../lib/policy/retention.js';
import { DEFAULT_SCRUB } from '../../../lib/policy/scrub.js';
import { DEFAULT_TRIPS } from '../../../lib/policy/trips.js';

test.serial('an empty file is the defaults', (t) => {
  t.deepEqual(parsePolicy('', 'p'), { rules: [...DEFAULT_RULES], recovery: [], paused: [], interval: 10, onFull: 'integrity', points: DEFAULT_POINTS, trips: DEFAULT_TRIPS, groups: [], retention: DEFAULT_RETENTION, keeping: [], scrub: DEFAULT_SCRUB, cold: null });
});

test.serial('rules come after the defaults, in the order of the file, each with its line', (t) => {
  const { rules, interval } = parsePolicy(`# of this project
interval = 2.5
[[rule]]
match = "target/"
capture = "none"
note = "the compiler makes it again"

[[ rule ]]
capture = "on-close"
match = [
  "*.iso",
  "/images/",
]
`, '/s/policy.toml');
  t.is(interval, 2.5);
  t.deepEqual(rules.slice(0, DEFAULT_RULES.length), [...DEFAULT_RULES]);
  t.deepEqual(rules.slice(DEFAULT_RULES.length), [
    { pattern: 'target/', capture: 'none', by: '/s/policy.toml:4', line: 4 },
    { pattern: '*.iso', capture: 'on-close', by: '/s/policy.toml:10', line: 10 },
    { pattern: '/images/', capture: 'on-close', by: '/s/policy.toml:10', line: 10 },
  ]);
});

test.serial('on_full says what comes first, and nothing else than that', (t) => {
  t.is(parsePolicy('on_full = "work"', 'p').onFull, 'work');
  t.is(parsePolicy('on_full = "integrity"', 'p').onFull, 'integrity');
  t.throws(() => parsePolicy('interval = 5\non_full = "both"', '/s/p'), { code: 'ERR_POLICY', message: /^\/s\/p:2: on_full is "both"/ });
});

test.serial('defaults = false leaves out the built-in rules', (t) => {
  t.deepEqual(parsePolicy('defaults = false', 'p').rules, []);
});

test.serial('a wrong file is refused with file, line and reason', (t) => {
  const rule = '[[rule]]\nmatch = "x"\n';
  for (const [text, message] of [
    ['[[rule]\n', /^p:1: column \d+: /], ['a = 1\nb = 1x\n', /^p:2: /], ['interval = 1\ninterval = 2', /^p:2: /],
    ['\n\nrules = 1', /^p:3: "rules" is not known/], ['defaults = "no"', /^p:1: defaults must be/], ['\ninterval = 0', /^p:2: interval must be/],
    ['interval = "10s"', /^p:1: interval/], ['[rule]\nmatch = "x"', /^p:1: .*two brackets/], ['rule = [1]', /^p:1: a rule is a table/],
    [`${rule}capture = "sometimes"`, /^p:3: capture is "sometimes": .*"on-close"/], [rule, /^p:1: the rule has neither capture nor recover/],
    [`${rule}capture = "none"\n\n[[rule]]\ncapture = "none"`, /^p:5: the rule has no match/], ['[[rule]]\ncapture = "none"\nmatch = []', /^p:3: match lists no pattern/],
    ['[[rule]]\ncapture = "none"\nmatch = ["a", 1]', /^p:3: match is a pattern or/], ['[[rule]]\ncapture = "none"\nmatch = "[a"', /^p:3: "\[a": the set/],
    ['[trip]\nspare = "[a"', /^p:2: "\[a": the set/], ['[trip]\nspare = 5', /^p:2: spare is a pattern or a list/], ['[trip]\ntrust = [5]', /^p:2: trust is a pattern for programs/], ['[trip]\noverwriting = "x"', /^p:2: overwriting is a number/],
    ['[[group]]\nname = "a"\ninclude = "a"\npaused = 1', /^p:4: paused must be true or false/],
    ['[trip]\ndeletion = -1', /^p:2: deletion is a number/], ['[trip]\nwithin = 3', /^p:2: within is 3/], ['[trip]\nfire = 1', /^p:2: "fire" is not known/], ['[trip]\nhook = ""', /^p:2: hook/],
    ['[trip]\nblock = "yes"', /^p:2: block is "yes": true, false or a list of "deletion"/], ['[trip]\nblock = ["fire"]', /^p:2: block is \["fire"\]/],
    ['[group]\nname = "a"', /^p:1: groups are written \[\[group\]\]/], ['[[group]]\ninclude = "a"', /^p:1: the group has no name/], ['[[group]]\nname = "a b"\ninclude = "a"', /^p:2: the group has no name/],
    ['[[group]]\nname = "a"', /^p:1: the group has no include/], ['[[group]]\nname = "a"\ninclude = []', /^p:3: include lists no pattern/], ['[[group]]\nname = "a"\ninclude = "a"\nexclude = ["["]', /^p:4: "\[": the set/],
    ['[[group]]\nname = "a"\ninclude = "a"\nexclude = 1', /^p:4: exclude is a pattern or/], ['[[group]]\nname = "a"\ninclude = "a"\nevery = 5', /^p:4: every is 5/],
    ['[[group]]\nname = "a"\ninclude = "a"\nview = "all"', /^p:4: view is "all": "members" or "names"/], ['[[group]]\nname = "a"\ninclude = "a"\nmatch = "b"', /^p:4: "match" is not known in a group/],
    ['[[group]]\nname = "a"\ninclude = "a"\n[[group]]\nname = "a"\ninclude = "b"', /^p:5: there is a group "a" already/], ['group = [1]', /^p:1: a group is a table/],
    ['\n[points]\nevery = "often"', /^p:3: every is "often"/], [`${rule}capture = "none"\n[[point]]\nname = "a"\nmatch = "["`, /^p:6: "\["/],
    ['[[point]]\nname = "a"\nexe = "x"\n[[point]]\nname = "b"\nexe = 1', /^p:6: exe is a pattern/], ['[[point]]\nmatch = "a"\n', /^p:1: the point has no name/],
    [`${rule}recover = "always"`, /^p:3: recover is "always": "manual", "notified" or "automatic"/], [`${rule}capture = "none"\nrecover = "automatic"`, /^p:4: what is not captured/],
    [`${rule}capture = "none"\nretries = 2`, /^p:4: retries says nothing without recover/], [`${rule}recover = "automatic"\nretries = 0`, /^p:4: retries is a whole number from 1 to 100/],
    [`${rule}recover = "notified"\ntimeout = 5`, /^p:4: timeout is 5: a time like "10s"/], [`${rule}recover = "notified"\ntimeout = "1h"`, /^p:4: timeout is "1h": at most "10m"/],
    [`${rule}recover = "notified"\ncheck = "1h"`, /^p:4: check goes with recover = "automatic" only/], [`${rule}recover = "automatic"\ncheck = "often"`, /^p:4: check is "often"/],
    [`${rule}recover = "manual"\npaused = 1`, /^p:4: paused must be/], ['[[point]]\nname = "a"\nexe = "x"\npaused = "no"', /^p:4: paused must be/],
    [`${rule}capture = "none"\nwhy = "x"`, /^p:4: "why" is not known in a rule/], [`${rule}capture = 1`, /^p:3: capture is 1/],
  ] as const) t.throws(() => parsePolicy(text, 'p'), { code: 'ERR_POLICY', message }, text);
});

test.serial('rules of recovery have their defaults; a rule may say both; a paused one says nothing, but must be right', (t) => {
  const { rules, recovery, paused } = parsePolicy(`defaults = false
[[rule]]
match = ["a", "b"]
recover = "automatic"
[[rule]]
match = "c"
capture = "on-close"
recover = "notified"
retries = 7
timeout = "1m"
[[rule]]
match = "d"
recover = "automatic"
check = "never"
[[rule]]
match = "e"
recover = "manual"
paused = true
`, 'p');
  t.deepEqual(rules, [{ pattern: 'c', capture: 'on-close', by: 'p:6', line: 6 }]);
  const common = { recover: 'automatic' as const, retries: 3, timeoutMs: 10_000 };
  t.deepEqual(recovery, [
    { pattern: 'a', ...common, checkMs: 86_400_000, by: 'p:3', line: 3 }, { pattern: 'b', ...common, checkMs: 86_400_000, by: 'p:3', line: 3 },
    { pattern: 'c', recover: 'notified', retries: 7, timeoutMs: 60_000, checkMs: null, by: 'p:6', line: 6 }, { pattern: 'd', ...common, checkMs: null, by: 'p:12', line: 12 },
  ]);
  t.deepEqual(paused, [{ patterns: ['e'], by: 'p:16', line: 16 }]);
  const policy = new RecoveryPolicy(recovery);
  t.is(policy.rule(Buffer.from('x/c'))?.retries, 7);
  t.is(policy.of(Buffer.from('zz')), DEFAULT_RECOVERY);
  t.deepEqual(policy.automatic.map(({ pattern }) => pattern), ['a', 'b', 'd']);
});

test.serial('who is blocked is said by one word for all, or by name', (t) => {
  t.deepEqual(parsePolicy('[trip]\nblock = true', 'p').trips.block, ['deletion', 'encryption', 'overwriting', 'renaming']);
  t.deepEqual(parsePolicy('[trip]\nblock = ["encryption"]', 'p').trips.block, ['encryption']);
  t.deepEqual(parsePolicy('[trip]\nblock = false', 'p').trips.block, []);
});

test.serial('what is spared and trusted is said anew, or nothing', (t) => {
  const says = (text: string): boolean[] => {
    const { spares, trusts } = parsePolicy(text, 'p').trips;
    return [spares(Buffer.from('web/node_modules/a/b.js'), false), spares(Buffer.from('gen/a'), false), trusts({ exe: '/usr/bin/git', argv: ['git'] }), trusts({ exe: '/opt/sync', argv: ['sync'] })];
  };
  t.deepEqual(says(''), [true, false, true, false]);
  t.deepEqual(says('[trip]\nspare = "gen/"\ntrust = ["/opt/sync", "git"]'), [false, true, true, true]);
  t.deepEqual(says('[trip]\nspare = []\ntrust = []'), [false, false, false, false]);
});

test.serial('a member is what an include names, with all below it, and no exclude does; a file may be in many groups', (t) => {
  const { groups } = parsePolicy('[[group]]\nname = "src"\ninclude = ["/src/", "*.sql"]\nexclude = ["/src/gen/", "*.tmp"]\nevery = "5m"\nview = "names"\n[[group]]\nname = "sql"\ninclude = "*.sql"', 'p');
  const memberships = (path: string, directory = false): string => groups.filter((group) => group.has(Buffer.from(path), directory)).map(({ name }) => name).join(' ');
  t.deepEqual(['src/a', 'src/deep/b.tmp', 'src/gen/c', 'src/gen/d.sql', 'x.sql', 'deep/x.sql', 'other', ''].map((path) => memberships(path)), ['src', '', '', 'sql', 'src sql', 'src sql', '', '']);
  t.deepEqual([memberships('src', true), memberships('src', false), memberships('src/gen', true)], ['src', '', '']);
  t.like(groups[0], { everyMs: 300_000, view: 'names' });
  t.like(groups[1], { everyMs: null, view: 'members' });
});
