/** Writers of a listing: each is read once, the ones used last stay. */
import type { HistoryReader } from '../history/reader.js';
import type { Seq, Writer } from '../history/types.js';

const LIMIT = 1024;

export class WriterCache {
  private readonly known = new Map<Seq, Promise<Writer | null>>();

  constructor(private readonly history: HistoryReader) {}

  /** null for 0 (not known). */
  get(id: Seq): Promise<Writer | null> {
    if (id === 0) return Promise.resolve(null);
    let writer = this.known.get(id);
    if (!writer) {
      if (this.known.size >= LIMIT) this.known.clear();
      this.known.set(id, (writer = this.history.writer(id)));
    }
    return writer;
  }
}
