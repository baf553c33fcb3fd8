/** docs/policy.md lists every key of the policy file, with the default and an example that the code takes. */
import test from 'ava';
import { FILE_KEYS, parsePolicy, RULE_KEYS } from '../../lib/policy/file.js';
import { COLD_KEYS } from '../../lib/policy/cold.js';
import { GROUP_KEYS } from '../../lib/policy/groups.js';
import { BUILT_IN, INSTALLER_KEYS } from '../../lib/policy/installers.js';
import { POINT_KEYS, POINTS_KEYS } from '../../lib/policy/points.js';
import { RETENTION_KEYS } from '../../lib/policy/retention.js';
import { SCRUB_KEYS } from '../../lib/policy/scrub.js';
import { SPARED, TRIP_KEYS, TRUSTED } from '../../lib/policy/trips.js';
import { read } from '../helpers/project.js';

/** Headers as the file writes them; "" is what stands before all tables. `least`: what a table cannot be without. */
const TABLES: Record<string, { keys: readonly string[]; least: Record<string, string> }> = {
  '': { keys: FILE_KEYS.filter((key) => !/^(rule|points|point|installer|trip|group|retention|scrub|cold)$/.test(key)), least: {} },
  '[[rule]]': { keys: RULE_KEYS, least: { match: '"x"', capture: '"on-close"', recover: '"automatic"', keep: '"1d"' } },
  '[points]': { keys: POINTS_KEYS, least: {} },
  '[[point]]': { keys: POINT_KEYS, least: { name: '"x"', match: '"x"' } },
  '[[installer]]': { keys: INSTALLER_KEYS, least: { exe: '"x"', install: '"x"' } },
  '[retention]': { keys: RETENTION_KEYS, least: {} },
  '[scrub]': { keys: SCRUB_KEYS, least: {} },
  '[cold]': { keys: COLD_KEYS, least: { directory: '"/x"', after: '"1d"' } },
  '[trip]': { keys: TRIP_KEYS, least: {} },
  '[[group]]': { keys: GROUP_KEYS, least: { name: '"x"', include: '"x"', keep: '"1d"' } },
};

interface Row { table: string; key: string; default: string; example: string }

const page = read('docs/policy.md');
const section = page.slice(page.indexOf('## Every key'), page.indexOf('## Capture'));
const rows: Row[] = [...section.matchAll(/^\| (?:`(\[+\w+\]+)` )?`(\w+)` \|(.*?) \|(.*?) \| .+ \|$/gm)].map((match) => (
  { table: match[1] ?? '', key: match[2]!, default: match[3]!.trim(), example: match[4]!.trim() }
));
const literal = (cell: string): string | null => /^`(.*)`$/.exec(cell)?.[1] ?? null;

/** What a file with one table says, as far as it can be compared. */
function says(table: string, keys: Record<string, string>): string {
  const text = [table, ...Object.entries(keys).map(([key, value]) => `${key} = ${value}`)].join('\n');
  return JSON.stringify(parsePolicy(text, 'p'), (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)).replace(/"line":\d+|p:\d+/g, '');
}

test.serial('every key has its row, and every row is a key', (t) => {
  const known = Object.entries(TABLES).flatMap(([table, { keys }]) => keys.map((key) => `${table} ${key}`));
  t.deepEqual(rows.map(({ table, key }) => `${table} ${key}`).sort(), known.sort());
});

test.serial('every example is right', (t) => {
  for (const { table, key, example } of rows) t.notThrows(() => says(table, { ...TABLES[table]!.least, [key]: literal(example)! }), `${table} ${key} = ${example}`);
});

test.serial('every default is what is without the key', (t) => {
  for (const { table, key, default: value } of rows) {
    if (value === '' || value === 'needed') continue;
    const { [key]: _, ...least } = TABLES[table]!.least;
    if (table === '[[installer]]' && key === 'install') least['uninstall'] = '"x"';
    t.is(says(table, { ...least, [key]: literal(value)! }), says(table, least), `${table} ${key} = ${value}`);
  }
});

test.serial('what is needed is needed', (t) => {
  for (const { table, key } of rows.filter((row) => row.default === 'needed')) {
    const { [key]: _, ...others } = TABLES[table]!.least;
    t.throws(() => says(table, others), { code: 'ERR_POLICY' }, `${table} ${key}`);
  }
});

test.serial('docs/points.md names what is spared and trusted, and the built-in installers', (t) => {
  const points = read('docs/points.md').replace(/\s+/g, ' ');
  for (const one of [...SPARED, ...TRUSTED, ...BUILT_IN.map(({ exe }) => exe[0])]) t.true(points.includes(`\`${one}\``), one);
});
