/**
 * Puts another history in the place of a store's own. Guarantees: at every instant the store has one of the two whole, or says
 * which is to come (`history.repaired`), and whoever locks the store next ends what was begun; the old one is kept.
 */
import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { native } from '../native.js';
import type { StoreLayout } from './layout.js';

const readyPlace = ({ root }: StoreLayout): string => join(root, 'history.repaired');

/** @param place the new history, on stable storage, in the store @param kept where the old one goes */
export async function replaceHistory(layout: StoreLayout, place: string, kept: string): Promise<void> {
  await rename(place, readyPlace(layout));
  await native.syncPath(layout.root);
  await rename(layout.history, kept);
  await finishReplacing(layout);
}

/** Ends a replacing that was cut short between its steps. */
export async function finishReplacing(layout: StoreLayout): Promise<void> {
  const names = await readdir(layout.root);
  if (names.includes('history') || !names.includes('history.repaired')) return;
  await rename(readyPlace(layout), layout.history);
  await native.syncPath(layout.root);
}
