/** Topic directory: which topics exist, where each lives, and when one ceases to be. */

import { randomBytes } from 'node:crypto';
import type { Delivery } from '../delivery/delivery.js';
import { DELAY_AUTO, ENDED_LOG, type Stream } from '../delivery/stream.js';
import { POLICY_CONFLATE, POLICY_DISCONNECT, POLICY_DROP_OLDEST } from '../delivery/subscription-table.js';
import { TopicCounters } from '../delivery/topic-counters.js';
import { RingcastError } from '../errors.js';
import type { Homes } from '../home/homes.js';
import { COLD, type Home, laneOf } from '../home/placement.js';
import type { SlowConsumerPolicy } from '../protocol/messages.js';
import { STATS_TOPIC, topicNameProblem } from '../protocol/topic-name.js';
import { globMatcher } from '../protocol/topic-pattern.js';
import type { Clock } from '../time/loop.js';
import { oldestHistorySeq } from '../topic/history.js';
import { TopicEntry, type TopicSettings } from './topic-entry.js';

export interface PlacementRule extends Partial<TopicSettings> {
  readonly match: string;
  readonly home: Home;
}

export interface DirectoryOptions {
  readonly autoCreate: boolean;
  readonly maxTopics: number;
  readonly maxHotTopics: number;
  readonly defaults: TopicSettings;
  readonly rules: readonly PlacementRule[];
}

/** What `sweep` looks at in one step. */
const TOPICS_PER_STEP = 500;
/** A topic that nobody uses makes room for a new one when nothing has come for so long (ms). */
const IDLE_MS = 60_000;
/** Topics that a new one may look at for room. */
const LOOKS_FOR_ROOM = 100;

export function policyNumber(policy: SlowConsumerPolicy): number {
  if (policy === 'conflate') return POLICY_CONFLATE;
  return policy === 'disconnect' ? POLICY_DISCONNECT : POLICY_DROP_OLDEST;
}

