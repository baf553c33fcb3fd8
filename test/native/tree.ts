import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { constants } from 'node:os';
import test from 'ava';
import { native, type TreeOp } from '../../lib/native.js';
import { scoped } from '../helpers/scope.js';

const { EBUSY, EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ESTALE } = constants.errno;
const b = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Applies to a directory of its own; `outside` lies beside it. */
async function applied(
  ops: TreeOp[],
  check: (errors: number[], tree: string, outside: string) => void,
  prepare: (tree: string, outside: string) => void = () => undefined,
): Promise<void> {
  await scoped(async (scope) => {
    const base = scope.temporary();
    const tree = path.join(base, 'tree');
    const outside = path.join(base, 'outside');
    fs.mkdirSync(tree);
    fs.mkdirSync(outside);
    prepare(tree, outside);
    const writer = await native.openTree(tree);
    try {
      check(await writer.apply(ops), tree, outside);
    } finally {
      writer.close();
    }
  });
}

test.serial('every kind of operation takes effect, in order', async (t) => {
  const ns = 1_234_567_890_123_456_789n;
  const ops: TreeOp[] = [
    { op: 'mkdir', path: b('d'), mode: 0o2775 },
    { op: 'create', path: b('d/f'), mode: 0o4640 },
    { op: 'write', path: b('d/f'), offset: 3, data: b('abc') },
    { op: 'write', path: b('d/f'), offset: 100_000, data: b('end') },
    { op: 'punch', path: b('d/f'), offset: 4, length: 1 },
    { op: 'truncate', path: b('d/f'), size: 8 },
    { op: 'fsync', path: b('d/f') },
    { op: 'symlink', path: b('d/l'), target: b('../nowhere') },
    { op: 'mknod', path: b('d/p'), mode: fs.constants.S_IFIFO | 0o622, rdev: 0n },
    { op: 'link', path: b('hard'), from: b('d/f') },
    { op: 'chmod', path: b('d/f'), mode: 0o604 },
    { op: 'chown', path: b('d/l'), uid: 12, gid: 34 },
    { op: 'times', path: b('d/f'), atimeNs: -1n, mtimeNs: ns },
    { op: 'setxattr', path: b('d/f'), name: b('user.a'), value: b('1') },
    { op: 'setxattr', path: b('d/f'), name: b('user.b'), value: b('') },
    { op: 'removexattr', path: b('d/f'), name: b('user.a') },
    { op: 'rename', path: b('e'), from: b('d') },
    { op: 'create', path: b('e/gone'), mode: 0o600 },
    { op: 'unlink', path: b('e/gone') },
    { op: 'mkdir', path: b('x'), mode: 0o700 },
    { op: 'rename', path: b('x'), from: b('hard'), exchange: true },
    { op: 'rmdir', path: b('hard') },
    { op: 'times', path: b('.'), atimeNs: 0n, mtimeNs: 5n },
    { op: 'fsync', path: b('') },
  ];
  await applied(ops, (errors, tree) => {
    t.deepEqual(errors, ops.map(() => 0));
    t.deepEqual(fs.readdirSync(tree).sort(), ['e', 'x']);
    t.deepEqual(fs.readdirSync(path.join(tree, 'e')).sort(), ['f', 'l', 'p']);
    const file = fs.statSync(path.join(tree, 'e/f'), { bigint: true });
    t.is(file.mode & 0o7777n, 0o604n);
    t.is(file.mtimeNs, ns);
    t.is(file.atimeNs, -1n);
    t.is(file.nlink, 2n);
    t.is(fs.readFileSync(path.join(tree, 'x'), 'latin1'), '\0\0\0a\0c\0\0');
    t.is(fs.statSync(path.join(tree, 'e')).mode & 0o7777, 0o2775);
    t.is(fs.readlinkSync(path.join(tree, 'e/l')), '../nowhere');
    t.is(fs.lstatSync(path.join(tree, 'e/l')).uid, 12);
    t.true(fs.lstatSync(path.join(tree, 'e/p')).isFIFO());
    t.is(fs.lstatSync(path.join(tree, 'e/p')).mode & 0o777, 0o622);
    t.is(fs.statSync(tree, { bigint: true }).mtimeNs, 5n);
    const names = execFileSync('getfattr', ['--absolute-names', '-m', '-', path.join(tree, 'x')], { encoding: 'utf8' });
    t.regex(names, /user\.b/);
    t.notRegex(names, /user\.a/);
  });
});

