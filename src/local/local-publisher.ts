/** Publishing to one topic from within the process: the way for feeds, which have many messages and wait for none. */

import { callOut } from '../delivery/call-out.js';
import type { TopicEntry } from '../directory/topic-entry.js';
import { RingcastError, refusalOf } from '../errors.js';
import { EVENT_HEAD_MAX_BYTES, EVENT_TAIL_MAX_BYTES } from '../protocol/event.js';
import { encode } from '../protocol/msgpack.js';
import type { AckCallback } from '../router/pending-acks.js';
import { HANDED_OVER, pressureOf } from '../router/publishing.js';
import type { LocalPublishOptions, PublisherOptions } from './api.js';
import { type LocalPublishing, readOptions } from './local-publishing.js';

/** A lane's ring that was full has room again from here on. */
const READY_PRESSURE = 50;
/** Room in a ring is not reported (ms). */
const READY_POLL_MS = 1;

/**
 * A topic, opened for publishing. Nothing needs to be awaited or caught: a message that is not taken is a return value, a
 * count, and told to `onRefused`.
 *
 * ```ts
 * const prices = engine.openPublisher('prices:AAPL', { onRefused: ({ count, error }) => log(count, error.code) });
 * for await (const ticks of source) {
 *   for (const tick of ticks) prices.send(tick);
 *   await prices.ready(); // the engine delivers; while the way to the topic is full, this waits
 * }
 * ```
 *
 * It holds nothing: there is nothing to close. When the topic is deleted, the next message makes it anew, where topics are
 * made on first use.
 */
export class LocalPublisher {
  readonly topic: string;
  /** Messages that were not taken. */
  refused = 0;
  readonly #publishing: LocalPublishing;
  readonly #onRefused: PublisherOptions['onRefused'];
  #entry: TopicEntry;
  /** Of the message that found the topic's home full: there is room again when it would be taken. 0: none did. */
  #refusedBytes = 0;
  /** Refusals of this turn of the event loop, and why the first of them was. */
  #untold = 0;
  #firstUntold: RingcastError | null = null;
  #ready: Promise<boolean> | null = null;
  readonly #onOutcome: AckCallback = (outcome) => {
    if (outcome instanceof RingcastError) this.#refuse(outcome);
  };

  /** Made by `engine.openPublisher(topic)`. */
  constructor(topic: string, publishing: LocalPublishing, options: PublisherOptions) {
    this.topic = topic;
    this.#publishing = publishing;
    this.#onRefused = options.onRefused;
    this.#entry = publishing.open(topic);
  }

  /**
   * Publishes a value, encoded as MessagePack. False: it was not taken, and will not be. Never throws. A topic that takes not
   * all (keys, `ifSeq`) may refuse it later still.
   */
  send(value: unknown, options?: LocalPublishOptions): boolean {
    try {
      return this.#send(encode(value), options);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** The same for a value that is MessagePack already. It is copied before this returns. */
  sendEncoded(payload: Uint8Array, options?: LocalPublishOptions): boolean {
    try {
      return this.#send(payload, options);
    } catch (error) {
      return this.#refuse(error);
    }
  }

  /** How full the ring to the topic's lane is, 0–100: at 100 messages are refused. A cold topic has no way to fill: 0. */
  get pressure(): number {
    return this.#entry.isClosed ? 0 : pressureOf(this.#entry);
  }

  /**
   * Resolves in a later turn of the event loop, in which the engine could deliver: with true as soon as there is room for
   * more, which is mostly at once; with false when the engine is closed. Never rejects.
   */
  ready(): Promise<boolean> {
    this.#ready ??= new Promise((resolve) => {
      this.#publishing.parts.loop.soon(() => this.#look(resolve));
    });
    return this.#ready;
  }

  #look(resolve: (isReady: boolean) => void): void {
    const { loop, isRunning } = this.#publishing.parts;
    const canGoOn = isRunning();
    if (canGoOn && !this.#hasRoom()) {
      loop.after(READY_POLL_MS, () => this.#look(resolve));
      return;
    }
    this.#ready = null;
    this.#refusedBytes = 0;
    resolve(canGoOn);
  }

  #hasRoom(): boolean {
    const entry = this.#entry;
    if (entry.isClosed) return true;
    // A cold topic's log takes what is not larger than what it has, however full the budget for growing is.
    return entry.link.acksLater ? this.pressure <= READY_PRESSURE : entry.log.canHold(this.#refusedBytes);
  }

  /** Hot path: per message; no look-up and no promise. Throws RingcastError. */
  #send(payload: Uint8Array, options: LocalPublishOptions | undefined): boolean {
    const publishing = this.#publishing;
    const { loop, isRunning } = publishing.parts;
    // First: it may be a getter that deletes the topic.
    const given = readOptions(options);
    if (this.#entry.isClosed || !isRunning()) this.#entry = publishing.open(this.topic);
    const entry = this.#entry;
    publishing.check(payload);
    const onAck = entry.isSelective || given?.ifSeq !== undefined ? this.#onOutcome : null;
    const result = publishing.parts.publishing.publishLocally(entry, payload, given, loop.nowMs(), onAck, false);
    if (result === HANDED_OVER) return true;
    this.#refusedBytes = payload.length + EVENT_HEAD_MAX_BYTES + EVENT_TAIL_MAX_BYTES;
    // An error is dear, and after the first one of a turn nobody reads it.
    return this.#refuse(this.#untold === 0 ? publishing.parts.publishing.refusalOf(entry, result) : null);
  }

  /** @param error null: as the one before */
  #refuse(error: unknown): false {
    this.refused++;
    this.#publishing.refusedMessages++;
    if (this.#untold++ > 0) return false;
    this.#firstUntold = refusalOf(error, 'the message cannot be encoded');
    this.#publishing.parts.loop.soon(() => this.#tell());
    return false;
  }

  #tell(): void {
    const refusal = { topic: this.topic, count: this.#untold, error: this.#firstUntold as RingcastError };
    this.#untold = 0;
    this.#firstUntold = null;
    callOut(() => this.#onRefused?.(refusal), this.#publishing.parts.onFault);
  }
}
