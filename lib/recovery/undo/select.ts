/**
 * Whose changes an undo is about. Guarantees: a process is told from an earlier one of the same number by its start; what
 * earlier operations of rewindfs changed belongs to nobody who is selected by user, program or time, but an undo of the
 * same writers goes with them, so that what was taken back already is not taken back again.
 */
import { RewindError } from '../../errors.js';
import type { HistoryReader } from '../../history/reader.js';
import type { Change, NodeId, Seq, Writer } from '../../history/types.js';
import { safeForTerminal } from '../../paths.js';
import { compileProgramGlob } from '../../program.js';
import { operationsOf, type Operation } from '../operations.js';
import { slotKey, touchedBetween } from '../places.js';
import { TEMPORARY } from '../plan/placer.js';

/** All that is given must hold. */
export interface Selection {
  /** This process. */
  writer?: number;
  /** This process and all that it started. */
  family?: number;
  /** Of `family`: the one that began then, of processes that had the same number. */
  start?: number;
  /** Program, by a pattern (lib/program.ts). */
  exe?: string;
  /** Id or name of a run. */
  session?: string;
  uid?: number;
  /** Changes after ... */
  since?: Seq;
  /** ... and up to. */
  until?: Seq;
  /** What this operation itself changed. */
  operation?: Seq;
}

/** The changes of a selection. */
export interface Selected {
  /** Those who made them, oldest first. */
  writers: Writer[];
  /** No change before is selected. */
  after: Seq;
  has(change: Change): boolean;
}

const idOf = ({ pid, start }: Writer): string => `${pid}:${start}`;

/** @throws ERR_WRITER_UNKNOWN, ERR_SESSION_UNKNOWN, ERR_USAGE */
export async function select(history: HistoryReader, selection: Selection): Promise<Selected> {
  const operations = operationsOf(await history.points());
  const everyone: Writer[] = [];
  for await (const writer of history.allWriters()) everyone.push(writer);
  if (selection.operation !== undefined) return withReversals(history, operations, everyone, selection.operation);
  const until = selection.until ?? Infinity;
  const session = selection.session === undefined ? null : sessionOf(operations, everyone, selection.session);
  let writers = everyone.filter(({ id }) => id <= until);
  if (selection.writer !== undefined) writers = oneProcess(writers, selection.writer);
  if (selection.family !== undefined) writers = familyOf(writers, selection.family, selection.start);
  if (session !== null) writers = ofSession(writers, session);
  if (selection.uid !== undefined) writers = writers.filter(({ uid }) => uid === selection.uid);
  if (selection.exe !== undefined) writers = writers.filter(compileProgramGlob(selection.exe));
  const appliers = new Set(operations.map(({ detail }) => detail.applier));
  if (selection.writer === undefined && selection.family === undefined) writers = writers.filter((writer) => !appliers.has(idOf(writer)));
  if (writers.length === 0) throw new RewindError('ERR_WRITER_UNKNOWN', `Nobody who is ${describe(selection)} ever changed this tree`, '`rewind log` shows who changed what.');
  const ids = new Set(writers.map(({ id }) => id));
  // What is asked of history begins with the first of them: the record of a writer comes before all that it changed.
  const after = Math.max(selection.since ?? 0, (writers[0] as Writer).id - 1);
  const undos = operations.filter(({ detail }) => detail.writers !== undefined && detail.writers.length > 0 && detail.writers.every((id) => ids.has(id)));
  const own = await Promise.all(undos.map((operation) => ofOperation(history, operations, everyone, operation.id)));
  return {
    writers, after,
    has: (change) => (ids.has(change.writer) && change.seq > after && change.seq <= until) || own.some((one) => one.has(change)),
  };
}

/**
 * An operation with the interrupted ones that it went on with, and what took it back and put it again since: all of it
 * together is what it amounts to now.
 */
async function withReversals(history: HistoryReader, operations: readonly Operation[], everyone: readonly Writer[], id: Seq): Promise<Selected> {
  const chain = [id];
  for (let first = operations.find((one) => one.id === id); first?.detail.resumes !== undefined;) {
    const { resumes } = first.detail;
    chain.unshift(resumes);
    first = operations.find((one) => one.id === resumes);
  }
  for (const { id: later, detail } of operations) if (detail.takesBack !== undefined && chain.includes(detail.takesBack) && !chain.includes(later)) chain.push(later);
  const all = await Promise.all(chain.map((one) => ofOperation(history, operations, everyone, one)));
  return { writers: [...new Set(all.flatMap(({ writers }) => writers))], after: Math.min(...chain), has: (change) => all.some((one) => one.has(change)) };
}