test.serial('a failed operation answers its errno and the rest is done', async (t) => {
  const ops: TreeOp[] = [
    { op: 'unlink', path: b('missing') },
    { op: 'mkdir', path: b('d'), mode: 0o755 },
    { op: 'mkdir', path: b('d'), mode: 0o755 },
    { op: 'write', path: b('d'), offset: 0, data: b('x') },
    { op: 'create', path: b('f'), mode: 0o644 },
    { op: 'create', path: b('f/under'), mode: 0o644 },
    { op: 'rmdir', path: b('.') },
    { op: 'rename', path: b('d/d'), from: b('d') },
  ];
  await applied(ops, (errors, tree) => {
    t.deepEqual(errors, [ENOENT, 0, EEXIST, EISDIR, 0, ENOTDIR, EBUSY, EINVAL]);
    t.deepEqual(fs.readdirSync(tree).sort(), ['d', 'f']);
  });
});

test.serial('paths that are not plain names are refused', async (t) => {
  const bad = ['..', '../outside/f', 'a/../../outside/f', '/etc', 'a//b', './a', 'a/.', 'a/', 'nul\0x'];
  await applied(
    bad.map((text): TreeOp => ({ op: 'mkdir', path: b(text), mode: 0o755 })),
    (errors, tree, outside) => {
      t.deepEqual(errors, bad.map(() => EINVAL));
      t.deepEqual([...fs.readdirSync(tree), ...fs.readdirSync(outside)], []);
    },
  );
});

test.serial('no symlink is followed, neither on the way nor at the end', async (t) => {
  const ops: TreeOp[] = [
    { op: 'create', path: b('out/new'), mode: 0o644 },
    { op: 'unlink', path: b('out/victim') },
    { op: 'write', path: b('file'), offset: 0, data: b('overwritten') },
    { op: 'truncate', path: b('file'), size: 0 },
    { op: 'times', path: b('file'), atimeNs: 1n, mtimeNs: 1n },
    { op: 'chown', path: b('file'), uid: 1, gid: 1 },
    { op: 'rename', path: b('out/moved'), from: b('own') },
    { op: 'setxattr', path: b('file'), name: b('trusted.mark'), value: b('x') },
  ];
  await applied(
    ops,
    (errors, tree, outside) => {
      t.deepEqual(errors.slice(0, 4), [ELOOP, ELOOP, ELOOP, ELOOP]);
      t.deepEqual(errors.slice(4), [0, 0, ELOOP, 0]);
      const victim = fs.statSync(path.join(outside, 'victim'));
      t.is(fs.readFileSync(path.join(outside, 'victim'), 'latin1'), 'safe');
      t.deepEqual([victim.uid, victim.mtimeMs > 1000], [0, true]);
      t.deepEqual(fs.readdirSync(outside), ['victim']);
      t.is(fs.lstatSync(path.join(tree, 'file'), { bigint: true }).mtimeNs, 1n);
      t.deepEqual(fs.readdirSync(tree).sort(), ['file', 'out', 'own']);
    },
    (tree, outside) => {
      fs.writeFileSync(path.join(outside, 'victim'), 'safe');
      fs.symlinkSync(outside, path.join(tree, 'out'));
      fs.symlinkSync(path.join(outside, 'victim'), path.join(tree, 'file'));
      fs.writeFileSync(path.join(tree, 'own'), '');
    },
  );
});

