/** The tree at an instant, or what changed since another, as the bytes of an archive (docs/archive.md). */
import { exportArchive } from '../archive/export.js';
import type { ArchiveInstant } from '../archive/head.js';
import { RewindError } from '../errors.js';
import type { Seq } from '../history/types.js';
import { memberTree } from '../recovery/members.js';
import { expectKept } from '../time/kept.js';
import { instantAt, stateAt } from './ask.js';
import { groupNamed, membersOf, membersThen } from './groups.js';
import type { Methods } from './protocol.js';
import type { Session } from './session.js';

export async function* exportTree(session: Session, args: Methods['export']['args'], signal: AbortSignal): AsyncGenerator<Buffer> {
  const { seq } = await stateAt(session, args.at, args);
  const since = args.since === undefined ? null : (await instantAt(session, args.since, args)).seq;
  if (since !== null) await expectBefore(session, since, seq);
  const { id, tree } = session.store.description;
  const group = args.group === undefined ? null : groupNamed(session, args.group);
  const members = membersOf(session, args.group);
  const head = {
    store: id, tree, at: await instantOf(session, seq), base: since === null ? null : await instantOf(session, since), names: await namesOf(session, seq),
    group: group && { name: group.name, include: [...group.include], exclude: [...group.exclude] }, made: new Date().toISOString(),
  };
  const only = await membersThen(session, args.group, [], seq);
  const onlyBefore = members && since !== null ? await memberTree(session.history, [], since, members) : undefined;
  for await (const bytes of exportArchive(session.history, { head, only, onlyBefore })) {
    if (signal.aborted) return;
    yield bytes;
  }
}

/** @throws ERR_USAGE, ERR_TIME_THINNED */
async function expectBefore({ history }: Session, since: Seq, seq: Seq): Promise<void> {
  if (since > seq) throw new RewindError('ERR_USAGE', `#${since} is later than #${seq}`, 'Exchange the two: A..B goes from the older instant to the newer one.');
  if (since === seq) throw new RewindError('ERR_REFUSED', `Nothing was recorded since #${since}: there is nothing to export`, 'The archive of that instant is up to date.');
  await expectKept(history, since);
}

async function instantOf({ history }: Session, seq: Seq): Promise<ArchiveInstant> {
  return { seq, timeNs: await history.timeOf(seq) ?? 0n };
}

async function namesOf({ history }: Session, seq: Seq): Promise<string[]> {
  return [...new Set((await history.points()).filter((point) => point.seq === seq && point.name !== '').map(({ name }) => name))];
}