/** Writer and reader: the accept thread. */
export class TopicDirectory {
  readonly #options: DirectoryOptions;
  readonly #delivery: Delivery;
  readonly #homes: Homes;
  readonly #clock: Clock;
  readonly #rules: readonly { matches: (name: string) => boolean; home: Home; settings: TopicSettings }[];
  readonly #byName = new Map<string, TopicEntry>();
  /** The server's own: not counted, not listed, never deleted. */
  readonly #serverTopics = new Map<string, TopicEntry>();
  /** All of them. */
  readonly #byAlias = new Map<number, TopicEntry>();
  readonly #entryOfStream = new Map<Stream, TopicEntry>();
  /** Topics that were published to while nobody used them, with their number of messages at the last sweep. */
  readonly #unattended = new Map<TopicEntry, number>();
  /** Topics whose JSON stream has lost its last subscriber, and whether a sweep has seen it so. */
  readonly #idleJson = new Map<TopicEntry, boolean>();
  /** Those that the sweep under way has seen. */
  readonly #newlyIdleJson: TopicEntry[] = [];
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
    this.#rules = options.rules.map(({ match, home, ...overrides }) => ({
      matches: globMatcher(match),
      home,
      settings: { ...options.defaults, ...definedOnly(overrides) },
    }));
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
    return this.#create(name, false);
  }

  /** Creates a topic that stays until it is deleted. Throws on a bad name or a reached limit; an existing topic is fine. */
  declare(name: string): TopicEntry {
    const problem = topicNameProblem(name);
    if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
    const entry = this.#byName.get(name) ?? this.#create(name, true);
    if (entry instanceof RingcastError) throw entry;
    return entry;
  }

  /** A topic that only the server publishes to. It is cold, keeps its newest message, and its slow subscribers get that. */
  addServerTopic(name: string): TopicEntry {
    const settings: TopicSettings = {
      historyMessages: 1,
      historyBytes: Number.POSITIVE_INFINITY,
      maxDelayMs: 0,
      slowConsumerPolicy: 'conflate',
      maxLagMs: 0,
      maxLagMessages: 0,
    };
    const entry = this.#open(name, settings, COLD, 'cold', true);
    this.#serverTopics.set(name, entry);
    return entry;
  }

  /** Ends a topic and its subscriptions; subscribers get UNSUBSCRIBED. False: there is none. */
  delete(name: string): boolean {
    const entry = this.#byName.get(name);
    if (entry === undefined) return false;
    const streams = [entry.stream, isIdle(entry.jsonStream) ? null : entry.jsonStream];
    // First, because a subscriber that is told may ask for the topic again at once, and gets a new one.
    this.#forget(entry);
    for (const stream of streams) {
      if (stream === null) continue;
      this.#entryOfStream.delete(stream);
      this.#delivery.removeStream(stream, ({ sink, encoder }) => {
        sink.reply(encoder.revoked(entry.spec, 'TOPIC_NOT_FOUND', 'the topic was deleted'));
      });
    }
    return true;
  }

  /** The stream that subscribers with a text or a binary codec share; started on first use. */
  streamOf(entry: TopicEntry, isText: boolean): Stream {
    const existing = isText ? entry.jsonStream : entry.stream;
    if (existing !== null) return existing;
    const { spec, settings, link } = entry;
    entry.counters ??= new TopicCounters();
    const log = isText ? link.openJson(spec.alias, oldestHistorySeq(entry.log, spec)) : entry.log;
    const stream = this.#delivery.addStream({
      alias: spec.alias,
      topic: spec.topic,
      isText,
      isHot: entry.isHot,
      log,
      maxDelayMs: settings.maxDelayMs === 'auto' ? DELAY_AUTO : settings.maxDelayMs,
      maxLagMessages: settings.maxLagMessages,
      maxLagMs: settings.maxLagMs,
      counters: entry.counters,
    });
    if (isText) entry.jsonStream = stream;
    else entry.stream = stream;
    this.#entryOfStream.set(stream, entry);
    return stream;
  }

  /** Hot path: per message or batch. The topic's logs have got new frames. */
  headMoved(entry: TopicEntry): void {
    // Also without subscribers: the log's shared words tell a difference of less than 2^31 messages.
    entry.log.refresh();
    if (entry.stream !== null) this.#delivery.headMoved(entry.stream);
    if (entry.jsonStream !== null) {
      entry.jsonStream.log.refresh();
      this.#delivery.headMoved(entry.jsonStream);
    }
  }

  /** Hot path: per batch of a lane. The same, of the topic with this alias. */
  headMovedOf(alias: number): void {
    const entry = this.#byAlias.get(alias);
    // Unknown: the topic was closed after the lane had reported.
    if (entry !== undefined) this.headMoved(entry);
  }

  /** A connection keeps the topic's alias for publishing, until `release`. */
  hold(entry: TopicEntry): void {
    entry.holders++;
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

  #create(name: string, isDeclared: boolean): TopicEntry | RingcastError {
    const { maxTopics, defaults } = this.#options;
    if (this.#byName.size >= maxTopics && !this.#makeRoom()) {
      return new RingcastError('LIMIT_EXCEEDED', `no more than ${maxTopics} topics (maxTopics)`);
    }
    const rule = this.#rules.find(({ matches }) => matches(name));
    const settings = rule?.settings ?? defaults;
    const home = rule?.home ?? 'auto';
    const wanted = laneOf(name, home, this.#homes.lanes.links.length);
    const lane = this.hasRoomForHot ? this.#homes.usable(wanted) : COLD;
    const entry = this.#open(name, settings, lane, home, isDeclared);
    this.#byName.set(name, entry);
    if (entry.isHot) this.#hotTopics++;
    return entry;
  }

  #open(name: string, settings: TopicSettings, lane: number, home: Home, isDeclared: boolean): TopicEntry {
    const { historyMessages, historyBytes } = settings;
    const spec = { alias: this.#nextAlias(), topic: name, epoch: newEpoch(), historyMessages, historyBytes };
    const entry = new TopicEntry(spec, settings, this.#homes.at(lane), lane, home, isDeclared);
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
    // A JSON stream is kept for a moment: to begin it again its history would have to be transcoded again.
    if (stream === entry.jsonStream) this.#idleJson.set(entry, false);
    else this.#end(entry, stream);
    this.#vanishIfUnused(entry);
  }

  #end(entry: TopicEntry, stream: Stream): void {
    this.#entryOfStream.delete(stream);
    this.#delivery.removeStream(stream, () => {});
    if (stream === entry.jsonStream) entry.jsonStream = null;
    else entry.stream = null;
  }

  /** Ends JSON streams that have been without subscribers since the last sweep. Returns how many more might be looked at. */
  #endIdleJson(most: number): number {
    let left = most;
    for (const [entry, isOld] of this.#idleJson) {
      if (left-- === 0) return 0;
      this.#idleJson.delete(entry);
      const { jsonStream } = entry;
      if (jsonStream === null || jsonStream.subscriberCount > 0) continue;
      if (!isOld) {
        this.#newlyIdleJson.push(entry);
        continue;
      }
      this.#end(entry, jsonStream);
      entry.link.closeJson(entry.spec.alias);
    }
    for (const entry of this.#newlyIdleJson.splice(0)) this.#idleJson.set(entry, true);
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
      left = this.#endIdleJson(left);
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
    this.#unattended.delete(entry);
    this.#vanishIfUnused(entry);
  }

  /**
   * There are as many topics as there may be: one that nobody uses goes, if it has no history or has been idle for long.
   * Otherwise one client could make them all and leave, and nobody would ever get another one.
   */
  #makeRoom(): boolean {
    for (const entry of this.#unattended.keys()) {
      this.#unattended.delete(entry);
      if (isNeeded(entry) || entry.isClosed) continue;
      this.#forget(entry);
      return true;
    }
    const sinceMs = this.#clock.nowMs() - IDLE_MS;
    for (let looks = Math.min(LOOKS_FOR_ROOM, this.#byName.size); looks > 0; looks--) {
      this.#roomHand ??= this.#byName.values();
      const { value: entry, done } = this.#roomHand.next();
      if (done === true) {
        this.#roomHand = null;
        continue;
      }
      if (isUsed(entry)) continue;
      entry.log.refresh();
      if (entry.log.timeOf(entry.log.headSeq) > sinceMs) continue;
      this.#forget(entry);
      return true;
    }
    return false;
  }

  /** A topic that nobody uses and that has nothing to offer to the next one who does takes no memory. */
  #vanishIfUnused(entry: TopicEntry): void {
    if (!isNeeded(entry) && !entry.isClosed) this.#forget(entry);
  }

  #forget(entry: TopicEntry): void {
    entry.isClosed = true;
    if (entry.jsonStream !== null && isIdle(entry.jsonStream)) this.#end(entry, entry.jsonStream);
    entry.stream = null;
    entry.jsonStream = null;
    this.#byName.delete(entry.spec.topic);
    this.#byAlias.delete(entry.spec.alias);
    if (entry.isHot) this.#hotTopics--;
    entry.link.closeTopic(entry.spec.alias);
    // Who still knows the entry, a publisher say, does not keep its memory.
    entry.log = ENDED_LOG;
  }
}

function isIdle(stream: Stream | null): boolean {
  return stream?.subscriberCount === 0;
}

function isUsed({ stream, jsonStream, holders }: TopicEntry): boolean {
  return stream !== null || (jsonStream !== null && !isIdle(jsonStream)) || holders > 0;
}

function isNeeded(entry: TopicEntry): boolean {
  return isUsed(entry) || (entry.acceptedMessages > 0 && entry.settings.historyMessages > 0);
}

/** 48 random bits: enough that no incarnation is ever taken for another, short enough for 100,000 topics. */
function newEpoch(): string {
  return randomBytes(6).toString('base64url');
}

function definedOnly<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as Partial<T>;
}
