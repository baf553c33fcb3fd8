/** The days of a busy developer: what is done how often, at random times of working hours; the same seed gives the same year. */
import { Random } from '../../test/helpers/random.js';
import type { Scale } from './model.js';
import { Project } from './project.js';
import type { SimulatedTree } from './tree.js';

const HOUR_MS = 3_600_000;
const [FROM_HOUR, TO_HOUR] = [8, 19];
/** Of what an average day has, days of the week from Sunday have so much. */
const WEEK = [0.2, 1.3, 1.3, 1.35, 1.3, 1.25, 0.3] as const;
/** Changes of an average day that the numbers below make. */
const DAY_CHANGES = 27_000;
const UNITS = 100;

/** How often on an average day. */
const ACTS: readonly { times: number; act: (project: Project) => void }[] = [
  { times: 440, act: (project) => { for (let i = 0; i < 26; i++) project.append(); } },
  { times: 500, act: (project) => project.update() },
  { times: 280, act: (project) => project.edit() },
  { times: 8, act: (project) => project.compile(UNITS) },
  { times: 4, act: (project) => project.checkOut() },
  { times: 800, act: (project) => project.chmod() },
  { times: 0.2, act: (project) => project.reinstall() },
];

export class Developer {
  readonly project: Project;
  private readonly random: Random;
  /** Of a full day. */
  private readonly load: number;

  constructor(private readonly tree: SimulatedTree, { seed, days, changes, part = 1 }: Scale) {
    this.random = new Random(seed);
    this.load = changes / days / DAY_CHANGES;
    tree.mount(0);
    this.project = new Project(tree, this.random, part);
  }

  /** Does the work of the day that begins at this time, act by act. */
  *work(dayMs: number): Generator<void> {
    const { random, tree, project } = this;
    const weekday = new Date(dayMs).getDay();
    const at = (hour: number): number => dayMs + hour * HOUR_MS;
    tree.waitUntil(at(FROM_HOUR));
    if (weekday === 1) tree.mount(dayMs);
    project.startServices();
    const acts: { timeMs: number; act: (project: Project) => void }[] = [];
    for (const { times, act } of ACTS) {
      const wanted = times * this.load * WEEK[weekday]!;
      const count = Math.floor(wanted) + (random.chance(wanted % 1) ? 1 : 0);
      for (let i = 0; i < count; i++) acts.push({ timeMs: at(FROM_HOUR) + random.below((TO_HOUR - FROM_HOUR) * HOUR_MS), act });
    }
    for (const { timeMs, act } of acts.sort((a, b) => a.timeMs - b.timeMs)) {
      tree.waitUntil(timeMs);
      act(project);
      yield;
    }
  }
}
