/** Small stores to be broken, what they answer, and what comes of a repair. */
import fs from 'node:fs';
import path from 'node:path';
import { openOffline } from '../../../../lib/daemon/offline.js';
import { repair, type RepairOptions, type RepairStep } from '../../../../lib/repair/repair.js';
import { openStore } from '../../../../lib/store/store.js';
import { verify } from '../../../../lib/verify/verify.js';
import type { Finding } from '../../../../lib/verify/findings.js';
import { answers, type Answers } from './oracle.js';

const never = new AbortController().signal;

/** Another directory with the same store. */
export function copyOf(root: string, to: string): string {
  fs.rmSync(to, { recursive: true, force: true });
  fs.cpSync(root, to, { recursive: true });
  return to;
}

export async function answersOf(root: string): Promise<Answers> {
  const session = await openOffline(await openStore(root));
  try {
    return await answers(session.packing.history);
  } finally {
    await session.close();
  }
}

/** How a store opens: with an error's code and hint, with findings, or whole. */
export type Opened = { refused: string; hint: string } | { findings: Finding[] };

export async function opened(root: string): Promise<Opened> {
  try {
    const session = await openOffline(await openStore(root));
    try {
      const findings: Finding[] = [];
      for await (const found of verify(session.packing.history, { deep: true, journal: session.journal, signal: never })) if ('kind' in found) findings.push(found);
      return { findings };
    } finally {
      await session.close();
    }
  } catch (error) {
    const { code, hint } = error as { code?: string; hint?: string };
    if (code?.startsWith('ERR_') !== true) throw error;
    return { refused: code, hint: hint ?? '' };
  }
}

export interface Repaired {
  steps: RepairStep[];
  /** Families of which something was missing. */
  families: Set<string>;
  end: Extract<RepairStep, { type: 'repaired' }>;
}

export async function repaired(root: string, options: Partial<RepairOptions> = {}): Promise<Repaired> {
  const steps: RepairStep[] = [];
  for await (const step of repair(await openStore(root), { dryRun: false, from: null, tree: '/nowhere', signal: never, now: new Date(0), ...options })) steps.push(step);
  const families = new Set(steps.flatMap((step) => (step.type === 'missing' ? [/(?:parts?|entry|entries) of (\w+)/.exec(step.what)?.[1] ?? ''] : [])));
  return { steps, families, end: steps.at(-1) as Repaired['end'] };
}

/** Files of a store's history of one kind. */
export const filesOf = (root: string, kind: RegExp): string[] => fs.readdirSync(path.join(root, 'history')).filter((name) => kind.test(name)).sort().map((name) => path.join(root, 'history', name));
