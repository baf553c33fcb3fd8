/**
 * A repository of realistic size: thousands of files, twenty revisions. From the first to the last, half of the files
 * change, a sixth goes, a sixth comes, and whole directories move.
 */
import path from 'node:path';
import { Random } from '../../test/helpers/random.js';
import { must } from '../../test/helpers/run.js';
import { sourceText } from './sources.js';

const REVISIONS = 20;

const fileName = (i: number): string => `src/part${i % 37}/module${i % 409}/file${i}.ts`;

const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;

/** Git's environment: nothing of the user's settings. */
export const GIT_ENV = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };

/** A bare repository with the tags `old` and `new`. */
export async function gitRepository(directory: string, files: number): Promise<string> {
  const random = new Random(2);
  const repository = path.join(directory, 'repository.git');
  const stream: string[] = [];
  const commit = (revision: number, change: () => void): void => {
    stream.push(`commit refs/heads/main\ncommitter A <a@example.org> ${1_700_000_000 + revision * 3600} +0000\n${data(`Revision ${revision}`)}`);
    change();
    stream.push('\n');
  };
  const write = (i: number): void => void stream.push(`M 100644 inline ${fileName(i)}\n${data(sourceText(random))}`);
  commit(0, () => {
    for (let i = 0; i < files; i++) write(i);
  });
  stream.push('tag old\nfrom refs/heads/main\ntagger A <a@example.org> 1700000000 +0000\ndata 0\n\n');
  for (let revision = 1; revision < REVISIONS; revision++) {
    commit(revision, () => {
      for (let i = revision; i < files; i += REVISIONS) {
        if (i % 3 > 0) write(i);
        else if (i % 2 > 0) stream.push(`D ${fileName(i)}\n`);
        else write(files + i);
      }
      stream.push(`R src/part${revision} lib/part${revision}\n`);
    });
  }
  stream.push('tag new\nfrom refs/heads/main\ntagger A <a@example.org> 1700100000 +0000\ndata 0\n\n');
  await must('git', ['init', '-q', '--bare', '-b', 'main', repository], { env: GIT_ENV });
  await must('git', ['-C', repository, 'fast-import', '--quiet'], { env: GIT_ENV, input: stream.join(''), timeoutMs: 300_000 });
  return repository;
}
