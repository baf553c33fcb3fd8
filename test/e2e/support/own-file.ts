/**
 * A file that only one process knows, changed through a shared mapping and by calls in turns: whatever others do meanwhile, the
 * mapping and read(2) must show the same, and nothing may fail.
 */
import { FALLOC, MAP, O, PROT } from '../../helpers/constants.js';
import type { Driver } from '../../helpers/driver.js';
import type { Random } from '../../helpers/random.js';

const SLOT = 95;
const MOST_PAGES = 32;
const PAGE = 4096;

export async function changeOwnFile(driver: Driver, path: string, random: Random): Promise<void> {
  const size = 1 + random.below(MOST_PAGES * PAGE);
  const part = (): [number, number] => {
    const at = random.below(size);
    return [at, 1 + random.below(size - at)];
  };
  const agree = async (): Promise<void> => {
    const [mapped, read] = [await driver.ok('mapread', SLOT, 0, size), await driver.ok('read', SLOT, 0, size)];
    if (mapped !== read) throw new Error(`${path}: the mapping shows ${mapped}, a read ${read}`);
  };
  await driver.ok('open', SLOT, path, O.RDWR | O.CREAT | (random.chance(0.2) ? O.TRUNC : 0), 0o600);
  await driver.ok('ftruncate', SLOT, size);
  await driver.ok('map', SLOT, SLOT, size, PROT.READ | PROT.WRITE, MAP.SHARED);
  await driver.ok('mapwrite', SLOT, ...part(), random.next());
  await agree();
  await driver.ok('write', SLOT, ...part(), random.next());
  if (random.chance(0.3)) await driver.ok('mapsync', SLOT);
  if (random.chance(0.3)) await driver.ok('fallocate', SLOT, FALLOC.PUNCH, ...part());
  await driver.ok('mapwrite', SLOT, ...part(), random.next());
  await agree();
  await driver.ok('unmap', SLOT);
  await driver.ok('close', SLOT);
}
