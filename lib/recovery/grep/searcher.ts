/** Searches content in a thread, and gives up on a pattern that takes too long. Close it, whatever happened. */
import { Worker } from 'node:worker_threads';
import { RewindError } from '../../errors.js';
import type { GrepPattern, PieceHits } from './pattern.js';

/** For one request of some MiB; plain patterns take milliseconds. */
const PATIENCE_MS = 20_000;

export class Searcher {
  private readonly worker: Worker;

  constructor(private readonly pattern: GrepPattern, private readonly signal?: AbortSignal) {
    this.worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: pattern });
    this.worker.unref();
  }

  /** Hits of each piece, in their order. One request at a time. @throws ERR_USAGE when the pattern takes too long */
  async search(pieces: { bytes: Buffer; binary: boolean }[]): Promise<PieceHits[]> {
    const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.bytes.length, 0));
    let end = 0;
    const ends = pieces.map((piece) => {
      bytes.set(piece.bytes, end);
      return { end: (end += piece.bytes.length), binary: piece.binary };
    });
    return await new Promise((resolve, reject) => {
      const stop = (outcome: () => void): void => {
        clearTimeout(timer);
        this.signal?.removeEventListener('abort', aborted);
        this.worker.off('message', answered).off('error', failed);
        outcome();
      };
      const aborted = (): void => stop(() => resolve(pieces.map(() => ({ hits: [], lines: 0 }))));
      const timer = setTimeout(() => stop(() => reject(new RewindError('ERR_USAGE', `The pattern ${JSON.stringify(this.pattern.pattern)} takes too long`, 'Nested repetitions like (a+)+ do; write it more simply, or search with -F.'))), PATIENCE_MS);
      this.signal?.addEventListener('abort', aborted);
      const answered = (answer: PieceHits[]): void => stop(() => resolve(answer));
      const failed = (error: Error): void => stop(() => reject(error));
      this.worker.on('message', answered).on('error', failed);
      this.worker.postMessage({ bytes, pieces: ends }, [bytes.buffer as ArrayBuffer]);
    });
  }

  async close(): Promise<void> {
    await this.worker.terminate();
  }
}
