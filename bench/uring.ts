/** FUSE over io_uring is off on most machines: the benchmark switches it on for as long as it runs, and says so. */
import fs from 'node:fs';
import type { Scope } from '../test/helpers/scope.js';

const PARAMETER = '/sys/module/fuse/parameters/enable_uring';

/** Does the kernel offer FUSE over io_uring to what is mounted from now on? */
export function uringOffered(parameter = PARAMETER): boolean {
  try {
    return fs.readFileSync(parameter, 'utf8').startsWith('Y');
  } catch {
    return false;  // a kernel before 6.14, or FUSE is not loaded
  }
}

/** Switches it on until the scope ends, where it is off and we may; answers what there is to say of it. */
export function offerUring(scope: Scope, parameter = PARAMETER): string[] {
  if (uringOffered(parameter)) return [];
  try {
    fs.writeFileSync(parameter, 'Y');
  } catch (error) {
    return [`FUSE over io_uring was off, and could not be switched on (${(error as NodeJS.ErrnoException).code}): nothing was measured over it.`];
  }
  scope.defer(() => fs.writeFileSync(parameter, 'N'));
  return ['FUSE over io_uring was off, and was switched on for the run.'];
}
