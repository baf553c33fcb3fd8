/**
 * Content of files at an instant. Guarantee: the bytes of a block at seq n are its entries and its file's cuts at or
 * before n, oldest first from the newest full entry on, each laid over the one before (a cut before an entry of the same
 * seq); beyond the file's size then, nothing.
 */
import { decodeBlock, type Patch } from './blocks.js';
import type { Contents } from './contents.js';
import { Gather } from './gather.js';
import { blockKey, cutKey, getInverse, getU64, seqInKey, u64Key } from './keys.js';
import type { Rocks } from './rocks.js';
import type { NodeId, Seq } from './types.js';
import { BLOCK_BYTES, corrupt } from './values.js';

/** Zero from `from` to `to` for everything before `seq`. */
interface Cut { seq: Seq; from: number; to: number }
/** What one entry says of a block; `full`: nothing below counts. */
interface Layer extends Patch { full: boolean }
interface WantedBlock { node: NodeId; block: number; seq: Seq }
interface FoundBlock { cuts: Cut[]; layers: Layer[]; contents: Map<number, Buffer> }
/** A wanted block and its place among those that were asked for. */
interface Place extends WantedBlock { index: number }

/** Blocks whose entries are looked up at the same time. */
const PARALLEL = 32;
/** Entries that a scan over several blocks may pass for each of them. */
const PASSED_PER_BLOCK = 4;
/** Single blocks that are looked up together, and how many such looks there are at the same time. */
const GATHERED = 128;
const LOOKS = 2;
/** Objects so much younger than the one before are no neighbours. */
const NEAR = 8;

export class ContentReader {
  private readonly gathered = new Gather<WantedBlock, FoundBlock>((wanted) => this.blocksOf(wanted), GATHERED, LOOKS);

  constructor(private readonly rocks: Rocks, private readonly stored: Contents) {}

  /** [offset, offset + length) as of seq; the caller has cut the range at the file's size. */
  async read(node: NodeId, offset: number, length: number, seq: Seq): Promise<Buffer> {
    const out = Buffer.alloc(length);
    if (length === 0) return out;
    const first = Math.floor(offset / BLOCK_BYTES);
    const last = Math.floor((offset + length - 1) / BLOCK_BYTES);
    if (first === last) {
      const { layers, cuts, contents } = await this.gathered.ask({ node, block: first, seq });
      lay(out, offset, first, layers, cuts, contents);
      return out;
    }
    const searching = this.cuts(node, offset, seq);
    for (let block = first; block <= last; block += PARALLEL) {
      const count = Math.min(PARALLEL, last - block + 1);
      const blocks = Array.from({ length: count }, (_, i) => ({ node, block: block + i, seq }));
      const [cuts, all] = await Promise.all([searching, this.layersOfAll(blocks)]);
      const layers = all.map((own, i) => uncut(own, cuts, block + i));
      const contents = await this.contents(layers.flat());
      layers.forEach((own, i) => lay(out, offset, block + i, own, cuts, contents));
    }
    return out;
  }

  /** Single blocks, of files that were made one after the other as a rule: a scan for each stretch of neighbours. */
  private async blocksOf(wanted: readonly WantedBlock[]): Promise<FoundBlock[]> {
    const found: { cuts: Cut[]; layers: Layer[] }[] = wanted.map(() => ({ cuts: [], layers: [] }));
    await Promise.all(stretchesOf(wanted).map(async (stretch) => {
      const [cuts, layers] = await Promise.all([this.cutsOfAll(stretch), this.layersOfAll(stretch)]);
      stretch.forEach(({ index }, i) => { found[index] = { cuts: cuts[i]!, layers: uncut(layers[i]!, cuts[i]!, stretch[i]!.block) }; });
    }));
    const contents = await this.contents(found.flatMap(({ layers }) => layers));
    return found.map((one) => ({ ...one, contents }));
  }

