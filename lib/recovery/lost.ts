/**
 * What a disk lost when the machine stopped: content that was acknowledged, and that nobody had synced. Its file may look
 * as if nothing was missing, since size and times reach the disk by another way than content does.
 */
import { RewindError } from '../errors.js';
import type { HistoryReader } from '../history/reader.js';
import type { NodeId, Seq } from '../history/types.js';
import { pathBytes } from '../paths.js';
import type { ReadBacking } from './damage.js';

const READ_BYTES = 1 << 20;

/**
 * How this file is, byte for byte, beside what history says that it was at `seq`: `unknown` when it cannot be read, here
 * or in history, or something else lies there; `changed` when it was changed since `changedNs`, whatever it held before.
 */
export async function besideWritten(history: HistoryReader, { node, ino, changedNs }: { node: NodeId; ino: bigint; changedNs: bigint }, seq: Seq, read: ReadBacking): Promise<'same' | 'different' | 'unknown' | 'changed'> {
  const [path, attr] = await Promise.all([history.pathOf(node, seq), history.attr(node, seq)]);
  if (path === null || attr === null) return 'unknown';
  for (let offset = 0; offset < attr.size; offset += READ_BYTES) {
    const length = Math.min(READ_BYTES, attr.size - offset);
    const [wanted, piece] = await Promise.all([held(history.read(node, offset, length, seq, attr.size)), read(pathBytes(path), offset, length).catch(() => null)]);
    if (wanted === null || piece === null || BigInt(piece.ino) !== ino) return 'unknown';
    if (piece.ctimeNs >= changedNs) return 'changed';
    if (piece.size !== attr.size || !piece.data.equals(wanted)) return 'different';
  }
  return 'same';
}

/** null: history does not have it, or no longer as it was. */
function held(content: Promise<Buffer>): Promise<Buffer | null> {
  return content.catch((error: unknown) => {
    if (error instanceof RewindError) return null;
    throw error;
  });
}
