/** Keys of the fold's maps: places told apart by two numbers or by a number and a name. */
import type { NodeId, Seq } from '../history/types.js';

export type BlockId = number | string;

/** Both in one number, as long as it is exact: a text costs many times more to make and to look up. */
const MOST = 2 ** 26;

/** A block of a node (or of an inode number: never both in one map). */
export const blockId = (node: NodeId, block: number): BlockId => (node < MOST && block < MOST ? node * MOST + block : `${node}/${block}`);

/** A block as it was at a mount. */
export const dated = (mount: Seq, block: BlockId): string => `${mount} ${block}`;

export const nameId = (parent: NodeId, name: string): string => `${parent}/${name}`;
