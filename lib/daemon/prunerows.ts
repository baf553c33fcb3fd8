/** What `prune` and `purge` answer (protocol.ts says the same of all other methods). */

/** What is in the trash: until when it can be taken back. */
export interface TrashRow { id: number; time: string; until: string; reason: string; stretches: number }

/** What was given up and can still be taken back, and how many stretches were merged, or are to be. */
export interface RetentionRow { trash: TrashRow[]; merged: number; due: number; /** Stretches of whose changes the last ones are told. */ changes_given_up: number }

/** How much would go. */
export interface GoingRow { versions: number; files: number; bytes: number }

export type PruneRow =
  /** A version that goes; `whole`: nothing of its file remains; `rule`: the file and line that give it up, null for [retention]. */
  | { type: 'version'; path: string | null; seq: number; time: string; size: number; whole: boolean; rule: string | null }
  /** `changes`: how many are given up of what was merged before. */
  | ({ type: 'plan'; stretches: number; changes: number; /** The same by rule. */ rules: ({ rule: string | null } & GoingRow)[] } & GoingRow)
  | ({ type: 'trashed' | 'taken_back' } & TrashRow)
  /** What went for good, and what the database takes on the disk. */
  | { type: 'done'; stretches: number; objects: number; contents: number; changes: number; bytes_before: number; bytes_after: number };

export type PurgeRow =
  /** `live`: it is in the tree, and what it holds now stays; `holds`: which is what was to be purged. */
  | { type: 'object'; path: string | null; live: boolean; holds: boolean }
  | { type: 'purged'; objects: number; time: string; bytes_before: number; bytes_after: number };
