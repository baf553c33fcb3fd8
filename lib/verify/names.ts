/**
 * Checks of the tree's index: `names` and `links` say the same from both sides, a name leads to an object that has a state,
 * and the runs of an object's states lie one after another. What lies within a stretch that is merged, or about to be,
 * counts as what it is at the stretch's end.
 */
import { statesIn } from '../history/attributes.js';
import type { History } from '../history/history.js';
import { IdSet } from '../history/idset.js';
import { getU64, linkKey, nameBounds, nameInKey, nameKey, seqInKey, u64Key, under } from '../history/keys.js';
import type { Entry } from '../history/rocks.js';
import type { Name, NodeId, Seq } from '../history/types.js';
import { showName } from '../paths.js';
import { samePlace, standsFor, type Check, type Suspicion } from './check.js';

interface Slotted { parent: NodeId; name: Name; node: NodeId; seq: Seq }

/** Which objects have a state: found by the pass over states, asked by the one over names. */
export function stateCheck(history: History, present: IdSet): Check {
  return {
    family: 'nodes',
    async page(entries, before) {
      const found: Suspicion[] = [];
      for (const [i, entry] of entries.entries()) {
        const node = getU64(entry.key, 0);
        if (node === 0 || node >= history.meta().nextNode) {
          found.push({ kind: 'beyond-watermark', entry, what: `a state of object ${node}, an id that history has not given yet` });
          continue;
        }
        present.add(node);
        const newer = entries[i - 1] ?? before;
        const newest = statesIn(entry.value, seqInKey(entry.key)).at(-1)!.seq;
        const follows = newer == null || !samePlace(newer.key, entry.key) || newest < seqInKey(newer.key);
        if (follows) continue;
        found.push({ kind: 'states-out-of-order', entry, what: `a run of states from #${seqInKey(entry.key)} on reaches to #${newest}, behind the next one from #${seqInKey(newer.key)} on` });
      }
      return found;
    },
  };
}

export function nameCheck(history: History, present: IdSet): Check {
  return {
    family: 'names',
    async page(entries, before) {
      const found: Suspicion[] = [];
      // An entry puts an object there, and the newer one in front of it takes that away.
      const on = entries.filter(({ value }) => value.length > 0).map((entry) => ({ entry, ...slotOf(entry), seq: seqInKey(entry.key) }));
      const off = entries.flatMap((entry, i) => {
        const newer = entries[i - 1] ?? before;
        const replaced = newer != null && entry.value.length > 0 && samePlace(newer.key, entry.key) && !newer.value.subarray(0, 8).equals(entry.value.subarray(0, 8));
        return replaced ? [{ entry, ...slotOf(entry), seq: seqInKey(newer.key) }] : [];
      });
      for (const one of await differing(history, on, true)) found.push({ kind: 'name-without-link', entry: one.entry, what: `${shown(one)} leads to object ${one.node} from #${one.seq} on, which that object does not say` });
      for (const one of await differing(history, off, false)) found.push({ kind: 'name-without-link', entry: one.entry, what: `${shown(one)} does not lead to object ${one.node} any more from #${one.seq} on, which that object does not say` });
      for (const one of on) {
        if (present.has(one.node) || await history.rocks.peek('nodes', under(one.node)) !== null) continue;
        found.push({ kind: 'name-without-node', entry: one.entry, what: `${shown(one)} leads to object ${one.node} from #${one.seq} on, of which no state is there` });
      }
      return found;
    },
  };
}

const slotOf = ({ key, value }: Entry): Omit<Slotted, 'seq'> => ({ parent: getU64(key, 0), name: nameInKey(key, 8), node: getU64(value, 0) });
const shown = ({ name, parent }: Slotted): string => `the name ${showName(name)} in directory ${parent}`;

/** Those of which the object does not say the same: that it has the name (`on`), or has it no more. */
async function differing<T extends Slotted>(history: History, wanted: readonly T[], on: boolean): Promise<T[]> {
  const exact = await history.rocks.getMany('links', wanted.map(({ node, parent, name, seq }) => linkKey(node, parent, name, seq)));
  const found: T[] = [];
  for (const [i, one] of wanted.entries()) {
    const value = exact[i] ?? null;
    if (value !== null && value.length > 0 === on) continue;
    const { node, parent, name } = one;
    const at = standsFor(history, one.seq);
    if ((await led(history, one, at) === node) !== on) continue;
    const newest = await history.rocks.peek('links', { gte: linkKey(node, parent, name, at), lte: linkKey(node, parent, name, 0) });
    if (((newest?.value.length ?? 0) > 0) !== on) found.push(one);
  }
  return found;
}

/** What a name led to at an instant; 0: nothing. */
async function led(history: History, { parent, name }: Slotted, at: Seq): Promise<NodeId> {
  const newest = await history.rocks.peek('names', { gte: nameKey(parent, name, at), lt: nameBounds(parent, name).lt });
  return newest === null || newest.value.length === 0 ? 0 : getU64(newest.value, 0);
}

export function linkCheck(history: History): Check {
  return {
    family: 'links',
    async page(entries) {
      const wanted = entries.map((entry) => ({ entry, node: getU64(entry.key, 0), parent: getU64(entry.key, 8), name: nameInKey(entry.key, 16), seq: seqInKey(entry.key), on: entry.value.length > 0 }));
      const exact = await history.rocks.getMany('names', wanted.map(({ parent, name, seq }) => nameKey(parent, name, seq)));
      const found: Suspicion[] = [];
      for (const [i, one] of wanted.entries()) {
        const { entry, node, parent, name, seq, on } = one;
        const value = exact[i] ?? null;
        if (value !== null && value.subarray(0, 8).equals(u64Key(node)) === on) continue;
        const at = standsFor(history, seq);
        const newest = await history.rocks.peek('links', { gte: linkKey(node, parent, name, at), lte: linkKey(node, parent, name, 0) });
        if (newest === null || !newest.key.equals(entry.key) || (await led(history, one, at) === node) === on) continue;
        found.push({ kind: 'link-without-name', entry, what: `object ${node} ${on ? 'has' : 'has no more'} the name ${showName(name)} in directory ${parent} from #${seq} on, which that directory does not say` });
      }
      return found;
    },
  };
}
