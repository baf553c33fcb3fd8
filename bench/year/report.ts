/** A year as tables: what the terminal shows, and its part of docs/space.md. A pure function of the result. */
import { grouped, megabytes, table } from '../space/report.js';
import { contentBytes, FLAT, FULL, growth, QUESTIONS, timelineBytes, type Month, type Question, type Result, type Scale } from './model.js';

const milliseconds = (ms: number): string => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0));
const millions = (count: number): string => grouped(String(Math.round(count / 1000) * 1000));

const SIZES = ['', 'changes', 'written', 'tree', 'history', 'states and content', 'timeline', 'written to the store', 'memory', 'of it JavaScript'];
const sizes = (month: Month): string[] => [
  month.month, millions(month.changes), megabytes(month.writtenBytes), megabytes(month.liveBytes), `**${megabytes(month.historyBytes)}**`,
  megabytes(contentBytes(month)), megabytes(timelineBytes(month)), megabytes(month.storedBytes), megabytes(month.rssBytes), megabytes(month.heapBytes),
];

const NAMES = Object.keys(QUESTIONS) as Question[];
const TIMES = ['', ...NAMES.map((name) => QUESTIONS[name]), 'a retention round, s', 'its longest, s'];
const times = ({ month, questions, roundSeconds, longestRoundSeconds }: Month): string[] =>
  [month, ...NAMES.map((name) => milliseconds(questions[name])), roundSeconds.toFixed(2), longestRoundSeconds.toFixed(1)];

const curve = (result: Result): string[][] => FLAT.map(({ name, of }) => {
  const ratio = growth(result.months, of);
  return [name, Number.isNaN(ratio) ? '-' : ratio.toFixed(2)];
});

const most = (month: Month): string => Object.entries(month.families).sort(([, a], [, b]) => b - a).slice(0, 8).map(([family, bytes]) => `${family} ${megabytes(bytes)}`).join(', ');

export function report(result: Result): string {
  const { months } = result;
  const last = months.at(-1);
  return [
    '### Sizes, MB\n',
    table(SIZES, months.map(sizes)),
    '\n### Times, ms (medians)\n',
    table(TIMES, months.map(times)),
    '\n### The last month over the fourth\n',
    table(['', 'times'], curve(result)),
    '',
    compared(months),
    ...last === undefined ? [] : [`In the end the largest families are, in MB: ${most(last)}.`],
  ].join('\n');
}

function compared(months: readonly Month[]): string {
  const sum = (of: (month: Month) => number): number => months.reduce((all, month) => all + of(month), 0);
  return `Each month files were compared, at the end of each day that is still kept, with what had been written: ${grouped(String(sum((month) => month.compared.files)))} in all, at ${months.at(-1)?.compared.instants ?? 0} instants in the end; ${sum((month) => month.compared.differing)} read otherwise.`;
}

/** Where less was done than was meant to be. */
function asked({ days, changes, part: ofTree = 1 }: Scale, last: Month): string {
  const less = [
    ...changes < FULL.changes ? [`${grouped(String(FULL.changes))} changes`] : [], ...ofTree < 1 ? [`a tree ${(1 / ofTree).toFixed(0)} times as large`] : [], ...last.days < days ? [`${days} days`] : [],
  ];
  return less.length > 0 ? ` Asked were ${less.join(', ')}: this is less, for want of a machine that had the hours.` : '';
}

/** The part of docs/space.md. */
export function part(result: Result): string {
  const { scale, machine, minutes, note } = result;
  const last = result.months.at(-1)!;
  return `## A year

Written by \`npm run bench:year -- --write-docs\` from \`bench/year.json\`: a developer's days, ${millions(last.changes)} changes in ${last.days} days, go through the real
fold into a real history, at the times that they would have; each night all of it is packed as in the background, and the daemon's
round of [retention](retention.md) is done with its default schedule and trash. No kernel and no journal take part.

- **When**: ${result.date.slice(0, 10)}, in ${minutes.toFixed(0)} minutes. **Machine**: ${Object.entries(machine).map(([name, value]) => `${name} ${String(value)}`).join(', ')}, shared with other work; the store in memory.
- **A day**: sources of 1 to 100 KiB edited in place and by rename, with swap files; builds that make objects anew; checkouts of another branch
  that replace 200 files; permissions; lines appended to logs that a service has open all day, and 4-KiB pages of its database; now and then modules are
  removed and installed anew. In the end the tree has ${grouped(String(last.objects))} objects.${asked(scale, last)}
- **States and content** are what instants are read from; the **timeline** tells of every change: who, when, what. It stays by design ([what is kept](retention.md#what-becomes-of-what-is-given-up)),
  so it is what grows: ${grouped((timelineBytes(last) / last.changes).toFixed(0))} bytes a change. **Memory** is that of the whole process, the simulated tree in it.
- **Questions** are asked three times at the end of each month, on files and kept instants by chance. The tree is that of the developer, the same size all year.

${note === undefined ? '' : `- ${note}
`}
${report(result)}
`;
}
