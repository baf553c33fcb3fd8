/**
 * What has to be done to make the tree at `now` the tree at `to`, as data. Guarantees: exact (what did not exist then is
 * removed; names, types, content, modes, owners, times, extended attributes, hard links); its cost is what changed between
 * the two; renames are taken back as renames and content by the ranges that differ; whatever is made comes before
 * whatever is removed, and directories get their times last, the deepest first. Nothing is changed here.
 */
import type { HistoryReader } from '../history/reader.js';
import type { Name, NodeId, Seq } from '../history/types.js';
import { safeForTerminal, showPath } from '../paths.js';
import { compareObjects, differs, hasNoContent, isDir, isFile, noDifference, whyNoContent, xattrsOf, type At } from './compare.js';
import { neverExisted } from './nearest.js';
import { changedMembers, type Members } from './members.js';
import { isUnder, slotKey, touchedBetween } from './places.js';
import { Remembered } from './remembered.js';
import { changedAttributes, type Owner } from './plan/attributes.js';
import { Gathering } from './plan/gather.js';
import { Composed } from './plan/composed.js';
import { changedContent, directoryAttributes, joinPath } from './plan/objects.js';
import { Placer } from './plan/placer.js';
import { Scope } from './plan/scope.js';
import { touchedIn } from './plan/touched.js';
import { leaveUncaptured } from './plan/uncaptured.js';
import { unseenBetween } from './unseen.js';
import type { Instants, Thing } from './plan/things.js';
import type { DiffWhat, Part, Plan, PlanCounts, PlanEntry, PlanOp } from './types.js';

/** Why a member does not come back. */
const HOLDS_OTHERS = 'a directory stands there now that holds what is no member';

/** What a rollback shall do. */
export interface RollbackOptions {
  /** What to roll back; the whole tree when empty. */
  paths: Name[][];
  /** The instant to go to. */
  to: Seq;
  /** The earliest instant of which something is to be, when it is not `to`. */
  earliest?: Seq;
  /** The instant that the tree is at: the newest, after everything acknowledged is in history. */
  now: Seq;
  /** Who will apply the plan: what belongs to them from birth is not given to them again. */
  maker?: Owner;
  /** Of the paths only these, each by itself. */
  members?: Members;
  /** Permission bits that directories outside of `paths` get back: an interrupted rollback had lent them others. */
  lent?: ReadonlyMap<NodeId, number>;
}

interface Draft {
  instants: Instants;
  scope: Scope;
  gathering: Gathering;
  /** Names that objects have now and shall not have. */
  vacated: ReadonlySet<string>;
  placer: Placer;
  lentBefore: ReadonlyMap<NodeId, number>;
  ops: PlanOp[];
  bytes: number;
  entries: Map<string, PlanEntry>;
  unchanged: number;
}

/** @throws ERR_NEVER_EXISTED for a path that no instant of history has, ERR_NOT_A_DIRECTORY when a path's parent is something else now. */
export async function planRollback(reader: HistoryReader, options: RollbackOptions): Promise<Plan> {
  const history = new Remembered(reader);
  const instants: Instants = { history, then: options.to, now: options.now, maker: options.maker ?? null };
  const { scope, blocked } = await scopeOf(history, options);
  for (const root of scope.roots) {
    if (root.then === null && root.now === null) {
      const never = await neverExisted(history, root.path);
      if (never) throw never;
    }
  }
  // The changes of a composed tree are no node's own.
  const composed = options.earliest !== undefined;
  const touched = composed ? await touchedBetween(history, options.to, options.now) : await touchedIn(history, scope, { then: options.to, now: options.now });
  await history.warm(touched.nodes, options.to, options.now, true);
  const gathering = new Gathering(instants, scope);
  await gathering.run(touched);
  const unseen = await unseenBetween(reader, options.earliest ?? options.to, options.now);
  const left = await leaveUncaptured(gathering.placements, gathering.vacancies, instants, unseen);
  const placer = new Placer(instants, (node) => gathering.liveThing(node), (thing) => scope.slots(thing.node, 'now'), gathering.vacancies);
  const vacated = new Set(gathering.vacancies.map(({ parent, name }) => slotKey(parent.node, name)));
  const draft: Draft = { instants, scope, gathering, vacated, placer, lentBefore: options.lent ?? new Map(), ops: [], bytes: 0, entries: new Map(), unchanged: 0 };
  await nameEntries(draft);
  const lent = await lendModes(draft);
  await placer.run(gathering.placements);
  for (const one of placer.ops) draft.ops.push(one);
  draft.bytes += placer.bytes;
  await keptObjects(draft, touched.nodes, lent);
  const entries = [...draft.entries.values(), ...left, ...blocked].sort((a, b) => (showPath(a.path) < showPath(b.path) ? -1 : 1));
  return { now: options.now, to: options.to, paths: options.paths, ops: draft.ops, entries, counts: countsOf(entries, draft.unchanged), bytes: draft.bytes };
}

