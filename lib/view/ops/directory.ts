/** READDIR and READDIRPLUS. An offset is the number of names before it, so it stays right for ever. */
import { readIn } from '../decode.js';
import { DirectoryPage } from '../encode.js';
import type { Place } from '../nodes.js';
import type { View } from '../view.js';
import { Opcode, S_IFDIR } from '../wire.js';
import { ENOENT, type Answer, type Operation } from './answer.js';
import { statusOf } from './attributes.js';
import { endOfListing, listingAt, type Listing } from './listing.js';

/** A directory starts with these. */
const DOTS = ['.', '..'];
const MAX_PAGE_BYTES = 1 << 20;
/** Attributes are fetched for about as many names as fit a page, at this many bytes a name. */
const BYTES_PER_NAME = 160;

export const readdir: Operation = async (view, place, request, grants) => {
  const { offset, size } = readIn(request.body);
  const plus = request.opcode === Opcode.READDIRPLUS;
  const bytes = Math.min(size, MAX_PAGE_BYTES);
  const page = new DirectoryPage(bytes, plus);
  if (!(await addDots(view, place, page, offset))) return ENOENT;
  const listing = await listingAt(view, place, offset);
  return fill(page, listing, Math.max(0, offset - DOTS.length), Math.ceil(bytes / BYTES_PER_NAME), {
    given: () => listing.slot && plus && grants.add(view.nodes.hold(listing.slot)),
    ended: () => endOfListing(view, place),
  });
};

async function addDots(view: View, place: Place, page: DirectoryPage, offset: number): Promise<boolean> {
  if (offset >= DOTS.length) return true;
  const status = await statusOf(view, place);
  if (!status) return false;
  DOTS.slice(offset).forEach((name, i) => page.add(name, status.ino, S_IFDIR, offset + i + 1, null));
  return true;
}

interface Events {
  /** An entry was handed out. */
  given(): void;
  /** There is no more. */
  ended(): void;
}

async function fill(page: DirectoryPage, listing: Listing, from: number, atOnce: number, events: Events): Promise<Answer> {
  let at = from;
  while (at < listing.length) {
    for (const { name, ino, mode, entry } of await listing.slice(at, Math.max(1, atOnce))) {
      if (!page.add(name, ino, mode, at + 1 + DOTS.length, entry)) return page.done();
      if (entry) events.given();
      at++;
    }
  }
  if (at === from) events.ended();
  return page.done();
}