  /**
   * The layers of blocks in the order of their keys. One scan over all of them: a seek costs more than passing a few entries
   * that do not count. Where too many lie in its way, the blocks that are left are sought one by one.
   */
  private async layersOfAll(stretch: readonly WantedBlock[]): Promise<Layer[][]> {
    const alone = ({ node, block, seq }: WantedBlock): Promise<Layer[]> => this.layers(node, block, seq);
    if (stretch.length === 1) return [await alone(stretch[0]!)];
    const all: Layer[][] = stretch.map(() => []);
    const [first, last] = [stretch[0]!, stretch.at(-1)!];
    let passed = 0;
    let at = 0;
    const range = { gte: blockKey(first.node, first.block, first.seq), lte: blockKey(last.node, last.block, 0) };
    for await (const { key, value } of this.rocks.scan('blocks', range, { capacity: stretch.length * 2 })) {
      const [node, block, since] = [getU64(key, 0), getU64(key, 8), seqInKey(key)];
      while (at < stretch.length && isBefore(stretch[at]!, node, block)) at++;
      const [place, own] = [stretch[at]!, all[at]!];
      const counts = place.node === node && place.block === block && since <= place.seq && own.at(-1)?.full !== true;
      if (counts) own.push(...layersIn(value, since, place.seq));
      else if (++passed > stretch.length * PASSED_PER_BLOCK) return [...all.slice(0, at), ...await Promise.all(stretch.slice(at).map(alone))];
    }
    return all;
  }

  private async cutsOfAll(stretch: readonly Place[]): Promise<Cut[][]> {
    const alone = ({ node, block, seq }: Place): Promise<Cut[]> => this.cuts(node, block * BLOCK_BYTES, seq);
    if (stretch.length === 1) return [await alone(stretch[0]!)];
    const all: Cut[][] = stretch.map(() => []);
    let passed = 0;
    let at = 0;
    for await (const { key, value } of this.rocks.scan('cuts', { gte: u64Key(stretch[0]!.node), lt: u64Key(stretch.at(-1)!.node + 1) }, { capacity: 16 })) {
      if (++passed > stretch.length * PASSED_PER_BLOCK) return [...all.slice(0, at), ...await Promise.all(stretch.slice(at).map(alone))];
      const node = getU64(key, 0);
      while (at < stretch.length && stretch[at]!.node < node) at++;
      const cut = cutOf(key, value);
      for (let i = at; stretch[i]?.node === node; i++) if (cut.seq <= stretch[i]!.seq) all[i]!.push(cut);
    }
    return all;
  }

  /** The whole block, as long as a block is. */
  readBlock(node: NodeId, block: number, seq: Seq): Promise<Buffer> {
    return this.read(node, block * BLOCK_BYTES, BLOCK_BYTES, seq);
  }

  /** Numbers of the blocks below size that hold data, ascending; one of zeroes may be among them, no other is missing. */
  async dataBlocks(node: NodeId, size: number, seq: Seq): Promise<number[]> {
    const cuts = await this.cuts(node, 0, seq);
    const blocks: number[] = [];
    let current = -1;
    let settled = false;
    const range = { gte: blockKey(node, 0, Number.MAX_SAFE_INTEGER), lt: blockKey(node, Math.ceil(size / BLOCK_BYTES), Number.MAX_SAFE_INTEGER) };
    for await (const { key, value } of this.rocks.scan('blocks', range)) {
      const block = getU64(key, 8);
      if (block !== current) settled = false;
      current = block;
      const since = seqInKey(key);
      if (settled || since > seq) continue;
      const start = block * BLOCK_BYTES;
      for (const layer of layersIn(value, since, seq)) {
        const holds = !isCut(layer, cuts, start) && !layer.zero;
        if (holds) blocks.push(block);
        // A patch that says nothing any more hides nothing of what lies under it.
        settled = holds || layer.full;
        if (settled) break;
      }
    }
    return blocks;
  }

  /** Cuts at or before seq, newest first; those older than one that clears everything from `offset` on are left out. */
  private async cuts(node: NodeId, offset: number, seq: Seq): Promise<Cut[]> {
    const cuts: Cut[] = [];
    const range = { gte: cutKey(node, seq, 0), lt: u64Key(node + 1) };
    for await (const { key, value } of this.rocks.scan('cuts', range, { capacity: 16 })) {
      const cut = cutOf(key, value);
      cuts.push(cut);
      if (cut.from <= offset && cut.to === Number.MAX_SAFE_INTEGER) break;
    }
    return cuts;
  }

