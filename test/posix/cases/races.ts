/** Several processes on the same names and bytes: who wins is open, that exactly one wins is not. */
import { O } from '../../helpers/constants.js';
import { sleep } from '../../helpers/run.js';
import type { Case } from './case.js';

/** Its number as a system call of x86-64. */
const FCNTL = 72;

export const raceCases: Case[] = [
  {
    name: 'of several that create or remove the same name exactly one succeeds',
    async run(c) {
      const all = [c, await c.other(), await c.other(), await c.other()];
      await c.file('source', 1);
      const rounds = 200;
      const together = async (kind: string, prefix: string): Promise<void> => {
        const won = await Promise.all(all.map((one) => one.quiet('race', kind, prefix, rounds)));
        c.check(`${kind}: each name has one winner`, won.reduce((sum, one) => sum + Number(one), 0) === rounds);
      };
      for (const kind of ['open', 'mkdir', 'symlink', 'link']) await together(kind, `${kind}-`);
      await c.stat('source');
      for (const kind of ['open', 'symlink', 'link']) await together('unlink', `${kind}-`);
      await together('rmdir', 'mkdir-');
      await c.stat('source');
      await c.ok('list', '.');
    },
  },
  {
    name: 'of several that rename the same file exactly one succeeds',
    async run(c) {
      const all = [c, await c.other(), await c.other()];
      for (let round = 0; round < 40; round++) {
        await c.quiet('open', 1, `from${round}`, O.RDWR | O.CREAT, 0o644);
        const replies = await Promise.all(all.map((one, i) => one.trial('rename', `from${round}`, `to${round}-${i}`, 0)));
        c.check('one renamed it', replies.filter((one) => one.error === '').length === 1 && replies.every((one) => one.error === '' || one.error === 'ENOENT'));
      }
    },
  },
  {
    name: 'O_APPEND from several processes: every line whole, in each writer\'s order',
    async run(c) {
      const all = [c, await c.other(), await c.other(), await c.other()];
      for (const one of all) await one.ok('open', 1, 'log', O.RDWR | O.CREAT | O.APPEND, 0o644);
      await Promise.all(all.map((one, i) => one.quiet('appendlines', 1, 300, `p${i}`)));
      c.check('lines are whole and in order', (await c.quiet('checklines', 1)) === `${300 * all.length} torn=0 disordered=0`);
    },
  },
  {
    name: 'a directory stream under change: what stays comes once, rewinding shows what is new',
    async run(c) {
      for (const count of [10, 200, 1200]) {
        await c.ok('mkdir', `d${count}`, 0o755);
        await c.ok('changingdir', `d${count}`, count);
      }
    },
  },
  {
    name: 'waiting for record locks: granted when released or the holder ends, EDEADLK where it would be for ever',
    async run(c) {
      await c.file('f', 100);
      const [one, two] = [await c.other(), await c.other()];
      for (const process of [one, two]) await process.ok('open', 1, 'f', O.RDWR, 0);
      await one.ok('lock', 1, 'write', 0, 10);
      await two.ok('lock', 1, 'write', 20, 10);
      const waiting = one.trial('lockwait', 1, 'write', 20, 10);
      await one.waitsIn(FCNTL);
      await sleep(200); // who serves it takes it up
      await two.fails('EDEADLK', 'lockwait', 1, 'write', 0, 10);
      await two.ok('lock', 1, 'unlock', 20, 10);
      c.check('granted when released', (await waiting).error === '');
      await two.fails('EAGAIN', 'lock', 1, 'read', 25, 1);
      await one.ok('close', 1);
      await two.ok('lock', 1, 'read', 25, 1);
    },
  },
];
