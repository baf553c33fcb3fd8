/**
 * Power cuts. A tree and its store lie on disks that log every write and every flush; writers change the tree, and note what
 * was acknowledged by fsync outside of the disks. Then the disks are made anew as a cut at a random instant leaves them, and
 * mounted: without any repair all that was synced before the cut is there, in the tree and in history, the live tree is
 * what the newest view shows, and the store verifies.
 *
 * For a process in a mount namespace of its own (power-cuts.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { unmount } from '../../helpers/disk.js';
import { baselineDone, MountedTree, rewind } from '../../helpers/mount.js';
import { Random } from '../../helpers/random.js';
import { must, projectRoot, sleep, until } from '../../helpers/run.js';
import { mountsUnder, scoped, type Scope } from '../../helpers/scope.js';
import { CutDisks, makeImage, mountImage, type FileSystem } from './cut-disks.js';
import { CutImages, randomCut } from './cut-image.js';
import { liveAgainstNewest } from './newest.js';
import { checkSynced, notesUntil } from './synced-check.js';
import { WRITERS } from './synced-ops.js';

/** How often a cut may come while the store is being made. */
const EARLY = 0.15;

export interface PowerOptions {
  seed: number;
  cuts: number;
  fileSystem: FileSystem;
  /** Tree and store each on a disk of its own, or both on one. */
  apart: boolean;
  loadMs: number;
  log: (text: string) => void;
}

export interface PowerResult {
  cuts: number;
  /** Operations that were looked for. */
  synced: number;
  /** Writes that no flush had covered, and those of them that a cut took, in whole or in part. */
  uncovered: number;
  lost: number;
  failures: string[];
}

/** Where all lies: the same before and after a cut, since a store belongs to a path. */
interface Place {
  top: string;
  mounts: string[];
  images: string[];
  logs: string;
  tree: string;
  store: string;
}

async function preparePlace(scope: Scope, { fileSystem, apart }: PowerOptions): Promise<Place> {
  const top = scope.temporary('memory');
  const mounts = apart ? [path.join(top, 'tree-disk'), path.join(top, 'store-disk')] : [path.join(top, 'disk')];
  const images = mounts.map((_, i) => path.join(top, `image-${i}`));
  for (const directory of [...mounts, path.join(top, 'logs')]) fs.mkdirSync(directory);
  for (const image of images) await makeImage(image, fileSystem);
  return { top, mounts, images, logs: path.join(top, 'logs'), tree: path.join(mounts[0]!, 'tree'), store: path.join(mounts.at(-1)!, 'store') };
}

/** This kernel seems to be another boot than before to all that is started from here. */
async function newBoot(top: string): Promise<void> {
  const file = path.join(top, `boot-${randomUUID()}`);
  fs.writeFileSync(file, `${randomUUID()}\n`);
  await must('mount', ['--bind', file, '/proc/sys/kernel/random/boot_id']);
}

/** Mounts that a daemon left, dead or not. What lies in a dead one goes with it, and only so. */
async function takeAway(tree: string): Promise<void> {
  for (let [point] = mountsUnder(tree); point !== undefined; [point] = mountsUnder(tree)) await must('umount', ['-l', point]);
}

function startWriters(place: Place, random: Random): { children: ChildProcess[]; logs: string[] } {
  const start = (script: string, name: string, args: string[]): ChildProcess =>
    spawn(process.execPath, [path.join(projectRoot, 'dist/test/crash/support', script), place.tree, path.join(place.logs, name), ...args], { stdio: 'ignore' });
  // Fewer of them ask for fewer flushes: more is left for a cut to take.
  const chosen = WRITERS.filter(() => random.chance(0.6));
  const writers = chosen.length > 0 ? chosen : [random.pick(WRITERS)];
  const children = writers.map((writer) => start('synced-load.js', writer, [writer, '0']));
  // Beside them, what hardly ever asks for a sync.
  children.push(...['w0', 'w1'].map((name) => start('load.js', name, [name, String(random.next()), '0'])));
  return { children, logs: writers.map((writer) => path.join(place.logs, writer)) };
}

