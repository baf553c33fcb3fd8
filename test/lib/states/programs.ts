/** Which commands install or remove something. */
import test from 'ava';
import { DEFAULT_INSTALLERS } from '../../../lib/policy/installers.js';
import { operationOf } from '../../../lib/states/programs.js';

const COMMANDS: [exe: string, argv: string, kind: 'install' | 'uninstall' | null][] = [
  ['/usr/bin/node', 'node /usr/lib/node_modules/npm/bin/npm-cli.js ci', 'install'],
  ['/usr/bin/node', 'node /usr/bin/npm --offline install', 'install'],
  ['/usr/bin/node', 'node /usr/bin/npm --prefix web ci', 'install'],
  ['/usr/bin/node', 'node /usr/bin/npm run ci', null],
  ['/usr/bin/node', 'node /usr/bin/npm uninstall x', 'uninstall'],
  ['/usr/bin/node', 'node server.js install', null],
  ['/usr/bin/python3.11', 'python3 -m pip install requests', 'install'],
  ['/usr/bin/python3.11', 'python3 /usr/bin/pip3 uninstall -y requests', 'uninstall'],
  ['/usr/bin/python3.11', 'python3 setup.py', null],
  ['/usr/bin/apt-get', 'apt-get -y install vim', 'install'],
  ['/usr/bin/apt', 'apt purge vim', 'uninstall'],
  ['/usr/bin/dpkg', 'dpkg -i x.deb', 'install'],
  ['/usr/bin/dpkg', 'dpkg --purge x', 'uninstall'],
  ['/usr/bin/dpkg', 'dpkg -l', null],
  ['/usr/bin/cargo', 'cargo build', null],
  ['/usr/bin/cargo', 'cargo install ripgrep', 'install'],
  ['/usr/bin/make', 'make -C src DESTDIR=out install', 'install'],
  ['/usr/bin/make', 'make uninstall', 'uninstall'],
  ['/usr/bin/make', 'make', null],
  ['/usr/bin/vim', 'vim install', null],
  ['', '', null],
];

for (const [exe, argv, kind] of COMMANDS) {
  test.serial(`${argv || 'an unknown command'} is ${kind ?? 'neither'}`, (t) => {
    t.is(operationOf({ exe, argv: argv.split(' ') }, DEFAULT_INSTALLERS)?.kind ?? null, kind);
  });
}

test.serial('npm writes a title over its command line', (t) => {
  const argv = ['npm install left-pad', '', '', ''];
  t.deepEqual(operationOf({ exe: '/usr/bin/node', argv }, DEFAULT_INSTALLERS), { kind: 'install', command: 'npm install left-pad' });
  t.is(operationOf({ exe: '/usr/bin/node', argv: ['npm run build', '', ''] }, DEFAULT_INSTALLERS), null);
});
