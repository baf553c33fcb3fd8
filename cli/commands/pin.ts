/** `rewind pin`: keeps a point, whatever is forgotten. */
import type { Arguments } from '../command.js';
import type { Output } from '../output.js';
import { setPin } from '../pin.js';

export const run = (args: Arguments, out: Output): Promise<void> => setPin(args, out, true);
