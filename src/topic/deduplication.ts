/** Deduplication: the message ids that a topic remembers, so that it takes no message twice. */

import type { FrameLog } from '../log/frame-log.js';
import { EventView } from '../protocol/event.js';

/** So many messages, for so long (ms). */
export interface DedupWindow {
  readonly messages: number;
  readonly ms: number;
}

interface Remembered {
  readonly seq: number;
  /** On the monotonic clock. */
  readonly timeMs: number;
}

/** Writer and reader: the topic's home. */
export class Deduplication {
  readonly #window: DedupWindow;
  /** By id, the oldest first. */
  readonly #byId = new Map<string, Remembered>();

  /** Remembers what stands in the topic's log: that is all that is known where a topic is gone on with. */
  constructor(window: DedupWindow, log: FrameLog) {
    this.#window = window;
    const view = new EventView();
    const found: { readonly id: string; readonly seq: number; readonly timeMs: number }[] = [];
    for (let index = log.head; index >= log.tail && found.length < window.messages; index--) {
      const frame = new Uint8Array(log.sliceBytes(index, index + 1));
      log.copy(index, index + 1, frame, 0);
      if (!view.read(frame, 0, frame.length) || view.id === null) continue;
      found.push({ id: view.id, seq: view.seq, timeMs: log.timeAt(index) });
    }
    for (const { id, seq, timeMs } of found.reverse()) this.add(id, seq, timeMs);
  }

  /** The seq of the message with this id; 0: none is remembered. */
  seqOf(id: string, nowMs: number): number {
    this.#forget(nowMs);
    return this.#byId.get(id)?.seq ?? 0;
  }

  add(id: string, seq: number, timeMs: number): void {
    this.#byId.set(id, { seq, timeMs });
    this.#forget(timeMs);
  }

  #forget(nowMs: number): void {
    const { messages, ms } = this.#window;
    for (const [id, { timeMs }] of this.#byId) {
      if (this.#byId.size <= messages && timeMs > nowMs - ms) return;
      this.#byId.delete(id);
    }
  }
}
