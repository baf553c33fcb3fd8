/** The oracle on ten seeds, half of them in memory, and on every seed that ever failed (fixtures/seeds.json). */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { freshSeed } from '../../helpers/random.js';
import { projectRoot } from '../../helpers/run.js';
import { scoped } from '../../helpers/scope.js';
import { transportOf } from '../../helpers/transport.js';
import type { Transport } from '../../../lib/transport.js';
import { OBJECTS, Oracle, type OracleOptions } from './oracle.js';

interface Kept extends Pick<OracleOptions, 'seed' | 'steps' | 'where'> { objects: number; transport?: Transport }

const FRESH = 5;
const STEPS = 2000;

/** One test for each seed that runs in this place. */
export function testSeeds(where: OracleOptions['where']): void {
  const kept = (JSON.parse(fs.readFileSync(path.join(projectRoot, 'fixtures/seeds.json'), 'utf8')) as { oracle: Kept[] }).oracle;
  const base = freshSeed() + (where === 'memory' ? FRESH : 0);
  const fresh = Array.from({ length: FRESH }, (_, i): Kept => ({ seed: (base + i) >>> 0, steps: STEPS, where, transport: transportOf(i), objects: OBJECTS[i % OBJECTS.length]! }));
  for (const [i, { seed, steps, objects, transport = transportOf(0) }] of [...fresh, ...kept.filter((one) => one.where === where)].entries()) {
    test.serial(`every step of ${steps} is shown by its view, seed ${i < FRESH ? `number ${i + 1}` : seed}`, async (t) => {
      t.timeout(600_000);
      t.log(`seed ${seed}, ${steps} steps, ${objects} objects, ${where}, ${transport}`);
      const remounts = [{ step: Math.floor(steps / 3), kill: false }, { step: Math.floor((steps * 2) / 3), kill: true }];
      const result = await scoped((scope) => Oracle.run(scope, { seed, steps, objects, where, transport, remounts, rollbacks: 2 }));
      t.is(result.steps, steps);
      t.true(result.views >= steps);
    });
  }
}
