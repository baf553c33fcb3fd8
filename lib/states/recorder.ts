/**
 * Makes points by itself: before and after a program installs or removes something, before writes that a rule names, and
 * in intervals. Guarantees: a point before something is the state without any change of it; nothing waits for this, and
 * what fails here is reported and stops nothing else; it looks at changes once they are in history, and never makes
 * history hurry.
 */
import type { Change, PointKind, PointPhase, Seq, Writer } from '../history/types.js';
import type { HistoryReader } from '../history/reader.js';
import type { Group } from '../policy/groups.js';
import { Connections, type Network } from './connections.js';
import { matcherOf, type Match, type Matcher } from './matcher.js';
import { operationOf, type Operation } from './programs.js';
import type { ProcessId, Processes } from './processes.js';
import type { PointRule, PointRules } from '../policy/points.js';
import type { TripRules } from '../policy/trips.js';
import { GroupSchedule } from './schedule.js';
import { TripWires, type Tripped } from './tripwires.js';

/** What a point is made of; `at`: the instant that it names. `pinned`: it is kept whatever is forgotten. */
export interface PointDraft { kind: PointKind; name: string; note: string; phase: PointPhase; at: Seq; pinned?: boolean; detail?: object }

/** Where points go, and what they are made from. */
export interface Recording {
  history: Pick<HistoryReader, 'writer' | 'pathOf' | 'watermark' | 'attr' | 'read' | 'nodeChanges'>;
  processes: Processes;
  network: Network;
  /** This process: what it does to the tree somebody asked for. */
  pid: number;
  /** The newest change that a program was told to be done: history comes to it later. */
  lastSeq(): Seq;
  add(point: PointDraft): Promise<void>;
  /** Does what is to be done at once; the point that is made next says it. Answers what to add to its note. */
  alarm(tripped: Tripped, command: string): Promise<string>;
  failed(error: unknown): void;
  /** Milliseconds, never set back. */
  now(): number;
}

/** A program that installs or removes, from its first change on. */
interface Episode { process: ProcessId; operation: Operation }

/** One that has ended: what it did is complete once history has come to `at`. */
interface Ended { operation: Operation; at: Seq }

/** How often connections are looked at, at most, while changes come. */
const LEAST_POLL_MS = 100;
/** How deep the process that installs may lie above the one that writes. */
const MAX_ANCESTORS = 32;
/** Writers of which it is known that they are of no interest. */
const MAX_KNOWN = 4096;
/** Changes that wait to be looked at, at most: more come faster than they can be judged, and history has them all. */
const MAX_WAITING = 200_000;

export class StateRecorder {
  private readonly episodes = new Map<string, Episode>();
  private ended: Ended[] = [];
  private readonly plain = new Set<Seq>();
  private matchers: Matcher[] = [];
  private readonly trips: TripWires;
  private readonly schedule: GroupSchedule;
  private readonly connections: Connections;
  private readonly history: Recording['history'];
  private stopped = false;
  private waiting = 0;
  private lastChange: Seq = 0;
  private lastPoint: Seq = 0;
  private lastPointMs: number;
  /** Changes are looked at one batch after another. */
  private work: Promise<void> = Promise.resolve();

  constructor(private readonly recording: Recording, private rules: PointRules, trips: TripRules, groups: readonly Group[] = []) {
    this.lastPointMs = recording.now();
    const { history } = recording;
    this.history = {
      writer: remembering((id) => history.writer(id)), pathOf: (node, seq) => history.pathOf(node, seq), watermark: () => history.watermark(),
      attr: (node, seq) => history.attr(node, seq), read: (...args) => history.read(...args), nodeChanges: (...args) => history.nodeChanges(...args),
    };
    this.trips = new TripWires(this.history, trips);
    this.connections = new Connections(recording.network, (error) => recording.failed(error));
    this.schedule = new GroupSchedule(recording.now);
    this.setRules(rules, trips, groups);
  }

  setRules(rules: PointRules, trips: TripRules, groups: readonly Group[] = []): void {
    this.schedule.setGroups(groups);
    this.rules = rules;
    this.plain.clear();
    this.matchers = rules.points.map((rule) => matcherOf(rule, this.connections, this.recording.now));
    this.connections.setRemotes(rules.points.flatMap(({ remote }) => remote ?? []));
    this.trips.setRules(trips);
  }

  /** Somebody else made a point of this instant: it is as good as one of an interval. */
  pointMade(at: Seq): void {
    this.notePoint(at);
    this.schedule.pointMade(at);
  }

  /** A batch that is in history. Returns at once. */
  changed(changes: readonly Change[]): void {
    if (this.stopped || this.waiting > MAX_WAITING) return;
    this.waiting += changes.length;
    this.work = this.work.then(() => this.look(changes)).catch((error: unknown) => this.recording.failed(error));
  }

  /** Resolves once nothing more comes from here; what is not looked at yet never is. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.work;
  }

  /** What is due by time: call it about once a second. */
  tick(): Promise<void> {
    return (this.work = this.work.then(() => this.due()).catch((error: unknown) => this.recording.failed(error)));
  }

