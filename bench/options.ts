/** The options of `npm run bench`, and its help, from one table. */
import { parseArgs } from 'node:util';

const OPTIONS = {
  quick: { type: 'boolean', help: 'Small sizes, one round: does everything work? Not for figures worth quoting' },
  rounds: { type: 'string', value: 'N', help: 'Rounds in which the subjects take turns (3; 1 with --quick)' },
  where: { type: 'string', value: 'memory|disk', help: 'Only on tmpfs, or only on disk' },
  only: { type: 'string', multiple: true, value: 'SUBJECT', help: 'Only this subject; may be repeated' },
  rows: { type: 'string', multiple: true, value: 'TEXT', help: 'Only workloads with a row (or name) that contains this; may be repeated' },
  peer: { type: 'string', multiple: true, value: "'NAME=CMD'", help: 'One more subject: CMD SRC MNT mounts SRC at MNT. The bars know passthrough_hp and "passthrough_hp, io_uring"' },
  json: { type: 'string', value: 'FILE', help: 'Write figures, counts and machine; after each workload, so that a run that ends early is not lost' },
  from: { type: 'string', multiple: true, value: 'FILE', help: 'Measure nothing: join the figures of these files, a later one replaces what an earlier one has; may be repeated' },
  'write-docs': { type: 'boolean', help: 'Write bench/performance.json and, from it, docs/performance.md' },
  help: { type: 'boolean', help: 'Say this' },
} as const;

export interface Options {
  quick?: boolean;
  rounds?: string;
  where?: string;
  only?: string[];
  rows?: string[];
  peer?: string[];
  json?: string;
  from?: string[];
  'write-docs'?: boolean;
  help?: boolean;
}

/** @throws TypeError when an option is unknown or of the wrong form */
export function parse(args: string[]): Options {
  const { values } = parseArgs({ args, options: OPTIONS, strict: true });
  if (values.where !== undefined && values.where !== 'memory' && values.where !== 'disk') throw new TypeError('--where: memory or disk was expected');
  if (values.rounds !== undefined && !/^[1-9]\d*$/.test(values.rounds)) throw new TypeError('--rounds: a number was expected');
  return values as Options;
}

export function help(subjects: readonly string[], workloads: readonly { name: string; rows: readonly { name: string }[] }[]): string {
  const options = Object.entries(OPTIONS).map(([name, option]) => `  ${`--${name}${'value' in option ? ` ${option.value}` : ''}`.padEnd(22)} ${option.help}`);
  return `npm run bench -- [options]

Measures rewindfs against the directory itself and pass-through file systems, in one run.

${options.join('\n')}

Subjects: ${subjects.join('; ')}
Workloads and their rows:
${workloads.map(({ name, rows }) => `  ${name}: ${rows.map((row) => row.name).join('; ')}`).join('\n')}
`;
}