/** Changes of the process that carried an operation out, while it did. */
async function ofOperation(history: HistoryReader, operations: readonly Operation[], everyone: readonly Writer[], id: Seq): Promise<Selected> {
  const operation = operations.find((one) => one.id === id) as Operation;
  const { detail, after, foundDead } = operation;
  const writers = detail.operation === 'run' ? ofSession(everyone, detail.session as string) : everyone.filter((writer) => idOf(writer) === detail.applier);
  const ids = new Set(writers.map((writer) => writer.id));
  // One that did not come to its end ends where its process made its last change.
  const end = detail.operation === 'run' ? Infinity : after ?? foundDead ?? operations.find((one) => one.id > id && one.detail.applier === detail.applier)?.id ?? Infinity;
  const unrecorded = operation.kind === 'run' || after !== null || foundDead === null ? null : await lastStep(history, operation, foundDead, ids);
  return { writers, after: id, has: (change) => (ids.has(change.writer) && change.seq > id && change.seq <= end) || unrecorded?.(change) === true };
}

/**
 * A daemon that is killed between a step and the record of it leaves a change that the next mount finds. It is the
 * operation's own when it concerns what the operation was about.
 */
async function lastStep(history: HistoryReader, { id, kind, detail }: Operation, mount: Seq, ids: ReadonlySet<Seq>): Promise<(change: Change) => boolean> {
  // Where a fork differs, history does not say: what that mount found is taken for the keep's own.
  if (kind === 'fork') return ({ unmounted, seq }) => unmounted && seq === mount;
  const { nodes, slots } = await touchedBetween(history, detail.since ?? id, id);
  const made = new Set<NodeId>();
  for await (const change of history.changes(id, mount)) {
    if (!ids.has(change.writer)) continue;
    for (const node of [change.node, change.target]) if (node !== undefined) nodes.add(node);
    if (change.marker === 'create') made.add(change.node);
  }
  return ({ unmounted, seq, marker, node, parent, name }) => {
    if (!unmounted || seq !== mount) return false;
    if (marker === 'modify' || parent === undefined || name === undefined) return nodes.has(node);
    return slots.has(slotKey(parent, name)) || made.has(parent) || made.has(node) || (nodes.has(parent) && TEMPORARY.test(name));
  };
}

function oneProcess(writers: readonly Writer[], pid: number): Writer[] {
  const found = writers.filter((writer) => writer.pid === pid);
  const starts = new Set(found.filter(({ start }) => start !== 0).map(({ start }) => start));
  if (starts.size > 1) {
    throw new RewindError('ERR_USAGE', `${starts.size} processes had the number ${pid}, one after the other`, 'Say which with --since and --until; `rewind log` shows when each changed something.');
  }
  return found;
}

function familyOf(writers: readonly Writer[], pid: number, start?: number): Writer[] {
  const heads = new Set<string>();
  const meant = (id: string): boolean => (start === undefined ? id.startsWith(`${pid}:`) : id === `${pid}:${start}`);
  for (const writer of writers) for (const id of [idOf(writer), ...writer.ancestors ?? []]) if (meant(id)) heads.add(id);
  const starts = new Set([...heads].map((head) => head.split(':')[1]).filter((start) => start !== '0'));
  if (starts.size > 1) {
    throw new RewindError('ERR_USAGE', `${starts.size} processes had the number ${pid}, one after the other`, 'Say which with --since and --until; `rewind log` shows when each changed something.');
  }
  const family = new Set(heads);
  const known = (writer: Writer): boolean => family.has(idOf(writer)) || (writer.ancestors ?? []).some((ancestor) => family.has(ancestor));
  const members = writers.filter(known);
  for (const member of members) family.add(idOf(member));
  // A child that lost its parents before it wrote anything is known by a relative that it has in common.
  return writers.filter((writer) => family.has(idOf(writer)) || known(writer));
}

const ofSession = (writers: readonly Writer[], session: string): Writer[] => writers.filter((writer) => (writer.session ?? '').split('/').includes(session));

/** The id of the newest run that has this id or name. */
function sessionOf(operations: readonly Operation[], everyone: readonly Writer[], named: string): string {
  const run = operations.filter(({ detail, name }) => detail.session === named || (detail.session !== undefined && name === named)).at(-1);
  if (run) return run.detail.session as string;
  if (ofSession(everyone, named).length > 0) return named;
  throw new RewindError('ERR_SESSION_UNKNOWN', `No run has the id or name ${safeForTerminal(named)}`, '`rewind op log` lists runs with theirs.');
}

/** A selection in words. */
export function describe({ writer, family, exe, session, uid }: Selection): string {
  const parts = [
    ...writer === undefined ? [] : [`process ${writer}`], ...family === undefined ? [] : [`process ${family} or started by it`],
    ...exe === undefined ? [] : [`program ${safeForTerminal(exe)}`], ...session === undefined ? [] : [`of run ${safeForTerminal(session)}`],
    ...uid === undefined ? [] : [`uid ${uid}`],
  ];
  return parts.join(' and ') || 'of that time';
}
