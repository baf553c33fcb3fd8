/** READ and LSEEK (SEEK_DATA, SEEK_HOLE) of a file's content at an instant. */
import type { NodeId } from '../../history/types.js';
import { lseekIn, readIn } from '../decode.js';
import { numberOut } from '../encode.js';
import type { Lens } from '../lens.js';
import { LruMap } from '../lru.js';
import { objectKey } from '../view.js';
import { SEEK_DATA, SEEK_HOLE } from '../wire.js';
import { EACCES, EINVAL, ENODATA, ENOENT, ENXIO, type Answer, type Operation } from './answer.js';

/** More than the kernel ever asks for at once. */
const MAX_READ_BYTES = 1 << 20;

export const read: Operation = (view, place, request) => {
  const { offset, size } = readIn(request.body);
  if (place.kind !== 'object') return EINVAL;
  const { slot, node } = place;
  const known = view.files.get(objectKey(slot.seq, node));
  const content = (): Promise<Buffer> => view.history.read(node, offset, Math.min(size, MAX_READ_BYTES), slot.seq, known?.size);
  if (slot.lens) return readable(slot.lens, node, content);
  if (offset === 0 && known?.among && size >= known.size) return view.ahead.content(known.among.siblings, known.among.index);
  return content();
};

/** The content of what is no member of the group that is looked at is not shown. */
export async function readable(lens: Lens, node: NodeId, content: () => Promise<Answer>): Promise<Answer> {
  return await lens.mayRead(node) ? content() : EACCES;
}

export const lseek: Operation = async (view, place, request) => {
  const { offset, whence } = lseekIn(request.body);
  if (place.kind !== 'object' || (whence !== SEEK_DATA && whence !== SEEK_HOLE)) return EINVAL;
  const { slot, node } = place;
  const attr = await view.history.attr(node, slot.seq);
  if (!attr) return ENOENT;
  if (attr.uncaptured) return ENODATA;
  if (slot.lens && !(await slot.lens.mayRead(node))) return EACCES;
  if (offset >= attr.size) return ENXIO;
  const ranges = await LruMap.remember(view.dataRanges, objectKey(slot.seq, node), () => view.history.dataRanges(node, slot.seq));
  if (whence === SEEK_DATA) {
    const data = ranges.find((range) => range.offset + range.length > offset);
    return data && data.offset < attr.size ? numberOut(Math.max(offset, data.offset)) : ENXIO;
  }
  let end = offset;
  for (const range of ranges) {
    if (range.offset <= end) end = Math.max(end, range.offset + range.length);
  }
  return numberOut(Math.min(end, attr.size));
};
