/** What `pack`, `du` and `status` say of the room that history takes: rows of protocol.ts. */

/** What history takes, all of it; of contents, how much they were and are. */
export interface SpaceRow {
  /** All files of the database. */
  history_bytes: number;
  /** Contents that were packed: their bytes, what they take, and the one by the other (null: none). */
  content_written_bytes: number;
  content_stored_bytes: number;
  content_ratio: number | null;
  contents_packed: number;
  /** Contents that are not packed yet. */
  contents_waiting: number;
  /** Cold content, by the directory that it lies in. */
  cold: ColdRow[];
}

/** A directory of cold content. */
export interface ColdRow {
  directory: string;
  files: number;
  /** All of its files, and of that what history still needs. */
  bytes: number;
  live_bytes: number;
  /** Are all of them there? What lies in the others cannot be read until they are. */
  there: boolean;
}

/** How far packing is, and in the end what came of it. */
export type PackRow =
  | { type: 'progress'; phase: 'contents' | 'entries' | 'cold' | 'compacting'; family: string | null; contents_packed: number; contents_waiting: number }
  | { type: 'packed'; before_bytes: number } & SpaceRow;

/** Bytes that were ever written, in how many pieces, what they take in history, and the one by the other (null: nothing). */
interface UsageRow { files: number; writes: number; written_bytes: number; stored_bytes: number; ratio: number | null }

/** What a path takes: `bytes` now, the rest in history; or what all paths do that a rule of the policy decides for. */
export type DuRow = { type: 'path'; path: string; bytes: number } & UsageRow | { type: 'rule'; rule: string } & UsageRow;
