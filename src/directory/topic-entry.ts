/** Topic entry: all that the accept thread knows of one topic: what it is, where it lives, who reads it. */

import type { DeliveryCounters } from '../delivery/delivery-counters.js';
import { type LogReading, READ_ALL, type Stream } from '../delivery/stream.js';
import { RingcastError } from '../errors.js';
import type { HomeLink, TopicLink } from '../home/link.js';
import { COLD, type Home } from '../home/placement.js';
import type { Position, SlowConsumerPolicy } from '../protocol/messages.js';
import type { DedupWindow } from '../topic/deduplication.js';
import { cursorSince, historyCursor } from '../topic/history.js';
import type { BookSpec } from '../topic/kept-book.js';
import type { KeySpec } from '../topic/key-table.js';
import type { Retention, TopicSpec } from '../topic/topic.js';
import { intervalOf, STATE } from '../variant/stream-spec.js';

/** So many messages per second, 0: any number; and so many at once, 0: what a second brings. */
export interface PublishRate {
  readonly maxPublishRate: number;
  readonly maxPublishBurst: number;
}

/** What configuration says about a topic. */
export interface TopicSettings {
  readonly historyMessages: number;
  readonly historyBytes: number;
  /** Undefined: as its home says. */
  readonly retention?: Retention | undefined;
  readonly maxDelayMs: number | 'auto';
  /** How long messages count that do not say it themselves (ms); undefined: for ever. */
  readonly ttlMs?: number | undefined;
  /** How fast all its publishers together may publish; undefined: as fast as it goes. */
  readonly publishRate?: PublishRate | undefined;
  readonly keys?: KeySpec | undefined;
  readonly dedup?: DedupWindow | undefined;
  readonly book?: BookSpec | undefined;
  /** How often its subscribers may get a key, whatever they wish; undefined, 0: as often as they wish. */
  readonly maxRate?: number | undefined;
  /** So many bytes a second each of them may get, whatever it wishes; undefined, 0: as many as it wishes. */
  readonly maxBandwidth?: number | undefined;
  readonly slowConsumerPolicy: SlowConsumerPolicy;
  readonly maxLagMs: number;
  readonly maxLagMessages: number;
}

/** How a topic begins. */
export interface TopicOpening {
  readonly link: HomeLink;
  readonly lane: number;
  readonly home: Home;
  readonly isDeclared: boolean;
  readonly firstSeq: number;
}

/** Part of a topic's `maxDelayMs` that its messages may wait for each other before the lane is woken, and its limit (ms). */
const LANE_WAIT_SHARE = 0.25;
const LANE_WAIT_MAX_MS = 5;
/** The same of the interval at which its streams are made, where all of them are made so. */
const TIMED_WAIT_SHARE = 0.1;
const TIMED_WAIT_MAX_MS = 20;

export const NO_ROW = -1;

const NO_STREAMS: readonly Stream[] = [];

type TopicLog = ReturnType<HomeLink['openTopic']>;

/** Writer and reader: the accept thread. */
export class TopicEntry {
  readonly spec: TopicSpec;
  readonly settings: TopicSettings;
  /** Where messages go: to its home, or, while it leaves a lane, to whoever holds them for the next one. */
  link: TopicLink;
  /** COLD or the number of its lane; while it moves, the one that it leaves. */
  lane: number;
  /** The canonical stream's log. */
  log: TopicLog;
  /** What rules or a call want for it; anything but `auto` pins it. */
  home: Home;
  /** Those that somebody subscribes to, or did a moment ago. */
  streams: readonly Stream[] = NO_STREAMS;
  /** Messages handed to its home, and the bytes of their payloads. */
  acceptedMessages = 0;
  acceptedBytes = 0;
  /** What its subscribers got, from the first one on. */
  counters: DeliveryCounters | null = null;
  /** How often it has changed its home. */
  moves = 0;
  /** Row of the load meter, from its first message on until nothing has come for a while. */
  loadRow = NO_ROW;
  /** Connections that hold its alias for publishing; and 1 for who declared it: then it does not vanish by itself. */
  holders: number;
  isClosed = false;