  /** A block's entries at or before seq, newest first, down to the newest full one. */
  private async layers(node: NodeId, block: number, seq: Seq): Promise<Layer[]> {
    const layers: Layer[] = [];
    for await (const { key, value } of this.rocks.scan('blocks', { gte: blockKey(node, block, seq), lte: blockKey(node, block, 0) }, { capacity: 8 })) {
      layers.push(...layersIn(value, seqInKey(key), seq));
      if (layers.at(-1)?.full) break;
    }
    return layers;
  }

  private async contents(layers: Layer[]): Promise<Map<number, Buffer>> {
    const ids = new Set(layers.map(({ content }) => content));
    ids.delete(0);
    const found = await this.stored.get(ids);
    for (const id of ids) if (!found.has(id)) throw corrupt(`no content ${id}, which a block entry names`);
    return found;
  }
}

const cutOf = (key: Buffer, value: Buffer): Cut => ({ seq: getInverse(key, 8), from: getU64(key, 16), to: getU64(value, 0) });

/** Does a place come before this block, in the order of keys? */
const isBefore = (place: WantedBlock, node: NodeId, block: number): boolean => place.node < node || (place.node === node && place.block < block);

/** Blocks in the order of their keys, in stretches of different blocks whose objects are neighbours. */
function stretchesOf(wanted: readonly WantedBlock[]): Place[][] {
  const places = wanted.map((one, index) => ({ ...one, index })).sort((a, b) => a.node - b.node || a.block - b.block);
  const stretches: Place[][] = [];
  for (const place of places) {
    const stretch = stretches.at(-1);
    const before = stretch?.at(-1);
    if (before !== undefined && place.node - before.node <= NEAR && isBefore(before, place.node, place.block)) stretch!.push(place);
    else stretches.push([place]);
  }
  return stretches;
}

/** Is nothing of a layer to be seen any more, of a block that starts there? */
const isCut = (layer: Layer, cuts: readonly Cut[], start: number): boolean =>
  cuts.some(({ seq, from, to }) => seq > layer.seq && from <= start + layer.offset && to >= start + layer.offset + layer.length);

/** Layers of which something may be seen: of the others no content is read, wherever it lies. */
const uncut = (layers: Layer[], cuts: readonly Cut[], block: number): Layer[] => (cuts.length === 0 ? layers : layers.filter((layer) => !isCut(layer, cuts, block * BLOCK_BYTES)));

/** What an entry says of its block at or before `seq`, newest first. */
function layersIn(value: Buffer, first: Seq, seq: Seq): Layer[] {
  const { full, patches } = decodeBlock(value, first);
  const layers: Layer[] = [];
  for (let i = patches.length - 1; i >= 0; i--) if (patches[i]!.seq <= seq) layers.push({ ...patches[i]!, full });
  return layers;
}

/** Lays a block's entries and the cuts between them over `out`, which begins at `offset` of the file and is zero there. */
function lay(out: Buffer, offset: number, block: number, layers: Layer[], cuts: Cut[], contents: Map<number, Buffer>): void {
  const start = block * BLOCK_BYTES;
  const place = (from: number, to: number): [number, number] => [
    Math.max(from, start, offset) - offset, Math.min(to, start + BLOCK_BYTES, offset + out.length) - offset,
  ];
  const zero = (from: number, to: number) => {
    const [a, b] = place(from, to);
    if (a < b) out.fill(0, a, b);
  };
  let nextCut = cuts.length - 1;
  for (let i = layers.length - 1; i >= 0; i--) {
    const layer = layers[i]!;
    for (; nextCut >= 0 && cuts[nextCut]!.seq <= layer.seq; nextCut--) zero(cuts[nextCut]!.from, cuts[nextCut]!.to);
    const from = start + layer.offset;
    if (layer.full) zero(start, start + BLOCK_BYTES);
    if (layer.zero) {
      zero(from, from + layer.length);
      continue;
    }
    const bytes = layer.content === 0 ? layer.bytes : contents.get(layer.content)!;
    const end = Math.min(layer.at + layer.length, bytes.length);
    const [a, b] = place(from, from + end - layer.at);
    if (a < b) bytes.copy(out, a, layer.at + a + offset - from, layer.at + b + offset - from);
  }
  for (; nextCut >= 0; nextCut--) zero(cuts[nextCut]!.from, cuts[nextCut]!.to);
}
