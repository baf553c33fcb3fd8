/** What an operation answers: the body of the reply, or a positive errno. */
import { constants } from 'node:os';
import type { Request } from '../decode.js';
import type { Place } from '../nodes.js';
import type { Grants, View } from '../view.js';

export type Answer = Buffer | number;

/** One operation: what is asked of which object. `grants` notes what the kernel will have to forget. */
export type Operation = (view: View, place: Place, request: Request, grants: Grants) => Answer | Promise<Answer>;

export const { EACCES, EINTR, EINVAL, EIO, ENAMETOOLONG, ENODATA, ENOENT, ENOSYS, ENXIO, ERANGE, EROFS, ESTALE } = constants.errno;
