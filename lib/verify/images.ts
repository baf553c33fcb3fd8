/**
 * Blocks of one object at one instant after another: entries are read once and laid over the image before, since reading a
 * block anew at each of many writes costs a look at all of its chain each time. Guarantee: as long as nothing but entries of
 * `blocks` came between (no cut), an image is what history answers at its instant; `forget` says that something did.
 */
import { decodeBlock, type Patch } from '../history/blocks.js';
import type { History } from '../history/history.js';
import { blockKey, seqInKey } from '../history/keys.js';
import type { NodeId, Seq } from '../history/types.js';
import { BLOCK_BYTES, corrupt } from '../history/values.js';

/** Blocks that are kept. */
const KEPT = 64;

interface Layer extends Patch { full: boolean }
interface Known { seq: Seq; image: Buffer; /** Newer ones, oldest first; null: not read yet. */ layers: Layer[] | null; contents: Map<number, Buffer> }

export class BlockImages {
  private readonly known = new Map<number, Known>();

  /** @param last no instant after it is asked for */
  constructor(private readonly history: History, private readonly node: NodeId, private readonly last: Seq) {}

  /** Of a block no earlier instant than before. The bytes must not be changed. */
  async at(block: number, seq: Seq): Promise<Buffer> {
    let known = this.known.get(block);
    if (known === undefined) {
      if (this.known.size >= KEPT) this.known.clear();
      known = { seq, image: await this.history.readBlock(this.node, block, seq), layers: null, contents: new Map() };
      this.known.set(block, known);
    } else if (known.seq < seq) {
      await this.advance(known, block, seq);
    }
    return known.image;
  }

  forget(): void {
    this.known.clear();
  }

  private async advance(known: Known, block: number, seq: Seq): Promise<void> {
    if (known.layers === null) Object.assign(known, await this.read(block, known.seq));
    const layers = known.layers!;
    let count = 0;
    while (count < layers.length && layers[count]!.seq <= seq) count++;
    if (count > 0) {
      known.image = Buffer.from(known.image);
      for (const layer of layers.splice(0, count)) lay(known.image, layer, known.contents);
    }
    known.seq = seq;
  }

  private async read(block: number, after: Seq): Promise<Pick<Known, 'layers' | 'contents'>> {
    const { rocks, contents } = this.history;
    const layers: Layer[] = [];
    // A run that began before may go on behind it.
    const oldest = await rocks.peek('blocks', { gte: blockKey(this.node, block, after), lte: blockKey(this.node, block, 0) });
    for await (const { key, value } of rocks.scan('blocks', { gte: blockKey(this.node, block, this.last), lte: oldest?.key ?? blockKey(this.node, block, after) })) {
      const { full, patches } = decodeBlock(value, seqInKey(key));
      for (const patch of patches) if (patch.seq > after && patch.seq <= this.last) layers.push({ ...patch, full });
    }
    layers.sort((a, b) => a.seq - b.seq || Number(a.full) - Number(b.full));
    return { layers, contents: await contents.get(new Set(layers.map(({ content }) => content).filter((id) => id !== 0))) };
  }
}

function lay(image: Buffer, { full, zero, content, bytes, at, offset, length }: Layer, contents: ReadonlyMap<number, Buffer>): void {
  if (full) image.fill(0);
  if (zero) {
    image.fill(0, offset, Math.min(offset + length, BLOCK_BYTES));
    return;
  }
  const from = content === 0 ? bytes : contents.get(content);
  if (from === undefined) throw corrupt(`no content ${content}, which a block entry names`);
  from.copy(image, offset, at, at + length);
}
