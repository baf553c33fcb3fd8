/** Which programs install and remove things is data that the policy file adds to. */
import test from 'ava';
import { parsePolicy } from '../../../lib/policy/file.js';
import { operationOf } from '../../../lib/states/programs.js';

/** What a command is taken for under a policy. */
function kind(policy: string, argv: string): string | null {
  const [name] = argv.split(' ');
  return operationOf({ exe: `/usr/bin/${name}`, argv: argv.split(' ') }, parsePolicy(policy, 'p').points.installers)?.kind ?? null;
}

const NIX = '[[installer]]\nexe = "nix-env"\ninstall = ["-i", "--install"]\nuninstall = "-e"\nanywhere = true\n';

test.serial('a program of the file is known beside the built-in ones, and outweighs one of them', (t) => {
  t.is(kind('', 'nix-env -v -i hello'), null);
  t.is(kind(NIX, 'nix-env -v -i hello'), 'install');
  t.is(kind(NIX, 'nix-env -e hello'), 'uninstall');
  t.is(kind(NIX, 'npm ci'), 'install');
  t.is(kind('[[installer]]\nexe = ["npm", "pnpm"]\ninstall = []\n', 'npm ci'), null);
  t.is(kind('[[installer]]\nexe = "/usr/bin/setup*"\ninstall = ["", "now"]\n', 'setup-tool'), 'install');
  t.is(kind('[[installer]]\nexe = "/usr/bin/setup*"\ninstall = ["", "now"]\n', 'setup-tool never'), null);
});

test.serial('the built-in ones, all of them, and a single one can be switched off', (t) => {
  t.is(kind('[points]\ndefaults = false\n', 'npm ci'), null);
  t.is(kind(`[points]\ndefaults = false\n${NIX}`, 'nix-env -i x'), 'install');
  t.is(kind(`[points]\ninstall = false\n${NIX}`, 'nix-env -i x'), null);
  t.is(kind(`${NIX}paused = true\n`, 'nix-env -i x'), null);
});

test.serial('a wrong installer is refused with its line and the reason', (t) => {
  const installer = '[[installer]]\nexe = "x"\n';
  for (const [text, message] of [
    ['[installer]\nexe = "x"', /^p:1: .*two brackets/], ['[[installer]]\ninstall = "a"', /^p:1: the installer has no exe/], [installer, /^p:1: .*neither install nor uninstall/],
    ['[[installer]]\ninstall = "a"\nexe = 5', /^p:3: exe is a pattern for programs/], ['[[installer]]\ninstall = "a"\nexe = []', /^p:3: exe lists no program/], ['[[installer]]\nexe = "[a"\ninstall = "a"', /^p:2: .*the set \[a has no/],
    [`${installer}install = 5`, /^p:3: install is an argument/], [`${installer}uninstall = ["a", 1]`, /^p:3: uninstall is an argument/], [`${installer}install = "a"\nanywhere = 1`, /^p:4: anywhere must be/],
    [`${installer}install = "a"\npaused = 1`, /^p:4: paused must be/], [`${installer}install = "a"\nnote = 1`, /^p:4: note is a text/], [`${installer}install = "a"\ncolour = 1`, /^p:4: "colour" is not known in an installer/],
    ['[[installer]]\nexe = "x"\ninstall = "defaults"\n\n[points]\ndefaults = "no"', /^p:6: defaults must be true or false/], ['[points]\nfast = 1', /^p:2: "fast" is not known in \[points\]: every, install or defaults was/],
  ] as const) t.throws(() => parsePolicy(text, 'p'), { code: 'ERR_POLICY', message }, text);
});
