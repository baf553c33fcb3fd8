/**
 * What can be asked of a tree, in words: every method with its arguments, once. Guarantees: it is exactly the table of
 * methods (the compiler holds its names, types and which are needed against protocol.ts); docs/api.md is written from it;
 * arguments that are not as it says are refused, with a message that says what was expected.
 */
import { RewindError } from '../errors.js';
import type { MethodName, Methods } from './protocol.js';

/** Types of arguments, as JSON has them. */
export type ArgumentType = 'string' | 'number' | 'boolean' | 'string[]' | 'object' | 'object[]' | 'number or "caller"';

export interface ArgumentSpec { type: ArgumentType; needed: boolean; describe: string }

export interface MethodSpec {
  describe: string;
  args: Record<string, ArgumentSpec>;
  /** The types in protocol.ts of what it answers, one a line. */
  yields: string;
}

type TypeOf<T> =
  [T] extends [string] ? 'string' : [T] extends [number] ? 'number' : [T] extends [boolean] ? 'boolean' :
    [T] extends [number | 'caller'] ? 'number or "caller"' :
      [T] extends [readonly string[]] ? 'string[]' : [T] extends [readonly object[]] ? 'object[]' : 'object';
type Needed<A, K extends keyof A> = Record<never, never> extends Pick<A, K> ? false : true;
type SpecOf<M extends MethodName> = Omit<MethodSpec, 'args'> & {
  args: { [K in keyof Methods[M]['args']]-?: { type: TypeOf<NonNullable<Methods[M]['args'][K]>>; needed: Needed<Methods[M]['args'], K>; describe: string } };
};

const must = <T extends ArgumentType>(type: T, describe: string) => ({ type, needed: true as const, describe });
const may = <T extends ArgumentType>(type: T, describe: string) => ({ type, needed: false as const, describe });

const PATH = 'From the root of the tree, without a leading slash; `""` is the root';
const TIME = 'A time, written as on the command line';
const zone = { time_zone: may('string', 'IANA zone of times without an offset (that of the daemon)') };
const path = { path: must('string', PATH) };
const stretch = { since: may('string', 'Only what came after this time'), until: may('string', 'Only what came before this time') };
const patch = { patch: may('boolean', 'With the lines that differ'), terminal: may('boolean', 'Of the lines, those that cannot be shown on a terminal are left out') };
const dryRun = may('boolean', 'Only say what would be done');
const openFiles = may('boolean', 'Also files that a program has open for writing');
const plannedAt = may('number', '`now` of the plan that was agreed to: refused when more has changed since');
const whose = {
  ...zone, ...stretch, writer: may('number', 'Process'), family: may('number', 'Process, with all that it started'),
  exe: may('string', 'Program: a glob of its name, with a slash of its path'), session: may('string', 'Id or name of a run'), uid: may('number', 'User'),
};

