/** Loaded into a daemon (`node --import`): its first walk never begins, as if the daemon had ended before it came anywhere. */
import { Daemon } from '../../../lib/daemon/daemon.js';

(Daemon.prototype as unknown as { loadBaseline(): Promise<void> }).loadBaseline = async () => undefined;
