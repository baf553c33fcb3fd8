import test from 'ava';
import { examine, thisMachine, type Finding, type Machine } from '../../../lib/doctor/machine.js';

const SWITCH = '/sys/module/fuse/parameters/enable_uring';
const FORBIDDEN = '/proc/sys/kernel/io_uring_disabled';
const LIMITS = 'Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 1048576              files\n';

function machine(files: Record<string, string>, more: Partial<Machine> = {}): Machine {
  const all: Record<string, string> = { '/proc/self/limits': LIMITS, [SWITCH]: 'Y', '/dev/fuse': '', ...files };
  return { release: '6.18.4', root: true, text: async (file) => all[file] ?? null, usable: async (file) => file in all, searchPath: ['/bin'], ...more };
}

async function finding(name: string, of: Machine): Promise<Finding> {
  const found = (await examine(of)).find((one) => one.name === name);
  if (!found) throw new Error(`no finding ${name}`);
  return found;
}

test.serial('a machine that has everything: nothing to do', async (t) => {
  const findings = await examine(machine({}));
  t.deepEqual(findings.filter((one) => one.state !== 'ok' || one.remedy !== null), []);
});

for (const [title, files, more, words] of [
  ['before Linux 6.14', {}, { release: '6.12.3' }, /6\.14/],
  ['switched off', { [SWITCH]: 'N' }, {}, /echo Y \| sudo tee/],
  ['forbidden to all', { [FORBIDDEN]: '2' }, {}, /io_uring_disabled=0/],
  ['forbidden to all but a group, for a user', { [FORBIDDEN]: '1' }, { root: false }, /io_uring_disabled=0/],
] as const) {
  test.serial(`io_uring ${title}: /dev/fuse, why, and how to switch it on`, async (t) => {
    const { state, found, remedy } = await finding('transport', machine(files, more));
    t.is(state, 'slower');
    t.regex(`${found} ${remedy}`, words);
  });
}

test.serial('io_uring forbidden to all but a group: root may', async (t) => {
  t.is((await finding('transport', machine({ [FORBIDDEN]: '1' }))).state, 'ok');
});

test.serial('what keeps a mount from working is missing, with what to do', async (t) => {
  t.is((await finding('kernel', machine({}, { release: '5.10.0-30-amd64' }))).state, 'missing');
  t.is((await finding('kernel', machine({}, { release: '5.17.0' }))).state, 'ok');
  t.regex((await finding('/dev/fuse', machine({}, { usable: async () => false }))).remedy ?? '', /modprobe fuse/);
  t.regex((await finding('mounting', machine({}, { root: false }))).remedy ?? '', /apt-get install fuse3/);
  t.is((await finding('mounting', machine({ '/bin/fusermount3': '' }, { root: false }))).state, 'ok');
});

test.serial('few descriptors are named', async (t) => {
  const { state, found } = await finding('open files', machine({ '/proc/self/limits': LIMITS.replace('1048576', '4096') }));
  t.is(state, 'slower');
  t.regex(found, /4096/);
});

test.serial('this machine can be examined', async (t) => {
  for (const one of await examine(thisMachine())) t.not(one.found, '');
});
