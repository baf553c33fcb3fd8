/** `[retention]`: what each key means, and what is refused with its line. */
import test from 'ava';
import { parsePolicy } from '../../../lib/policy/file.js';
import { DEFAULT_RETENTION } from '../../../lib/policy/retention.js';

const DAY = 86_400_000;

test.serial('without a table the schedule of the docs applies; what a table leaves out has its default', (t) => {
  t.deepEqual(parsePolicy('', 'p').retention, DEFAULT_RETENTION);
  t.deepEqual(parsePolicy('[retention]\nkeep = "30d"\nyear = "never"\nmax_size = "2G"\n', 'p').retention, {
    ...DEFAULT_RETENTION, windowMs: 30 * DAY, bucketMs: { ...DEFAULT_RETENTION.bucketMs, year: 0 }, maxBytes: 2 * 2 ** 30,
  });
  t.is(parsePolicy('[retention]\nkeep = "forever"\n', 'p').retention.windowMs, Infinity);
  t.is(parsePolicy('[retention]\nchanges = "7d"\n', 'p').retention.changesMs, 7 * DAY);
});

for (const [text, message] of [
  ['[retention]\nkeep = 7\n', /^p:2: keep is 7: a time like "7d"/],
  ['[retention]\nhours = "7d"\n', /^p:2: "hours" is not known in \[retention\]: keep, hour/],
  ['interval = 5\n[retention]\nmin_free = "5 GB"\n', /^p:3: min_free is "5 GB": a size like "50G"/],
  ['[retention]\nchanges = "year"\n', /^p:2: changes is "year": a time like "7d"/],
  ['[retention]\nchanges = "6d"\n', /^p:2: changes is "6d", and keep is "7d": changes must not be kept for less time than content$/],
  ['[retention]\nkeep = "forever"\nchanges = "365d"\n', /^p:3: changes is "365d", and keep is "forever"/],
  ['retention = "7d"\n', /^p:1: retention is one table/],
] as const) {
  test.serial(`${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => parsePolicy(text, 'p'), { code: 'ERR_POLICY', message });
  });
}
