/** `keep` of a rule or a group: what it means for a path, and what is refused with its line. */
import test from 'ava';
import { parsePolicy } from '../../../lib/policy/file.js';
import { KeepPolicy, TABLE } from '../../../lib/policy/keeping.js';

const DAY = 86_400_000;
const bytes = (text: string): Buffer => Buffer.from(text);

function policyOf(text: string): KeepPolicy {
  const { retention, keeping } = parsePolicy(text, 'p');
  return new KeepPolicy(retention, keeping);
}

const FILE = `[[rule]]
match = ["build/", "*.o"]
keep = "1d"
[[group]]
name = "papers"
include = "/docs/"
exclude = "*.bak"
keep = "forever"
[[rule]]
match = "node_modules/"
keep = "7d"
week = "forever"
[[rule]]
match = "*.db"
recover = "automatic"
[[rule]]
match = "off/"
keep = "1d"
paused = true
`;

test.serial('the last rule or group of the file that has a path decides, else the table', (t) => {
  const policy = policyOf(FILE);
  const by = (path: string): string | null => policy.rule(bytes(path), false)?.by ?? null;
  for (const [path, line] of [['build/x', 3], ['src/a.o', 3], ['docs/a.o', 8], ['docs/a.bak', null], ['docs/node_modules/x', 11], ['x.db', null], ['off/x', null]] as const) {
    t.is(by(path), line === null ? null : `p:${line}`, path);
  }
});

test.serial('a rule says all that is kept: a bucket that it does not name keeps nothing', (t) => {
  const policy = policyOf(FILE);
  t.like(policy.rule(bytes('build/x'), false), { windowMs: DAY, bucketMs: { hour: 0, day: 0, week: 0, month: 0, year: 0 }, group: null });
  t.like(policy.rule(bytes('node_modules/x'), false), { windowMs: 7 * DAY, bucketMs: { week: Infinity, day: 0 } });
  t.like(policy.rule(bytes('docs/x'), false), { windowMs: Infinity, group: 'papers' });
});

test.serial('of several paths the longest counts; where none keeps all that the others keep, none', (t) => {
  const policy = policyOf(FILE);
  const longest = (...paths: string[]): string | null => policy.longest(paths.map(bytes));
  t.is(longest('x'), TABLE);
  t.is(longest('build/x', 'x'), TABLE);
  t.is(longest('build/x', 'docs/x'), longest('docs/x'));
  t.is(longest('node_modules/x', 'build/x'), longest('node_modules/x'));
  t.is(longest('node_modules/x', 'x'), null, 'one keeps weeks for ever, the other one days');
});

test.serial('a rule that says what the table says is the table; another rule makes another version', (t) => {
  const table = '[retention]\nkeep = "1d"\nhour = "never"\nday = "never"\nweek = "never"\nmonth = "never"\nyear = "never"\n';
  const [alone, same] = [policyOf(table), policyOf(`${table}[[rule]]\nmatch = "x"\nkeep = "1d"\n`)];
  t.is(same.longest([bytes('x')]), TABLE);
  t.false(same.isNamed(bytes('x')));
  t.not(same.version, alone.version);
  t.true(policyOf(FILE).isNamed(bytes('docs')));
  t.false(policyOf(FILE).isNamed(bytes('')));
});

for (const [text, message] of [
  ['[[rule]]\nmatch = "x"\nkeep = "soon"\n', /^p:3: keep is "soon": a time like "7d"/],
  ['[[rule]]\nmatch = "x"\nday = "7d"\n', /^p:3: day says nothing without keep/],
  ['[[rule]]\nmatch = "x"\nkeep = "1d"\nmonth = 5\n', /^p:4: month is 5/],
  ['[[rule]]\nmatch = "x"\ncapture = "none"\nkeep = "1d"\n', /^p:4: of what is not captured .* nothing to keep/],
  ['[[rule]]\nmatch = "x"\nkeep = "1d"\ntrash = "1d"\n', /^p:4: "trash" is not known in a rule/],
  ['[[group]]\nname = "g"\ninclude = "x"\nkeep = "1d"\nyears = "1d"\n', /^p:5: "years" is not known in a group/],
  ['[[group]]\nname = "g"\ninclude = "x"\nyear = "1d"\n', /^p:4: year says nothing without keep/],
] as const) {
  test.serial(`${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => parsePolicy(text, 'p'), { code: 'ERR_POLICY', message });
  });
}
