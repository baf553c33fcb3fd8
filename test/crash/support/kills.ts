/**
 * SIGKILL of the daemon at random instants under load, again and again on one tree. After each remount, without any
 * repair: every acknowledged call is in history, a sample of them with the very bytes, sizes and modes that they made, and
 * the live tree is what the newest view shows.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { mountSettled, baselineDone, type MountedTree } from '../../helpers/mount.js';
import { Random } from '../../helpers/random.js';
import { projectRoot, sleep, until } from '../../helpers/run.js';
import type { Scope } from '../../helpers/scope.js';
import type { Acknowledged } from './load.js';
import { liveAgainstNewest } from './newest.js';
import { Recorded } from './recorded.js';
import type { Transport } from '../../../lib/transport.js';

export interface KillOptions {
  seed: number;
  kills: number;
  where: 'disk' | 'memory';
  transport?: Transport;
  writers?: number;
  log?: (text: string) => void;
}

export interface KillResult {
  kills: number;
  acknowledged: number;
}

interface Load {
  name: string;
  logPath: string;
  ended: Promise<string>;
  kill(): void;
}

export async function kills(scope: Scope, options: KillOptions): Promise<KillResult> {
  const random = new Random(options.seed);
  const mounted = await mountSettled(scope, { where: options.where, transport: options.transport });
  const logs = scope.temporary('disk');
  const next = new Map<string, number>();
  let acknowledged = 0;
  for (let kill = 1; kill <= options.kills; kill++) {
    const round = `seed ${options.seed}, kill ${kill}`;
    const before = (await mounted.position()).seq;
    const loads = Array.from({ length: options.writers ?? 3 }, (_, i) => startLoad(scope, mounted, logs, `w${i}`, random.next(), next.get(`w${i}`) ?? 0, kill));
    // On a busy machine a writer takes seconds to begin.
    const early = random.chance(0.2);
    if (!early) await until('a writer has begun', () => loads.some((load) => fs.statSync(load.logPath).size > 0), 60_000);
    await sleep(early ? random.below(60) : random.chance(0.1) ? random.between(200, 500) : random.between(10, 120));
    await mounted.kill();
    const ends = await Promise.all(loads.map((load) => load.ended));
    await mounted.mount();
    await baselineDone(mounted);
    const done = loads.flatMap((load) => readLog(load.logPath));
    for (const load of loads) next.set(load.name, Math.max(next.get(load.name) ?? 0, ...readLog(load.logPath).map((one) => one.number)) + 1);
    acknowledged += done.length;
    const recorded = await Recorded.since(mounted, before);
    const missing = recorded.missing(done);
    if (missing.length > 0) throw new Error(`${round}: ${missing.length} of ${done.length} acknowledged calls are not in history: ${JSON.stringify(missing.slice(0, 5))}`);
    const wrong = recorded.wrong(done, random);
    if (wrong.length > 0) throw new Error(`${round}: the state after a call is not what the call made:\n${wrong.slice(0, 20).join('\n')}`);
    const other = await liveAgainstNewest(mounted);
    if (other.length > 0) throw new Error(`${round}: the newest view differs from the live tree:\n${other.slice(0, 20).join('\n')}`);
    for (const load of loads) fs.rmSync(load.logPath);
    options.log?.(`${round} of ${options.kills}: ${done.length} calls acknowledged, writers ended with ${ends.join(' ')}`);
  }
  return { kills: options.kills, acknowledged };
}

function startLoad(scope: Scope, mounted: MountedTree, logs: string, name: string, seed: number, first: number, kill: number): Load {
  const logPath = path.join(logs, `${name}-${kill}`);
  fs.writeFileSync(logPath, '');
  const script = path.join(projectRoot, 'dist/test/crash/support/load.js');
  const child = spawn(process.execPath, [script, mounted.tree, logPath, name, String(seed), String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
  const ended = new Promise<string>((resolve) => child.on('close', () => resolve(said.trim())));
  scope.defer(() => void child.kill('SIGKILL'));
  return { name, logPath, ended, kill: () => void child.kill('SIGKILL') };
}

function readLog(logPath: string): Acknowledged[] {
  return fs.readFileSync(logPath, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as Acknowledged);
}
