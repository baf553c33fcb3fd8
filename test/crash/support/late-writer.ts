/** Loaded into a daemon (`node --import`): when its checks are done, just before the mount, a shell does what LATE_WRITER says. */
import { execFileSync } from 'node:child_process';
import { PolicySource } from '../../../lib/policy/source.js';

const { load } = PolicySource.prototype;
PolicySource.prototype.load = function () {
  PolicySource.prototype.load = load;
  execFileSync('bash', ['-c', process.env['LATE_WRITER']!], { stdio: 'ignore' });
  return load.call(this);
};
