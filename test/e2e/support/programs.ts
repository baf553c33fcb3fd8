/** Real programs, unmodified: each works in a directory and says what came of it. Both sides must say the same. */
import fs from 'node:fs';
import path from 'node:path';
import { must, projectRoot, run, shell } from '../../helpers/run.js';

export interface Program {
  name: string;
  /** Works in `directory`; resolves to what must be the same on every file system. */
  run(directory: string): Promise<string>;
  /** Leaves a tree whose names and contents are the same each time. */
  deterministic: boolean;
}

const gitEnvironment = {
  ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@example.org', GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z',
  GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@example.org', GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z',
};

/** The sources of this very project, without what is built. */
export async function copySources(to: string): Promise<void> {
  fs.mkdirSync(to, { recursive: true });
  const excluded = ['node_modules', 'build', 'build-*', 'dist', '.git', '*.tgz'].flatMap((name) => ['--exclude', `/${name}`]);
  await must('rsync', ['-a', ...excluded, `${projectRoot}/`, `${to}/`]);
}

/** A package and all that it needs, out of this project's own lock file. */
function lockOf(names: string[]): { lock: object; dependencies: Record<string, string> } {
  type Entry = { version: string; dependencies?: Record<string, string> };
  const { packages, lockfileVersion } = JSON.parse(fs.readFileSync(path.join(projectRoot, 'package-lock.json'), 'utf8')) as { lockfileVersion: number; packages: Record<string, Entry> };
  const taken: Record<string, unknown> = {};
  const take = (name: string, from: string): void => {
    for (let base = from; ; base = base.includes('/node_modules/') ? base.slice(0, base.lastIndexOf('/node_modules/')) : '') {
      const key = base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`;
      const entry = packages[key];
      if (entry) {
        if (key in taken) return;
        taken[key] = { ...entry, dev: undefined };
        for (const next of Object.keys(entry.dependencies ?? {})) take(next, key);
        return;
      }
      if (base === '') return;
    }
  };
  for (const name of names) take(name, '');
  const dependencies = Object.fromEntries(names.map((name) => [name, packages[`node_modules/${name}`]!.version]));
  return { dependencies, lock: { name: 'small', version: '1.0.0', lockfileVersion, requires: true, packages: { '': { name: 'small', version: '1.0.0', dependencies }, ...taken } } };
}

/** Offline where npm has been here before; without what would differ. */
export const NPM_CI = ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];

/** A project that needs some packages, for npm ci. */
export function npmProject(directory: string, names: string[]): void {
  fs.mkdirSync(directory, { recursive: true });
  const { lock, dependencies } = lockOf(names);
  fs.writeFileSync(path.join(directory, 'package.json'), JSON.stringify({ name: 'small', version: '1.0.0', type: 'module', dependencies }, null, 2));
  fs.writeFileSync(path.join(directory, 'package-lock.json'), JSON.stringify(lock, null, 2));
}

const makefile = `OBJECTS = $(patsubst %.cc,%.o,$(wildcard *.cc))
all: program
program: $(OBJECTS)
\tg++ -o $@ $^
%.o: %.cc shared.h
\tg++ -O1 -c -o $@ $<
clean:
\trm -f program *.o
`;

export const programs: Program[] = [
  {
    name: 'git: init, add, commit, branch, checkout, merge, gc, fsck on these sources',
    deterministic: false,
    async run(directory) {
      const repository = path.join(directory, 'repository');
      await copySources(repository);
      const git = (...args: string[]): Promise<string> => must('git', args, { cwd: repository, env: gitEnvironment, timeoutMs: 120_000 });
      await git('init', '-q', '-b', 'main');
      await git('add', '.');
      await git('commit', '-q', '-m', 'first');
      await git('checkout', '-q', '-b', 'side');
      await shell('for f in $(git ls-files | head -40); do echo "// side" >> "$f"; done; git rm -q package.json; git mv Makefile makefile', { cwd: repository, env: gitEnvironment });
      await git('commit', '-q', '-a', '-m', 'second');
      await git('checkout', '-q', 'main');
      fs.writeFileSync(path.join(repository, 'new.txt'), 'new\n');
      await git('add', 'new.txt');
      await git('commit', '-q', '-m', 'third');
      await git('merge', '-q', '-m', 'merged', 'side');
      await git('stash', 'list');
      await git('gc', '-q', '--prune=now');
      const checked = await run('git', ['fsck', '--full', '--strict'], { cwd: repository, env: gitEnvironment });
      await git('checkout', '-q', 'HEAD~1');
      await git('checkout', '-q', 'main');
      return [await git('rev-parse', 'HEAD', 'HEAD^{tree}', 'side'), await git('status', '--porcelain'), `fsck ${checked.code} ${checked.stdout}`, await git('count-objects', '-v').then((text) => /in-pack: \d+/.exec(text)?.[0])].join('\n');
    },
  },
  {
    name: 'npm ci and tsc in a small project',
    deterministic: false,
    async run(directory) {
      const project = path.join(directory, 'project');
      npmProject(project, ['typescript', 'yargs', '@types/yargs', '@types/node']);
      fs.mkdirSync(path.join(project, 'src'));
      fs.writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: { strict: true, module: 'nodenext', target: 'es2022', outDir: 'out', skipLibCheck: true, declaration: true, types: ['node'] }, include: ['src'] }));
      for (let i = 0; i < 20; i++) {
        fs.writeFileSync(path.join(project, 'src', `part${i}.ts`), `${i > 0 ? `import { part${i - 1} } from './part${i - 1}.js';\n` : ''}export const part${i} = (): number => ${i > 0 ? `part${i - 1}() + ` : ''}${i};\n`);
      }
      fs.writeFileSync(path.join(project, 'src', 'main.ts'), `import yargs from 'yargs';\nimport { part19 } from './part19.js';\nconst seen = await yargs(['--name', 'x']).parse();\nprocess.stdout.write(\`\${part19()} \${String(seen['name'])}\\n\`);\n`);
      await must('npm', NPM_CI, { cwd: project, timeoutMs: 240_000 });
      await must(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { cwd: project, timeoutMs: 120_000 });
      const installed = await shell('cd node_modules && find . -type f ! -name .package-lock.json -print0 | sort -z | xargs -0 sha256sum | sha256sum; find . -type l -printf "%p %l\\n" | sort', { cwd: project });
      return [await must(process.execPath, ['out/main.js'], { cwd: project }), installed, await shell('sha256sum out/*', { cwd: project })].join('\n');
    },
  },
  {
    name: 'g++ and make',
    deterministic: true,
    async run(directory) {
      fs.writeFileSync(path.join(directory, 'Makefile'), makefile);
      fs.writeFileSync(path.join(directory, 'shared.h'), '#pragma once\nint one(); int two(); int three();\n');
      for (const [i, name] of ['one', 'two', 'three'].entries()) fs.writeFileSync(path.join(directory, `${name}.cc`), `#include "shared.h"\nint ${name}() { return ${i + 1}; }\n`);
      fs.writeFileSync(path.join(directory, 'main.cc'), '#include <iostream>\n#include "shared.h"\nint main() { std::cout << one() + two() * three() << std::endl; }\n');
      const make = (...args: string[]): Promise<string> => must('make', ['-j2', ...args], { cwd: directory, timeoutMs: 120_000 });
      await make();
      const again = await make();
      fs.appendFileSync(path.join(directory, 'two.cc'), '// touched\n');
      const partly = await make();
      const said = await must('./program', [], { cwd: directory });
      await make('clean');
      await make();
      return [again, partly, said, await must('./program', [], { cwd: directory })].join('\n');
    },
  },
  ...(['delete', 'truncate', 'wal'] as const).map((mode): Program => ({
    name: `sqlite3 with journal_mode=${mode}, two writers at once, integrity_check`,
    deterministic: false,
    async run(directory) {
      const file = path.join(directory, 'data.db');
      const sqlite = (sql: string): Promise<string> => must('sqlite3', ['-bail', file], { input: `.timeout 60000\n${sql}\n`, timeoutMs: 120_000 });
      await sqlite(`PRAGMA journal_mode=${mode}; CREATE TABLE t (id INTEGER PRIMARY KEY, who TEXT, body BLOB); CREATE INDEX i ON t (who, id);`);
      const insert = (who: string): string => Array.from({ length: 60 }, (_, i) => `BEGIN IMMEDIATE; INSERT INTO t (who, body) VALUES ('${who}', zeroblob(${100 + i * 37})); UPDATE t SET body = zeroblob(50) WHERE id % 7 = ${i % 7} AND who = '${who}'; COMMIT;`).join('\n');
      await Promise.all([sqlite(insert('first')), sqlite(insert('second'))]);
      await sqlite('BEGIN; DELETE FROM t WHERE id < 30; ROLLBACK; DELETE FROM t WHERE id > 110; VACUUM;');
      return sqlite('PRAGMA integrity_check; SELECT count(*), sum(length(body)) IS NOT NULL FROM t; SELECT who, count(*) > 0 FROM t GROUP BY who; PRAGMA journal_mode;');
    },
  })),
  {
    name: 'tar: pack, unpack, compare',
    deterministic: true,
    async run(directory) {
      await copySources(path.join(directory, 'in'));
      fs.linkSync(path.join(directory, 'in/package.json'), path.join(directory, 'in/linked.json'));
      fs.symlinkSync('package.json', path.join(directory, 'in/symlink'));
      await shell('tar --sort=name --mtime=@0 --owner=0 --group=0 -cf all.tar in && mkdir out && tar -xf all.tar -C out && tar -df all.tar -C out && tar -czf all.tgz --mtime=@0 --sort=name in && rm all.tgz', { cwd: directory });
      return shell('sha256sum all.tar; find out | wc -l; stat -c %h out/in/linked.json', { cwd: directory });
    },
  },
  {
    name: 'rsync -aHAX into the tree finds nothing to do the second time',
    deterministic: true,
    async run(directory) {
      await shell('mkdir src && cd src && mkdir -p a/b && echo x > a/b/f && ln a/b/f a/hard && ln -s b a/s && mkfifo p && setfacl -m u:1000:rw a/b/f && setfattr -n user.k -v v a/b/f && truncate -s 5M sparse && chmod 2750 a && chown 1000:2000 a/b', { cwd: directory });
      await must('rsync', ['-aHAXS', '--numeric-ids', `${directory}/src/`, `${directory}/dst/`]);
      return must('rsync', ['-aHAXSn', '--numeric-ids', '--checksum', '--delete', '-i', `${directory}/src/`, `${directory}/dst/`]);
    },
  },
  {
    name: 'vim and sed -i save files in place and by rename',
    deterministic: true,
    async run(directory) {
      const file = path.join(directory, 'text');
      fs.writeFileSync(file, Array.from({ length: 2000 }, (_, i) => `line ${i} of the text\n`).join(''), { mode: 0o640 });
      fs.linkSync(file, path.join(directory, 'linked'));
      const vim = (...commands: string[]): Promise<unknown> => run('vim', ['-es', '-u', 'NONE', '-i', 'NONE', '-N', ...commands.flatMap((one) => ['-c', one]), file], { cwd: directory, timeoutMs: 60_000, env: { ...process.env, TERM: 'dumb' } });
      await vim('%s/text/TEXT/g', 'wq');
      await vim('set backup backupcopy=yes', '1,10d', 'wq');
      await vim('set nobackup writebackup backupcopy=no', '%s/line/LINE/', 'wq');
      await shell('sed -i "s/of the/in a/" text; sed -i.bak "1,5d" text; sed -n 1,3p text; wc -l text linked; stat -c "%a %h" text linked; ls -A', { cwd: directory });
      return shell('sha256sum text linked text.bak; stat -c "%a %h" text linked; ls -A', { cwd: directory });
    },
  },
  {
    name: 'dd: blocks, seeks, sync, direct sizes, sparse',
    deterministic: true,
    async run(directory) {
      await shell('(yes 0123456789abcdef || true) | dd of=seed bs=64K count=64 iflag=fullblock && dd if=seed of=b bs=1M conv=fsync && dd if=seed of=c bs=777 seek=3 oflag=dsync count=50 && dd if=seed of=b bs=4K count=3 seek=5 conv=notrunc && dd if=seed of=d oflag=append conv=notrunc bs=100 count=100 && dd if=/dev/zero of=e bs=1M count=8 conv=sparse && dd if=/dev/null of=c bs=1 seek=1000 2>&1', { cwd: directory });
      return shell('sha256sum seed b c d e; stat -c "%n %s" seed b c d e', { cwd: directory });
    },
  },
  {
    name: 'fio --verify=crc32c with write, mmap and several jobs',
    deterministic: false,
    async run(directory) {
      for (const engine of ['psync', 'mmap']) {
        for (const rw of ['write', 'randwrite', 'randrw']) {
          await must('fio', [`--name=${engine}-${rw}`, `--directory=${directory}`, `--rw=${rw}`, `--ioengine=${engine}`, '--size=8M', '--bsrange=1k-64k', '--bs_unaligned=1', '--verify=crc32c', '--do_verify=1', '--verify_fatal=1', '--numjobs=2', '--randseed=7', '--end_fsync=1', '--group_reporting'], { timeoutMs: 120_000, cwd: directory });
        }
      }
      return shell('ls | wc -l', { cwd: directory });
    },
  },
];
