/**
 * The transports that the suite runs over. Where the kernel has FUSE over io_uring, root switches it on here (for mounts
 * made from now on; those that there are keep theirs), so that both are tested, and `auto` is io_uring.
 */
import fs from 'node:fs';
import type { Transport } from '../../lib/transport.js';

const SWITCH = '/sys/module/fuse/parameters/enable_uring';

function offered(): boolean {
  try {
    if (fs.readFileSync(SWITCH, 'utf8').trim() !== 'Y') fs.writeFileSync(SWITCH, 'Y');
    return true;
  } catch {
    return false;
  }
}

const forced = process.env['REWIND_TEST_TRANSPORT'] as Transport | undefined;

/** What tests take turns over; REWIND_TEST_TRANSPORT=dev|io_uring leaves one. */
export const transports: readonly Transport[] = forced ? [forced] : offered() ? ['io_uring', 'dev'] : ['dev'];

/** The transport of the n-th run of a test that is run several times. */
export const transportOf = (n: number): Transport => transports[n % transports.length]!;
