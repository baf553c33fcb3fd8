/**
 * Checks of the timeline. `changes` and `nodechanges` name each other: every reference is looked up; that there is one for
 * each change and object is told by a sum over both families, so that only when the sums differ each change is looked up.
 */
import { decodeChanges, decodeRefs, type ChangeRef } from '../history/changes.js';
import type { History } from '../history/history.js';
import { getU64, nodeChangeKey, pairKey, u64Key } from '../history/keys.js';
import type { Entry } from '../history/rocks.js';
import type { Change, NodeId, Seq } from '../history/types.js';
import type { Check, Suspicion } from './check.js';

const LAST = Number.MAX_SAFE_INTEGER;
/** Sums are kept modulo this, where they stay exact. */
const MODULUS = 2 ** 52;

/** How often which objects are concerned by which changes, up to a record: the same for two sets only if they are equal, by all likelihood. */
export class References {
  count = 0;
  private sum = 0;

  constructor(private readonly upTo: Seq) {}

  note(node: NodeId, seq: Seq, record: Seq): void {
    if (record > this.upTo) return;
    this.count++;
    this.sum = (this.sum + mixed(node, seq, record)) % MODULUS;
  }

  equals(other: References): boolean {
    return this.count === other.count && this.sum === other.sum;
  }
}

/** 52 bits of three numbers (murmur3's finalizer, twice). */
function mixed(node: NodeId, seq: Seq, record: Seq): number {
  const fold = (seed: number): number => {
    let hash = seed;
    for (const part of [node, node / 2 ** 32, seq, seq / 2 ** 32, record, record / 2 ** 32]) {
      hash = Math.imul(hash ^ (part >>> 0), 0x85ebca6b);
      hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
      hash ^= hash >>> 16;
    }
    return hash >>> 0;
  };
  return fold(1) * 2 ** 20 + fold(2) % 2 ** 20;
}

/** The objects that a change concerns. */
export function concerned({ node, parent, parent2, target }: Change): NodeId[] {
  const nodes = new Set([node]);
  for (const other of [parent, parent2, target]) if (other !== undefined) nodes.add(other);
  return [...nodes];
}

/** Notes what changes there are. */
export function changeCheck(changes: References): Check {
  return {
    family: 'changes',
    async page(entries) {
      for (const { key, value } of entries) for (const change of decodeChanges(key, value)) for (const node of concerned(change)) changes.note(node, change.seq, change.record);
      return [];
    },
  };
}

/** Each reference leads to a change that concerns its object. */
export function referenceCheck(history: History, references: References): Check {
  return {
    family: 'nodechanges',
    async page(entries) {
      const wanted = entries.flatMap((entry) => decodeRefs(entry.key, entry.value).map((ref) => ({ entry, ref, node: getU64(entry.key, 0) })));
      const keys = new Map(wanted.map(({ ref }) => runKey(ref)).map((key) => [key.toString('hex'), key]));
      const values = await history.rocks.getMany('changes', [...keys.values()]);
      const runs = new Map([...keys].map(([hex, key], i) => [hex, concernedIn(key, values[i]!)]));
      const found: Suspicion[] = [];
      for (const { entry, ref, node } of wanted) {
        references.note(node, ref.seq, ref.record);
        if (runs.get(runKey(ref).toString('hex'))!.has(`${node} ${ref.seq} ${ref.record}`)) continue;
        found.push({ kind: 'reference-without-change', entry, what: `object ${node} names change #${ref.record} of the run from #${ref.run} on, where it is not` });
      }
      return found;
    },
  };
}

const runKey = ({ seq, record, run }: ChangeRef): Buffer => pairKey(run, record === seq ? run : record);

/** `node seq record` of all that a run says; nothing of one that cannot be read, which is a finding of its own. */
function concernedIn(key: Buffer, value: Buffer | null): Set<string> {
  const found = new Set<string>();
  if (value === null) return found;
  try {
    for (const change of decodeChanges(key, value)) for (const node of concerned(change)) found.add(`${node} ${change.seq} ${change.record}`);
  } catch {
    found.clear();
  }
  return found;
}

/** Each change is named by every object that it concerns: for when the sums differ. */
export function unreferencedCheck(history: History): Check {
  const isNamed = async (node: NodeId, { seq, record }: Change): Promise<boolean> => {
    // Its own entry, or a run that began before it.
    const entry = await history.rocks.peek('nodechanges', { gte: nodeChangeKey(node, seq, seq === record ? LAST : record), lt: u64Key(node + 1) });
    const names = ({ key, value }: Entry): boolean => decodeRefs(key, value).some((ref) => ref.seq === seq && ref.record === record);
    if (entry === null) return false;
    if (names(entry)) return true;
    // Of one instant there can be entries of several records, those that a mount found.
    for await (const other of history.rocks.scan('nodechanges', { gt: entry.key, lt: u64Key(node + 1) }, { limit: 16, capacity: 16 })) if (names(other)) return true;
    return false;
  };
  return {
    family: 'changes',
    async page(entries) {
      const found: Suspicion[] = [];
      for (const entry of entries) {
        for (const change of decodeChanges(entry.key, entry.value)) {
          for (const node of concerned(change)) {
            if (!await isNamed(node, change)) found.push({ kind: 'change-without-reference', entry, node, what: `change #${change.record} concerns object ${node}, which does not name it` });
          }
        }
      }
      return found;
    },
  };
}
