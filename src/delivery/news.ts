/** News: streams whose head moved. Their idle subscriptions become pending, and whoever has them ready, at once or after a delay. */

import type { Loop } from '../time/loop.js';
import type { AutoDelay } from './auto-delay.js';
import type { Consumer } from './consumer.js';
import type { ReadyConsumers } from './ready-consumers.js';
import { linkPending, unlinkIdle } from './row-lists.js';
import { DELAY_AUTO, type Stream } from './stream.js';
import { DELAY_OF_STREAM, NONE, type SubscriptionTable } from './subscription-table.js';
import { WorkQueue } from './work-queue.js';

/** Rows that become pending between two looks at the clock. */
const MARKS_PER_CLOCK_READ = 1024;
/** Streams looked at between two looks at the clock. */
const STREAMS_PER_CLOCK_READ = 16;

/** Writer and reader: the accept thread. */
export class News {
  readonly #table: SubscriptionTable;
  readonly #consumers: readonly (Consumer | null)[];
  readonly #ready: ReadyConsumers;
  readonly #autoDelay: AutoDelay;
  readonly #loop: Loop;
  readonly #cold = new WorkQueue<Stream>();
  readonly #hot = new WorkQueue<Stream>();

  /** @param consumers by slot: delivery's own */
  constructor(
    table: SubscriptionTable,
    consumers: readonly (Consumer | null)[],
    ready: ReadyConsumers,
    autoDelay: AutoDelay,
    loop: Loop,
  ) {
    this.#table = table;
    this.#consumers = consumers;
    this.#ready = ready;
    this.#autoDelay = autoDelay;
    this.#loop = loop;
  }

  /** Streams that are still to be looked at. */
  get count(): number {
    return this.#cold.length + this.#hot.length;
  }

  /** Hot path: per message or batch. False: it is known already. */
  add(stream: Stream): boolean {
    if (stream.isDirty) return false;
    stream.isDirty = true;
    (stream.isHot ? this.#hot : this.#cold).push(stream);
    return true;
  }

  /** Makes what is idle pending, cold streams first, until the deadline. */
  mark(deadlineMs: number): void {
    if (this.count === 0) return;
    if (this.#markQueue(this.#cold, deadlineMs)) this.#markQueue(this.#hot, deadlineMs);
  }

  /** False: it has got late, there may be more. */
  #markQueue(queue: WorkQueue<Stream>, deadlineMs: number): boolean {
    const nowMs = this.#loop.nowMs();
    for (let streams = queue.length; streams > 0; streams--) {
      if (streams % STREAMS_PER_CLOCK_READ === 0 && this.#loop.nowMs() >= deadlineMs) return false;
      const stream = queue.shift();
      stream.isDirty = false;
      if (stream.isRemoved) continue;
      stream.updateFloor(nowMs);
      while (this.#markSome(stream, nowMs)) {
        if (this.#loop.nowMs() < deadlineMs) continue;
        stream.isDirty = true;
        queue.push(stream);
        return false;
      }
    }
    return true;
  }

  /** Hot path. Makes up to MARKS_PER_CLOCK_READ idle rows pending. True: there are more. */
  #markSome(stream: Stream, nowMs: number): boolean {
    const table = this.#table;
    const consumers = this.#consumers;
    const { isHot } = stream;
    if (stream.idleHead === NONE) return false;
    const streamDelayMs = this.#delayMs(stream);
    // Idle subscriptions have all got the same messages: one look at the clock serves them.
    const waitedMs = stream.waitedMs(table.cursor[stream.idleHead], nowMs);
    for (let marked = 0; stream.idleHead !== NONE; marked++) {
      if (marked === MARKS_PER_CLOCK_READ) return true;
      const row = stream.idleHead;
      const consumer = consumers[table.connection[row]] as Consumer;
      const ownDelayMs = table.delayMs[row];
      unlinkIdle(table, stream, row);
      linkPending(table, consumer, isHot, row);
      const delayMs = (ownDelayMs === DELAY_OF_STREAM ? streamDelayMs : ownDelayMs) - waitedMs;
      if (delayMs <= 0) this.#ready.makeReady(consumer, isHot);
      else this.#ready.makeWait(consumer, nowMs + delayMs);
    }
    return false;
  }

  #delayMs(stream: Stream): number {
    const { maxDelayMs } = stream.options;
    if (maxDelayMs !== DELAY_AUTO) return maxDelayMs;
    return stream.isHot ? this.#autoDelay.hotMs : this.#autoDelay.coldMs;
  }
}
