/** What a line must match, and the search of one piece of content. Pure; runs in a thread of its own (worker.ts). */
import { RewindError } from '../../errors.js';

/** What is searched for. */
export interface GrepPattern {
  pattern: string;
  /** Upper and lower case are the same. */
  ignoreCase?: boolean;
  /** The pattern is text, no regular expression. */
  fixed?: boolean;
}

/** A line that matches, in bytes of the piece. */
export interface Hit {
  /** From 0, within the piece. */
  line: number;
  start: number;
  /** Without the line feed. */
  end: number;
}

/** What of a piece matches; of a binary one at most one hit, without its place. */
export interface PieceHits {
  hits: Hit[];
  /** Line feeds in the piece. */
  lines: number;
}

const LF = 10;

/** @throws ERR_USAGE */
export function compilePattern({ pattern, ignoreCase, fixed }: GrepPattern, flags = ''): RegExp {
  if (pattern === '') throw new RewindError('ERR_USAGE', 'The pattern is empty', 'Say what a line must hold.');
  if (pattern.includes('\n')) throw new RewindError('ERR_USAGE', 'The pattern has a line feed: lines are searched one by one', 'Search for one of its lines.');
  try {
    return new RegExp(fixed ? pattern.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') : pattern, `${flags}${ignoreCase ? 'i' : ''}`);
  } catch (cause) {
    throw new RewindError('ERR_USAGE', `The pattern is no regular expression: ${(cause as Error).message.replace(/^Invalid regular expression: /, '')}`, 'Search for it as it is with -F; the syntax is that of JavaScript.', { cause });
  }
}

/** Searches pieces for one pattern. */
export class PieceSearch {
  private readonly byLine: RegExp;
  /** Tells cheaply that no line can match; null where what stands around a line could decide. */
  private readonly whole: RegExp | null;
  private readonly bytes: Buffer | null;

  constructor(pattern: GrepPattern) {
    this.byLine = compilePattern(pattern);
    this.whole = /\(\?[=!<]|\[\^\]/.test(pattern.pattern) && !pattern.fixed ? null : compilePattern(pattern, 'm');
    this.bytes = pattern.fixed && !pattern.ignoreCase ? Buffer.from(pattern.pattern) : null;
  }

  search(piece: Buffer, binary: boolean): PieceHits {
    const hits: Hit[] = [];
    let line = 0;
    const possible = this.bytes ? piece.includes(this.bytes) : this.whole === null || this.whole.test(piece.toString('utf8'));
    for (let start = 0; start < piece.length; line++) {
      const feed = piece.indexOf(LF, start);
      const end = feed < 0 ? piece.length : feed;
      if (possible && this.matches(piece, start, end)) {
        hits.push({ line, start, end });
        if (binary) break;
      }
      if (feed < 0) break;
      start = end + 1;
    }
    return { hits, lines: line };
  }

  private matches(piece: Buffer, start: number, end: number): boolean {
    if (this.bytes) return piece.subarray(start, end).includes(this.bytes);
    return this.byLine.test(piece.toString('utf8', start, end));
  }
}
