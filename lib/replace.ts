/** Small files that are replaced whole: who reads one sees what it was or what it is, after a power cut too, and never a part of it. */
import { open, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Where the new one is written. A kill can leave it there; the next replacement writes over it. */
export const asideOf = (file: string): string => `${file}.new`;

/** Replaces a file, or makes it; only its owner can read it. A power cut can still bring the old one back. */
export async function replaceFile(file: string, text: string): Promise<void> {
  await writeFile(asideOf(file), text, { mode: 0o600, flush: true });
  await rename(asideOf(file), file);
}

/** The same, and nothing brings the old one back. */
export async function replaceFileForGood(file: string, text: string): Promise<void> {
  await replaceFile(file, text);
  const directory = await open(dirname(file));
  await directory.sync().finally(() => directory.close());
}
