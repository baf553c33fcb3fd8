import test from 'ava';
import { parsePolicy } from '../../../lib/policy/file.js';
import { DEFAULT_RULES } from '../../../lib/policy/defaults.js';
import { DEFAULT_POINTS } from '../../../lib/policy/points.js';
import { DEFAULT_TRIPS } from '../../../lib/policy/trips.js';

test('an empty file is the defaults', (t) => {
  t.deepEqual(parsePolicy('', 'p'), { rules: [...DEFAULT_RULES], interval: 10, points: DEFAULT_POINTS, trips: DEFAULT_TRIPS });
});

test('rules come after the defaults, in the order of the file, each with its line', (t) => {
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

test('defaults = false leaves out the built-in rules', (t) => {
  t.deepEqual(parsePolicy('defaults = false', 'p').rules, []);
});

test('a wrong file is refused with file, line and reason', (t) => {
  const rule = '[[rule]]\nmatch = "x"\n';
  for (const [text, message] of [
    ['[[rule]\n', /^p:1: column \d+: /], ['a = 1\nb = 1x\n', /^p:2: /], ['interval = 1\ninterval = 2', /^p:2: /],
    ['\n\nrules = 1', /^p:3: "rules" is not known/], ['defaults = "no"', /^p:1: defaults must be/], ['\ninterval = 0', /^p:2: interval must be/],
    ['interval = "10s"', /^p:1: interval/], ['[rule]\nmatch = "x"', /^p:1: .*two brackets/], ['rule = [1]', /^p:1: a rule is a table/],
    [`${rule}capture = "sometimes"`, /^p:3: capture is "sometimes": .*"on-close"/], [rule, /^p:1: the rule has no capture/],
    [`${rule}capture = "none"\n\n[[rule]]\ncapture = "none"`, /^p:5: the rule has no match/], ['[[rule]]\ncapture = "none"\nmatch = []', /^p:3: match lists no pattern/],
    ['[[rule]]\ncapture = "none"\nmatch = ["a", 1]', /^p:3: match is a pattern or/], ['[[rule]]\ncapture = "none"\nmatch = "[a"', /^p:3: "\[a": the set/],
    ['[trip]\ndeletion = -1', /^p:2: deletion is a number/], ['[trip]\nwithin = 3', /^p:2: within is 3/], ['[trip]\nfire = 1', /^p:2: "fire" is not known/], ['[trip]\nhook = ""', /^p:2: hook/],
    ['\n[points]\nevery = "often"', /^p:3: every is "often"/], [`${rule}capture = "none"\n[[point]]\nname = "a"\nmatch = "["`, /^p:6: "\["/],
    ['[[point]]\nname = "a"\nexe = "x"\n[[point]]\nname = "b"\nexe = 1', /^p:6: exe is the name/], ['[[point]]\nmatch = "a"\n', /^p:1: the point has no name/],
    [`${rule}capture = "none"\nwhy = "x"`, /^p:4: "why" is not known in a rule/], [`${rule}capture = 1`, /^p:3: capture is 1/],
  ] as const) t.throws(() => parsePolicy(text, 'p'), { code: 'ERR_POLICY', message }, text);
});