  private async look(changes: readonly Change[]): Promise<void> {
    this.waiting -= changes.length;
    for (const change of changes) {
      if (this.stopped) return;
      if (change.unmounted) continue;
      this.lastChange = Math.max(this.lastChange, change.seq);
      if (this.rules.installers.length > 0 && change.writer !== 0 && !this.plain.has(change.writer)) await this.lookForOperation(change);
      await this.schedule.look(change, this.history);
      // What this process does somebody asked for: it has its own points.
      if ((await this.history.writer(change.writer))?.pid === this.recording.pid) continue;
      for (const matcher of this.matchers) {
        if (matcher.rule.remote !== null && await this.connections.poll(LEAST_POLL_MS)) await this.connected();
        const match = await matcher.first(change, this.history);
        if (match !== null) await this.matched(matcher.rule, match);
      }
      for (const tripped of await this.trips.look(change)) await this.raise(tripped);
    }
  }

  private async matched({ name, note, remote }: PointRule, { seq, why }: Match): Promise<void> {
    await this.add({ kind: remote === null ? 'write' : 'connection', name, note: [note, why].filter(Boolean).join(': '), phase: 'before', at: seq - 1 });
  }

  /** Connections that were not known before. */
  private async connected(): Promise<void> {
    for (const matcher of this.matchers) for (const match of matcher.connected()) await this.matched(matcher.rule, match);
  }

  private async raise(tripped: Tripped): Promise<void> {
    const { pid, exe, argv } = tripped.writer;
    const command = argv.join(' ').trim() || exe;
    const done = await this.recording.alarm(tripped, command);
    await this.add({ kind: 'alarm', name: '', note: `${tripped.what} of ${tripped.count} files by ${command.slice(0, 100)} [${pid}]${done}`, phase: 'before', at: tripped.first - 1, pinned: true });
  }

  /** The writer, or who started it, may be installing: then what lies before its first change is a point. */
  private async lookForOperation(change: Change): Promise<void> {
    const writer = await this.history.writer(change.writer);
    const found = writer && await this.operationAbove(writer);
    if (this.plain.size >= MAX_KNOWN) this.plain.clear();
    this.plain.add(change.writer);  // of a writer of an episode nothing more is to be learnt
    if (!found) return;
    const key = `${found.process.pid} ${found.process.start}`;
    if (this.episodes.has(key)) return;
    this.episodes.set(key, found);
    await this.add({ kind: found.operation.kind, name: '', note: found.operation.command, phase: 'before', at: change.seq - 1 });
  }

  /** The outermost counts: npm that a package's script starts again belongs to the first. */
  private async operationAbove(writer: Writer): Promise<Episode | null> {
    let found: Episode | null = null;
    let one: Pick<Writer, 'pid' | 'start' | 'ppid' | 'exe' | 'argv'> | null = writer;
    for (let depth = 0; one !== null && depth < MAX_ANCESTORS; depth++) {
      const operation = operationOf(one, this.rules.installers);
      if (operation) found = { process: { pid: one.pid, start: one.start }, operation };
      one = await this.recording.processes.parent(one);
    }
    return found;
  }

  private async due(): Promise<void> {
    if (await this.connections.poll()) await this.connected();
    for (const [key, { process, operation }] of this.episodes) {
      if (await this.recording.processes.runs(process)) continue;
      this.episodes.delete(key);
      this.ended.push({ operation, at: this.recording.lastSeq() });
    }
    const { history } = this.recording;
    const complete = this.ended.filter(({ at }) => at <= history.watermark());
    this.ended = this.ended.filter(({ at }) => at > history.watermark());
    for (const { operation, at } of complete) await this.add({ kind: operation.kind, name: '', note: operation.command, phase: 'after', at });
    for (const { name, note } of this.schedule.due()) await this.add({ kind: 'interval', name, note, phase: 'after', at: history.watermark() });
    const { everyMs } = this.rules;
    if (everyMs === null || this.recording.now() - this.lastPointMs < everyMs || this.lastChange <= this.lastPoint) return;
    await this.add({ kind: 'interval', name: '', note: '', phase: 'after', at: history.watermark() });
  }

  private async add(point: PointDraft): Promise<void> {
    if (point.at < 1) return;  // nothing was before it
    await this.recording.add(point);
    if (point.kind === 'interval') this.notePoint(point.at);
    else this.pointMade(point.at);
  }

  private notePoint(at: Seq): void {
    this.lastPoint = Math.max(this.lastPoint, at);
    this.lastPointMs = this.recording.now();
  }
}

/** Writers are few, and asked for at every change. */
function remembering(ask: (id: Seq) => Promise<Writer | null>): (id: Seq) => Promise<Writer | null> {
  const known = new Map<Seq, Promise<Writer | null>>();
  return (id) => {
    let writer = known.get(id);
    if (!writer) {
      if (known.size >= MAX_KNOWN) known.clear();
      known.set(id, (writer = ask(id)));
    }
    return writer;
  };
}
