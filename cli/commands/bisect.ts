/** `rewind bisect`: the first change after which a test fails. */
import { nextStep, type Verdict } from '../../lib/bisect/search.js';
import type { LogRow } from '../../lib/daemon/protocol.js';
import { RewindError } from '../../lib/errors.js';
import { place, withTree, type Tree } from '../ask.js';
import { answer, reset, start, status } from '../bisect/hand.js';
import { endsOf, savesBetween, Tester, writesOf, type Ends } from '../bisect/ground.js';
import { describe, report } from '../bisect/report.js';
import { flag, text, type Arguments } from '../command.js';
import type { Output } from '../output.js';

/** What a test exits with when it cannot tell. */
const SKIP = 125;
/** Signals by which somebody ends a program, rather than it itself. */
const FROM_OUTSIDE: readonly string[] = ['SIGINT', 'SIGTERM', 'SIGKILL', 'SIGHUP', 'SIGQUIT'];

export async function run(args: Arguments, out: Output): Promise<void> {
  const action = text(args, 'ACTION');
  const program = args['--'] as string[] | undefined;
  const usage = (message: string) => new RewindError('ERR_USAGE', `rewind bisect: ${message}`, 'rewind bisect --help');
  if (action === undefined && program === undefined) throw usage('a test after -- was expected, or start, good, bad, skip, reset, status');
  if (action !== undefined && program !== undefined) throw usage(`${action} takes no test`);
  if (action !== undefined && !['start', 'good', 'bad', 'skip', 'reset', 'status'].includes(action)) throw usage(`${action} is none of start, good, bad, skip, reset, status`);
  if (action !== undefined && action !== 'start') {
    for (const option of ['good', 'bad', 'path', 'read-only']) if (args[option] !== undefined) throw usage(`--${option} means nothing for ${action}`);
  }
  await withTree(args, undefined, out, async (tree) => {
    if (action === 'reset') return await reset(tree, out);
    if (action === 'status') return await status(tree, out);
    if (action !== undefined && action !== 'start') return await answer(tree, action as Verdict, out);
    const path = text(args, 'path');
    const paths = path === undefined ? [] : [await place(tree, args, path)];
    const ends = await endsOf(tree, text(args, 'good'), text(args, 'bad'));
    if (program === undefined) await start(tree, ends, paths, flag(args, 'read-only'), out);
    else await search(tree, ends, paths, new Tester(tree, args, program, flag(args, 'read-only'), out.json), out);
  });
}

async function search(tree: Tree, ends: Ends, paths: string[], tester: Tester, out: Output): Promise<void> {
  const saves = await savesBetween(tree, paths, ends);
  await checkEnd(tester, ends.good, 'good', out);
  await checkEnd(tester, ends.bad, 'bad', out);
  tester.runs = 0;
  const coarse = await narrow(tester, saves, ends.good, out);
  const fine = coarse.suspects.length === 1 ? await narrow(tester, await writesOf(tree, paths, coarse.lastGood, coarse.suspects[0]!), coarse.lastGood, out) : coarse;
  await report(tree, { ...fine, paths, runs: tester.runs }, out);
}

/** The first bad of these changes; before them `good` is good, after them all is bad. */
async function narrow(tester: Tester, rows: LogRow[], good: number, out: Output): Promise<{ suspects: LogRow[]; lastGood: number }> {
  const verdicts = new Map<number, Verdict>();
  for (;;) {
    const step = nextStep(rows.length, verdicts);
    if (step.kind === 'test') {
      const row = rows[step.index]!;
      const verdict = await verdictAt(tester, row.seq);
      verdicts.set(step.index, verdict);
      await tellRun(out, verdict, row.seq, `after ${describe(row)}; at most ${step.left - 1} more`);
    } else {
      const suspects = step.kind === 'found' ? [rows[step.index]!] : rows.slice(step.from, step.to + 1);
      return { suspects, lastGood: rows[step.good]?.seq ?? good };
    }
  }
}

async function verdictAt(tester: Tester, seq: number): Promise<Verdict> {
  const { code, signal } = await tester.run(seq);
  if (signal !== null && FROM_OUTSIDE.includes(signal)) throw new RewindError('ERR_BISECT_TEST', `The test at #${seq} was ended by ${signal}`, 'Begin again with the ends narrowed: --good and --bad.');
  return code === 0 ? 'good' : code === SKIP ? 'skip' : 'bad';
}

/** @throws ERR_BISECT_ENDS when the test says otherwise */
async function checkEnd(tester: Tester, seq: number, expected: 'good' | 'bad', out: Output): Promise<void> {
  const verdict = await verdictAt(tester, seq);
  await tellRun(out, verdict, seq, `the ${expected} end`);
  if (verdict === expected) return;
  const says = verdict === 'skip' ? 'the test cannot tell (125)' : `the test says ${verdict}`;
  throw new RewindError('ERR_BISECT_ENDS', `#${seq} should be ${expected}, and ${says}`,
    expected === 'good' ? 'Name an earlier instant with --good; a shell\'s exit code 127 means that the test was not found.' : 'Name an instant with --bad at which the test fails.');
}

async function tellRun(out: Output, verdict: Verdict, seq: number, what: string): Promise<void> {
  if (out.json) await out.object({ type: 'run', seq, verdict });
  else out.remark(`${verdict.padEnd(5)} #${seq}  ${what}`);
}
