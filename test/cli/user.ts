import test from 'ava';
import fs from 'node:fs';
import path from 'node:path';
import { scoped } from '../helpers/scope.js';
import { shellAsUser, userDirectory } from '../helpers/user.js';

test.serial('an ordinary user mounts, looks back, rolls back and unmounts', (t) => scoped(async (scope) => {
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

test.serial('without root the kernel passes nothing on, and policies mean the same', (t) => scoped(async (scope) => {
  const place = scope.temporary();
  const tree = userDirectory(place, 'tree');
  const result = await shellAsUser(place, `cd ${tree}
    $REWIND mount . --store ${place}/state/s > /dev/null; cd ${tree}
    printf '[[rule]]\\nmatch = "*.db"\\ncapture = "on-close"\\n' > ${place}/state/s/policy.toml
    until $REWIND policy check x.db | grep -q on-close; do sleep 0.2; done
    mkdir .cache; seq 5000 > .cache/f; seq 5000 > a.db; seq 3 >> a.db; wc -c < .cache/f
    $REWIND status --json | grep -c '"passthrough":false'
    until $REWIND cat a.db | cmp -s - a.db; do sleep 0.2; done
    $REWIND log a.db --all-writes --json | grep -c '"kind":"write"'
    $REWIND cat .cache/f 2>&1 | grep -c ERR_NOT_CAPTURED || true
    cat .snapshots/@now/.cache/f 2>&1 | grep -c 'No data available' || true
    cd /; $REWIND unmount ${tree} > /dev/null`);
  t.is(result.code, 0, result.stderr);
  t.deepEqual(result.stdout.trim().split('\n'), ['23893', '1', '2', '1', '1']);
}));

test.serial('what the user who mounts may not read is not captured, is told, and is never made up', (t) => scoped(async (scope) => {
  const place = scope.temporary();
  const tree = userDirectory(place, 'tree');
  const result = await shellAsUser(place, `cd ${tree}
    echo secret > secret; chmod 0 secret; echo open > open
    $REWIND mount . --store ${place}/state/s > /dev/null; cd ${tree}
    printf '[[rule]]\\nmatch = "*.db"\\ncapture = "on-close"\\n' > ${place}/state/s/policy.toml
    until $REWIND policy check x.db | grep -q on-close; do sleep 0.2; done
    until $REWIND status --json | grep -q '"state":"done"'; do sleep 0.2; done
    $REWIND mark here > /dev/null
    { $REWIND cat secret --at here 2>&1 || true; } | grep -o ERR_NOT_CAPTURED
    rm -f secret open
    $REWIND rollback --to here --dry-run | grep -c 'skip .*secret'
    $REWIND rollback --to here --yes | grep -c 'skip .*secret'
    ls; cat open
    exec 3> a.db; echo x >&3; chmod 200 a.db; echo y >&3; exec 3>&-
    $REWIND gaps | sed 's/^.*[0-9]  //'
    $REWIND gaps --since here 2>&1 > /dev/null | grep -o '^Since '
    { $REWIND cat a.db 2>&1 || true; } | grep -o ERR_NOT_CAPTURED
    cd /; $REWIND unmount ${tree} > /dev/null`);
  t.is(result.code, 0, result.stderr);
  t.deepEqual(result.stdout.trim().split('\n').map((line) => line.replace(/\s+/g, ' ')), [
    'ERR_NOT_CAPTURED', '1', '1', 'open', 'open', 'baseline secret: content could not be read (EACCES)',
    'policy the policy captures *.db as on-close (' + place + '/state/s/policy.toml:2)',
    'capture a.db: content could not be captured (EACCES)', 'Since ', 'ERR_NOT_CAPTURED',
  ]);
}));
