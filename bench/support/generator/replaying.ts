// Publishes a recording from the publishing thread: at a multiple of its own speed, or as fast as the subscribers receive it.

import { clockMs, sleep } from '../../../dist/load/clock.js';
import type { Connection } from '../../../dist/load/connection.js';
import type { LatencyHistogram } from '../../../dist/load/latency-histogram.js';
import type { Batch } from './batch.js';
import { CONTROL_SETTLED, CONTROL_STOP } from './publisher-port.js';
import type { RecordedMessages } from './recorded-messages.js';

const SEND_BUFFERED_MAX_BYTES = 1024 * 1024;
const WRITE_MAX_MESSAGES = 200;
const WAIT_MAX_MS = 50;
/** How long the window stays shut: the answers come from another thread, which does not wake this one. */
const WINDOW_WAIT_MS = 0.2;
/** What has not arrived for so long is lost, and is not waited for. */
const WINDOW_STALL_MS = 500;

export interface Replaying {
  connection: Connection;
  batch: Batch;
  messages: RecordedMessages;
  late: LatencyHistogram;
  control: Int32Array<SharedArrayBuffer>;
  stopped: () => boolean;
}

/** Every message when it is due, for `seconds` or until the recording ends. What could not be sent by then is not sent at all. */
export async function replayAtSpeed(replaying: Replaying, seconds: number, speed: number): Promise<void> {
  const { connection, messages, late, control, stopped } = replaying;
  const startMs = clockMs() + 5;
  const dueMs = (message: number): number => startMs + messages.atMs[message]! / speed;
  const endMs = startMs + seconds * 1000;
  let next = 0;
  while (!stopped() && next < messages.count && dueMs(next) < endMs) {
    const nowMs = clockMs();
    if (nowMs > endMs) return;
    if (connection.socket.writableLength > SEND_BUFFERED_MAX_BYTES) {
      await sleep(1);
      continue;
    }
    let end = next;
    while (end < messages.count && end - next < WRITE_MAX_MESSAGES && dueMs(end) <= nowMs) end++;
    if (end > next) {
      send(replaying, next, end, dueMs);
      for (; next < end; next++) late.record(nowMs - dueMs(next));
    }
    await turn();
    const waitMs = next < messages.count ? Math.min(dueMs(next) - clockMs(), WAIT_MAX_MS) : 0;
    if (waitMs > 0) Atomics.wait(control, CONTROL_STOP, 0, waitMs); // only a timer; woken early by a stop
  }
}

/** As much as goes with at most `window` deliveries under way; starts again at the recording's end. */
export async function replayAtOnce(
  replaying: Replaying,
  seconds: number,
  subscribers: readonly number[],
  window: number,
): Promise<void> {
  const { connection, messages, control, stopped } = replaying;
  const endMs = clockMs() + seconds * 1000;
  const underWay = new UnderWay(control);
  let next = 0;
  while (!stopped() && clockMs() < endMs) {
    const room = window - underWay.deliveries(clockMs());
    if (room <= 0 || connection.socket.writableLength > SEND_BUFFERED_MAX_BYTES) {
      Atomics.wait(control, CONTROL_STOP, 0, WINDOW_WAIT_MS); // only a timer; woken early by a stop
      await turn();
      continue;
    }
    const first = next % messages.count;
    let end = first;
    let deliveries = 0;
    while (end < messages.count && end - first < WRITE_MAX_MESSAGES && deliveries < room) {
      deliveries += subscribers[messages.topics[end++]!]!;
    }
    const nowMs = clockMs();
    send(replaying, first, end, () => nowMs);
    underWay.published += deliveries;
    next += end - first;
    await turn();
  }
}

/** How many deliveries are under way, as far as the reading thread has told. */
export class UnderWay {
  /** Deliveries of all that has been published. */
  published = 0;
  readonly #control: Int32Array;
  #settled = 0;
  #lost = 0;
  #movedMs = Number.NEGATIVE_INFINITY;

  constructor(control: Int32Array) {
    this.#control = control;
  }

  deliveries(nowMs: number): number {
    const settled = Atomics.load(this.#control, CONTROL_SETTLED); // pairs with the store in tellSettled
    if (settled !== this.#settled || this.#movedMs === Number.NEGATIVE_INFINITY) {
      this.#settled = settled;
      this.#movedMs = nowMs;
    } else if (nowMs - this.#movedMs > WINDOW_STALL_MS) {
      this.#lost = (this.published - settled) | 0;
      this.#movedMs = nowMs;
    }
    // What counted as lost may come after all.
    return Math.max(0, (this.published - settled - this.#lost) | 0);
  }
}

function send(
  { batch, messages, connection }: Replaying,
  first: number,
  end: number,
  sentMs: (message: number) => number,
): void {
  const { topics, ends, bytes } = messages;
  const sizes: number[] = [];
  for (let message = first; message < end; message++) sizes.push(ends[message]! - messages.startOf(message));
  batch.startRecorded(sizes);
  for (let message = first; message < end; message++) {
    batch.recorded(topics[message]!, sentMs(message), bytes, messages.startOf(message), ends[message]!);
  }
  batch.send(connection);
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
