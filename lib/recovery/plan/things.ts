/** The parts that a plan is made of, before they become steps. */
import type { HistoryReader } from '../../history/reader.js';
import type { Name, NodeAttr, NodeId, Seq } from '../../history/types.js';
import type { Owner } from './attributes.js';

/**
 * An object of the tree that is to be. Live: it is there now and stays the same object, wherever it goes. New: it is not
 * there (any more) and will be made as `node` was then.
 */
export interface Thing {
  readonly node: NodeId;
  /** The object of then that it is to be like: itself, or the one whose name and type it has now. */
  was: NodeId;
  readonly live: boolean;
  readonly isDir: boolean;
  /** Then, for what is to be; now, for what is to go. */
  readonly attr: NodeAttr;
  /** Where a directory that is moved, parked or made is in the tree as it will be at this step of the plan. */
  at: { parent: Thing; name: Name } | null;
  /** The step that brings a directory to where it belongs. */
  placement: Placement | null;
  /** For what is made: a name that it already has. */
  made: { parent: Thing; name: Name } | null;
  /** Objects made in it get an ACL of its. */
  inheritsAcl: boolean;
  /** Of what is made: who owns it from birth; null when that is not known. */
  owner: Owner | null;
  /** A parent that is only made so that a named path can be: not its other content. */
  readonly bare: boolean;
}

/** A name that shall lead to a thing and does not. */
export interface Placement {
  parent: Thing;
  name: Name;
  thing: Thing;
  /** The name that is taken away from a live thing to give it this one. null: it is made, or linked. */
  from: Vacancy | null;
  state: 'todo' | 'doing' | 'done';
}

/** A name that leads to something now and shall not. */
export interface Vacancy {
  parent: Thing;
  name: Name;
  thing: Thing;
  /** Where its object goes; null: this name is removed. */
  to: Placement | null;
  done: boolean;
}

/** The two instants of a plan. */
export interface Instants {
  history: HistoryReader;
  then: Seq;
  now: Seq;
  /** Who will make what is missing; null when that is not known. */
  maker: Owner | null;
}

export const samePlace = (thing: Thing): string => `${thing.live ? '' : '+'}${thing.node}`;
