/**
 * The thread that searches: a pattern may take for ever on a line (nested repetitions), and neither the extractor nor the
 * views may wait for it. Answers one message at a time.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { PieceSearch, type GrepPattern, type PieceHits } from './pattern.js';

/** Pieces one after another in one buffer. */
export interface SearchRequest {
  bytes: Uint8Array;
  pieces: { end: number; binary: boolean }[];
}

const search = new PieceSearch(workerData as GrepPattern);

parentPort?.on('message', ({ bytes, pieces }: SearchRequest) => {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = 0;
  const answer = pieces.map(({ end, binary }): PieceHits => {
    const found = search.search(all.subarray(start, end), binary);
    start = end;
    return found;
  });
  parentPort?.postMessage(answer);
});
