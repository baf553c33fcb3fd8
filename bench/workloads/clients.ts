/**
 * Sixteen clients at once, each creating, writing, reading and unlinking files of its own: does one starve, and does the
 * engine answer more than one at a time? Its threads then take more CPU than one thread could; what the clients take counts
 * for nothing.
 */
import { work, type Workload } from '../run.js';

const CLIENTS = 16;

export const clients: readonly Workload[] = [
  {
    name: 'clients',
    rows: [
      { name: '16 clients, files', unit: '/s', digits: 0 },
      { name: '16 clients, slowest : mean', unit: '', digits: 2 },
      { name: '16 clients, cores that the engine keeps busy', unit: '', digits: 2 },
    ],
    where: ['memory', 'disk'],
    on: 'all',
    async run(run) {
      const area = await run.fresh();
      let evenness = 0;
      let seconds = 0;
      const counts = await run.take('16 clients, files', async () => {
        const answer = await work('clients', area, CLIENTS);
        evenness = answer.evenness;
        seconds = answer.done / answer.rate;
        return { value: answer.rate, operations: answer.done };
      });
      run.note('16 clients, slowest : mean', evenness);
      if (counts !== undefined) run.note('16 clients, cores that the engine keeps busy', (counts.cpu['engine'] ?? 0) / seconds);
    },
  },
];
