/** Loaded into a daemon (`node --import`): its first walk never begins, as if the daemon had ended before it came anywhere. */
import { Walk } from '../../../lib/daemon/walk.js';

Walk.prototype.start = () => undefined;
