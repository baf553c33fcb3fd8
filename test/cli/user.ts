import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { scoped } from '../helpers/scope.js';
import { shellAsUser, userDirectory } from '../helpers/user.js';

test('an ordinary user mounts, looks back, rolls back and unmounts', (t) => scoped(async (scope) => {
  const place = scope.temporary();
  const tree = userDirectory(place, 'tree');
  const result = await shellAsUser(place, `cd ${tree}
    echo first > file; mkdir dir; echo inner > dir/inner
    $REWIND mount . > /dev/null; cd ${tree}
    $REWIND mark here > /dev/null
    echo second > file; rm -r dir
    cat .snapshots/@here/file .snapshots/@here/dir/inner
    $REWIND cat file --at here
    $REWIND rollback --to here --yes > /dev/null
    cat file dir/inner
    cd /; $REWIND unmount ${tree}`);
  t.is(result.code, 0, result.stderr);
  t.is(result.stdout.replace(/^.* is unmounted.*\n/m, ''), 'first\ninner\nfirst\nfirst\ninner\n');
  t.is(fs.readFileSync(path.join(tree, 'file'), 'utf8'), 'first\n');
  t.is(fs.statSync(path.join(tree, 'dir', 'inner')).uid, 65534);
  t.is(fs.statSync(path.join(place, 'state', 'rewindfs')).mode & 0o777, 0o700);
}));
