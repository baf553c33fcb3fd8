/** Invariant I8: a view never shows a file to someone who could not have read it at that time. */
import test from 'ava';
import { MemoryHistory } from '../../helpers/memory-history.js';
import { acl, mountedView } from '../../helpers/mounted-view.js';
import { scoped } from '../../helpers/scope.js';

const ALICE = 61_001;
const BOB = 61_002;
const ACCESS = 'system.posix_acl_access';

test.serial('owner and mode of then decide', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.file('f', 'secret', 0o600); // 2
    history.setattr('f', { mode: 0o100604 }); // 3
    history.setattr('f', { mode: 0o100600, uid: ALICE }); // 4
    history.setattr('f', { mode: 0o100644, uid: 0 }); // 5
    const { sh } = await mountedView(scope, history);
    t.is((await sh('cat @#2/f')).out, 'secret');
    t.regex((await sh('cat @#2/f', ALICE)).err, /Permission denied/);
    t.is((await sh('cat @#3/f', ALICE)).out, 'secret');
    t.is((await sh('cat @#4/f', ALICE)).out, 'secret');
    t.regex((await sh('cat @#4/f', BOB)).err, /Permission denied/);
    t.is((await sh('cat @#5/f', BOB)).out, 'secret');
    t.regex((await sh('cat @#2/f', BOB)).err, /Permission denied/, 'still refused at the earlier instant');
  });
});

test.serial('a directory that could not be searched or listed then cannot be now', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.mkdir('d', 0o700);
    history.file('d/f', 'inside', 0o644); // 3
    history.setattr('d', { mode: 0o040711 }); // 4
    history.setattr('d', { mode: 0o040755 }); // 5
    const { sh } = await mountedView(scope, history);
    t.regex((await sh('cat @#3/d/f', ALICE)).err, /Permission denied/);
    t.regex((await sh('ls @#3/d', ALICE)).err, /Permission denied/);
    t.is((await sh('cat @#4/d/f', ALICE)).out, 'inside');
    t.regex((await sh('ls @#4/d', ALICE)).err, /Permission denied/);
    t.is((await sh('ls @#5/d', ALICE)).out, 'f\n');
  });
});

test.serial('an ACL lets in whom it names, and only up to its mask', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    const entries = (mask: number) => acl([
      { tag: 'user', perm: 6 }, { tag: 'user', id: ALICE, perm: 4 }, { tag: 'group', perm: 0 }, { tag: 'group', id: BOB, perm: 4 },
      { tag: 'mask', perm: mask }, { tag: 'other', perm: 0 },
    ]);
    history.file('f', 'for some', 0o640);
    history.setxattr('f', ACCESS, entries(4)); // 3
    history.setxattr('f', ACCESS, entries(0));
    history.setattr('f', { mode: 0o100600 }); // 5
    const { sh } = await mountedView(scope, history);
    t.is((await sh('cat @#3/f', ALICE)).out, 'for some');
    t.is((await sh('cat @#3/f', BOB)).out, 'for some');
    t.regex((await sh('cat @#3/f', 61_003)).err, /Permission denied/);
    t.regex((await sh('cat @#5/f', ALICE)).err, /Permission denied/);
    t.regex((await sh('cat @#5/f', BOB)).err, /Permission denied/);
    t.regex((await sh('getfacl -n @#3/f')).out, new RegExp(`user:${ALICE}:r--`));
  });
});

test.serial('the owning group whom an ACL refuses is refused, though the mode shows the mask in its place', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.file('f', 'not for the group', 0o640, { gid: BOB });
    history.setxattr('f', ACCESS, acl([
      { tag: 'user', perm: 6 }, { tag: 'user', id: ALICE, perm: 4 }, { tag: 'group', perm: 0 }, { tag: 'mask', perm: 4 }, { tag: 'other', perm: 0 },
    ]));
    const { sh } = await mountedView(scope, history);
    t.is((await sh('cat @now/f', ALICE)).out, 'not for the group');
    t.regex((await sh('cat @now/f', BOB)).err, /Permission denied/);
  });
});

test.serial('a chmod after the ACL counts, though nobody set the ACL again', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.file('f', 'x', 0o640);
    history.setxattr('f', ACCESS, acl([
      { tag: 'user', perm: 6 }, { tag: 'user', id: ALICE, perm: 4 }, { tag: 'group', perm: 4 }, { tag: 'mask', perm: 4 }, { tag: 'other', perm: 0 },
    ])); // 3
    history.setattr('f', { mode: 0o100600 }); // 4
    const { sh } = await mountedView(scope, history);
    t.is((await sh('cat @#3/f', ALICE)).out, 'x');
    t.regex((await sh('cat @#4/f', ALICE)).err, /Permission denied/);
  });
});

test.serial('an ACL of a directory decides who passes', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.mkdir('d', 0o710);
    history.file('d/f', 'inside', 0o644);
    history.setxattr('d', ACCESS, acl([
      { tag: 'user', perm: 7 }, { tag: 'user', id: ALICE, perm: 1 }, { tag: 'group', perm: 0 }, { tag: 'mask', perm: 1 }, { tag: 'other', perm: 0 },
    ]));
    const { sh } = await mountedView(scope, history);
    t.is((await sh('cat @now/d/f', ALICE)).out, 'inside');
    t.regex((await sh('cat @now/d/f', BOB)).err, /Permission denied/);
  });
});

test.serial('attributes for root alone are neither shown nor named to others', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.file('f', '', 0o644);
    history.setxattr('f', 'trusted.secret', Buffer.from('x'));
    history.setxattr('f', 'user.open', Buffer.from('y'));
    const { sh } = await mountedView(scope, history);
    t.regex((await sh('getfattr -m - -d @now/f')).out, /trusted\.secret="x"/);
    const { out } = await sh('getfattr -m - -d @now/f', ALICE);
    t.notRegex(out, /trusted/);
    t.regex(out, /user\.open="y"/);
  });
});

test.serial('what paths ever were is for the owner of the view alone', async (t) => {
  await scoped(async (scope) => {
    const history = new MemoryHistory();
    history.mkdir('private', 0o700);
    history.file('private/name', 'x', 0o644);
    const { sh } = await mountedView(scope, history);
    t.is((await sh('cat "~"/private/name/*')).out, 'x');
    t.regex((await sh('ls "~"', ALICE)).err, /Permission denied/);
    t.not((await sh('cat "~"/private/name/*', ALICE)).code, 0);
  });
});
