/**
 * Does each entry of what history answers come from a change? Guarantee: where the chain speaks for an instant, an entry of
 * it that no change of then can have made is told; so nothing can be put beside what was recorded. What a mount found is
 * dated to it, and looked at by its seals.
 */
import { Kind } from '../extractor/record.js';
import { statesIn } from '../history/attributes.js';
import { decodeBlock } from '../history/blocks.js';
import { decodeChanges, RUN_SEQS } from '../history/changes.js';
import type { History } from '../history/history.js';
import { getInverse, getU64, nameInKey, pairKey, seqInKey } from '../history/keys.js';
import { within } from '../history/retained.js';
import type { Entry } from '../history/rocks.js';
import type { Change, GivenUp, Seq } from '../history/types.js';
import { BLOCK_BYTES, isUncaptured } from '../history/values.js';
import type { ChainReport } from './chain.js';
import type { Check, Suspicion } from './check.js';
import { concerned } from './timeline.js';

/** Changes that are kept to be found again. */
const KEPT_CHANGES = 16_384;

type Of = 'nodes' | 'names' | 'xattrs' | 'blocks' | 'cuts';
/** An instant that an entry speaks of, and whether this change can have made it so. */
interface Claim { seq: Seq; made(change: Change): boolean }

export function originChecks(history: History, chain: ChainReport): Check[] {
  const changes = new ChangesAt(history);
  let mounts: Promise<ReadonlySet<Seq>> | null = null;
  return (Object.keys(CLAIMS) as Of[]).map((family) => ({
    family,
    async page(entries) {
      if (chain.from === null) return [];
      const dated = await (mounts ??= mountsOf(history));
      const found: Suspicion[] = [];
      for (const entry of entries) {
        for (const { seq, made } of CLAIMS[family](entry)) {
          if (!chain.speaksFor(seq) || dated.has(seq)) continue;
          const change = await changes.at(seq);
          if ((change !== null && made(change)) || await wasGivenUp(history, family, entry, seq)) continue;
          found.push({ kind: 'entry-unrecorded', entry, seq, what: `an entry of ${family} of #${seq}, which ${change === null ? 'changed nothing' : 'did not make it'}` });
          break;
        }
      }
      return found;
    },
  }));
}

/** Can a change that was given up have made it? Then a later one of the stretch stands for it. Names are made by none of these. */
async function wasGivenUp(history: History, family: Of, { key }: Entry, seq: Seq): Promise<boolean> {
  const stretch = family in BY_GIVEN_UP ? within(history.retention().merged, seq) : null;
  if (stretch === null) return false;
  const node = getU64(key, 0);
  for await (const { node: of, kind, givenUp } of history.nodeChanges(node, seq, stretch.to)) if (of === node && givenUp !== undefined && BY_GIVEN_UP[family]!(key, kind, givenUp)) return true;
  return false;
}

const BY_GIVEN_UP: Partial<Record<Of, (key: Buffer, kind: number, givenUp: GivenUp) => boolean>> = {
  xattrs: (_key, kind) => kind === Kind.Setxattr || kind === Kind.Removexattr,
  blocks: (key, kind, { from, to }) => (kind === Kind.Write || kind === Kind.Fallocate) && from < (getU64(key, 8) + 1) * BLOCK_BYTES && to > getU64(key, 8) * BLOCK_BYTES,
  cuts: (key, kind, { from }) => (kind === Kind.Truncate || kind === Kind.Fallocate) && from <= getU64(key, 16),
};

async function mountsOf(history: History): Promise<ReadonlySet<Seq>> {
  return new Set([history.meta().first, ...(await history.points()).filter(({ kind }) => kind === 'mount').map(({ seq }) => seq)]);
}

const CLAIMS: Record<Of, (entry: Entry) => Claim[]> = {
  // Of what is not captured an open or a gap may tell, which are no changes.
  nodes: ({ key, value }) => statesIn(value, seqInKey(key)).filter((state) => !isUncaptured(state.value)).map(({ seq }) => ({ seq, made: (change) => concerned(change).includes(getU64(key, 0)) })),
  names({ key, value }) {
    const child = value.length === 0 ? null : getU64(value, 0);
    const [parent, name] = [getU64(key, 0), nameInKey(key, 8)];
    return [{ seq: seqInKey(key), made: (change) => ledTo(change, parent, name) === child }];
  },
  xattrs: ({ key }) => [{ seq: seqInKey(key), made: ({ node, kind }) => node === getU64(key, 0) && (kind === Kind.Setxattr || kind === Kind.Removexattr) }],
  blocks({ key, value }) {
    const [node, start] = [getU64(key, 0), getU64(key, 8) * BLOCK_BYTES];
    return decodeBlock(value, seqInKey(key)).patches.map(({ seq }) => ({ seq, made: (change) => change.node === node && touches(change, start) }));
  },
  cuts: ({ key, value }) => [{ seq: getInverse(key, 8), made: (change) => change.node === getU64(key, 0) && cuts(change, getU64(key, 16), getU64(value, 0)) }],
};

/** What a change made of a name: the object, null when it leads nowhere; undefined when it is none of its names. */
function ledTo({ marker, node, parent, name, parent2, name2, target, exchange }: Change, directory: number, wanted: string): number | null | undefined {
  if (marker === 'rename' && parent2 === directory && name2 === wanted) return node;
  if (parent !== directory || name !== wanted) return undefined;
  if (marker === 'rename') return exchange === true && target !== undefined ? target : null;
  return marker === 'delete' ? null : node;
}

/** Does it bring bytes or holes to the block that starts there? */
function touches({ kind, offset, length }: Change, start: number): boolean {
  if (kind === Kind.Symlink) return start === 0;
  return (kind === Kind.Write || kind === Kind.Fallocate) && offset < start + BLOCK_BYTES && offset + length > start;
}

function cuts({ kind, offset, size }: Change, from: number, to: number): boolean {
  if (kind === Kind.Truncate) return from === size && to === Number.MAX_SAFE_INTEGER;
  return kind === Kind.Fallocate && from === offset;
}

/** The change that a record made, found again for neighbours without asking the database. */
class ChangesAt {
  private readonly known = new Map<Seq, Change | null>();

  constructor(private readonly history: History) {}

  async at(seq: Seq): Promise<Change | null> {
    if (!this.known.has(seq)) await this.read(seq);
    return this.known.get(seq) ?? null;
  }

  private async read(seq: Seq): Promise<void> {
    if (this.known.size >= KEPT_CHANGES) this.known.clear();
    this.known.set(seq, null);
    for await (const { key, value } of this.history.rocks.scan('changes', { gte: pairKey(Math.max(seq + 1 - RUN_SEQS, 0), 0), lte: pairKey(seq, seq) })) {
      for (const change of decodeChanges(key, value)) if (change.seq === change.record) this.known.set(change.seq, change);
    }
  }
}
