/** The table of cold content in the policy file: what it means, and what is refused. */
import test from 'ava';
import { parsePolicy } from '../../../lib/policy/file.js';

test.serial('without the table nothing goes anywhere', (t) => {
  t.is(parsePolicy('', 'p').cold, null);
});

test.serial('a directory and a period', (t) => {
  t.deepEqual(parsePolicy('[cold]\ndirectory = "/mnt/archive"\nafter = "90d"\n', 'p', ['/home/a', '/mnt/arch']).cold, { directory: '/mnt/archive', afterMs: 90 * 86_400_000 });
});

for (const [text, message] of [
  ['[cold]\nafter = "1d"', /^p:1: directory is missing: an absolute path/],
  ['[cold]\ndirectory = "mnt"\nafter = "1d"', /^p:2: directory is "mnt"/],
  ['[cold]\ndirectory = "/mnt"', /^p:1: after is missing/],
  ['[cold]\ndirectory = "/mnt"\nafter = "forever"', /^p:3: after is "forever": a time like "90d"/],
  ['[cold]\ndirectory = "/mnt"\nafter = "1d"\nsize = 3', /^p:4: "size" is not known in \[cold\]/],
  ['[cold]\nafter = "1d"\ndirectory = "/home/a/b"', /^p:3: directory is \/home\/a\/b, which lies in \/home\/a/],
  ['[cold]\nafter = "1d"\ndirectory = "/home/a"', /which lies in \/home\/a/],
  ['[cold]\nafter = "1d"\ndirectory = "/srv/../home/a/x"', /which lies in \/home\/a/],
  ['[[cold]]\nafter = "1d"', /cold is one table/],
] as const) {
  test.serial(`refused: ${text.replaceAll('\n', ' ')}`, (t) => {
    t.throws(() => parsePolicy(text, 'p', ['/var/store', '/home/a']), { code: 'ERR_POLICY', message });
  });
}