/** Mounts the tree on the logging disks and changes it for a while. Answers where each writer noted what it did, and when the tree was there. */
async function underLoad(scope: Scope, place: Place, log: string, options: PowerOptions, random: Random): Promise<{ beginNs: bigint; logs: string[] }> {
  const disks = await CutDisks.start(place.top, log, place.images.map((image, i) => ({ image, at: place.mounts[i]! })));
  fs.mkdirSync(place.tree);
  await must('sync', [place.mounts[0]!]);
  const beginNs = process.hrtime.bigint();
  const mounted = new MountedTree(scope, place.tree, place.store);
  await mounted.mount();
  const writers = startWriters(place, random);
  await until('all writers have begun', () => writers.logs.every((file) => fs.existsSync(file) && fs.statSync(file).size > 0), 60_000);
  await sleep(options.loadMs);
  await mounted.kill();
  await Promise.all(writers.children.map((child) => new Promise((resolve) => { if (child.exitCode !== null) resolve(0); else child.on('exit', resolve); })));
  await takeAway(place.tree);
  await disks.stop();
  return { beginNs, logs: writers.logs };
}

/** Mounts what a cut left, and looks for all that must be there. */
async function recovered(scope: Scope, place: Place, cutNs: bigint, images: readonly string[], logs: readonly string[], random: Random): Promise<{ wrong: string[]; synced: number }> {
  await newBoot(place.top);
  for (const [i, image] of images.entries()) await mountImage(image, place.mounts[i]!);
  try {
    const notes = notesUntil(logs, cutNs);
    const mounted = new MountedTree(scope, place.tree, place.store);
    await mounted.mount();
    await baselineDone(mounted);
    const { wrong, synced } = checkSynced(place.tree, notes, random);
    wrong.push(...(await liveAgainstNewest(mounted)).map((text) => `live tree and newest view: ${text}`));
    const { failed } = await mounted.status();
    if (failed !== null) wrong.push(`the status says: ${String(failed)}`);
    await mounted.unmount();
    const verified = await rewind(['verify', '--deep', '--store', place.store], { timeoutMs: 120_000 });
    if (verified.code !== 0) wrong.push(`verify ends with ${verified.code}: ${verified.stdout}${verified.stderr}`);
    return { wrong, synced };
  } finally {
    await takeAway(place.tree);
    for (const at of place.mounts) await unmount(at);
    await must('umount', ['/proc/sys/kernel/random/boot_id']);
  }
}

export function powerCuts(options: PowerOptions): Promise<PowerResult> {
  return scoped(async (scope) => {
    const random = new Random(options.seed);
    const place = await preparePlace(scope, options);
    const log = path.join(place.top, 'log');
    const { beginNs, logs } = await underLoad(scope, place, log, options, random);
    const cutImages = new CutImages(log, place.images);
    const notedNs = notesUntil(logs, 2n ** 63n).map(({ ns }) => BigInt(ns)).sort((a, b) => Number(a - b));
    const [firstNs, endNs] = [notedNs[0]!, notedNs.at(-1)!];
    const cuts = Array.from({ length: options.cuts }, () => randomCut(random, random.chance(EARLY) ? beginNs : firstNs, endNs)).sort((a, b) => Number(a.atNs - b.atNs));
    const result: PowerResult = { cuts: 0, synced: 0, uncovered: 0, lost: 0, failures: [] };
    for (const cut of cuts) {
      const images = place.images.map((image) => `${image}-cut`);
      const made = await cutImages.make(cut, images, random);
      const { wrong, synced } = await recovered(scope, place, cut.atNs, images, logs, random);
      result.cuts++;
      result.synced += synced;
      result.uncovered += made.uncovered;
      result.lost += made.lost + made.torn;
      const label = `${options.fileSystem}${options.apart ? ', apart' : ''}, seed ${options.seed}, cut ${result.cuts} at ${Number(cut.atNs - beginNs) / 1e9} s, ${made.lost} lost and ${made.torn} torn of ${made.uncovered} writes`;
      options.log(`${label}: ${synced} synced operations, ${wrong.length} wrong`);
      if (wrong.length > 0) result.failures.push(`${label}:\n  ${wrong.slice(0, 12).join('\n  ')}`);
    }
    cutImages.close();
    return result;
  });
}
