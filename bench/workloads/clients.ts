/** Sixteen clients at once, each creating, writing, reading and unlinking files of its own: does one starve, is a core idle? */
import { leastBusyCore } from '../observe.js';
import { work, type Workload } from '../run.js';

const CLIENTS = 16;

export const clients: readonly Workload[] = [
  {
    name: 'clients',
    rows: [
      { name: '16 clients, files', unit: '/s', digits: 0 },
      { name: '16 clients, slowest : mean', unit: '', digits: 2 },
      { name: '16 clients, less busy core', unit: '%', digits: 0 },
    ],
    where: ['memory', 'disk'],
    on: 'all',
    async run(run) {
      const area = await run.fresh();
      let evenness = 0;
      let busy = 0;
      await run.take('16 clients, files', async () => {
        let answer = { rate: 0, done: 0 };
        busy = await leastBusyCore(async () => {
          const done = await work('clients', area, CLIENTS);
          ({ evenness } = done);
          answer = done;
        });
        return { value: answer.rate, operations: answer.done };
      });
      run.note('16 clients, slowest : mean', evenness);
      run.note('16 clients, less busy core', busy);
    },
  },
];
