/** Asks the engine's own matcher which rule decides for a path: there is no second one that could differ. */
import { native, type NativeRule } from '../native.js';
import { compilePattern } from './pattern.js';
import { CAPTURES, type Policy, type Rule } from './file.js';

/** Rules in the form that the engine takes. */
export function compileRules(rules: readonly Rule[]): NativeRule[] {
  return rules.map(({ pattern, capture, by }) => ({ ...compilePattern(pattern), capture: CAPTURES.indexOf(capture), pattern, by }));
}

/** The rule that decides for a path from the root of the tree (its bytes); null when none matches: `each-write`. */
export function decidingRule(policy: Pick<Policy, 'rules'>, path: Buffer, directory: boolean): Rule | null {
  return policy.rules[native.policyRule(compileRules(policy.rules), path, directory)] ?? null;
}
