/** The oracle on ten seeds, and on every seed that ever failed (fixtures/seeds.json). */
import fs from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { freshSeed } from '../helpers/random.js';
import { projectRoot } from '../helpers/run.js';
import { scoped } from '../helpers/scope.js';
import { transportOf } from '../helpers/transport.js';
import type { Transport } from '../../lib/transport.js';
import { Oracle } from './support/oracle.js';

interface Kept {
  seed: number;
  steps: number;
  where: 'disk' | 'memory';
  transport?: Transport;
}

const kept = (JSON.parse(fs.readFileSync(path.join(projectRoot, 'fixtures/seeds.json'), 'utf8')) as { oracle: Kept[] }).oracle;
const base = freshSeed();
const fresh: Kept[] = Array.from({ length: 10 }, (_, i) => ({ seed: (base + i) >>> 0, steps: 2000, where: i % 2 === 0 ? 'disk' : 'memory', transport: transportOf(i >> 1) }));

[...fresh, ...kept].forEach(({ seed, steps, where, transport = transportOf(0) }, i) => {
  test.serial(`every step of ${steps} is shown by its view, seed ${i < fresh.length ? `number ${i + 1}` : seed}`, async (t) => {
    t.timeout(600_000);
    t.log(`seed ${seed}, ${steps} steps, ${where}, ${transport}`);
    const remounts = [{ step: Math.floor(steps / 3), kill: false }, { step: Math.floor((steps * 2) / 3), kill: true }];
    const result = await scoped((scope) => Oracle.run(scope, { seed, steps, where, transport, remounts, rollbacks: 2 }));
    t.is(result.steps, steps);
    t.true(result.views >= steps);
  });
});