export const API: { [M in MethodName]: SpecOf<M> } = {
  status: { describe: 'How the tree, its daemon and its history are', args: {}, yields: 'StatusRow' },
  position: { describe: 'How far changes and history are: for who asks often, or waits', args: {}, yields: 'PositionRow' },
  resolve: { describe: 'What instant a time is', args: { ...zone, time: must('string', TIME) }, yields: 'InstantRow' },
  log: {
    describe: 'Saves of a file, or of all that lies under a directory, the newest first; deleted paths too',
    args: {
      ...zone, ...path, ...stretch, ...patch, limit: may('number', 'The newest so many'), all_writes: may('boolean', 'Every single record in place of saves'),
      group: may('string', 'Only members of this group of the policy file'), raw: may('boolean', 'A save by rename as the steps that it was'), pid: may('number', 'Only of this process'), uid: may('number', 'Only of this user'),
      exe: may('string', 'Only of such a program: a glob of its name, with a slash of its path'), marker: may('string', 'Only `create`, `modify`, `delete` or `rename`'),
    },
    yields: 'LogRow',
  },
  summary: { describe: 'What changed since an instant, by path and by writer', args: { ...zone, ...path, since: must('string', TIME) }, yields: 'SummaryRow' },
  ls: { describe: 'A directory as it was', args: { ...zone, ...path, at: must('string', TIME) }, yields: '{ at: InstantRow }, then ListRow' },
  cat: { describe: 'The content that a file had', args: { ...zone, ...path, at: must('string', TIME) }, yields: 'bytes' },
  export: {
    describe: 'The tree at a time as an archive (archive.md), or what changed in it since another',
    args: { ...zone, at: must('string', TIME), since: may('string', 'Only what changed since this time'), group: may('string', 'Only members of this group') }, yields: 'bytes',
  },
  diff: { describe: 'What differs between two instants', args: { ...zone, ...path, ...patch, group: may('string', 'Only members of this group'), from: must('string', TIME), to: must('string', TIME) }, yields: '{ from: InstantRow, to: InstantRow }, then DiffRow' },
  rollback: {
    describe: 'Makes the tree, or these paths, equal to a past instant',
    args: {
      ...zone, paths: must('string[]', 'What goes to `to`; empty: the whole tree'), to: may('string', TIME), parts: may('object[]', 'Paths that go each to a time of its own: `{ path, to }`'),
      group: may('string', 'Only members of this group'),
      discard_after: may('boolean', 'Then forgets what came after that instant'),
      dry_run: dryRun, planned_at: plannedAt, force: may('boolean', 'Also over newer changes, and files that are open for writing'),
    },
    yields: 'WorkRow',
  },
  resume: {
    describe: 'Goes on with the operation that was interrupted',
    args: { dry_run: dryRun, planned_at: plannedAt, force: may('boolean', 'Also over what others changed since it began, and files that are open for writing') }, yields: 'WorkRow',
  },
  restore: {
    describe: 'Copies what was at a path into a directory elsewhere',
    args: { ...zone, ...path, at: must('string', TIME), into: must('string', 'An absolute path'), group: may('string', 'Only members of this group'), force: may('boolean', 'Replace what is in the way') }, yields: 'WorkRow',
  },
  blame: { describe: 'Who wrote each line of a file', args: { ...zone, ...path, at: must('string', TIME), bytes: may('boolean', 'By bytes in place of lines') }, yields: '{ at: InstantRow }, then BlameRow' },
  grep: {
    describe: 'Lines of all that files ever held',
    args: {
      ...zone, ...path, ...stretch, pattern: must('string', 'A regular expression as in JavaScript'), ignore_case: may('boolean', 'Upper and lower case are the same'),
      fixed: may('boolean', 'The pattern is text'), names_only: may('boolean', 'Only paths'), all_versions: may('boolean', 'Each version that matches'),
    },
    yields: 'GrepRow',
  },
  pack: { describe: 'Makes history small now, to the end; otherwise that goes on by itself while the tree is quiet', args: {}, yields: 'PackRow' },
  du: { describe: 'What paths take: each in a directory, what each rule of the policy decides for, and all of it last', args: { ...path, history: may('boolean', 'Also what is there no more') }, yields: 'DuRow' },
  points: { describe: 'The instants that have a name or a reason, oldest first', args: { ...zone, kinds: may('string[]', 'Only of these kinds'), since: may('string', 'Only later ones'), until: may('string', 'Only earlier ones'), group: may('string', 'Only those that this group has of its own') }, yields: 'PointRow' },
  gaps: { describe: 'What was not captured and why, oldest first', args: { ...zone, path: may('string', 'Only of this path, or under it, or of no place in particular'), since: may('string', 'Only later ones'), until: may('string', 'Only earlier ones') }, yields: 'GapRow' },
  find: {
    describe: 'Names over all of history',
    args: { ...zone, ...path, ...stretch, pattern: must('string', 'A glob of the name, with a slash of the path'), deleted: may('boolean', 'Only what is gone'), type: may('string', '`f`, `d` or `l`') }, yields: 'FindRow',
  },
  undo: {
    describe: 'Takes back exactly what some writers did; without a selection the last operation',
    args: { ...whose, dry_run: dryRun, require_complete: may('boolean', 'Change nothing unless all can be taken back'), planned_at: plannedAt, force: openFiles }, yields: 'WorkRow',
  },
  redo: { describe: 'Does again what the last undo took back', args: { dry_run: dryRun, planned_at: plannedAt, force: openFiles }, yields: 'WorkRow' },
  replay: {
    describe: 'The tree as of a time, with all later changes but those of the selected',
    args: { ...whose, since: must('string', TIME), dry_run: dryRun, require_complete: may('boolean', 'Change nothing unless all can be left out'), planned_at: plannedAt, force: openFiles }, yields: 'WorkRow',
  },
  operations: { describe: 'Rollbacks, undos and runs, the newest first', args: {}, yields: 'OperationRow' },
  run_begin: {
    describe: 'A command begins whose changes belong together; it has `session` in its `REWIND_SESSION`',
    args: { argv: must('string[]', 'The command'), name: may('string', 'Usable wherever the session is'), session: must('string', '8 to 32 hexadecimal digits') }, yields: 'PointRow',
  },
  run_end: { describe: 'It has ended: what it changed, as what an undo would change back', args: { session: must('string', 'As it began'), code: must('number', 'Its exit code') }, yields: 'WorkRow' },
  pin: { describe: 'Keeps the points of an instant whatever is forgotten, or no longer', args: { ...zone, time: must('string', TIME), pinned: must('boolean', 'Whether they are kept') }, yields: 'PointRow' },
  mark: { describe: 'Names this instant', args: { name: must('string', 'Letters, digits and . _ -'), note: may('string', 'A remark') }, yields: 'PointRow' },
  notify: {
    describe: 'These files are consistent now: a point for them',
    args: { paths: must('string[]', `${PATH}; each exists`), name: may('string', 'A name for the point'), note: may('string', 'A remark') }, yields: 'PointRow',
  },
  begin: {
    describe: 'A transaction over several files begins: a point, and an id to end it with',
    args: {
      paths: must('string[]', 'Files and directories, there or not; may be empty with `family`'),
      family: may('number or "caller"', 'A cancel takes back only what this process, or the one that asks, and all that it started did'),
      note: may('string', 'A remark'),
    },
    yields: 'TransactionRow',
  },
  commit: { describe: 'It ends, and what it changed stays: a point', args: { id: must('string', 'Of the transaction') }, yields: 'TransactionRow' },
  cancel: { describe: 'It ends, and its files are put back exactly as they were when it began', args: { id: must('string', 'Of the transaction'), dry_run: dryRun, force: may('boolean', 'Also files that a program other than the one that asks has open for writing') }, yields: 'WorkRow' },
  transactions: { describe: 'Transactions, the newest first', args: { open: may('boolean', 'Only those that have not ended') }, yields: 'TransactionRow' },
  recover: {
    describe: 'Puts a file back: to what was written last when that cannot be read or is something else now, else to the version before, the newest that was said to be consistent first; each time further back',
    args: { ...zone, ...path, to: may('string', 'To this time') }, yields: 'RecoveryRow',
  },
  recoveries: { describe: 'Files that were put back, or are being, or could not be; the newest first', args: { failed: may('boolean', 'Only files that could not be') }, yields: 'RecoveryRow' },
  watch: { describe: 'Changes as they happen, until the caller goes away; recoveries as they end, and alarms', args: {}, yields: 'LogRow, RecoveryRow or AlarmRow' },
  release: { describe: 'Lets writers change the tree again that a trip wire has blocked', args: { pid: may('number', 'Only this one (all of them)') }, yields: 'BlockRow' },
  policy: { describe: 'The policy in force, or which rules decide for paths', args: { paths: may('object[]', 'Each `{ path, directory }`: is it a directory?') }, yields: 'PolicyRow, or a PolicyPathRow for each path' },
  fork: {
    describe: 'The past as a writable directory',
    args: {
      ...zone, time: must('string', TIME), name: may('string', 'What it is called'), upper: may('string', 'A directory for what is changed in it'),
      owner: may('object', '`{ pid, start }`: it goes with that process'),
    },
    yields: 'ForkRow',
  },
  forks: { describe: 'The forks that there are', args: {}, yields: 'ForkRow' },
  fork_open: { describe: 'Shows a fork in its directory again', args: { name: must('string', 'Of the fork') }, yields: 'ForkRow' },
  fork_diff: { describe: 'What was changed in a fork', args: { name: must('string', 'Of the fork'), ...patch }, yields: '{ fork: ForkRow }, then DiffRow' },
  fork_keep: {
    describe: 'Brings what was changed in a fork into the tree',
    args: { name: must('string', 'Of the fork'), paths: must('string[]', 'Empty: all of it'), dry_run: dryRun, force: may('boolean', 'Also over what the tree changed since, and files that are open for writing'), planned_at: plannedAt }, yields: 'WorkRow',
  },
  fork_drop: { describe: 'Forgets a fork', args: { name: must('string', 'Of the fork'), lazy: may('boolean', 'Also while it is in use') }, yields: 'ForkRow' },
  prune: {
    describe: 'Gives up what the policy no longer keeps: it waits in the trash, and goes for good when its time there is over',
    args: { dry_run: dryRun, undo: may('boolean', 'Takes back what is in the trash'), now: may('boolean', 'What is in the trash goes for good at once') }, yields: 'PruneRow',
  },
  purge: { describe: 'Takes files out of all of history', args: { ...path, everywhere: may('boolean', 'Also what else held the same content'), dry_run: dryRun }, yields: 'PurgeRow' },
  verify: { describe: 'Looks whether what the store holds is whole: every entry of history, what entries say of each other, and every record of the journal', args: { deep: may('boolean', 'Also decodes every content'), anchor: may('string', 'A line of `anchor` that was kept: is all up to there still what it was?') }, yields: 'VerifyRow' },
  anchor: { describe: 'The head of the chain over all changes, as one line to be kept elsewhere', args: {}, yields: 'AnchorRow' },
  unmount: { describe: 'Ends the daemon, with all in history', args: { lazy: may('boolean', 'Also while programs use the tree') }, yields: '{ type: "stopped", seq }' },
};

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);

