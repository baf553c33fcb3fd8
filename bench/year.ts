import { runYear } from './year/run.js';
import { QUICK } from './year/model.js';
const arg = (i: number, d: number) => Number(process.argv[i] ?? d);
const scale = { days: arg(2, QUICK.days), changes: arg(3, QUICK.changes), seed: 5 };
const dir = process.argv[4] ?? '/tmp/year-history';
const began = performance.now();
const result = await runYear(dir, scale, { month: (m) => console.log(((performance.now() - began) / 1000).toFixed(0), JSON.stringify(m)) });
console.log(result.compared);
