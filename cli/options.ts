/**
 * Every command and option, once: yargs, the table in README.md and docs/cli.md come from here, held together by
 * test/tidy/docs.ts.
 */

import { POINT_KINDS } from '../lib/history/types.js';
import { TRANSPORTS } from '../lib/transport.js';
import { COLOURS } from './output.js';

/** An option of a command. */
export interface OptionSpec {
  type: 'boolean' | 'string' | 'number';
  describe: string;
  /** Shown in place of the value: DIR, TIME ... */
  value?: string;
  /** The only values it takes. */
  choices?: readonly string[];
  /** One letter. */
  alias?: string;
  /** May be given more than once. */
  many?: true;
  /** When two commands mean different things by one flag: the flag of this one. */
  flag?: string;
}

/** A command; its work is in commands/<name>.ts, loaded only when it is called. */
export interface CommandSpec {
  name: string;
  /** Positionals in the notation of yargs, '' for none. */
  positionals: string;
  describe: string;
  /** Takes a command of the user's after `--`. */
  command?: true;
  /** What each positional is. */
  arguments: Record<string, string>;
  options: string[];
  /** Options that this command needs. */
  demand?: string[];
  examples: [command: string, what: string][];
}

/** Options that every command takes. */
export const COMMON_OPTIONS: Record<string, OptionSpec> = {
  json: { type: 'boolean', describe: 'Print JSON, one object a line; times are RFC 3339, fields are only ever added' },
};

