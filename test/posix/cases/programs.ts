/** Executing: binaries, scripts, interpreters, setuid, and what may happen to a file that runs. */
import { O } from '../../helpers/constants.js';
import { alice, team, type Calls, type Case } from './case.js';

async function script(c: Calls, path: string, text: string, mode = 0o755): Promise<void> {
  await c.ok('open', 97, path, O.WRONLY | O.CREAT | O.TRUNC, mode);
  await c.ok('text', 97, text);
  await c.ok('close', 97);
  await c.ok('chmod', path, mode);
}

export const programCases: Case[] = [
  {
    name: 'binaries run, also through links, by mode, and as setuid and setgid of their owner',
    async run(c) {
      await c.ok('chmod', '.', 0o755);
      await c.ok('import', '/usr/bin/id', 'id', 0o755);
      await c.ok('run', './id', '-u');
      await c.ok('link', 'id', 'hard');
      await c.ok('symlink', 'id', 'soft');
      await c.ok('run', './hard', '-g');
      await c.ok('run', './soft', '-u');
      for (const mode of [0o4755, 0o2755, 0o6755, 0o4744, 0o755]) {
        await c.ok('chown', 'id', alice, team);
        await c.ok('chmod', 'id', mode);
        await c.stat('id');
        await c.ok('run', './id');
        await c.as(1001);
        await c.see('run', './id');
        await c.as(0);
      }
      for (const mode of [0o111, 0o444, 0o711, 0o000, 0o010]) {
        await c.ok('chmod', 'id', mode);
        for (const uid of [0, alice, 1001]) {
          await c.as(uid, uid, team);
          await c.see('run', './id', '-u');
        }
        await c.as(0);
      }
    },
  },
  {
    name: 'scripts: arguments, an interpreter in the tree, chains, missing and forbidden interpreters',
    async run(c) {
      await script(c, 'say', '#!/bin/echo from\n');
      await c.ok('run', './say', 'a', 'b c');
      await c.ok('import', '/bin/echo', 'echo', 0o755);
      await script(c, 'own', '#!./echo own\n');
      await c.ok('run', './own', 'x');
      await script(c, 'chain', '#!./say\n');
      await c.see('run', './chain');
      await script(c, 'self', '#!./self\n');
      await c.see('run', './self');
      await script(c, 'gone', '#!./nothing\n');
      await c.fails('ENOENT', 'run', './gone');
      await c.ok('chmod', 'echo', 0o644);
      await c.fails('EACCES', 'run', './own');
      await script(c, 'empty', '');
      await c.see('run', './empty');
      await script(c, 'sh', '#!/bin/sh\necho "$0" "$@"; pwd >/dev/null; exit 3\n');
      await c.ok('run', './sh', '1', '2');
    },
  },
  {
    name: 'a running binary refuses writers (ETXTBSY), and may be unlinked, renamed and replaced',
    async run(c) {
      await c.ok('import', '/bin/sleep', 'sleep', 0o755);
      await c.ok('start', 1, './sleep', '60');
      await c.fails('ETXTBSY', 'open', 1, 'sleep', O.WRONLY, 0);
      await c.fails('ETXTBSY', 'open', 1, 'sleep', O.RDWR | O.TRUNC, 0);
      await c.fails('ETXTBSY', 'truncate', 'sleep', 0);
      await c.ok('open', 1, 'sleep', O.RDONLY, 0);
      await c.ok('chmod', 'sleep', 0o700);
      await c.ok('rename', 'sleep', 'moved', 0);
      await c.fails('ETXTBSY', 'open', 2, 'moved', O.WRONLY, 0);
      await c.ok('import', '/bin/true', 'new', 0o755);
      await c.ok('rename', 'new', 'moved', 0);
      await c.ok('run', './moved');
      await c.ok('open', 3, 'moved', O.RDWR, 0);
      await c.ok('close', 3);
      await c.fstat(1);
      await c.ok('stop', 1);
      await c.fstat(1);
      await c.ok('import', '/bin/sleep', 'again', 0o755);
      await c.ok('start', 1, './again', '60');
      await c.ok('unlink', 'again');
      await c.ok('stop', 1);
      await c.ok('list', '.');
    },
  },
];
