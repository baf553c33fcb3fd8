/** Files as they were at the ends of days, by digest, and whether every kept instant still reads so. */
import { createHash } from 'node:crypto';
import type { History } from '../../lib/history/history.js';
import type { Name, Seq } from '../../lib/history/types.js';
import type { Random } from '../../test/helpers/random.js';
import type { Compared } from './model.js';

const FILES = 5;

interface Sample { seq: Seq; files: { path: Name[]; digest: string }[] }

const digestOf = (content: Buffer): string => createHash('sha256').update(content).digest('base64');

export class Samples {
  private readonly samples: Sample[] = [];

  /** What some of these files hold at this instant, as the tree has it. */
  take(seq: Seq, files: readonly { path: Name[]; content: Buffer }[], random: Random): void {
    const chosen = Array.from({ length: FILES }, () => random.pick(files));
    this.samples.push({ seq, files: chosen.map(({ path, content }) => ({ path, digest: digestOf(content) })) });
  }

  /** Of the instants that are kept: how many, of how many files, and how many of them read otherwise. */
  async compare(history: History): Promise<Compared> {
    const result: Compared = { instants: 0, files: 0, differing: 0 };
    for (const { seq, files } of this.samples.filter((sample) => history.hidden(sample.seq) === null)) {
      result.instants++;
      for (const { path, digest } of files) {
        result.files++;
        const node = await history.resolve(path, seq);
        const attr = node === null ? null : await history.attr(node, seq);
        const content = attr && await history.read(node!, 0, attr.size, seq);
        if (content === null || digestOf(content) !== digest) result.differing++;
      }
    }
    return result;
  }
}
