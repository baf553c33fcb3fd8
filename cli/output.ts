/**
 * How commands speak: data on stdout; progress, remarks and questions on stderr and only on a terminal. Nothing that
 * comes from a file name reaches a terminal unescaped (the names are escaped where they are decoded).
 */
import { createInterface } from 'node:readline/promises';
import { RewindError } from '../lib/errors.js';

/** One command's streams and manners. */
export class Output {
  constructor(
    readonly json: boolean,
    private readonly out: NodeJS.WriteStream = process.stdout,
    private readonly err: NodeJS.WriteStream = process.stderr,
  ) {}

  /** Data go to a terminal: nothing may steer it. */
  get terminal(): boolean {
    return Boolean(this.out.isTTY) && !this.json;
  }

  get colour(): boolean {
    return this.terminal && !process.env['NO_COLOR'];
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
    if (this.out.write(data)) return;
    await new Promise<void>((resolve) => this.out.once('drain', resolve));
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

  paint(style: 'dim' | 'red' | 'green' | 'yellow' | 'bold', text: string): string {
    if (!this.colour) return text;
    const code = { dim: 2, red: 31, green: 32, yellow: 33, bold: 1 }[style];
    return `\x1b[${code}m${text}\x1b[0m`;
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

/** An instant in the zone of the terminal, to the millisecond: what the listing columns show. */
export function showTime(rfc3339: string): string {
  const date = new Date(rfc3339);
  const part = (value: number, width = 2) => String(value).padStart(width, '0');
  return `${date.getFullYear()}-${part(date.getMonth() + 1)}-${part(date.getDate())} ` +
    `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}.${part(date.getMilliseconds(), 3)}`;
}