const HOLDS: Record<ArgumentType, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  boolean: (value) => typeof value === 'boolean',
  'string[]': (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
  object: isObject,
  'object[]': (value) => Array.isArray(value) && value.every(isObject),
  'number or "caller"': (value) => typeof value === 'number' || value === 'caller',
};

/** @throws ERR_USAGE naming the argument, what was expected and what came */
export function checkArguments(method: MethodName, args: unknown): void {
  const specs: Record<string, ArgumentSpec> = API[method].args;
  const fail = (what: string): never => {
    throw new RewindError('ERR_USAGE', `${method}: ${what}`, 'docs/api.md lists what each method takes; so does GET /v1/.');
  };
  if (!isObject(args)) fail('the arguments are one JSON object');
  for (const [name, value] of Object.entries(args as Record<string, unknown>)) {
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (!spec) return fail(`there is no argument ${JSON.stringify(name)}; ${Object.keys(specs).length === 0 ? 'it takes none' : `it takes ${Object.keys(specs).join(', ')}`}`);
    if (value !== undefined && !HOLDS[spec.type](value)) fail(`${name} is ${JSON.stringify(value).slice(0, 80)}: ${spec.type} was expected`);
  }
  for (const [name, { needed, type }] of Object.entries(specs)) if (needed && (args as Record<string, unknown>)[name] === undefined) fail(`${name} (${type}) is missing`);
}

/** A section for each method, for docs/api.md. `npm run docs` writes it. */
export function apiReference(): string {
  return Object.entries<MethodSpec>(API).map(([name, { describe, args, yields }]) => {
    const rows = Object.entries(args).map(([arg, spec]) => `| \`${arg}\` | ${spec.type} | ${spec.describe}${spec.needed ? ' (needed)' : ''} |`);
    const table = rows.length === 0 ? [] : ['', '| argument | type | |', '|---|---|---|', ...rows];
    return [`### POST /v1/${name}`, '', `${describe}. Answers ${yields === 'bytes' ? 'bytes' : `\`${yields}\``}.`, ...table].join('\n');
  }).join('\n\n');
}
