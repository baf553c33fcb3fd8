/**
 * Bundles the compiled command line into dist/bin, which `rewind` runs from: a daemon that loads a few files instead of some
 * hundred modules is there in two thirds of the time (docs/decisions/0017). dist/lib stays as it is, for programs that use
 * the library.
 */
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

/** Beside dist/lib, so that what is found from a module's own place (the addon, package.json) is found from the bundle, too. */
const outdir = 'dist/bin';

rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: { main: 'dist/cli/main.js', worker: 'dist/lib/recovery/grep/worker.js' },
  outdir, bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20', logLevel: 'warning',
  // These find files of theirs beside themselves.
  external: ['rocksdb-native', '@bokuweb/zstd-wasm', 'yargs'],
});