export const OPTIONS: Record<string, OptionSpec> = {
  tree: { type: 'string', value: 'DIR', describe: 'A directory in the tree, in place of the working directory' },
  store: { type: 'string', value: 'DIR', describe: 'The store; also that of a tree that is not mounted' },
  at: { type: 'string', value: 'TIME', describe: 'The instant to look at' },
  mountpoint: { type: 'string', flag: 'at', value: 'DIR', describe: 'Mount here, and leave DIR itself as it is' },
  snapshots: { type: 'string', value: 'NAME', describe: 'Name of the directory that shows the past (.snapshots)' },
  foreground: { type: 'boolean', describe: 'Do not become a daemon; end with ^C' },
  'backlog-limit': { type: 'number', value: 'MIB', describe: 'Recorded changes not yet in history, above which writers wait (2048); from three quarters of it on each is slowed down, by 20 ms at most' },
  transport: { type: 'string', value: 'KIND', choices: TRANSPORTS, describe: 'How to speak with the kernel: auto (io_uring where the kernel offers it), io_uring, dev' },
  purpose: { type: 'string', value: 'TEXT', describe: 'What this mount is for: the name of its point, usable as a time' },
  tag: { type: 'string', value: 'WORD', many: true, describe: 'A word that is kept with its points; may be given more than once' },
  lazy: { type: 'boolean', describe: 'Unmount also when programs still use the tree' },
  since: { type: 'string', value: 'TIME', describe: 'Only what came after' },
  until: { type: 'string', value: 'TIME', describe: 'Only what came before' },
  group: { type: 'string', value: 'NAME', describe: 'Only members of this group of the policy file' },
  count: { type: 'number', alias: 'n', value: 'N', describe: 'At most the newest N' },
  'all-writes': { type: 'boolean', describe: 'Every single record, not saves' },
  from: { type: 'string', value: 'TIME', describe: 'The older instant' },
  to: { type: 'string', value: 'TIME', describe: 'The newer instant (now)' },
  plan: { type: 'string', value: 'FILE', describe: 'A plan in place of PATH and --to: TOML, or what --dry-run --json printed' },
  resume: { type: 'boolean', describe: 'Go on with the operation that was interrupted' },
  'in-the-way': { type: 'boolean', flag: 'force', describe: 'Also over what others changed since the plan was made, and files that are open for writing' },
  'open-files': { type: 'boolean', flag: 'force', describe: 'Also files that a program has open for writing' },
  'past-the-mount': { type: 'boolean', flag: 'force', describe: 'Also when programs have files in it open for writing: what they write to these is not recorded' },
  'replay-from': { type: 'string', flag: 'from', value: 'TIME', describe: 'The instant to begin from' },
  except: { type: 'string', value: 'WHO', describe: 'Whose changes to leave out: a PID, family:PID (it and all that it started), exe:PATTERN, session:ID, uid:UID' },
  'back-to': { type: 'string', flag: 'to', value: 'TIME', describe: 'The instant to go back to' },
  patch: { type: 'boolean', alias: 'p', describe: 'Show the lines that differ' },
  'dry-run': { type: 'boolean', describe: 'Show what would be done, and change nothing' },
  yes: { type: 'boolean', alias: 'y', describe: 'Answer yes to every question' },
  family: { type: 'number', value: 'PID', describe: 'Only what this process and all that it started did' },
  session: { type: 'string', value: 'ID', describe: 'Only what this run did, by its id or name' },
  'require-complete': { type: 'boolean', describe: 'Change nothing unless all can be taken back' },
  wait: { type: 'boolean', describe: 'It has ended only when all that it started has; ^C ends the waiting' },
  'undo-on-failure': { type: 'boolean', describe: 'Take back all that it did when its exit code is not 0' },
  'run-name': { type: 'string', flag: 'name', value: 'NAME', describe: 'A name for the run, usable wherever its id is' },
  into: { type: 'string', value: 'DEST', describe: 'A directory, made if it is missing; the copy gets its old name in it' },
  force: { type: 'boolean', describe: 'Replace files that are in the way' },
  state: { type: 'string', value: 'KIND', choices: POINT_KINDS, describe: 'Only points of this kind' },
  'group-points': { type: 'string', flag: 'group', value: 'NAME', describe: 'Only points that this group of the policy file has of its own' },
  writer: { type: 'number', value: 'PID', describe: 'Only what this process did' },
  exe: { type: 'string', value: 'PATTERN', describe: 'Only what such a program did; on its name (of a script, also on that), or with a slash on its path' },
  uid: { type: 'number', value: 'UID', describe: 'Only what this user did' },
  marker: { type: 'string', value: 'KIND', choices: ['create', 'modify', 'delete', 'rename'], describe: 'Only these changes: create, modify, delete or rename' },
  'since-point': { type: 'string', flag: 'since', value: 'TIME', describe: 'What changed since then, by path and by writer' },
  'ignore-case': { type: 'boolean', alias: 'i', describe: 'Upper and lower case are the same' },
  'fixed-strings': { type: 'boolean', alias: 'F', describe: 'The pattern is text, no regular expression' },
  'files-with-matches': { type: 'boolean', alias: 'l', describe: 'Only the paths of files that match' },
  'all-versions': { type: 'boolean', describe: 'Each version that matches, not only the newest that has a line' },
  bytes: { type: 'boolean', describe: 'By bytes in place of lines; for any file' },
  deleted: { type: 'boolean', describe: 'Only what is gone' },
  type: { type: 'string', value: 'f|d|l', choices: ['f', 'd', 'l'], describe: 'Only files, directories or symbolic links' },
  color: { type: 'string', value: 'WHEN', choices: COLOURS, describe: 'Colours: auto (on a terminal, unless NO_COLOR is set), always, never' },
  'no-pager': { type: 'boolean', describe: 'Do not show long answers on a terminal through $PAGER (less -FRX)' },
  ever: { type: 'boolean', flag: 'history', describe: 'Also what is there no more' },
  'since-archive': { type: 'string', flag: 'since', value: 'ARCHIVE', describe: 'Only what changed since the instant of this archive, which is needed to read the new one' },
  'over-archive': { type: 'boolean', flag: 'force', describe: 'Replace DEST' },
  'into-new': { type: 'string', flag: 'into', value: 'DIR', describe: 'A directory that does not exist, or is empty: what the archive holds becomes its content' },
  increment: { type: 'string', value: 'ARCHIVE', many: true, describe: 'An archive that goes on from the one before; may be given more than once, in order' },
  'over-newer': { type: 'boolean', flag: 'force', describe: 'Also over what the tree changed since at the same paths, and files that are open for writing' },
  name: { type: 'string', value: 'NAME', describe: 'What the fork is called (fork-1, fork-2 ...)' },
  upper: { type: 'string', value: 'DIR', describe: 'Where what is changed in it is kept (in the store)' },
  good: { type: 'string', value: 'TIME', describe: 'An instant at which the test passes (the beginning of history)' },
  bad: { type: 'string', value: 'TIME', describe: 'A later one at which it fails (now)' },
  path: { type: 'string', value: 'PATH', describe: 'Search only among changes of this file, or under this directory' },
  'read-only': { type: 'boolean', describe: 'Test in views instead of forks: nothing can be written there, and no program of the tree run' },
  note: { type: 'string', value: 'TEXT', describe: 'A remark, shown by `rewind points`' },
  'point-name': { type: 'string', flag: 'name', value: 'NAME', describe: 'A name for the point, usable wherever a time is' },
  begin: { type: 'boolean', describe: 'Begin a transaction over these files; prints its id' },
  recover: { type: 'boolean', describe: 'Put this file back: to what was written last when that cannot be read, else to the version before' },
  'recover-to': { type: 'string', flag: 'to', value: 'TIME', describe: 'With --recover: to this instant' },
  commit: { type: 'string', value: 'ID', describe: 'End a transaction; what it changed stays' },
  cancel: { type: 'string', value: 'ID', describe: 'End a transaction; its files are put back as they were when it began' },
  'take-back': { type: 'boolean', flag: 'undo', describe: 'Take back what waits in the trash' },
  'at-once': { type: 'boolean', flag: 'now', describe: 'Do not wait: what is in the trash goes for good, and its room comes back' },
  deep: { type: 'boolean', describe: 'Also decode every piece of content and compare it with its hash' },
  'since-anchor': { type: 'string', value: 'ANCHOR', describe: 'A line of `rewind anchor` that was kept elsewhere: is all up to there still what it was?' },
  'from-copy': { type: 'string', flag: 'from', value: 'DIR', describe: 'A copy of the store, from which what is lost is taken' },
  everywhere: { type: 'boolean', describe: 'Also what else held the same pieces of content, wherever it lay' },
  'discard-after': { type: 'boolean', describe: 'Then forget what came after that instant; asks once more' },
  'only-family': { type: 'number', flag: 'family', value: 'PID', describe: 'With --begin: a cancel takes back only what this process and all that it started did' },
};

