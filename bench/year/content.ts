/** What the simulated files hold: text that is edited line by line, objects that resemble what they were before, pages of a database. */
import type { Random } from '../../test/helpers/random.js';

const WORDS = 'const return export function import from the of value state record if else for await new this length buffer offset size number string error throw null true false read write open close name path node seq time map set get push async yield type interface class private readonly static number boolean void'.split(' ');

const LEAST_BYTES = 1 << 10;
/** 1 KiB to 100 KiB, as many small ones as large ones on a logarithmic scale. */
export const sourceSize = (random: Random): number => Math.round(LEAST_BYTES * 100 ** (random.below(1000) / 1000));

function line(random: Random): string {
  const words = Array.from({ length: random.between(3, 11) }, () => (random.chance(0.15) ? `v${random.below(5000)}` : random.pick(WORDS)));
  return `${' '.repeat(2 * random.below(4))}${words.join(' ')};\n`;
}

export function sourceText(random: Random, bytes: number): Buffer {
  const lines: string[] = [];
  for (let length = 0; length < bytes; length += lines.at(-1)!.length) lines.push(line(random));
  return Buffer.from(lines.join(''), 'latin1');
}

/** Up to four lines changed, inserted or taken out; about as long as before in the long run. */
export function edited(text: Buffer, random: Random): Buffer {
  let now = text;
  for (let i = random.between(1, 4); i > 0; i--) {
    const at = now.indexOf(10, random.below(now.length)) + 1;
    const end = now.indexOf(10, at) + 1;
    const chance = random.below(100);
    const takes = chance < 70 || now.length > text.length;
    const gives = chance < 85 || now.length < LEAST_BYTES;
    now = Buffer.concat([now.subarray(0, at), Buffer.from(gives ? line(random) : '', 'latin1'), now.subarray(takes ? Math.max(at, end) : at)]);
  }
  return now;
}

const CHUNK = 64;

/** Machine code is neither text nor noise: chunks of few kinds. */
export function objectCode(random: Random, bytes: number): Buffer {
  const code = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 4) code.writeUInt8(random.below(24) * 7, at);
  return code;
}

/** The same compiled again: some of it other than before. */
export function recompiled(code: Buffer, random: Random): Buffer {
  const now = Buffer.from(code);
  for (let left = Math.ceil(code.length / (40 * CHUNK)); left > 0; left--) noise(now, random.below(Math.max(1, now.length - CHUNK)), CHUNK, random);
  return now;
}

export const PAGE = 4096;

/** A page of a table in which one row has become another. */
export function updated(page: Buffer, random: Random): Buffer {
  const now = Buffer.from(page);
  now.writeUInt32LE(random.next(), 24);
  noise(now, 100 + 200 * random.below(18), 120, random);
  return now;
}

function noise(bytes: Buffer, from: number, length: number, random: Random): void {
  const to = Math.min(bytes.length - 4, from + length);
  for (let at = from; at < to; at += 4) bytes.writeUInt32LE(random.next(), at);
}

export const logLine = (random: Random, timeNs: bigint): Buffer => Buffer.from(
  `${new Date(Number(timeNs / 1_000_000n)).toISOString()} INFO worker-${random.below(16)} request id=${random.next().toString(16)} path=/api/items/${random.below(1e5)} ms=${random.below(900)}\n`,
);
