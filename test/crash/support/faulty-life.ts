/** A life in which a call goes wrong, and the check after it. */
import fs from 'node:fs';
import path from 'node:path';
import { MountedTree } from '../../helpers/mount.js';
import { scoped } from '../../helpers/scope.js';
import { transportOf } from '../../helpers/transport.js';
import { check } from './fault-check.js';
import { live } from './fault-life.js';
import { Faults, type Fault } from './faults.js';

export interface FaultyLife {
  /** Calls that were counted. */
  count: number;
  /** The one that went wrong; null when there were not so many. */
  hit: string | null;
  acknowledged: number;
  refused: string[];
  /** What should not be, in words. */
  wrong: string[];
  ms: number;
}

/** Tree and store are in memory. Every other life ends with a kill. */
export async function faultyLife(fault: Fault): Promise<FaultyLife> {
  const began = Date.now();
  return await scoped(async (scope) => {
    const top = scope.temporary('memory');
    const [tree, store, notes] = ['tree', 'store', 'notes'].map((name) => path.join(top, name)) as [string, string, string];
    for (const directory of [tree, notes]) fs.mkdirSync(directory);
    fs.writeFileSync(path.join(tree, 'found'), 'before the first mount');
    const mounted = new MountedTree(scope, tree, store, [], transportOf(fault.nth));
    scope.defer(() => mounted.dispose());
    const faults = new Faults(store, notes, fault);
    const wrong: string[] = [];
    const life = await live(mounted, faults, fault.nth % 2 === 0 ? 'unmount' : 'kill', () => mounted.driver()).catch((error: Error) => {
      wrong.push(`${error.message}\n${lastWords(store)}`);
      return null;
    });
    if (life !== null) wrong.push(...await check(mounted, life, () => mounted.driver()).catch((error: Error) => [`${error.stack}\n${lastWords(store)}`]));
    return { count: faults.count, hit: faults.hit, acknowledged: life?.acknowledged.length ?? 0, refused: life?.refused ?? [], wrong, ms: Date.now() - began };
  });
}

const lastWords = (store: string): string => fs.existsSync(path.join(store, 'daemon.log')) ? fs.readFileSync(path.join(store, 'daemon.log'), 'utf8').split('\n').slice(-15).join('\n') : '';
