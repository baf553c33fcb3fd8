/**
 * How the suite runs. A file's tests run one after another (`test.serial`; ava's own `serial` would run the files so, too), so that a
 * file never mounts more than one tree at a time and no time-out measures how busy the others are; some files run side by
 * side, since many wait. What takes longest begins first.
 */

/** Files whose tests take minutes, the longest first. */
const LONGEST = [
  'e2e/oracle-disk', 'e2e/oracle-memory', 'crash/kills', 'crash/rollback', 'posix/conformance', 'cli/undo', 'cli/rollback', 'e2e/programs', 'e2e/tripwires',
  'e2e/package', 'e2e/states', 'e2e/fork', 'cli/commands', 'cli/bad-input', 'e2e/large', 'e2e/recovery', 'e2e/policy', 'e2e/bisect', 'e2e/cost', 'crash/keep',
];

const rank = (file) => {
  const at = LONGEST.findIndex((name) => file.endsWith(`/dist/test/${name}.js`));
  return at < 0 ? LONGEST.length : at;
};

export default {
  files: [
    'dist/test/**/*.js',
    '!dist/test/helpers/**',
    '!dist/test/**/cases/**',
    '!dist/test/**/support/**',
    '!dist/test/**/*-run.js',
  ],
  timeout: '10m',
  concurrency: 4,
  sortTestFiles: (a, b) => rank(a) - rank(b) || a.localeCompare(b),
  workerThreads: false,
};
