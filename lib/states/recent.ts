/** What happened within a time, oldest first, and when it is worth looking into it again. */
export class Recent<T extends { timeNs: bigint }> {
  readonly list: T[] = [];
  /** All that ever came; what has left counts, too. */
  private came = 0;
  private lookAt = 0;

  push(one: T): void {
    this.list.push(one);
    this.came++;
  }

  dropOlder(thanNs: bigint): void {
    const kept = this.list.findIndex(({ timeNs }) => timeNs >= thanNs);
    if (kept !== 0) this.list.splice(0, kept < 0 ? this.list.length : kept);
  }

  /** Until so many more have come, looking again tells nothing new: what leaves only makes them fewer. */
  wait(more: number): void {
    this.lookAt = this.came + more;
  }

  get worthLooking(): boolean {
    return this.came >= this.lookAt;
  }
}
