/** The methods `pack` and `du`: history made small now, and what paths take in it. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RewindError } from '../errors.js';
import { ROOT, type Name, type NodeId } from '../history/types.js';
import { pathBytes, safeForTerminal, showPath } from '../paths.js';
import { add, UsageMeter, type Usage } from '../pack/usage.js';
import { neverExisted } from '../recovery/nearest.js';
import { validPath } from './ask.js';
import { coldRows } from './cold.js';
import type { DuRow, Methods, PackRow, SpaceRow } from './protocol.js';
import { S_IFMT } from './rows.js';
import type { Session } from './session.js';

const S_IFDIR = 0o040000;

/** Of a history that cannot be asked. */
export const NO_SPACE: Readonly<SpaceRow> = { history_bytes: 0, content_written_bytes: 0, content_stored_bytes: 0, content_ratio: null, contents_packed: 0, contents_waiting: 0, cold: [] };

/** What all of history takes. */
export async function spaceOf(session: Session): Promise<SpaceRow> {
  const { writtenBytes, storedBytes, packed, waiting } = await session.packing.packed();
  const directory = session.store.layout.history;
  const sizes = await Promise.all((await readdir(directory)).map((name) => stat(join(directory, name)).then(({ size }) => size, () => 0)));
  return {
    history_bytes: sizes.reduce((sum, size) => sum + size, 0), content_written_bytes: writtenBytes, content_stored_bytes: storedBytes,
    content_ratio: ratio(writtenBytes, storedBytes), contents_packed: packed, contents_waiting: waiting,
    cold: await coldRows(session.packing.history, session.policy.policy.cold),
  };
}

const ratio = (written: number, stored: number): number | null => (stored > 0 ? Math.round(written / stored * 10) / 10 : null);

export async function* pack(session: Session, _args: Methods['pack']['args'], signal: AbortSignal): AsyncGenerator<PackRow> {
  await session.live?.walked();
  const before = await spaceOf(session);
  for await (const { phase, family, packed, waiting } of session.packing.now(signal)) yield { type: 'progress', phase, family: family ?? null, contents_packed: packed, contents_waiting: waiting };
  yield { type: 'packed', before_bytes: before.history_bytes, ...await spaceOf(session) };
}

/** Adds up what lies, or ever lay, under a path. */
class Walk {
  private readonly meter: UsageMeter;
  private readonly met = new Set<NodeId>();
  readonly byRule = new Map<string, Usage & { files: number }>();

  constructor(private readonly session: Session, private readonly ever: boolean) {
    this.meter = new UsageMeter(session.packing.history);
  }

  /** Names in a directory and the objects that each leads, or ever led, to. */
  async children(directory: NodeId): Promise<Map<Name, Set<NodeId>>> {
    const { history } = this.session;
    const children = new Map<Name, Set<NodeId>>();
    if (!this.ever) for (const { name, node } of await history.list(directory, history.watermark())) children.set(name, new Set([node]));
    else for (const name of await history.namesEver(directory)) children.set(name, await this.led(directory, name));
    return children;
  }

  async led(directory: NodeId, name: Name): Promise<Set<NodeId>> {
    const { history } = this.session;
    if (!this.ever) return new Set([(await history.lookup(directory, name, history.watermark()))?.node ?? []].flat());
    return new Set((await history.nameHistory(directory, name)).flatMap(({ node }) => node ?? []));
  }

  /** An object and all under it, each object once, where it is met first. */
  async add(sum: Usage & { files: number; bytes: number }, path: Name[], node: NodeId): Promise<void> {
    if (this.met.has(node)) return;
    this.met.add(node);
    const { history, policy } = this.session;
    const now = await history.attr(node, history.watermark());
    const directory = now !== null && (now.mode & S_IFMT) === S_IFDIR;
    const usage = await this.meter.of(node);
    add(sum, usage);
    if (!directory) {
      sum.files++;
      if ((await history.linksOf(node, history.watermark())).length > 0) sum.bytes += now?.size ?? 0;
      const rule = policy.decide(pathBytes(path), false);
      const key = rule === null ? 'each-write' : `${rule.capture} ${rule.pattern}`;
      const known = this.byRule.get(key) ?? { pieces: 0, writtenBytes: 0, storedBytes: 0, files: 0 };
      known.files++;
      add(known, usage);
      this.byRule.set(key, known);
      return;
    }
    for (const [name, nodes] of await this.children(node)) for (const child of nodes) await this.add(sum, [...path, name], child);
  }
}

function gone(names: Name[]): RewindError {
  const shown = safeForTerminal(showPath(names));
  return new RewindError('ERR_NOT_THEN', `${shown} is not there now`, `What it takes in history: rewind du --history ${shown}`);
}

export async function* du(session: Session, args: Methods['du']['args'], signal: AbortSignal): AsyncGenerator<DuRow> {
  const names = validPath(args.path);
  await session.settle();
  const walk = new Walk(session, args.history ?? false);
  let tops: NodeId[] = [ROOT];
  for (const name of names) tops = (await Promise.all(tops.map(async (top) => [...await walk.led(top, name)]))).flat();
  if (tops.length === 0) throw await neverExisted(session.history, names) ?? gone(names);
  const row = (path: Name[], { files, bytes, pieces, writtenBytes, storedBytes }: Usage & { files: number; bytes: number }): DuRow =>
    ({ type: 'path', path: safeForTerminal(showPath(path)), files, bytes, writes: pieces, written_bytes: writtenBytes, stored_bytes: storedBytes, ratio: ratio(writtenBytes, storedBytes) });
  const all = { files: 0, bytes: 0, pieces: 0, writtenBytes: 0, storedBytes: 0 };
  for (const top of tops) {
    for (const [name, nodes] of await walk.children(top)) {
      const sum = { files: 0, bytes: 0, pieces: 0, writtenBytes: 0, storedBytes: 0 };
      for (const node of nodes) await walk.add(sum, [...names, name], node);
      yield row([...names, name], sum);
      add(all, sum);
      all.files += sum.files;
      all.bytes += sum.bytes;
      if (signal.aborted) return;
    }
    await walk.add(all, names, top);
  }
  for (const [rule, { files, pieces, writtenBytes, storedBytes }] of walk.byRule) yield { type: 'rule', rule, files, writes: pieces, written_bytes: writtenBytes, stored_bytes: storedBytes, ratio: ratio(writtenBytes, storedBytes) };
  yield row(names, all);
}