/** What the plan is about, and what of it cannot be. */
async function scopeOf(history: HistoryReader, { paths, to, now, members }: RollbackOptions): Promise<{ scope: Scope; blocked: PlanEntry[] }> {
  if (!members) return { scope: await Scope.of(history, paths, to, now), blocked: [] };
  const within: Members = (path, directory) => (paths.length === 0 || paths.some((one) => isUnder(path, one))) && members(path, directory);
  const changed = await changedMembers(history, to, now, within);
  const blocked = changed.blocked.map((path): PlanEntry => ({ action: 'skip', path, what: noDifference(), bytes: 0, reason: HOLDS_OTHERS }));
  return { scope: await Scope.exactly(history, changed.paths, to, now), blocked };
}

/** A plan, and what its content is read from. */
export interface Planned {
  plan: Plan;
  history: HistoryReader;
}

/**
 * As planRollback, for paths that go each to an instant of its own: one plan to the tree that they compose.
 * @throws also ERR_NEVER_EXISTED for a path inside another one
 */
export async function planParts(history: HistoryReader, parts: readonly Part[], options: Omit<RollbackOptions, 'paths' | 'to'>): Promise<Planned> {
  const { now } = options;
  const [{ to }] = parts as [Part];
  const paths = parts.some(({ path }) => path.length === 0) ? [] : parts.map(({ path }) => path);
  for (const part of parts) {
    const gone = await history.resolve(part.path, part.to) === null && await history.resolve(part.path, now) === null;
    const never = gone ? await neverExisted(history, part.path) : null;
    if (never) throw never;
  }
  if (parts.every((part) => part.to === to)) return { plan: await planRollback(history, { ...options, paths, to }), history };
  const composed = await Composed.of(history, parts, now);
  return { plan: await planRollback(composed, { ...options, paths, to: composed.target, earliest: Math.min(...parts.map((part) => part.to)) }), history: composed };
}

/** What happens to names, told with the paths of then (and of now for what goes). */
async function nameEntries({ instants, gathering, entries }: Draft): Promise<void> {
  const thenPath = (thing: Thing): Promise<Name[] | null> => instants.history.pathOf(thing.node, instants.then);
  const nowPath = (thing: Thing): Promise<Name[] | null> => instants.history.pathOf(thing.node, instants.now);
  const add = (entry: PlanEntry): void => void entries.set(`${entry.action === 'delete'} ${entry.path.join('/')}`, entry);
  const cache = new Map<string, Name[] | null>();
  const remembered = async (side: 'then' | 'now', thing: Thing): Promise<Name[]> => {
    const key = `${side} ${thing.node}`;
    if (!cache.has(key)) cache.set(key, await (side === 'then' ? thenPath(thing) : nowPath(thing)));
    return cache.get(key) ?? [];
  };
  for (const { parent, name, thing, from } of gathering.placements) {
    const path = [...await remembered('then', parent), name];
    const what = noDifference();
    if (from) add({ action: 'rename', path, from: [...await remembered('now', from.parent), from.name], what, bytes: 0 });
    else add({ action: 'restore', path, what, bytes: isFile(thing.attr) && !thing.live ? thing.attr.size : 0 });
  }
  for (const { parent, name, to } of gathering.vacancies) {
    if (to) continue;
    const path = [...await remembered('now', parent), name];
    if (!entries.has(`false ${path.join('/')}`)) add({ action: 'delete', path, what: noDifference(), bytes: 0 });
    else replaced(entries.get(`false ${path.join('/')}`) as PlanEntry);
  }
}

/** A name that gets another object in place of the one that has it now: an update, unless it comes from elsewhere. */
function replaced(entry: PlanEntry): void {
  if (entry.action === 'restore') {
    entry.action = 'update';
    entry.what.content = true;
  }
}

/** Directories without write permission for their owner get it until their names are changed. */
async function lendModes({ gathering, placer, ops }: Draft): Promise<Set<NodeId>> {
  const lent = new Set<NodeId>();
  for (const { parent } of [...gathering.placements, ...gathering.vacancies]) {
    if (!parent.live || lent.has(parent.node) || (parent.attr.mode & 0o300) === 0o300) continue;
    lent.add(parent.node);
    ops.push({ op: 'chmod', path: await placer.pathOf(parent), mode: (parent.attr.mode & 0o7777) | 0o700 });
  }
  return lent;
}

