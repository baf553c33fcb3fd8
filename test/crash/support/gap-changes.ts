/** Every kind of change that a gap can hide: to names, content and attributes, by programs that come and by one that stays. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Scope } from '../../helpers/scope.js';

/** What is there before. */
export function makeAll(tree: string): void {
  const at = (name: string): string => path.join(tree, name);
  fs.mkdirSync(at('gone/deep'), { recursive: true });
  fs.mkdirSync(at('oc'), { recursive: true });
  for (const name of ['kept', 'changed', 'removed', 'moved', 'mode', 'xattr', 'untouched', 'gone/deep/file', 'oc/changed']) fs.writeFileSync(at(name), path.basename(name));
}

/** By programs that open, change and close. */
export function changeAll(tree: string): void {
  const at = (name: string): string => path.join(tree, name);
  for (const name of ['changed', 'oc/changed']) fs.appendFileSync(at(name), ' in the gap');
  fs.rmSync(at('removed'));
  fs.renameSync(at('moved'), at('moved-away'));
  fs.rmSync(at('gone'), { recursive: true });
  fs.mkdirSync(at('made/deep'), { recursive: true });
  fs.writeFileSync(at('made/deep/file'), 'new');
  fs.chmodSync(at('mode'), 0o600);
  fs.symlinkSync('kept', at('link'));
  fs.linkSync(at('kept'), at('kept-too'));
  fs.writeFileSync(at('short-lived'), 'x');
  fs.rmSync(at('short-lived'));
}

/** One line is one stage; everything that is open, and every mapping, outlives it. `oc` is captured when its files are closed: of what is written through a mapping only times tell there, which move when the page was clean. */
const STAGES = `import mmap, os, sys
tree, files, maps = sys.argv[1], {}, {}
def held(name):
    if name not in files: files[name] = open(os.path.join(tree, name), "w+b", buffering=0)
    return files[name]
def mapped(name):
    if name not in maps:
        held(name).truncate(8192)
        maps[name] = mmap.mmap(held(name).fileno(), 8192)
    return maps[name]
for line in sys.stdin:
    stage = line.strip().encode()
    for d in ("", "oc/"):
        held(d + "held").write(stage)
        held(d + "orphan").write(stage)
        mapped(d + "mapped")[:len(stage)] = stage
        mapped(d + "mapped")[4096:4096 + len(stage)] = stage
        if d or stage == b"after": mapped(d + "mapped").flush()
        if stage != b"before": held(d + "opened-meanwhile").write(stage)
        if stage == b"meanwhile":
            os.unlink(os.path.join(tree, d, "orphan"))
            os.fsync(held(d + "held").fileno())
            os.setxattr(os.path.join(tree, "xattr"), "user.gap", b"set")
    print("done", flush=True)
`;

/** By a program that has files open, and mapped, from before the gap until after it. */
export class Holder {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;

  constructor(scope: Scope, tree: string) {
    this.child = spawn('python3', ['-c', STAGES, tree]);
    this.child.stderr.pipe(process.stderr);
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    scope.defer(() => this.end());
  }

  async do(stage: 'before' | 'meanwhile' | 'after'): Promise<void> {
    this.child.stdin.write(`${stage}\n`);
    const { done } = await this.lines.next();
    if (done === true) throw new Error(`the program that holds files ended before ${stage} was done`);
  }

  /** Closes everything. */
  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.stdin.end();
    await once(this.child, 'exit');
  }
}
