/** What history takes, in words. */
import type { SpaceRow } from '../lib/daemon/protocol.js';
import { showBytes } from './output.js';

export function describeSpace({ history_bytes, content_written_bytes, content_stored_bytes, content_ratio, contents_waiting }: SpaceRow): string {
  const packed = content_ratio === null ? '' : `; ${showBytes(content_written_bytes)} of content written, ${showBytes(content_stored_bytes)} stored, ${showRatio(content_ratio)}`;
  return `${showBytes(history_bytes)} of history${packed}${contents_waiting > 0 ? `; ${contents_waiting} pieces are not packed yet` : ''}`;
}

export const showRatio = (ratio: number | null): string => (ratio === null ? '-' : `${ratio.toFixed(1)} : 1`);
