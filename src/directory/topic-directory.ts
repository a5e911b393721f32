/** Topic directory: which topics exist, where each lives, and when one ceases to be. */

import type { Consumer } from '../delivery/consumer.js';
import type { Delivery } from '../delivery/delivery.js';
import { DeliveryCounters } from '../delivery/delivery-counters.js';
import { DELAY_AUTO, ENDED_LOG, type LogReading, READ_ALL, type Stream } from '../delivery/stream.js';
import { RingcastError } from '../errors.js';
import type { Homes } from '../home/homes.js';
import { COLD, laneOf } from '../home/placement.js';
import type { FrameLog } from '../log/frame-log.js';
import { STATS_TOPIC, topicNameProblem } from '../protocol/topic-name.js';
import type { Clock } from '../time/loop.js';
import { historyCursor } from '../topic/history.js';
import type { Retention, TopicSpec } from '../topic/topic.js';
import { beginsNow, CANONICAL, isBook, isPlainBook, marksOf, type StreamSpec } from '../variant/stream-spec.js';
import { definedOnly, type PlacementRule, type ReadyRule, readyRules } from './placement-rules.js';
import { Snapshots } from './snapshots.js';
import { NO_ROW, TopicEntry, type TopicOpening, type TopicSettings } from './topic-entry.js';
import { newStart, startProblem, type TopicStart } from './topic-start.js';

export interface DirectoryOptions {
  readonly autoCreate: boolean;
  readonly maxTopics: number;
  readonly maxHotTopics: number;
  /** What a topic may have of streams beside the plain ones. */
  readonly maxStreamsPerTopic: number;
  readonly defaults: TopicSettings;
  readonly rules: readonly PlacementRule[];
  /** What a rule says only a part of. */
  readonly retention: Retention;
}

type TopicPlace = Pick<TopicOpening, 'lane' | 'home' | 'isDeclared'>;

/** What `sweep` looks at in one step. */
const TOPICS_PER_STEP = 500;
/** A topic that nobody uses makes room for a new one when nothing has come for so long (ms). */
const IDLE_MS = 60_000;
/** Topics that a new one may look at for room. */
const LOOKS_FOR_ROOM = 100;

/** Writer and reader: the accept thread. */
export class TopicDirectory {
  readonly #options: DirectoryOptions;
  readonly #delivery: Delivery;
  readonly #homes: Homes;
  readonly #clock: Clock;
  readonly #rules: readonly ReadyRule[];
  readonly #byName = new Map<string, TopicEntry>();
  /** The server's own: not counted, not listed, never deleted. */
  readonly #serverTopics = new Map<string, TopicEntry>();
  /** All of them. */
  readonly #byAlias = new Map<number, TopicEntry>();
  readonly #entryOfStream = new Map<Stream, TopicEntry>();
  readonly #snapshots: Snapshots;
  /** Topics that were published to while nobody used them, with their number of messages at the last sweep. */
  readonly #unattended = new Map<TopicEntry, number>();
  /** Topics with messages that do not count for ever. A field of each topic would cost all the others. */
  readonly #withTtl = new WeakSet<TopicEntry>();
  /** Derived streams that have lost their last subscriber, and whether a sweep has seen them so. */
  readonly #idleStreams = new Map<Stream, boolean>();
  /** Those that the sweep under way has seen. */
  readonly #newlyIdle: Stream[] = [];
  /** How far the `sweep` under way has got; null: none is. */
  #sweeping: Iterator<[TopicEntry, number]> | null = null;
  /** Topics that ended connections have held, still to be let go of. */
  readonly #releasing: Iterator<TopicEntry>[] = [];
  /** Goes round and round over all topics, for one that may make room. */
  #roomHand: Iterator<TopicEntry> | null = null;
  #lastAlias = 0;
  #hotTopics = 0;

  constructor(options: DirectoryOptions, delivery: Delivery, homes: Homes, clock: Clock) {
    this.#options = options;
    this.#delivery = delivery;
    this.#homes = homes;
    this.#clock = clock;
    this.#snapshots = new Snapshots(delivery, clock);
    this.#rules = readyRules(options.rules, options.defaults, options.retention);
  }

  get count(): number {
    return this.#byName.size;
  }

  get hotCount(): number {
    return this.#hotTopics;
  }

