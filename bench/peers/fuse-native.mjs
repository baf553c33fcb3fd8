/**
 * The peer to measure against: a pass-through file system on fuse-native, every call forwarded to node:fs, as its
 * users write one. `node fuse-native.mjs BACKING MOUNTPOINT`; says `ready` once mounted, unmounts on SIGTERM.
 */
import fs from 'node:fs';
import path from 'node:path';
import Fuse from 'fuse-native';

const [backing, mountpoint] = process.argv.slice(2);
const at = (name) => path.join(backing, name);
const code = (error) => (error ? (error.errno ?? -5) : 0);
const done = (callback) => (error) => callback(code(error));

const operations = {
  getattr: (name, callback) => fs.lstat(at(name), (error, stat) => callback(code(error), stat)),
  fgetattr: (name, fd, callback) => (fd ? fs.fstat(fd, (error, stat) => callback(code(error), stat)) : operations.getattr(name, callback)),
  readdir: (name, callback) => fs.readdir(at(name), (error, names) => callback(code(error), names)),
  readlink: (name, callback) => fs.readlink(at(name), (error, target) => callback(code(error), target)),
  open: (name, flags, callback) => fs.open(at(name), flags, (error, fd) => callback(code(error), fd)),
  create: (name, mode, callback) => fs.open(at(name), 'wx+', mode, (error, fd) => callback(code(error), fd)),
  read: (name, fd, buffer, length, position, callback) => fs.read(fd, buffer, 0, length, position, (error, bytes) => callback(error ? code(error) : bytes)),
  write: (name, fd, buffer, length, position, callback) => fs.write(fd, buffer, 0, length, position, (error, bytes) => callback(error ? code(error) : bytes)),
  release: (name, fd, callback) => fs.close(fd, done(callback)),
  fsync: (name, datasync, fd, callback) => (datasync ? fs.fdatasync : fs.fsync)(fd, done(callback)),
  truncate: (name, size, callback) => fs.truncate(at(name), size, done(callback)),
  ftruncate: (name, fd, size, callback) => fs.ftruncate(fd, size, done(callback)),
  mkdir: (name, mode, callback) => fs.mkdir(at(name), mode, done(callback)),
  rmdir: (name, callback) => fs.rmdir(at(name), done(callback)),
  unlink: (name, callback) => fs.unlink(at(name), done(callback)),
  rename: (from, to, callback) => fs.rename(at(from), at(to), done(callback)),
  link: (from, to, callback) => fs.link(at(from), at(to), done(callback)),
  symlink: (target, name, callback) => fs.symlink(target, at(name), done(callback)),
  chmod: (name, mode, callback) => fs.chmod(at(name), mode, done(callback)),
  chown: (name, uid, gid, callback) => fs.lchown(at(name), uid, gid, done(callback)),
  utimens: (name, atime, mtime, callback) => fs.lutimes(at(name), atime / 1000, mtime / 1000, done(callback)),
  statfs: (name, callback) => fs.statfs(backing, (error, st) => callback(code(error), st && { bsize: st.bsize, frsize: st.bsize, blocks: st.blocks, bfree: st.bfree, bavail: st.bavail, files: st.files, ffree: st.ffree, favail: st.ffree, fsid: 0, flag: 0, namemax: 255 })),
};

const fuse = new Fuse(mountpoint, operations, { force: true, mkdir: false, allowOther: process.getuid() === 0, fsname: 'fuse-native-pass-through' });
fuse.mount((error) => {
  if (error) throw error;
  process.stdout.write('ready\n');
});
process.once('SIGTERM', () => fuse.unmount((error) => process.exit(error ? 1 : 0)));
