/**
 * Edits of one of several objects that are merged side by side. Guarantees: what an object gives between two `room` takes effect
 * together, whatever others give meanwhile; memory is bounded for each of them.
 */
import type { Family } from '../history/families.js';
import type { Turns } from '../history/turns.js';
import type { Editor } from './editor.js';
import type { Sink } from './sink.js';

/** What may gather of one object. */
const MOST_BYTES = 1 << 20;

interface Given { family: Family; key: Buffer; value: Buffer | null }

export class Gathered implements Sink {
  private given: Given[] = [];
  private bytes = 0;

  /** `turns`: those of all objects that go to this editor. */
  constructor(private readonly editor: Editor, private readonly turns: Turns) {}

  put(family: Family, key: Buffer, value: Buffer): void {
    this.add({ family, key, value });
  }

  delete(family: Family, key: Buffer): void {
    this.add({ family, key, value: null });
  }

  content(bytes: Buffer): number {
    return this.editor.content(bytes);
  }

  async room(): Promise<void> {
    if (this.bytes >= MOST_BYTES) await this.give();
  }

  /** What has gathered goes to the editor, which commits it when it has enough. @throws the editor's signal's reason */
  give(): Promise<void> {
    return this.turns.take(async () => {
      for (const { family, key, value } of this.given.splice(0)) {
        if (value === null) this.editor.delete(family, key);
        else this.editor.put(family, key, value);
      }
      this.bytes = 0;
      await this.editor.room();
    });
  }

  private add(one: Given): void {
    this.given.push(one);
    this.bytes += one.key.length + (one.value?.length ?? 0);
  }
}