  /** Whether one more topic may be hot. */
  get hasRoomForHot(): boolean {
    // Logs that a lane has not let go of yet take as much memory as any, and with a lane that hangs they could be many. A
    // few are in the sum anyway: those kept for the next topic.
    return this.#hotTopics + this.#homes.lanes.surplusLogs < this.#options.maxHotTopics;
  }

  /** A topic has come from another home. */
  moved(entry: TopicEntry, from: number): void {
    if (entry.isHot && from === COLD) this.#hotTopics++;
    else if (!entry.isHot && from !== COLD) this.#hotTopics--;
  }

  entries(): Iterable<TopicEntry> {
    return this.#byName.values();
  }

  find(name: string): TopicEntry | undefined {
    return this.#byName.get(name) ?? this.#serverTopics.get(name);
  }

  isServerTopic(name: string): boolean {
    return name === STATS_TOPIC;
  }

  findAlias(alias: number): TopicEntry | undefined {
    return this.#byAlias.get(alias);
  }

  /** The topic, created if it may be; otherwise the error to answer. The name has been checked. */
  obtain(name: string): TopicEntry | RingcastError {
    const entry = this.find(name);
    if (entry !== undefined) return entry;
    if (this.isServerTopic(name)) {
      return new RingcastError('TOPIC_NOT_FOUND', `no topic ${JSON.stringify(name)}: statsIntervalMs is 0`);
    }
    if (!this.#options.autoCreate) return new RingcastError('TOPIC_NOT_FOUND', `no topic ${JSON.stringify(name)}`);
    return this.#create(name, false, newStart());
  }

  /**
   * Creates a topic that stays until it is deleted. Throws on a bad name or a reached limit; an existing topic is fine,
   * unless it would have to begin elsewhere.
   */
  declare(name: string, start?: TopicStart): TopicEntry {
    const problem = topicNameProblem(name) ?? (start === undefined ? null : startProblem(start));
    if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
    const existing = this.#byName.get(name);
    if (existing !== undefined && start !== undefined) {
      throw new RingcastError('CONFLICT', `the topic ${JSON.stringify(name)} exists already`);
    }
    const entry = existing ?? this.#create(name, true, start ?? newStart());
    if (entry instanceof RingcastError) throw entry;
    return entry;
  }

  /** A topic that only the server publishes to. It is cold, keeps its newest message, and its slow subscribers get that. */
  addServerTopic(name: string): TopicEntry {
    const settings: TopicSettings = {
      historyMessages: 1,
      historyBytes: Number.POSITIVE_INFINITY,
      retention: { ms: 0, messages: 0, bytes: 0 },
      maxDelayMs: 0,
      slowConsumerPolicy: 'conflate',
      maxLagMs: 0,
      maxLagMessages: 0,
    };
    const entry = this.#open(name, newStart(), settings, { lane: COLD, home: 'cold', isDeclared: true });
    this.#serverTopics.set(name, entry);
    return entry;
  }

  /** Ends a topic and its subscriptions; subscribers get UNSUBSCRIBED. False: there is none. */
  delete(name: string): boolean {
    const entry = this.#byName.get(name);
    if (entry === undefined) return false;
    this.#close(entry, 'the topic was deleted');
    return true;
  }

  #close(entry: TopicEntry, reason: string): void {
    const streams = entry.streams.filter((stream) => !stream.isIdle);
    // First, because a subscriber that is told may ask for the topic again at once, and gets a new one.
    this.#forget(entry);
    // Before any of them ends: whoever waits for a snapshot is expected by another stream, which must not end as unused.
    for (const stream of streams) this.#entryOfStream.delete(stream);
    for (const stream of [...this.#snapshots.forget(entry), ...streams]) {
      this.#delivery.removeStream(stream, ({ sink, encoder }) => {
        sink.reply(encoder.revoked(entry.spec, 'TOPIC_NOT_FOUND', reason));
      });
    }
  }

  /**
   * The stream with this spec, read so; started on first use, with what history offers, or from `cursor` on if that is earlier.
   * A log serves all readings. Throws LIMIT_EXCEEDED.
   */
  streamOf(
    entry: TopicEntry,
    streamSpec: StreamSpec,
    reading: LogReading = READ_ALL,
    cursor = Number.POSITIVE_INFINITY,
  ): Stream {
    const existing = entry.streamOf(streamSpec.key, reading);
    if (existing !== undefined) return existing;
    const { spec, settings } = entry;
    const { maxStreamsPerTopic } = this.#options;
    const isPlain =
      ((streamSpec.kind !== 'view' && !isBook(streamSpec)) || isPlainBook(streamSpec)) && reading.maxAgeMs === 0;
    if (!isPlain && entry.streams.length >= maxStreamsPerTopic) {
      const message = `no more than ${maxStreamsPerTopic} different streams of a topic (maxStreamsPerTopic)`;
      throw new RingcastError('LIMIT_EXCEEDED', message, { limit: maxStreamsPerTopic });
    }
    entry.counters ??= new DeliveryCounters();
    const log = this.#logOf(entry, streamSpec, cursor);
    const stream = this.#delivery.addStream({
      alias: spec.alias,
      topic: spec.topic,
      spec: streamSpec,
      isHot: entry.isHot,
      log,
      maxDelayMs: settings.maxDelayMs === 'auto' ? DELAY_AUTO : settings.maxDelayMs,
      maxLagMessages: settings.maxLagMessages,
      maxLagMs: settings.maxLagMs,
      counters: entry.counters,
      reading,
      hasTtl: this.#withTtl.has(entry),
      marks: entry.spec.keys === undefined && !isBook(streamSpec) ? null : marksOf(streamSpec, log, entry.log),
    });
    entry.streams = [...entry.streams, stream];
    this.#entryOfStream.set(stream, entry);
    return stream;
  }

  /** The stream ends in a moment, if nobody subscribes to it. */
  letEnd(stream: Stream): void {
    if (stream.isIdle && isDerived(stream)) this.#idleStreams.set(stream, false);
  }

  #logOf(entry: TopicEntry, streamSpec: StreamSpec, cursor: number): FrameLog {
    if (streamSpec.key === CANONICAL.key) return entry.log;
    const another = entry.streams.find(({ options }) => options.spec.key === streamSpec.key);
    if (another !== undefined) return another.log;
    const history = Math.min(cursor, historyCursor(entry.log, entry.spec));
    const firstSeq = beginsNow(streamSpec) ? entry.log.headSeq + 1 : history;
    return entry.link.openStream(entry.spec.alias, streamSpec, firstSeq);
  }

  /**
   * The stream that brings a snapshot to its subscribers, from cursor 1 on, who then go on with `live`.
   * @param had the cursor of who asks. @param continues who asks has had all of the stream before it
   */
  snapshotFor(live: Stream, had: number, continues = false): Stream {
    return this.#snapshots.streamFor(this.#entryOfStream.get(live) as TopicEntry, live, had, continues);
  }

  /** What a consumer subscribes to of a topic; undefined: nothing. */
  subscriptionOf(consumer: Consumer, entry: TopicEntry): Stream | undefined {
    const isIts = (stream: Stream): boolean => this.#delivery.isSubscribed(consumer, stream);
    return entry.streams.find(isIts) ?? this.#snapshots.streamsOf(entry).find(isIts);
  }

  /** Hot path: per message or batch. The topic's logs have got new frames. */
  headMoved(entry: TopicEntry): void {
    // Also without subscribers: the log's shared words tell a difference of less than 2^31 messages.
    entry.log.refresh();
    for (const stream of entry.streams) {
      if (stream.log !== entry.log) stream.log.refresh();
      this.#delivery.headMoved(stream);
    }
  }

  /** Hot path: per batch of a lane. The same, of the topic with this alias. */
  headMovedOf(alias: number): void {
    const entry = this.#byAlias.get(alias);
    // Unknown: the topic was closed after the lane had reported.
    if (entry !== undefined) this.headMoved(entry);
  }

  /** A message comes that does not count for ever. */
  letExpire(entry: TopicEntry): void {
    if (this.#withTtl.has(entry)) return;
    this.#withTtl.add(entry);
    for (const stream of entry.streams) stream.letExpire();
  }

  /** A connection keeps the topic's alias for publishing, until `release`. */
  hold(entry: TopicEntry): void {
    entry.holders++;
  }

  /** Lets go of one that was held for a moment, with what has been published meanwhile. */
  letGo(entry: TopicEntry): void {
    entry.holders--;
    this.publishedUnheld(entry);
  }

  /** Lets go of held topics: of the first ones now, of the others in the next steps of `sweep`. */
  release(entries: Iterable<TopicEntry>): void {
    const iterator = entries[Symbol.iterator]();
    if (this.#releaseSome(iterator, TOPICS_PER_STEP) === 0) this.#releasing.push(iterator);
  }

  /** Returns how many more it might have. */
  #releaseSome(entries: Iterator<TopicEntry>, most: number): number {
    for (let left = most; left > 0; left--) {
      const { value: entry, done } = entries.next();
      if (done === true) return left;
      entry.holders--;
      this.#vanishIfUnused(entry);
    }
    return 0;
  }

  #create(name: string, isDeclared: boolean, start: TopicStart): TopicEntry | RingcastError {
    const { maxTopics, defaults } = this.#options;
    if (this.#byName.size >= maxTopics && !this.#makeRoom()) {
      return new RingcastError('LIMIT_EXCEEDED', `no more than ${maxTopics} topics (maxTopics)`);
    }
    const rule = this.#rules.find(({ matches }) => matches(name));
    const settings = rule?.settings ?? defaults;
    const home = rule?.home ?? 'auto';
    const wanted = laneOf(name, home, this.#homes.lanes.links.length);
    const lane = this.hasRoomForHot ? this.#homes.usable(wanted) : COLD;
    const entry = this.#open(name, start, settings, { lane, home, isDeclared });
    this.#byName.set(name, entry);
    if (entry.isHot) this.#hotTopics++;
    return entry;
  }

  #open(name: string, start: TopicStart, settings: TopicSettings, where: TopicPlace): TopicEntry {
    const { historyMessages, historyBytes, retention, keys, book, dedup } = settings;
    const { epoch, firstSeq } = start;
    const plain: TopicSpec = { alias: this.#nextAlias(), topic: name, epoch, historyMessages, historyBytes };
    const rare = definedOnly({ retention, keys, book, dedup, firstSeq: firstSeq === 1 ? undefined : firstSeq });
    const spec: TopicSpec = Object.keys(rare).length === 0 ? plain : { ...plain, ...rare };
    const entry = new TopicEntry(spec, settings, { ...where, link: this.#homes.at(where.lane), firstSeq });
    this.#byAlias.set(spec.alias, entry);
    return entry;
  }

  /** Aliases are not used again until 2^32 topics have been made: a stale one must not name another topic. */
  #nextAlias(): number {
    do this.#lastAlias = (this.#lastAlias + 1) >>> 0;
    while (this.#lastAlias === 0 || this.#byAlias.has(this.#lastAlias));
    return this.#lastAlias;
  }

  /** A stream has lost its last subscription. */
  streamUnused(stream: Stream): void {
    const entry = this.#entryOfStream.get(stream);
    if (entry === undefined) return;
    // A derived stream is kept for a moment: to begin it again its history would have to be derived again.
    if (isDerived(stream)) this.#idleStreams.set(stream, false);
    else this.#end(entry, stream);
    this.#vanishIfUnused(entry);
  }

  #end(entry: TopicEntry, stream: Stream): void {
    this.#idleStreams.delete(stream);
    this.#entryOfStream.delete(stream);
    this.#delivery.removeStream(stream, () => {});
    entry.streams = entry.streams.filter((other) => other !== stream);
  }

  /** Ends derived streams without subscribers since the last sweep. Returns how many more might be looked at. */
  #endIdleStreams(most: number): number {
    let left = most;
    for (const [stream, isOld] of this.#idleStreams) {
      if (left-- === 0) return 0;
      this.#idleStreams.delete(stream);
      const entry = this.#entryOfStream.get(stream);
      if (entry === undefined || !stream.isIdle) continue;
      if (!isOld) {
        this.#newlyIdle.push(stream);
        continue;
      }
      this.#end(entry, stream);
      const { key } = stream.options.spec;
      if (entry.streams.every(({ options }) => options.spec.key !== key)) entry.link.closeStream(entry.spec.alias, key);
    }
    for (const stream of this.#newlyIdle.splice(0)) this.#idleStreams.set(stream, true);
    return left;
  }

  /** Who published to the topic does not hold it, which does not make anybody use it: `sweep` has a look later. */
  publishedUnheld(entry: TopicEntry): void {
    if (!isNeeded(entry) && !entry.isClosed) this.#unattended.set(entry, this.#unattended.get(entry) ?? 0);
  }

  /**
   * Ends unattended topics to which nothing came since the last sweep, some of them. Called about once per second, not with
   * every message, and again after a turn of the event loop until it says true: that was all of them.
   */
  sweep(): boolean {
    let left = TOPICS_PER_STEP;
    for (let entries = this.#releasing.at(-1); entries !== undefined; entries = this.#releasing.at(-1)) {
      left = this.#releaseSome(entries, left);
      if (left === 0) return false;
      this.#releasing.pop();
    }
    if (this.#sweeping === null) {
      this.#snapshots.sweep();
      left = this.#endIdleStreams(left);
      if (left === 0) return false;
      this.#sweeping = this.#unattended.entries();
    }
    for (; left > 0; left--) {
      const { value, done } = this.#sweeping.next();
      if (done === true) {
        this.#sweeping = null;
        return true;
      }
      this.#lookAtUnattended(...(value as [TopicEntry, number]));
    }
    return false;
  }

  #lookAtUnattended(entry: TopicEntry, acceptedMessages: number): void {
    if (entry.acceptedMessages !== acceptedMessages && !isNeeded(entry)) {
      this.#unattended.set(entry, entry.acceptedMessages);
      return;
    }
    const isRead = !isNeeded(entry) && isReadByPatterns(entry);
    if (isRead && !this.#isLongIdle(entry)) return;
    this.#unattended.delete(entry);
    if (isRead) this.#vanish(entry);
    else this.#vanishIfUnused(entry);
  }

  /**
   * There are as many topics as there may be: one that nobody uses goes, if it has no history or has been idle for long.
   * Otherwise one client could make them all and leave, and nobody would ever get another one.
   */
  #makeRoom(): boolean {
    let looks = LOOKS_FOR_ROOM;
    for (const [entry, acceptedMessages] of this.#unattended) {
      if (looks-- === 0) break;
      this.#unattended.delete(entry);
      if (isNeeded(entry) || entry.isClosed) continue;
      const isIdle = entry.acceptedMessages === acceptedMessages && this.#isLongIdle(entry);
      // Those that are still read come last.
      if (isReadByPatterns(entry) && !isIdle) this.#unattended.set(entry, acceptedMessages);
      else return this.#vanish(entry);
    }
    for (looks = Math.min(LOOKS_FOR_ROOM, this.#byName.size); looks > 0; looks--) {
      this.#roomHand ??= this.#byName.values();
      const { value: entry, done } = this.#roomHand.next();
      if (done === true) {
        this.#roomHand = null;
        continue;
      }
      // Of a message that is on its way to a lane the load meter knows.
      if (isUsed(entry) || (isReadByPatterns(entry) && entry.loadRow !== NO_ROW)) continue;
      if (this.#isLongIdle(entry)) return this.#vanish(entry);
    }
    return false;
  }

  #vanish(entry: TopicEntry): true {
    this.#close(entry, 'nobody has used the topic for a while');
    return true;
  }

  #isLongIdle({ log }: TopicEntry): boolean {
    log.refresh();
    return log.timeAt(log.head) <= this.#clock.nowMs() - IDLE_MS;
  }

  /** A topic that nobody uses and that has nothing to offer to the next one who does takes no memory. */
  #vanishIfUnused(entry: TopicEntry): void {
    if (isNeeded(entry) || entry.isClosed) return;
    // Something may be on its way: `sweep` knows.
    if (isReadByPatterns(entry)) this.publishedUnheld(entry);
    else this.#forget(entry);
  }

  #forget(entry: TopicEntry): void {
    entry.isClosed = true;
    for (const stream of entry.streams) if (stream.isIdle) this.#end(entry, stream);
    entry.streams = [];
    this.#byName.delete(entry.spec.topic);
    this.#byAlias.delete(entry.spec.alias);
    if (entry.isHot) this.#hotTopics--;
    entry.link.closeTopic(entry.spec.alias);
    // Who still knows the entry, a publisher say, does not keep its memory.
    entry.log = ENDED_LOG;
  }
}

function isDerived({ options }: Stream): boolean {
  return options.spec.key !== CANONICAL.key;
}

/** By more than subscriptions to patterns. */
function isUsed({ streams, holders }: TopicEntry): boolean {
  if (holders > 0) return true;
  return streams.some(({ subscriberCount, expectedCount, partCount }) => subscriberCount + expectedCount > partCount);
}

/** Such subscriptions keep no topic, but for a while in which something may come. */
function isReadByPatterns({ streams }: TopicEntry): boolean {
  return streams.some(({ partCount }) => partCount > 0);
}

function isNeeded(entry: TopicEntry): boolean {
  return isUsed(entry) || (entry.acceptedMessages > 0 && entry.settings.historyMessages > 0);
}
