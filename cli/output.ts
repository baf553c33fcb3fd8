/**
 * How commands speak: data on stdout; progress, remarks and questions on stderr and only on a terminal. Nothing that
 * comes from a file name reaches a terminal unescaped (the names are escaped where they are decoded).
 */
import { createInterface } from 'node:readline/promises';
import { RewindError } from '../lib/errors.js';
import { safeForTerminal } from '../lib/paths.js';
import type { WriterRow } from '../lib/daemon/protocol.js';
import { Pager, pagerCommand } from './pager.js';

export const COLOURS = ['auto', 'always', 'never'] as const;

/** What the command line and the command itself say of the way to show things. */
export interface Manners {
  json: boolean;
  /** auto: on a terminal, unless NO_COLOR is set. */
  color?: (typeof COLOURS)[number];
  /** Long answers on a terminal go through a pager. */
  paged?: boolean;
}

type Style = 'dim' | 'red' | 'green' | 'yellow' | 'bold' | 'cyan' | 'magenta';
const CODES: Record<Style, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36 };

/** One command's streams and manners. */
export class Output {
  readonly json: boolean;
  private pager: Pager | null = null;
  private paged: boolean;

  constructor(
    private readonly manners: Manners,
    private readonly out: NodeJS.WriteStream = process.stdout,
    private readonly err: NodeJS.WriteStream = process.stderr,
  ) {
    this.json = manners.json;
    this.paged = manners.paged === true && this.terminal;
  }

  /** The same, with data on stderr: stdout belongs to somebody else. */
  onStderr(): Output {
    return new Output({ ...this.manners, paged: false }, this.err, this.err);
  }

  /** Data go to a terminal: nothing may steer it. */
  get terminal(): boolean {
    return Boolean(this.out.isTTY) && !this.json;
  }

  get colour(): boolean {
    if (this.json) return false;
    const { color = 'auto' } = this.manners;
    return color === 'always' || (color === 'auto' && this.terminal && !process.env['NO_COLOR']);
  }

  /** A line of data. */
  async line(text: string): Promise<void> {
    await this.bytes(text + '\n');
  }

  /** One JSON object on a line. */
  async object(value: unknown): Promise<void> {
    await this.bytes(JSON.stringify(value) + '\n');
  }

  /** Data as it is; waits while the reader is slower than we are. */
  async bytes(data: string | Uint8Array): Promise<void> {
    if (this.paged) this.startPager();
    const to = this.pager?.input ?? this.out;
    if (to.write(data)) return;
    await new Promise<void>((resolve) => to.once('drain', resolve));
  }

  /** With the first data: questions and errors that come before it are not the pager's. */
  private startPager(): void {
    this.paged = false;
    const command = pagerCommand(process.env);
    if (command === null) return;
    this.pager = Pager.start(command);
    if (!this.pager) this.remark(`The pager ${command} cannot be found; set PAGER, or say --no-pager.`);
  }

  /** All data are written, and seen where there is a pager. To be called once, at the end. */
  async end(): Promise<void> {
    await this.pager?.ended();
    this.pager = null;
  }

  /** A remark for people: on stderr, and not with --json. */
  remark(text: string): void {
    if (!this.json) this.err.write(text + '\n');
  }

  /** Progress, overwritten in place; only on a terminal. */
  progress(text: string): void {
    if (this.err.isTTY && !this.json) this.err.write(`\r\x1b[K${text}`);
  }

  endProgress(): void {
    this.progress('');
  }

  /** Asks; no terminal and no answer both mean No. */
  async confirm(question: string): Promise<boolean> {
    if (!process.stdin.isTTY || !this.err.isTTY) {
      throw new RewindError('ERR_REFUSED', `${question} cannot be asked: there is no terminal`, 'Answer beforehand with --yes.');
    }
    const prompt = createInterface({ input: process.stdin, output: this.err });
    try {
      return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim());
    } finally {
      prompt.close();
    }
  }

  paint(style: Style, text: string): string {
    return this.colour ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
  }
}

/** Bytes as people read them: 4.0 KiB. */
export function showBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) { value /= 1024; unit++; }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[unit]}`;
}

/** A line of a file with its line feed: exact in a pipe, harmless on a terminal. */
export function contentLine(row: { text?: string; text_base64?: string }, out: Output): Buffer {
  const bytes = row.text_base64 === undefined ? Buffer.from(row.text ?? '') : Buffer.from(row.text_base64, 'base64');
  if (!out.terminal) return Buffer.concat([bytes, Buffer.from('\n')]);
  return Buffer.from(`${bytes.toString('utf8').split('\t').map(safeForTerminal).join('\t')}\n`);
}

/** Program and pid; `?` marks who is not known for certain. */
export function showWriter(writer: WriterRow | null, uncertain = false): string {
  if (!writer) return '-';
  const program = (writer.exe || writer.argv[0] || '').split('/').at(-1) ?? '';
  return `${program}[${writer.pid}]${uncertain ? '?' : ''}`;
}

/** An instant in the zone of the terminal, to the millisecond: what the listing columns show. */
export function showTime(rfc3339: string): string {
  const date = new Date(rfc3339);
  const part = (value: number, width = 2) => String(value).padStart(width, '0');
  return `${date.getFullYear()}-${part(date.getMonth() + 1)}-${part(date.getDate())} ` +
    `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}.${part(date.getMilliseconds(), 3)}`;
}
