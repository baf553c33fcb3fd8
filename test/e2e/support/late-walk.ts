/** Loaded into a daemon (`node --import`): its walk begins late, as on a machine that is busy. */
import { Walk } from '../../../lib/daemon/walk.js';

const LATE_MS = 700;

const { start } = Walk.prototype;
Walk.prototype.start = function late(...args): void {
  setTimeout(() => start.apply(this, args), LATE_MS);
};
