/**
 * What is not captured unless the policy file says otherwise. Short on purpose: only directories that tools fill by
 * themselves, can make again, and that never hold anything a person wrote. docs/policy.md lists and explains them.
 */
import type { Rule } from './file.js';

/** Where a rule of this list comes from, as people are told. */
export const BY_DEFAULT = 'default';

export const CACHES: readonly string[] = ['__pycache__/', '.pytest_cache/', '.mypy_cache/', '.ruff_cache/', '.cache/', '.ccache/', '.parcel-cache/', '.turbo/'];

/** The built-in rules, before those of the file. */
export const DEFAULT_RULES: readonly Rule[] = CACHES.map((pattern) => ({ pattern, capture: 'none', by: BY_DEFAULT, line: null }));
