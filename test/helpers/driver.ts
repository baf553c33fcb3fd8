/** Speaks to build/driver (test/native): system calls by name, their results and errnos as text. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import path from 'node:path';
import { projectRoot } from './run.js';

/** An argument: text, a number, or bytes (a name that is not UTF-8). */
export type Argument = string | number | bigint | Buffer;

export interface Reply {
  /** Empty when the call succeeded, else the errno's name. */
  error: string;
  text: string;
}

const plain = /^[A-Za-z0-9_./,:=+@#-]+$/;

/** Bytes in the driver's notation. */
export function escapeToken(argument: Argument): string {
  const text = typeof argument === 'string' ? argument : Buffer.isBuffer(argument) ? null : String(argument);
  if (text !== null && plain.test(text)) return text;
  const bytes = text === null ? (argument as Buffer) : Buffer.from(text);
  if (bytes.length === 0) return '%';
  let out = '';
  for (const byte of bytes) {
    const char = String.fromCharCode(byte);
    out += plain.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return out;
}

/** The reverse of escapeToken. */
export function unescapeToken(token: string): Buffer {
  if (token === '%') return Buffer.alloc(0);
  return Buffer.from(token.replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))), 'latin1');
}

/** One process that makes system calls; calls are answered in order. */
export class Driver {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void; line: string; timer: NodeJS.Timeout }[] = [];
  private rest: string[] = [];
  private ended: Error | null = null;

  constructor(private readonly timeoutMs = 60_000) {
    this.child = spawn(path.join(projectRoot, 'build/driver'), [], { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/' });
    this.child.stdout.setEncoding('latin1');
    this.child.stdout.on('data', (chunk: string) => this.receive(chunk));
    this.child.stdin.on('error', () => undefined);
    this.child.stderr.resume();
    this.child.on('exit', (code, signal) => this.fail(new Error(`the driver ended: ${code ?? signal}`)));
    this.child.on('error', (error) => this.fail(error));
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Executes one call and resolves to what it answered, error or not. */
  call(op: string, ...args: Argument[]): Promise<Reply> {
    const line = [op, ...args.map(escapeToken)].join(' ');
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.fail(new Error(`${line.slice(0, 200)}: no answer after ${this.timeoutMs} ms`));
        this.child.kill('SIGKILL');
      }, this.timeoutMs);
      this.waiting.push({ resolve, reject, line, timer });
      this.child.stdin.write(`${line}\n`);
    });
  }

  /** Executes a call that must succeed; resolves to its values. */
  async ok(op: string, ...args: Argument[]): Promise<string> {
    const reply = await this.call(op, ...args);
    if (reply.error) throw new Error(`${[op, ...args.map(escapeToken)].join(' ').slice(0, 200)}: ${reply.error}`);
    return reply.text;
  }

  /** Ends the process and with it every descriptor and mapping. */
  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);
    clearTimeout(timer);
  }

  private receive(chunk: string): void {
    let from = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      this.rest.push(chunk.slice(from, end));
      const line = this.rest.join('');
      this.rest = [];
      from = end + 1;
      const head = this.waiting.shift();
      if (!head) continue;
      clearTimeout(head.timer);
      if (line.startsWith('err ')) head.resolve({ error: line.slice(4), text: '' });
      else head.resolve({ error: '', text: line.slice(3) });
    }
    if (from < chunk.length) this.rest.push(chunk.slice(from));
  }

  private fail(error: Error): void {
    this.ended ??= error;
    for (const one of this.waiting.splice(0)) {
      clearTimeout(one.timer);
      one.reject(new Error(`${one.line.slice(0, 200)}: ${error.message}`));
    }
  }
}
