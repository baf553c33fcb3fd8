/** `rewind unpin`: keeps a point no longer than others. */
import type { Arguments } from '../command.js';
import type { Output } from '../output.js';
import { setPin } from '../pin.js';

export const run = (args: Arguments, out: Output): Promise<void> => setPin(args, out, false);
