/**
 * Snapshots: what a topic has of each key, for those who begin, or go on, with that. A snapshot is a short log: whoever asks
 * while one is made, or a moment later, shares it; delivery sends it like anything else, then goes on behind it.
 */

import type { Delivery } from '../delivery/delivery.js';
import { ENDED_LOG, type Stream } from '../delivery/stream.js';
import type { TopicSnapshot } from '../home/link.js';
import type { FrameLog } from '../log/frame-log.js';
import { FRAMES_MIN } from '../log/layout.js';
import { PlainLog } from '../log/plain-log.js';
import type { Clock } from '../time/loop.js';
import { isWholeBook, sinceSpec } from '../variant/stream-spec.js';
import type { TopicEntry } from './topic-entry.js';

/** So long a snapshot serves others: less than anybody minds, longer than a crowd takes to ask (ms). */
const SHARED_MS = 250;

interface Round {
  readonly entry: TopicEntry;
  /** Where its subscribers go on. */
  readonly live: Stream;
  readonly stream: Stream;
  /** It says only what has changed since this message; 0: all. */
  readonly since: number;
  /** Infinity: it is being made. */
  filledMs: number;
}

/** Writer and reader: the accept thread. */
export class Snapshots {
  readonly #delivery: Delivery;
  readonly #clock: Clock;
  /** Those that others may share, by the stream that they lead to. */
  readonly #newest = new Map<Stream, Round>();
  readonly #rounds = new Map<Stream, Round>();
  /** The same by their topics. */
  readonly #ofTopic = new Map<TopicEntry, Set<Round>>();

  constructor(delivery: Delivery, clock: Clock) {
    this.#delivery = delivery;
    this.#clock = clock;
  }

  /**
   * A stream that brings a snapshot to its subscribers, from cursor 1 on, who then go on with `live`.
   * @param had the cursor of who asks: what it has had is in it
   * @param continues it has had all before that, and may be told only what has changed since
   */
  streamFor(entry: TopicEntry, live: Stream, had: number, continues = false): Stream {
    const since = continues && isWholeBook(live.options.spec) ? had : 0;
    const newest = this.#newest.get(live);
    if (newest?.since === since && this.#serves(newest, had)) return newest.stream;
    const { alias, topic } = live.options;
    const spec = since === 0 ? live.options.spec : sinceSpec(live.options.spec, since);
    const stream = this.#delivery.addStream({
      ...{ alias, topic, spec, isHot: live.isHot, log: ENDED_LOG, successor: live },
      ...{ maxDelayMs: 0, maxLagMessages: 0, maxLagMs: 0 },
    });
    stream.leastSeq = entry.log.headSeq;
    const round: Round = { entry, live, stream, since, filledMs: Number.POSITIVE_INFINITY };
    this.#rounds.set(stream, round);
    const rounds = this.#ofTopic.get(entry) ?? new Set();
    this.#ofTopic.set(entry, rounds.add(round));
    this.#newest.set(live, round);
    this.#ask(round);
    return stream;
  }

  /** Streams of the topic with subscribers who wait for a snapshot, or read one. */
  streamsOf(entry: TopicEntry): Stream[] {
    return Array.from(this.#ofTopic.get(entry) ?? [], ({ stream }) => stream);
  }

  /** Ends those of a topic that is no more; returns those with subscribers, which are to be told. */
  forget(entry: TopicEntry): Stream[] {
    const ended: Stream[] = [];
    for (const round of [...(this.#ofTopic.get(entry) ?? [])]) {
      this.#forget(round);
      if (round.stream.subscriberCount > 0) ended.push(round.stream);
      else this.#delivery.removeStream(round.stream, () => {});
    }
    return ended;
  }

  /** Ends those that nobody reads any more. */
  sweep(): void {
    for (const round of [...this.#rounds.values()]) {
      const isOver = round.filledMs + SHARED_MS < this.#clock.nowMs();
      if (!isOver || round.stream.subscriberCount > 0) continue;
      this.#forget(round);
      this.#delivery.removeStream(round.stream, () => {});
    }
  }

  #forget(round: Round): void {
    this.#rounds.delete(round.stream);
    const rounds = this.#ofTopic.get(round.entry);
    rounds?.delete(round);
    if (rounds?.size === 0) this.#ofTopic.delete(round.entry);
    if (this.#newest.get(round.live) === round) this.#newest.delete(round.live);
  }

  #serves({ stream, live, filledMs }: Round, had: number): boolean {
    if (filledMs === Number.POSITIVE_INFINITY) return true;
    // Who goes on too far behind would be told to catch up again.
    const least = Math.max(had, live.log.tailSeq, live.isNewestBook ? live.floorSeq : 0);
    return filledMs + SHARED_MS > this.#clock.nowMs() && stream.successorCursor >= least;
  }

  #ask(round: Round): void {
    const { entry, stream } = round;
    entry.link.snapshot(entry.spec.alias, stream.options.spec, (snapshot) => {
      if (!this.#rounds.has(stream)) return;
      // Its home changes meanwhile.
      if (snapshot === null) this.#ask(round);
      else this.#fill(round, snapshot);
    });
  }

  #fill(round: Round, { seq, parts }: TopicSnapshot): void {
    const nowMs = this.#clock.nowMs();
    round.filledMs = nowMs;
    round.live.log.refresh();
    this.#delivery.fill(round.stream, logOf(parts, nowMs), seq + 1);
  }
}

/** A log of these frames, which takes what they take. */
function logOf(parts: readonly Uint8Array[], nowMs: number): FrameLog {
  const bytes = parts.reduce((sum, { length }) => sum + length, 0);
  const sizes = { dataBytes: powerOfTwoFrom(bytes), frames: powerOfTwoFrom(Math.max(FRAMES_MIN, parts.length + 2)) };
  const log = new PlainLog({ ...sizes, retainMs: Number.POSITIVE_INFINITY, historyMessages: 0, historyBytes: 0 });
  for (const [index, part] of parts.entries()) {
    log.begin(part.length, nowMs, 0, 0);
    log.write(part, 0, part.length);
    log.commit(index + 1);
  }
  return log;
}

function powerOfTwoFrom(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}