const WHERE = ['tree', 'store'];
const SHOWN = ['color', 'no-pager'];

export const COMMANDS: CommandSpec[] = [
  {
    name: 'mount', positionals: '<DIR>', describe: 'Protect a directory: from now on every change to it is kept',
    arguments: { DIR: 'The directory to protect' },
    options: ['mountpoint', 'store', 'purpose', 'tag', 'foreground', 'snapshots', 'backlog-limit', 'transport', 'past-the-mount'],
    examples: [['rewind mount ~/project', 'mount over the directory itself'], ['rewind mount ~/project --store /big/disk/history', 'keep the history elsewhere'], ['rewind mount ~/plans --purpose cad --tag fast', 'later: rewind rollback --to cad']],
  },
  {
    name: 'unmount', positionals: '[DIR]', describe: 'Stop protecting a directory; its history stays',
    arguments: { DIR: 'The mountpoint, or a path in it' },
    options: ['lazy', ...WHERE],
    examples: [['rewind unmount ~/project', 'end the daemon and show the directory itself again']],
  },
  {
    name: 'status', positionals: '[DIR]', describe: 'How the tree, its daemon and its history are',
    arguments: { DIR: 'A path in the tree; with --since only what lies there' },
    options: ['since-point', ...WHERE],
    examples: [['rewind status --since last-boot', 'what changed since then, and who did it'], ['rewind status', 'of the tree that holds the working directory'], ['rewind status --json', 'pid, mountpoint, store, seq, extracted_seq, baseline, gaps ...']],
  },
  {
    name: 'doctor', positionals: '[DIR]', describe: 'What this machine offers a mount, what the tree uses of it, and how to get more',
    arguments: { DIR: 'A path in a tree' },
    options: WHERE,
    examples: [['rewind doctor', 'is io_uring in use, and if not, how to switch it on']],
  },
  {
    name: 'log', positionals: '[PATH]', describe: 'What was saved when, by whom; also of deleted paths',
    arguments: { PATH: 'A file, or a directory for all that changed under it' },
    options: ['since', 'until', 'group', 'count', 'patch', 'writer', 'exe', 'uid', 'marker', 'all-writes', ...SHOWN, ...WHERE],
    examples: [['rewind log src/main.ts', 'every save of a file, across renames'], ['rewind log --since "1h ago"', 'what changed in the last hour'], ['rewind log -p --exe node --marker modify', 'what programs run by node changed, line by line'], ['rewind log db.sqlite --all-writes -n 20', 'the last twenty single writes']],
  },
  {
    name: 'ls', positionals: '[PATH]', describe: 'List a directory as it was',
    arguments: { PATH: 'A directory or file' },
    options: ['at', ...WHERE],
    examples: [['rewind ls src --at 10m', 'ten minutes ago'], ['rewind ls --at "#4711"', 'after change number 4711']],
  },
  {
    name: 'cat', positionals: '<PATH>', describe: 'Print a file as it was',
    arguments: { PATH: 'A file' },
    options: ['at', ...WHERE],
    examples: [['rewind cat notes.md --at "yesterday 17:00"', 'its content at that time']],
  },
  {
    name: 'diff', positionals: '[PATH]', describe: 'What differs between two instants',
    arguments: { PATH: 'A file or directory' },
    options: ['from', 'to', 'group', 'patch', ...SHOWN, ...WHERE], demand: ['from'],
    examples: [['rewind diff --from 1h', 'what changed in the last hour'], ['rewind diff src --from before-upgrade --to now -p', 'line by line']],
  },
  {
    name: 'du', positionals: '[PATH]', describe: 'What a file or directory takes, now and in history: written, stored, and by which rule of the policy',
    arguments: { PATH: 'A path in the tree' },
    options: ['ever', ...SHOWN, ...WHERE],
    examples: [['rewind du --history', 'what takes the room: each entry of the directory, the largest first'], ['rewind du src', 'only what is there now']],
  },
  {
    name: 'pack', positionals: '', describe: 'Make history small now, to the end; by itself it becomes so bit by bit, while the tree is quiet',
    arguments: {},
    options: WHERE,
    examples: [['rewind pack', 'before a backup of the store, or when its disk is full']],
  },
  {
    name: 'find', positionals: '<PATTERN> [PATH]', describe: 'Names over all of history, deleted ones too: when they came and went, and how to get them back',
    arguments: { PATTERN: 'Like those of a shell; on the name, or with a slash on the path from the root: "*.ts", "src/**/old-*"', PATH: 'Only in this directory' },
    options: ['since', 'until', 'deleted', 'type', ...SHOWN, ...WHERE],
    examples: [['rewind find "*.sqlite" --deleted', 'which databases were removed, when, and how to get them back'], ['rewind find "src/**/*.test.ts" --since yesterday', 'tests that came or went since yesterday'], ['rewind find node_modules --type d', 'when there was such a directory, and where']],
  },
  {
    name: 'blame', positionals: '<FILE>', describe: 'Who wrote each line of a file, and when',
    arguments: { FILE: 'A file, as it is or was' },
    options: ['at', 'bytes', ...SHOWN, ...WHERE],
    examples: [['rewind blame src/main.ts', 'each line with the program, the time and the change that wrote it'], ['rewind blame config.yml --at yesterday', 'of the file as it was'], ['rewind blame db.sqlite --bytes', 'which bytes were written by which save']],
  },
  {
    name: 'grep', positionals: '<PATTERN> [PATH]', describe: 'Lines of past content: all that files ever held, each distinct content once',
    arguments: { PATTERN: 'A regular expression (as in JavaScript)', PATH: 'Only this file, or what lies in this directory' },
    options: ['since', 'until', 'ignore-case', 'fixed-strings', 'files-with-matches', 'all-versions', ...SHOWN, ...WHERE],
    examples: [['rewind grep "function parse" src', 'where it ever was, also when it was deleted since'], ['rewind grep -F -i "secret=" --since yesterday', 'in what was saved since then'], ['rewind grep -l wip --all-versions', 'the paths alone']],
  },
  {
    name: 'rollback', positionals: '[PATH..]', describe: 'Make the tree, or the paths given, equal to a past instant; taken back by undo',
    arguments: { PATH: 'Only these; the whole tree when none is given. PATH@TIME: this one to a time of its own' },
    options: ['back-to', 'group', 'plan', 'resume', 'discard-after', 'dry-run', 'yes', 'in-the-way', ...WHERE],
    examples: [['rewind rollback --to 10m --dry-run', 'show what ten minutes ago would change'], ['rewind rollback src --to "10:05"', 'one directory, exactly as it was'], ['rewind rollback --to "#4711" --yes', 'without a question'], ['rewind rollback --to 05:00 docs@14:59', 'the tree as of five, but docs as it was at 14:59'], ['rewind rollback --group database --to yesterday', 'only the members of a group of the policy file'], ['rewind rollback --resume', 'go on after a crash or a full disk']],
  },
  {
    name: 'undo', positionals: '', describe: 'Take back exactly what some writers did, and nothing else; without a selection the last operation',
    arguments: {},
    options: ['writer', 'family', 'exe', 'session', 'uid', 'since', 'until', 'require-complete', 'dry-run', 'yes', 'open-files', ...WHERE],
    examples: [['rewind undo', 'the last rollback, run or undo'], ['rewind undo --family 4711 --dry-run', 'what one process and its children did'], ['rewind undo --exe "sed*" --since 10m', 'what a program did lately'], ['rewind undo --session 5f0c31aa', 'one `rewind run`']],
  },
  {
    name: 'redo', positionals: '', describe: 'Do again what the last undo took back',
    arguments: {},
    options: ['dry-run', 'yes', 'open-files', ...WHERE],
    examples: [['rewind redo --yes', 'without a question']],
  },
  {
    name: 'replay', positionals: '', describe: 'The tree as of a time, with all that came later but what one writer did',
    arguments: {},
    options: ['replay-from', 'except', 'require-complete', 'dry-run', 'yes', 'open-files', ...WHERE], demand: ['replay-from', 'except'],
    examples: [['rewind replay --from 05:00 --except 4711 --dry-run', 'show what would change'], ['rewind replay --from before:install --except exe:npm', 'everything since, but not what npm did'], ['rewind replay --from yesterday --except family:4711', 'nor what a process and all that it started did']],
  },
  {
    name: 'op', positionals: '<ACTION>', describe: 'Operations: what rollbacks, undos and runs did to the tree as a whole',
    arguments: { ACTION: 'log: the newest first' },
    options: WHERE,
    examples: [['rewind op log', 'what `undo` and `redo` would take back']],
  },
  {
    name: 'run', positionals: '', command: true, describe: 'Run a command as a transaction: tells what it changed, takes all of it back on failure or later',
    arguments: {},
    options: ['undo-on-failure', 'wait', 'run-name', ...WHERE],
    examples: [['rewind run -- npm install', 'prints what changed, and how to take it back'], ['rewind run --undo-on-failure -- make install', 'all or nothing'], ['rewind run --undo-on-failure --wait -- ./start.sh', 'also what it leaves running, which is waited for'], ['rewind run --name upgrade -- ./upgrade.sh', 'later: rewind undo --session upgrade']],
  },
  {
    name: 'restore', positionals: '<PATH>', describe: 'Copy a file or directory of the past to another place',
    arguments: { PATH: 'What to copy' },
    options: ['at', 'into', 'group', 'force', ...WHERE], demand: ['at', 'into'],
    examples: [['rewind restore src --at yesterday --into /tmp/yesterday', 'the tree itself stays as it is']],
  },
  {
    name: 'export', positionals: '<WHAT> <DEST>', describe: 'Write the tree of an instant, or what changed between two, into one file that needs nothing else to be read',
    arguments: { WHAT: 'A TIME: all of the tree; TIME..TIME: what changed between the two', DEST: 'A file; - is standard output' },
    options: ['since-archive', 'group', 'over-archive', ...WHERE],
    examples: [
      ['rewind export now full.rwa', 'the tree as it is, while programs go on changing it'], ['rewind export now monday.rwa --since full.rwa', 'what changed since: to be read with the one before'],
      ['rewind export before-upgrade..now upgrade.rwa', 'the same of any two instants'], ['rewind export yesterday - | ssh host "cat > project.rwa"', 'as a stream'],
    ],
  },
  {
    name: 'import', positionals: '<ARCHIVE..>', describe: 'Make the tree that an archive holds as files in a new directory, whole or not at all',
    arguments: { ARCHIVE: 'A full archive, then those that go on from it, in order; - is standard input' },
    options: ['into-new'], demand: ['into-new'],
    examples: [['rewind import full.rwa --into ~/project', 'the tree that it was made of'], ['rewind import full.rwa monday.rwa tuesday.rwa --into ~/project', 'the tree of the last one'], ['rewind import - --into ~/project < project.rwa', 'from a stream']],
  },
  {
    name: 'fork', positionals: '<ACTION> [NAME] [PATH..]', command: true, describe: 'The past as a writable directory, at once and without copying; what was changed in it, brought back',
    arguments: { ACTION: 'A TIME makes a fork of that instant; or list, open, diff, keep, drop', NAME: 'Which fork, for all actions but list', PATH: 'For keep: only these' },
    options: ['name', 'upper', 'patch', 'dry-run', 'yes', 'over-newer', 'lazy', ...WHERE],
    examples: [['rewind fork 10m', 'prints the directory'], ['rewind fork "#4711" --name old -- make test', 'run a command in it; its exit code is passed on'], ['rewind fork diff old', 'what was changed in it'], ['rewind fork keep old src', 'bring that back into the tree'], ['rewind fork drop old', 'forget it']],
  },
  {
    name: 'bisect', positionals: '[ACTION]', command: true, describe: 'Find the first change after which a test fails; exit code 0 is good, 125 skip, any other bad',
    arguments: { ACTION: 'By hand, without a test: start, good, bad, skip, reset, status' },
    options: ['good', 'bad', 'path', 'read-only', ...WHERE],
    examples: [['rewind bisect --good yesterday -- make test', 'each test runs in a fork of its instant'], ['rewind bisect --good 2h --path src -- ./check.sh', 'only changes under src'], ['rewind bisect start --good 2h', 'by hand: look, then say good or bad']],
  },
  {
    name: 'gaps', positionals: '[PATH]', describe: 'What was not captured, and why',
    arguments: { PATH: 'Only what concerns this file or directory, or no place in particular' },
    options: ['since', 'until', ...WHERE],
    examples: [['rewind gaps', 'files that could not be read, what the policy leaves out, changes while unmounted'], ['rewind gaps src --since yesterday', 'of the files under src']],
  },
  {
    name: 'points', positionals: '', describe: 'The instants that have a name or a reason',
    arguments: {},
    options: ['state', 'since', 'until', 'group-points', ...WHERE],
    examples: [['rewind points', 'marks, mounts, installations, rollbacks ...'], ['rewind points --state install --since yesterday', 'what was installed, before and after'], ['rewind points --state shutdown --until 3d', 'the last of them is the time last-shutdown@3d']],
  },
  {
    name: 'mark', positionals: '<NAME>', describe: 'Name this instant',
    arguments: { NAME: 'Letters, digits and . _ - ; usable wherever a time is' },
    options: ['note', ...WHERE],
    examples: [['rewind mark before-upgrade', 'then: rewind rollback --to before-upgrade']],
  },
  {
    name: 'notify', positionals: '[FILE..]', describe: 'For programs and scripts: files are consistent now; put one back; a transaction over several begins and ends',
    arguments: { FILE: 'A file in the tree' },
    options: ['point-name', 'note', 'recover', 'recover-to', 'begin', 'only-family', 'commit', 'cancel', 'open-files', ...WHERE],
    examples: [
      ['rewind notify app.db app.db-wal', 'a point: `rewind points --state notify`, and the time last-notify'], ['rewind notify --recover app.db', 'the last good version is put back'], ['rewind notify --begin a.conf b.conf', 'prints an id'],
      ['rewind notify --commit 5f0c31aa9be7', 'it ends well'], ['rewind notify --cancel 5f0c31aa9be7', 'both files are as they were'],
    ],
  },
  {
    name: 'pin', positionals: '<TIME>', describe: 'Keep the point of an instant, whatever is forgotten',
    arguments: { TIME: 'The point: its name, #seq, last-install ...' },
    options: WHERE,
    examples: [['rewind pin before-upgrade', 'until it is unpinned']],
  },
  {
    name: 'unpin', positionals: '<TIME>', describe: 'Keep a point no longer than others',
    arguments: { TIME: 'The point: its name, #seq, last-install ...' },
    options: WHERE,
    examples: [['rewind unpin before-upgrade', 'it may be forgotten']],
  },
  {
    name: 'prune', positionals: '', describe: 'Give up what the policy no longer keeps: shows the files and versions, asks, and lets them wait in a trash first',
    arguments: {},
    options: ['take-back', 'at-once', 'dry-run', 'yes', ...WHERE],
    examples: [['rewind prune --dry-run', 'the files and versions that would go'], ['rewind prune --undo', 'take back what waits in the trash'], ['rewind prune --now', 'for good, at once']],
  },
  {
    name: 'purge', positionals: '<PATH>', describe: 'Take a file, or a directory with all that ever lay in it, out of all history: nothing of its content remains',
    arguments: { PATH: 'As it is or was; of a file that is still in the tree what it holds now stays' },
    options: ['everywhere', 'dry-run', 'yes', ...WHERE],
    examples: [['rewind purge .env --dry-run', 'what would be taken out'], ['rewind purge secrets.txt --everywhere', 'copies of it, too']],
  },
  {
    name: 'verify', positionals: '', describe: 'Is what the store holds whole, and as it was recorded? Every entry of history, what entries say of each other, every record of the journal; exit code 14 when something is wrong',
    arguments: {},
    options: ['deep', 'since-anchor', ...WHERE],
    examples: [['rewind verify', 'of the tree that holds the working directory, mounted or not'], ['rewind verify --deep --store /backup/store', 'of a copy, all of its content too'], ['rewind verify --deep --since-anchor "$(cat /mnt/usb/anchor)"', 'was the past changed since then?']],
  },
  {
    name: 'anchor', positionals: '', describe: 'Print a line that stands for all of history up to now: kept elsewhere, it shows later whether the past was tampered with',
    arguments: {},
    options: WHERE,
    examples: [['rewind anchor >> /mnt/usb/anchors', 'where nobody who can write the store can write'], ['rewind anchor --store /backup/store', 'of a store that is not mounted']],
  },
  {
    name: 'repair', positionals: '', describe: 'Save what can be saved of a damaged store that is not in use: into a new database, the old one is kept; exit code 3 when something is lost',
    arguments: {},
    options: ['from-copy', 'dry-run', ...WHERE],
    examples: [['rewind repair --dry-run', 'what is damaged, what can be made anew, and which versions of which files are lost'], ['rewind repair --store /backup/store', 'of a store whose tree is elsewhere'], ['rewind repair --from /backup/store', 'what is lost is taken from a copy of the store, or from the live tree']],
  },
  {
    name: 'watch', positionals: '', describe: 'Print changes and alarms as they happen, one JSON object a line',
    arguments: {},
    options: WHERE,
    examples: [['rewind watch | jq -r .path', 'the paths being changed']],
  },
  {
    name: 'release', positionals: '[PID]', describe: 'Let a writer change the tree again that a trip wire has blocked',
    arguments: { PID: 'As `rewind status` names it, or all; needed only when there are several' },
    options: WHERE,
    examples: [['rewind release', 'the only one that is blocked'], ['rewind release 4711', 'this one'], ['rewind release all', 'all of them']],
  },
  {
    name: 'policy', positionals: '<ACTION> [WHAT..]', describe: 'What is captured how, and who puts damaged files back: show and check the rules, change them; what was put back',
    arguments: {
      ACTION: 'show, check (the file; with a path: which rule decides for it), status (files that were put back), edit ($EDITOR), set, pause, resume, remove (one rule, point, group or installer)',
      WHAT: 'For check paths, where one that ends with / is a directory; for set, pause, resume and remove the pattern of a rule, the name of a point or group, or an installer\'s program; for set then KEY=VALUE',
    },
    options: WHERE,
    examples: [['rewind policy show', 'the rules in force, and who says so'], ['rewind policy check build/app.o', 'which rule decides for a path'], ['rewind policy check', 'is policy.toml right? exit code 2 when not'], ['rewind policy edit', 'a wrong file is never saved'], ["rewind policy set '*.db' recover=automatic retries=5", 'changes that rule, or makes it'], ["rewind policy pause '*.db'", 'until rewind policy resume'], ['rewind policy status', 'files that were put back, and those that could not be']],
  },
  {
    name: 'view', positionals: '<STORE> <MOUNTPOINT>', describe: 'Show the past of a store, or what an archive holds, as a read-only directory, with no tree',
    arguments: { STORE: 'A store whose tree is not mounted, or an archive', MOUNTPOINT: 'An empty directory' },
    options: ['increment', 'foreground'],
    examples: [['rewind view /backup/store /mnt/past', 'then: ls /mnt/past/@yesterday/'], ['rewind view full.rwa /mnt/past --increment monday.rwa', 'both instants; only what is read is loaded']],
  },
];

/** The flag as a user types it, without the dashes. */
export function flagOf(name: string): string {
  return OPTIONS[name]?.flag ?? name;
}
