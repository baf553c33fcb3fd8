/**
 * Questions that are asked at the same time are answered together. Guarantees: one that is asked alone is asked at once;
 * a failure is of the question that it belongs to: those that fail together are asked again one by one.
 */

interface Waiting<Q, A> { question: Q; resolve(answer: A): void; reject(error: unknown): void }

export class Gather<Q, A> {
  private waiting: Waiting<Q, A>[] = [];
  private running = 0;

  /** `answer`: one answer for each question, in their order. At most `most` are answered together, `atOnce` times at the same time. */
  constructor(private readonly answer: (questions: Q[]) => Promise<A[]>, private readonly most: number, private readonly atOnce: number) {}

  ask(question: Q): Promise<A> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ question, resolve, reject });
      if (this.waiting.length === 1 && this.running < this.atOnce) queueMicrotask(() => this.next());
    });
  }

  private next(): void {
    while (this.waiting.length > 0 && this.running < this.atOnce) {
      this.running++;
      void this.together(this.waiting.splice(0, this.most)).finally(() => {
        this.running--;
        this.next();
      });
    }
  }

  private async together(asked: Waiting<Q, A>[]): Promise<void> {
    try {
      const answers = await this.answer(asked.map(({ question }) => question));
      asked.forEach(({ resolve }, i) => resolve(answers[i] as A));
    } catch (error) {
      if (asked.length === 1) asked[0]!.reject(error);
      else for (const one of asked) await this.together([one]);
    }
  }
}
