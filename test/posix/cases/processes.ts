/** Processes: executing, locks, and scale: the largest directory. */
import { LOCK, O } from '../../helpers/constants.js';
import type { Case } from './case.js';

export const processCases: Case[] = [
  {
    name: 'executing: scripts, missing permission, ETXTBSY',
    async run(c) {
      await c.ok('open', 1, 'run', O.WRONLY | O.CREAT, 0o755);
      await c.ok('text', 1, '#!/bin/sh\nexit 7\n');
      await c.fails('ETXTBSY', 'exec', './run');
      await c.ok('close', 1);
      await c.ok('exec', './run');
      await c.ok('chmod', 'run', 0o644);
      await c.fails('EACCES', 'exec', './run');
      await c.ok('open', 1, 'odd', O.WRONLY | O.CREAT, 0o755);
      await c.ok('text', 1, 'no program');
      await c.ok('close', 1);
      await c.fails('ENOEXEC', 'exec', './odd');
      await c.fails('ENOENT', 'exec', './none');
      await c.fails('EACCES', 'exec', '.');
    },
  },
  {
    name: 'flock between processes',
    async run(c) {
      await c.file('f', 1);
      const other = await c.other();
      await c.ok('open', 1, 'f', O.RDWR, 0);
      await other.ok('open', 1, 'f', O.RDWR, 0);
      await c.ok('flock', 1, LOCK.EX);
      await other.fails('EAGAIN', 'flock', 1, LOCK.EX | LOCK.NB);
      await other.fails('EAGAIN', 'flock', 1, LOCK.SH | LOCK.NB);
      await c.ok('flock', 1, LOCK.SH);
      await other.ok('flock', 1, LOCK.SH | LOCK.NB);
      await c.fails('EAGAIN', 'flock', 1, LOCK.EX | LOCK.NB);
      await other.ok('close', 1);
      await c.ok('flock', 1, LOCK.EX | LOCK.NB);
      await c.ok('flock', 1, LOCK.UN);
    },
  },
  {
    name: 'record locks between processes and descriptors',
    async run(c) {
      await c.file('f', 1000);
      const other = await c.other();
      await c.ok('open', 1, 'f', O.RDWR, 0);
      await other.ok('open', 1, 'f', O.RDWR, 0);
      await c.ok('lock', 1, 'write', 0, 100);
      await other.fails('EAGAIN', 'lock', 1, 'write', 50, 10);
      await other.ok('lock', 1, 'write', 100, 10);
      await other.ok('testlock', 1, 'write', 0, 10);
      await other.ok('testlock', 1, 'read', 200, 10);
      await c.ok('lock', 1, 'read', 0, 100);
      await other.ok('lock', 1, 'read', 0, 10);
      await c.fails('EAGAIN', 'lock', 1, 'write', 0, 10);
      await c.ok('open', 2, 'f', O.RDWR, 0);
      await c.ok('close', 2); // closing any descriptor drops the process's record locks
      await other.ok('lock', 1, 'write', 0, 100);
      await other.ok('lock', 1, 'unlock', 0, 0);
      await c.ok('open', 3, 'f', O.RDWR, 0);
      await c.ok('ofdlock', 1, 'write', 0, 0);
      await c.fails('EAGAIN', 'ofdlock', 3, 'read', 0, 0);
      await c.ok('close', 1);
      await c.ok('ofdlock', 3, 'read', 0, 0);
    },
  },
  {
    name: 'a directory of 20,000 entries: each once, positions stable, removal while reading',
    large: true,
    async run(c) {
      await c.ok('mkdir', 'big', 0o755);
      await c.ok('many', 'big/entry-number-', 0, 20_000);
      await c.ok('seekdir', 'big', 997);
      await c.stat('big');
      await c.ok('unlinkmany', 'big/entry-number-', 1000, 10_000);
      await c.ok('seekdir', 'big', 1009);
      await c.ok('emptydir', 'big');
      await c.ok('rmdir', 'big');
    },
  },
];
