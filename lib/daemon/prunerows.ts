/** What `prune` and `purge` answer (protocol.ts says the same of all other methods). */

/** What is in the trash: until when it can be taken back. */
export interface TrashRow { id: number; time: string; until: string; reason: string; stretches: number }

export type PruneRow =
  /** A version that goes; `whole`: nothing of its file remains. */
  | { type: 'version'; path: string | null; seq: number; time: string; size: number; whole: boolean }
  | { type: 'plan'; stretches: number; versions: number; files: number; bytes: number }
  | ({ type: 'trashed' | 'taken_back' } & TrashRow)
  /** What went for good, and what the database takes on the disk. */
  | { type: 'done'; stretches: number; objects: number; contents: number; bytes_before: number; bytes_after: number };

export type PurgeRow =
  /** `live`: it is in the tree, and what it holds now stays; `holds`: which is what was to be purged. */
  | { type: 'object'; path: string | null; live: boolean; holds: boolean }
  | { type: 'purged'; objects: number; time: string; bytes_before: number; bytes_after: number };