test.serial('what takes the name of something that was just made gets nothing that was meant for that', async (t) => {
  await scoped(async (scope) => {
    const tree = scope.temporary();
    const at = (name: string): string => path.join(tree, name);
    const writer = await native.openTree(tree);
    scope.defer(() => writer.close());
    const [file, directory, link] = [b('file'), b('directory'), b('link')];
    t.deepEqual(await writer.apply([{ op: 'create', path: b('temporary'), mode: 0o600 }, { op: 'rename', path: file, from: b('temporary') }, { op: 'mkdir', path: directory, mode: 0o700 }, { op: 'symlink', path: link, target: b('x') }]), [0, 0, 0, 0]);
    for (const name of ['file', 'directory', 'link']) {
      fs.renameSync(at(name), at(`made-${name}`));
      fs.writeFileSync(at(name), 'of somebody else', { mode: 0o600 });
    }
    const given: TreeOp[] = [
      { op: 'write', path: file, offset: 0, data: b('set-id program') }, { op: 'truncate', path: file, size: 0 }, { op: 'fsync', path: file }, { op: 'chown', path: file, uid: 5, gid: 5 }, { op: 'chmod', path: file, mode: 0o4755 },
      { op: 'setxattr', path: file, name: b('user.x'), value: b('x') }, { op: 'times', path: file, atimeNs: 1n, mtimeNs: 1n },
      { op: 'chown', path: directory, uid: 5, gid: 5 }, { op: 'chown', path: link, uid: 5, gid: 5 },
    ];
    t.deepEqual(await writer.apply(given), given.map(() => ESTALE));
    for (const name of ['file', 'directory', 'link']) {
      const { mode, uid, mtimeMs } = fs.statSync(at(name));
      t.deepEqual([fs.readFileSync(at(name), 'utf8'), mode & 0o7777, uid, mtimeMs > 1000], ['of somebody else', 0o600, 0, true], name);
    }
    t.deepEqual(await writer.apply([{ op: 'unlink', path: link }, { op: 'symlink', path: link, target: b('y') }, { op: 'chown', path: link, uid: 5, gid: 5 }, { op: 'chown', path: b('made-file'), uid: 5, gid: 5 }]), [0, 0, 0, 0]);
  });
});

test.serial('a directory that moves within a batch takes its paths with it', async (t) => {
  const ops: TreeOp[] = [
    { op: 'mkdir', path: b('a'), mode: 0o755 },
    { op: 'create', path: b('a/one'), mode: 0o644 },
    { op: 'rename', path: b('b'), from: b('a') },
    { op: 'mkdir', path: b('a'), mode: 0o755 },
    { op: 'create', path: b('a/two'), mode: 0o644 },
    { op: 'unlink', path: b('a/two') },
    { op: 'rmdir', path: b('a') },
    { op: 'mkdir', path: b('a'), mode: 0o755 },
    { op: 'create', path: b('a/three'), mode: 0o644 },
    { op: 'rename', path: b('c'), from: b('a') },
    { op: 'rename', path: b('a'), from: b('old') },
    { op: 'chmod', path: b('a/three'), mode: 0o600 },
  ];
  await applied(ops, (errors, tree) => {
    t.deepEqual(errors, ops.map(() => 0));
    for (const [name, inside] of [['a', 'three'], ['b', 'one'], ['c', 'three']] as const) t.deepEqual(fs.readdirSync(path.join(tree, name)), [inside]);
    t.is(fs.statSync(path.join(tree, 'a/three')).mode & 0o777, 0o600);
  }, (tree) => {
    fs.mkdirSync(path.join(tree, 'old'));
    fs.writeFileSync(path.join(tree, 'old/three'), 'there before', { mode: 0o644 });
  });
});

test.serial('another mount inside the tree is not entered', async (t) => {
  await scoped(async (scope) => {
    const tree = scope.temporary();
    const inner = path.join(tree, 'inner');
    fs.mkdirSync(inner);
    execFileSync('mount', ['-t', 'tmpfs', 'none', inner]);
    scope.defer(() => void execFileSync('umount', ['-l', inner]));
    const writer = await native.openTree(tree);
    const errors = await writer.apply([
      { op: 'create', path: b('inner/f'), mode: 0o644 },
      { op: 'chmod', path: b('inner'), mode: 0o700 },
    ]);
    writer.close();
    t.deepEqual(errors, [constants.errno.EXDEV, constants.errno.EXDEV]);
    t.deepEqual(fs.readdirSync(inner), []);
  });
});

test.serial('a closed tree refuses, and opening what is no directory fails', async (t) => {
  await scoped(async (scope) => {
    const tree = scope.temporary();
    const writer = await native.openTree(tree);
    writer.close();
    await t.throwsAsync(writer.apply([]), { code: 'EBADF' });
    fs.writeFileSync(path.join(tree, 'f'), '');
    await t.throwsAsync(native.openTree(path.join(tree, 'f')), { code: 'ENOTDIR' });
    await t.throwsAsync(native.openTree(path.join(tree, 'none')), { code: 'ENOENT' });
  });
});
