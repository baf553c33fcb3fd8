/** The option table as Markdown: the reference in docs/cli.md and the table in README.md. `npm run docs` writes them. */
import { COMMANDS, COMMON_OPTIONS, flagOf, OPTIONS, type CommandSpec, type OptionSpec } from './options.js';

/** Everything between two of these lines is written by `npm run docs`. */
export const BEGIN = '<!-- from the table in the sources: npm run docs -->';
export const END = '<!-- end -->';

const signature = ({ name, positionals, command }: CommandSpec): string => `rewind ${name} ${positionals}`.trim() + (command ? ' [-- CMD]' : '');

/** One row a command, for README.md. */
export function commandTable(): string {
  const rows = COMMANDS.map((spec) => `| \`${signature(spec)}\` | ${spec.describe} |`);
  return ['| command | what it does |', '|---|---|', ...rows].join('\n');
}

function optionRow(flag: string, option: OptionSpec, needed: boolean): string {
  const name = `${option.alias ? `-${option.alias}, ` : ''}--${flag}${option.value ? ` ${option.value}` : ''}`;
  return `| \`${name}\` | ${option.describe}${needed ? ' (needed)' : ''} |`;
}

/** A section for each command, for docs/cli.md. */
export function reference(): string {
  const sections = COMMANDS.map((spec) => {
    const positionals = Object.entries(spec.arguments).map(([name, describe]) => `| \`${name}\` | ${describe} |`);
    const options = spec.options.map((name) => optionRow(flagOf(name), OPTIONS[name]!, spec.demand?.includes(name) ?? false));
    const common = Object.entries(COMMON_OPTIONS).map(([name, option]) => optionRow(name, option, false));
    const examples = spec.examples.map(([command, what]) => `${command}   # ${what}`);
    return [`### ${signature(spec)}`, '', `${spec.describe}.`, '', '| | |', '|---|---|', ...positionals, ...options, ...common, '', '```sh', ...examples, '```'].join('\n');
  });
  return sections.join('\n\n');
}

/** `document` with what lies between the marks replaced. */
export function withGenerated(document: string, generated: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`The document has no ${BEGIN} ... ${END}`);
  return `${document.slice(0, begin + BEGIN.length)}\n${generated}\n${document.slice(end)}`;
}