/** Content and attributes of what stays, then the attributes of directories, the deepest first. */
async function keptObjects(draft: Draft, touched: Set<NodeId>, lent: Set<NodeId>): Promise<void> {
  const { gathering, placer, instants, scope } = draft;
  const directories: { path: string; ops: PlanOp[] }[] = [];
  for (const { thing } of gathering.placements) {
    if (thing.live || !thing.isDir) continue;
    const path = await placer.pathOf(thing);
    directories.push({ path, ops: await directoryAttributes(instants.history, path, thing.node, thing.attr, instants.then, { owner: thing.owner, acl: thing.inheritsAcl }) });
  }
  const stirred = new Set([...placer.stirred].filter((thing) => thing.live).map((thing) => thing.node));
  const { twins } = gathering;
  for (const node of new Set([...touched, ...stirred, ...lent, ...draft.lentBefore.keys(), ...twins.then.keys()])) {
    if (await twins.stays(node)) await keptObject(draft, node, stirred.has(node), lent.has(node), directories);
    else if ((lent.has(node) || draft.lentBefore.has(node)) && !(await scope.has(node, 'now'))) {
      const thing = await gathering.liveThing(node);
      const path = await placer.pathOf(thing);
      directories.push({ path, ops: [{ op: 'chmod', path, mode: draft.lentBefore.get(node) ?? thing.attr.mode & 0o7777 }] });
    }
  }
  const depth = (path: string): number => (path === '' ? 0 : path.split('/').length);
  directories.sort((a, b) => depth(b.path) - depth(a.path));
  for (const { ops } of directories) for (const one of ops) draft.ops.push(one);
}

async function keptObject(draft: Draft, node: NodeId, stirred: boolean, lent: boolean, directories: { path: string; ops: PlanOp[] }[]): Promise<void> {
  const { instants: { history, then, now }, gathering } = draft;
  const thing = await gathering.liveThing(node);
  const old: At = { node: thing.was, seq: then, attr: await gathering.twins.attr(thing.was, 'then') };
  const present: At = { node, seq: now, attr: thing.attr };
  const what = await compareObjects(history, old, present);
  const path = await finalPath(draft, thing);
  if (path === null) return;
  if (what.content && (hasNoContent(old.attr) || hasNoContent(present.attr))) {
    draft.entries.set(`false ${path}`, { action: 'skip', path: path.split('/'), what, bytes: 0, reason: whyNoContent(hasNoContent(old.attr) ? old.attr : present.attr) });
    return;
  }
  const disturbed = { content: false, times: stirred, mode: lent };
  const ops: PlanOp[] = [];
  let bytes = 0;
  if (what.content && isFile(old.attr)) {
    const steps = await changedContent(history, path, old, present);
    for (const one of steps.ops) ops.push(one);
    bytes = steps.bytes;
    disturbed.content = steps.ops.length > 0;
  }
  const [wanted, there] = await Promise.all([xattrsOf(history, old), xattrsOf(history, present)]);
  ops.push(...changedAttributes(path, what, old.attr, present.attr, wanted, there, disturbed));
  if (isDir(old.attr)) directories.push({ path, ops });
  else for (const one of ops) draft.ops.push(one);
  draft.bytes += bytes;
  tell(draft, path, what, bytes, isDir(old.attr));
}

function tell(draft: Draft, path: string, what: DiffWhat, bytes: number, directory: boolean): void {
  const told = draft.entries.get(`false ${path}`);
  if (told) {
    told.what = what;
    told.bytes += bytes;
  } else if (differs(what, !directory)) {
    draft.entries.set(`false ${path}`, { action: 'update', path: path === '' ? [] : path.split('/'), what, bytes });
  } else {
    draft.unchanged++;
  }
}

/** Where an object that stays lies when all names are as they were. */
async function finalPath({ scope, gathering, placer, vacated }: Draft, thing: Thing): Promise<string | null> {
  if (thing.isDir) return placer.pathOf(thing);
  const place = thing.placement ?? await keptPlace();
  return place && joinPath(await placer.pathOf(place.parent), place.name);

  async function keptPlace(): Promise<{ parent: Thing; name: Name } | null> {
    const slot = (await scope.slots(thing.node, 'now')).find(({ parent, name }) => !vacated.has(slotKey(parent, name)));
    return slot ? { parent: await gathering.liveThing(slot.parent), name: slot.name } : null;
  }
}

function countsOf(entries: PlanEntry[], unchanged: number): PlanCounts {
  const counts: PlanCounts = { restored: 0, unchanged, updated: 0, deleted: 0, skipped: 0 };
  for (const { action } of entries) {
    if (action === 'restore') counts.restored++;
    else if (action === 'delete') counts.deleted++;
    else if (action === 'skip') counts.skipped++;
    else counts.updated++;
  }
  return counts;
}

/** The path of an entry as text for a terminal. */
const shown = (path: Name[]): string => safeForTerminal(showPath(path));

/** A plan in words, one line an entry, and its sum. */
export function describePlan(plan: Plan): { lines: string[]; summary: string } {
  const lines = plan.entries.map((entry) => {
    const parts = Object.entries(entry.what).filter(([, differing]) => differing).map(([part]) => part);
    const what = parts.length > 0 ? ` (${parts.join(', ')})` : '';
    if (entry.action === 'rename') return `rename ${shown(entry.from ?? [])} -> ${shown(entry.path)}${what}`;
    return `${entry.action} ${shown(entry.path)}${entry.action === 'update' ? what : ''}${entry.reason ? `: ${entry.reason}` : ''}`;
  });
  const { restored, unchanged, updated, deleted, skipped } = plan.counts;
  return { lines, summary: `${restored} restored, ${unchanged} unchanged, ${updated} updated, ${deleted} deleted, ${skipped} skipped` };
}

