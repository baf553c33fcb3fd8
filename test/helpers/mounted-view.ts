/** A real mount of a view over a history in memory, taken away at the end of the scope. */
import fs from 'node:fs';
import path from 'node:path';
import type { HistoryReader } from '../../lib/history/reader.js';
import { mountView, type MountedView, type ViewOptions } from '../../lib/view/mount.js';
import { run } from './run.js';
import { mountsUnder, type Scope } from './scope.js';

export interface ViewMount {
  point: string;
  view: MountedView;
  errors: unknown[];
  /** A shell command in the mountpoint: what it wrote and its exit code. Never run anything on the mount from this thread. */
  sh(script: string, user?: number): Promise<{ code: number | null; out: string; err: string }>;
}

export async function mountedView(scope: Scope, history: HistoryReader, options: Partial<ViewOptions> = {}): Promise<ViewMount> {
  const point = path.join(scope.temporary(), 'view');
  fs.mkdirSync(point);
  const errors: unknown[] = [];
  const view = await mountView({
    history, mountpoint: point, settle: async () => undefined, fsname: 'test', onError: (error) => errors.push(error), ...options,
  });
  scope.defer(async () => {
    if (mountsUnder(point).length > 0) await view.unmount(true);
  });
  return { point, view, errors, sh: (script, user) => inside(point, script, user) };
}

async function inside(point: string, script: string, user?: number): Promise<{ code: number | null; out: string; err: string }> {
  const as = user === undefined ? [] : ['setpriv', '--reuid', String(user), '--regid', String(user), '--clear-groups'];
  const [command, ...args] = [...as, 'bash', '-c', `cd "$0" && { ${script}\n}`, point];
  const { code, stdout, stderr } = await run(command as string, args, { timeoutMs: 30_000, env: { ...process.env, LC_ALL: 'C' } });
  return { code, out: stdout, err: stderr };
}

type AclEntry = { tag: 'user' | 'group' | 'mask' | 'other'; id?: number; perm: number };

/** An access ACL as `system.posix_acl_access` holds it; entries in the order of setfacl(1). */
export function acl(entries: AclEntry[]): Buffer {
  const tags = { user: [0x01, 0x02], group: [0x04, 0x08], mask: [0x10, 0x10], other: [0x20, 0x20] };
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  entries.forEach(({ tag, id, perm }, i) => {
    const at = 4 + i * 8;
    bytes.writeUInt16LE(tags[tag][id === undefined ? 0 : 1] as number, at);
    bytes.writeUInt16LE(perm, at + 2);
    bytes.writeUInt32LE(id ?? 0xffffffff, at + 4);
  });
  return bytes;
}
