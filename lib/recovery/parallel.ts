/** Many small questions at a time: one answer from history is a trip to another thread, and waiting for each in turn is slow. */

/** Questions that are under way together. */
const WIDTH = 192;
/** At first, of items that come one after another. */
const FIRST = 16;

/** Answers for all items, in their order, so many at a time. */
export async function mapParallel<T, R>(items: Iterable<T>, ask: (item: T) => Promise<R>, width = WIDTH): Promise<R[]> {
  const list = [...items];
  const answers: R[] = new Array<R>(list.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < list.length; i = next++) answers[i] = await ask(list[i] as T);
  };
  await Promise.all(Array.from({ length: Math.min(width, list.length) }, worker));
  return answers;
}

/**
 * The same for items that come one after another and may be many: a few are asked about at first, for who wants only the
 * first answers, then more and more together.
 */
export async function* mapStream<T, R>(items: AsyncIterable<T>, ask: (item: T) => Promise<R>): AsyncGenerator<{ item: T; answer: R }> {
  let waiting: T[] = [];
  let together = FIRST;
  const answered = async (): Promise<{ item: T; answer: R }[]> => mapParallel(waiting, async (item) => ({ item, answer: await ask(item) }));
  for await (const item of items) {
    waiting.push(item);
    if (waiting.length < together) continue;
    yield* await answered();
    waiting = [];
    together = Math.min(2 * together, WIDTH);
  }
  yield* await answered();
}

/**
 * Answers in the order of the items, asked ahead of their use; `weight` says what an item costs, and items are asked while
 * the sum of those not yet used is below `limit` (the next one is always asked).
 */
export async function* askAhead<T, R>(items: Iterable<T>, ask: (item: T) => Promise<R>, weight: (item: T) => number, limit: number): AsyncGenerator<{ item: T; answer: R }> {
  const waiting: { item: T; answer: Promise<R>; weight: number }[] = [];
  let sum = 0;
  const iterator = items[Symbol.iterator]();
  let ended = false;
  for (;;) {
    while (!ended && (sum < limit || waiting.length === 0)) {
      const { value, done } = iterator.next() as IteratorResult<T, undefined>;
      if (done === true) {
        ended = true;
        break;
      }
      const answer = ask(value);
      answer.catch(() => undefined);
      waiting.push({ item: value, answer, weight: weight(value) });
      sum += weight(value);
    }
    const first = waiting.shift();
    if (!first) return;
    sum -= first.weight;
    yield { item: first.item, answer: await first.answer };
  }
}
