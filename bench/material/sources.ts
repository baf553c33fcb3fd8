/** Text as in source files: seeded, of the sizes that source files have. */
import fs from 'node:fs';
import path from 'node:path';
import { Random } from '../../test/helpers/random.js';
import { must } from '../../test/helpers/run.js';

/** 300 bytes to 40 KiB, most of them small: 5 KiB on average. */
export function sourceText(random: Random): string {
  const size = Math.floor(300 * 2 ** ((random.below(1000) / 1000) * 7));
  const lines: string[] = [];
  for (let bytes = 0; bytes < size;) {
    const line = `static int value_${random.below(1e6)} = ${random.below(1e9)}; /* a line as sources have them */`;
    lines.push(line);
    bytes += line.length + 1;
  }
  return `${lines.join('\n')}\n`;
}

/** An archive of so many files, ten in a directory, and about as many as a tenth of that in directories. */
export async function sourceArchive(directory: string, files: number): Promise<{ file: string; files: number }> {
  const random = new Random(1);
  const tree = path.join(directory, 'source');
  for (let d = 0; d < files / 10; d++) {
    const inner = path.join(tree, `part${d % 40}`, `dir${d}`);
    fs.mkdirSync(inner, { recursive: true });
    for (let f = 0; f < 10; f++) fs.writeFileSync(path.join(inner, `file${f}.c`), sourceText(random));
  }
  const file = path.join(directory, 'source.tar');
  await must('tar', ['-cf', file, '-C', directory, 'source']);
  await must('rm', ['-rf', tree]);
  return { file, files };
}
