/** Where in a TOML text its keys stand, for messages. */

/** Ends the reading of a file: what is wrong with this line. */
export type Fail = (line: number, reason: string) => never;

/** Finds the lines of keys in a text that is valid TOML: the parser tells places of errors only. */
export class Lines {
  private readonly lines: string[];

  constructor(text: string) {
    this.lines = text.split('\n');
  }

  /** The line of a key at the top level; 1 when it cannot be told. */
  ofKey(key: string): number {
    return this.find(key, 0, this.lines.length) ?? 1;
  }

  /** The line of a key of the i-th [[table]], else that of the table. */
  ofTable(table: string, index: number, key: string): number {
    const begin = this.header(table, index);
    return begin === undefined ? this.ofKey(table) : this.find(key, begin + 1, this.next(begin)) ?? begin + 1;
  }

  /** The line of a key of [table], else that of the table. */
  inTable(table: string, key: string): number {
    const header = new RegExp(`^\\s*\\[\\s*["']?${table}["']?\\s*\\]`);
    const begin = this.lines.findIndex((line) => header.test(line));
    return begin < 0 ? this.ofKey(table) : this.find(key, begin + 1, this.next(begin)) ?? begin + 1;
  }

  /** The lines of the i-th [[table]], counted from 0: from its header to behind its last key. Empty when it cannot be told. */
  spanOf(table: string, index: number): { begin: number; end: number } {
    const begin = this.header(table, index);
    if (begin === undefined) return { begin: 0, end: 0 };
    let end = this.next(begin);
    while (end > begin + 1 && /^\s*(#.*)?$/.test(this.lines[end - 1]!)) end--;
    return { begin, end };
  }

  private header(table: string, index: number): number | undefined {
    const header = new RegExp(`^\\s*\\[\\[\\s*["']?${table}["']?\\s*\\]\\]`);
    return this.lines.flatMap((line, i) => (header.test(line) ? [i] : []))[index];
  }

  /** Where the next table begins. */
  private next(begin: number): number {
    const end = this.lines.findIndex((line, i) => i > begin && /^\s*\[/.test(line));
    return end < 0 ? this.lines.length : end;
  }

  private find(key: string, from: number, to: number): number | null {
    const pattern = new RegExp(`^\\s*(\\[\\[?\\s*)?["']?${key.replace(/[^\w-]/g, '\\$&')}["']?\\s*[\\].=]`);
    for (let i = from; key !== '' && i < to; i++) if (pattern.test(this.lines[i]!)) return i + 1;
    return null;
  }
}