  constructor(spec: TopicSpec, settings: TopicSettings, opening: TopicOpening) {
    const { link, lane, home, isDeclared, firstSeq } = opening;
    this.spec = spec;
    this.settings = settings;
    this.link = link;
    this.lane = lane;
    this.home = home;
    this.holders = isDeclared ? 1 : 0;
    this.log = link.openTopic(spec, firstSeq);
    if (spec.keys !== undefined || spec.book !== undefined) link.openStream(spec.alias, STATE, firstSeq);
  }

  /**
   * Hot path. How long a message may wait before its lane is told (ms): a part of what its subscribers let it wait.
   * Nothing when one of them has a delay of its own, or nobody waits for anything.
   */
  mayWaitMs(nowMs: number): number {
    const { maxDelayMs } = this.settings;
    if (maxDelayMs === 'auto' || maxDelayMs === 0) return timedWaitMs(this, nowMs);
    for (const { ownDelays } of this.streams) if (ownDelays > 0) return 0;
    return Math.min(LANE_WAIT_MAX_MS, Math.floor(maxDelayMs * LANE_WAIT_SHARE));
  }

  /** Number of its first message. */
  get firstSeq(): number {
    return this.spec.firstSeq ?? 1;
  }

  /** Whether messages may not be taken that have come this far. */
  get isSelective(): boolean {
    return this.spec.keys !== undefined || this.spec.dedup !== undefined;
  }

  get isHot(): boolean {
    return this.lane !== COLD;
  }

  get subscriberCount(): number {
    let count = 0;
    for (const { subscriberCount, expectedCount } of this.streams) count += subscriberCount + expectedCount;
    return count;
  }

  /** The stream with this key, read so, if somebody subscribes to it. */
  streamOf(key: string, { mode, maxAgeMs }: LogReading = READ_ALL): Stream | undefined {
    return this.streams.find(
      ({ options, reading }) => options.spec.key === key && reading.mode === mode && reading.maxAgeMs === maxAgeMs,
    );
  }

  /** The cursor of a new subscriber: it gets the next message first, or up to `lastN` retained ones before it. */
  cursorFor(lastN: number): number {
    // What is asked for is not lag: no more than the subscriber may be behind.
    const { maxLagMessages } = this.settings;
    return historyCursor(this.log, this.spec, maxLagMessages > 0 ? Math.min(lastN, maxLagMessages) : lastN);
  }

  /** Where a subscriber goes on that has had everything up to a position. Throws BAD_REQUEST for one in the future. */
  recoveryFrom({ epoch, seq }: Position): Recovery {
    const { log, firstSeq } = this;
    log.refresh();
    if (epoch !== this.spec.epoch) return { cursor: firstSeq, isRecovered: false };
    if (seq > log.headSeq)
      throw new RingcastError('BAD_REQUEST', `since is in the future: the topic’s last message is ${log.headSeq}`);
    const cursor = Math.max(seq + 1, firstSeq);
    return { cursor, isRecovered: cursor >= log.tailSeq };
  }

  /** The same of one that has had everything before a moment, on the monotonic clock (ms). */
  recoveryFromTime(timeMs: number): Recovery {
    const cursor = cursorSince(this.log, timeMs);
    const { log, firstSeq } = this;
    // What is gone may have come since then.
    const isRecovered = cursor > log.tailSeq || log.tailSeq === firstSeq;
    return { cursor, isRecovered };
  }
}

/**
 * 0: somebody gets messages as they come, or nobody anything; or it is the first one after a pause, which is told at once.
 * No method: a class with private ones takes 8 bytes more of each of its instances.
 */
function timedWaitMs({ streams, log }: TopicEntry, nowMs: number): number {
  let shortestMs = Number.POSITIVE_INFINITY;
  for (const stream of streams) {
    if (stream.isIdle) continue;
    const intervalMs = intervalOf(stream.options.spec);
    if (intervalMs === 0) return 0;
    shortestMs = Math.min(shortestMs, intervalMs);
  }
  if (shortestMs === Number.POSITIVE_INFINITY) return 0;
  const waitMs = Math.min(TIMED_WAIT_MAX_MS, Math.floor(shortestMs * TIMED_WAIT_SHARE));
  return log.retainedFrames > 0 && nowMs - log.timeAt(log.head) <= waitMs ? waitMs : 0;
}

/** Where a subscriber goes on. */
export interface Recovery {
  /** The seq wanted next, which may not be retained any more. */
  readonly cursor: number;
  /** Nothing is missing behind the position. */
  readonly isRecovered: boolean;
}
