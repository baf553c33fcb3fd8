/** Asks the engine's own matcher whether any of some patterns has a path. */
import { native } from '../native.js';
import { compilePattern } from './pattern.js';

/** Takes a path's bytes, from the root of the tree. Of no pattern it has none. */
export function matcherOf(patterns: readonly string[]): (path: Buffer, directory: boolean) => boolean {
  const compiled = patterns.map((pattern) => ({ ...compilePattern(pattern), capture: 0, pattern, by: '' }));
  return (path, directory) => compiled.length > 0 && native.policyRule(compiled, path, directory) >= 0;
}
