#!/usr/bin/env node
/**
 * `rewind`: parses the command line by the option table, loads the one command that was called, and ends with its
 * exit code. An error is one line and a hint on stderr; with --json one object of type exit_error.
 */
import type { Argv } from 'yargs';
import { RewindError } from '../lib/errors.js';
import { safeForTerminal } from '../lib/paths.js';
import { typedWords } from '../lib/store/typed.js';
import { flag, text, type Arguments, type Command } from './command.js';
import { EXIT_INTERRUPTED, EXIT_OK, exitCode } from './exit.js';
import { COMMANDS, COMMON_OPTIONS, flagOf, OPTIONS, type CommandSpec, type OptionSpec } from './options.js';
import { Output, type Manners } from './output.js';
import { packageVersion } from './version.js';
import { parserOf } from './yargs.js';

/** A lone dash, which the parser takes for an option without a name. */
const DASH = '\0-';

async function main(words: string[]): Promise<number> {
  const { argv: typed, program } = programOf(words);
  const argv = typed.map((word) => (word === '-' ? DASH : word));
  const json = argv.includes('--json');
  // A reader that has seen enough (head) ends us quietly.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT_OK : 1));
  // What nobody can be told ends nothing, and changes no exit code.
  process.stderr.on('error', () => undefined);
  try {
    let code = EXIT_OK;
    let parser = parserOf(argv).scriptName('rewind').usage('$0 <command>: every change in a directory is kept, any past instant can be seen and had back')
      .exitProcess(false).strict().recommendCommands().demandCommand(1, 'Name a command.')
      .version(await packageVersion()).help().alias('help', 'h').wrap(Math.min(110, process.stdout.columns ?? 100))
      .parserConfiguration({ 'parse-positional-numbers': false, 'dot-notation': false, 'boolean-negation': false })
      .epilogue('Times: now, 10:05, "yesterday 17:00", 10m, "2h ago", 2026-11-21T10:05:00Z, #12345 (change number), a point\'s name.')
      .fail((message: string | null, error: Error | undefined) => {
        throw error ?? new RewindError('ERR_USAGE', message === null ? 'The command line cannot be understood' : quoted(message.replaceAll(DASH, '-'), typed), 'See rewind --help.');
      });
    for (const spec of COMMANDS) {
      parser = parser.command(`${spec.name} ${spec.positionals}`.trim(), spec.describe, (sub) => describeCommand(sub, spec), async (args) => {
        const { run } = await import(`./commands/${spec.name}.js`) as Command;
        code = await speak(run, { ...dashed(spec, lastOfEach(spec, args as unknown as Arguments)), '--': program }, spec, json);
      });
    }
    await parser.parseAsync();
    return code;
  } catch (error) {
    return report(error, json);
  }
}

async function speak(run: Command['run'], args: Arguments, spec: CommandSpec, json: boolean): Promise<number> {
  const paged = spec.options.includes('no-pager') && !flag(args, 'no-pager');
  const out = new Output({ json, paged, color: text(args, 'color') as Manners['color'] });
  try {
    return await run(args, out) ?? EXIT_OK;
  } finally {
    await out.end();
  }
}

/** A command that runs another takes all that stands after `--` as it is; for the others these words are arguments like any. */
function programOf(words: string[]): { argv: string[]; program?: string[] } {
  const dashes = words.indexOf('--');
  if (dashes < 0 || !COMMANDS.some(({ name, command }) => command && name === words[0])) return { argv: words };
  return { argv: words.slice(0, dashes), program: words.slice(dashes + 1) };
}

/** An option that is given twice counts as given last. (The parser's own way to say so would keep but the last of several paths, too.) */
function lastOfEach(spec: CommandSpec, args: Arguments): Arguments {
  const flags = [...spec.options.filter((name) => !OPTIONS[name]!.many).map(flagOf), ...Object.keys(COMMON_OPTIONS)];
  return { ...args, ...Object.fromEntries(flags.flatMap((name) => (Array.isArray(args[name]) ? [[name, args[name].at(-1)]] : []))) };
}

/** Positionals with their dashes. */
function dashed(spec: CommandSpec, args: Arguments): Arguments {
  const dash = <T>(value: T): T | '-' => (value === DASH ? '-' : value);
  return { ...args, ...Object.fromEntries(Object.keys(spec.arguments).map((name) => [name, Array.isArray(args[name]) ? args[name].map(dash) : dash(args[name])])) };
}

function describeCommand(sub: Argv, spec: CommandSpec): Argv {
  for (const [name, describe] of Object.entries(spec.arguments)) sub.positional(name, { type: 'string', describe });
  for (const name of spec.options) addOption(sub, flagOf(name), OPTIONS[name]!, spec.demand?.includes(name) ?? false);
  for (const [name, option] of Object.entries(COMMON_OPTIONS)) addOption(sub, name, option, false);
  for (const [command, what] of spec.examples) sub.example(command, what);
  return sub;
}

function addOption(sub: Argv, flag: string, option: OptionSpec, demandOption: boolean): void {
  sub.option(flag, {
    type: option.type, demandOption, requiresArg: option.type !== 'boolean',
    describe: option.value ? `${option.describe} [${option.value}]` : option.describe,
    ...option.alias && { alias: option.alias }, ...option.choices && { choices: option.choices },
  });
}

/** A message of the parser, in which words that were typed are fit for a terminal. */
function quoted(message: string, typed: readonly string[]): string {
  return typed.map((word) => word.replace(/^-+/, '')).filter((word) => word !== safeForTerminal(word)).reduce((text, word) => text.replaceAll(word, safeForTerminal(word)), message);
}

/** Whatever a message quotes, its lines cannot steer a terminal. */
const safeLines = (text: string): string => text.split('\n').map(safeForTerminal).join('\n');

function report(error: unknown, json: boolean): number {
  const code = exitCode(error);
  const known = error instanceof RewindError;
  const message = safeLines(error instanceof Error ? error.message : String(error));
  const hint = known ? safeLines(error.hint) : '';
  if (json) {
    process.stderr.write(JSON.stringify({ message_type: 'exit_error', code, ...known && { error: error.code, hint }, message }) + '\n');
  } else {
    process.stderr.write(`rewind: ${message}${known ? ` (${error.code})` : ''}\n`);
    if (hint !== '') process.stderr.write(`  ${hint}\n`);
    if (!known && error instanceof Error && process.env['REWIND_DEBUG']) process.stderr.write(`${error.stack}\n`);
  }
  return code;
}

process.once('SIGINT', () => process.exit(EXIT_INTERRUPTED));
process.exitCode = await main(typedWords());
