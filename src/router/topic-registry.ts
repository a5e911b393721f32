/** Topic registry: which topics exist, where each lives, and when one ceases to be. */

import { randomBytes } from 'node:crypto';
import type { Delivery } from '../delivery/delivery.js';
import { DELAY_AUTO, type Stream } from '../delivery/stream.js';
import { POLICY_CONFLATE, POLICY_DISCONNECT, POLICY_DROP_OLDEST } from '../delivery/subscription-table.js';
import { TopicCounters } from '../delivery/topic-counters.js';
import { RingcastError } from '../errors.js';
import type { LaneLink } from '../lane/lane-link.js';
import type { TopicLink } from '../lane/link.js';
import { COLD, type Home, laneOf } from '../lane/placement.js';
import { SPARE_MAX } from '../lane/shared-logs.js';
import type { SlowConsumerPolicy } from '../protocol/messages.js';
import { STATS_TOPIC, topicNameProblem } from '../protocol/topic-name.js';
import { globMatcher } from '../protocol/topic-pattern.js';
import { oldestHistorySeq } from '../topic/history.js';
import { TopicEntry, type TopicSettings } from './topic-entry.js';

export interface PlacementRule extends Partial<TopicSettings> {
  readonly match: string;
  readonly home: Home;
}

export interface RegistryOptions {
  readonly autoCreate: boolean;
  readonly maxTopics: number;
  readonly maxHotTopics: number;
  readonly defaults: TopicSettings;
  readonly rules: readonly PlacementRule[];
}

export function policyNumber(policy: SlowConsumerPolicy): number {
  if (policy === 'conflate') return POLICY_CONFLATE;
  return policy === 'disconnect' ? POLICY_DISCONNECT : POLICY_DROP_OLDEST;
}

/** A lane, as the registry needs it. */
type LaneHome = TopicLink & Pick<LaneLink, 'endedLogs'>;

/** Writer and reader: the accept thread. */
export class TopicRegistry {
  readonly #options: RegistryOptions;
  readonly #delivery: Delivery;
  readonly #coldLink: TopicLink;
  readonly #laneLinks: readonly LaneHome[];
  readonly #isUsable: (lane: number) => boolean;
  readonly #rules: readonly { matches: (name: string) => boolean; home: Home; settings: TopicSettings }[];
  readonly #byName = new Map<string, TopicEntry>();
  /** The server's own: not counted, not listed, never deleted. */
  readonly #serverTopics = new Map<string, TopicEntry>();
  /** All of them. */
  readonly #byAlias = new Map<number, TopicEntry>();
  readonly #entryOfStream = new Map<Stream, TopicEntry>();
  /** Topics that were published to while nobody used them, with their number of messages at the last sweep. */
  readonly #unattended = new Map<TopicEntry, number>();
  #lastAlias = 0;
  #hotTopics = 0;

  /** @param isUsable whether topics may be placed in a lane now. */
  constructor(
    options: RegistryOptions,
    delivery: Delivery,
    coldLink: TopicLink,
    laneLinks: readonly LaneHome[],
    isUsable: (lane: number) => boolean,
  ) {
    this.#options = options;
    this.#delivery = delivery;
    this.#coldLink = coldLink;
    this.#laneLinks = laneLinks;
    this.#isUsable = isUsable;
    this.#rules = options.rules.map(({ match, home, ...overrides }) => ({
      matches: globMatcher(match),
      home,
      settings: { ...options.defaults, ...definedOnly(overrides) },
    }));
    delivery.onStreamUnused = (stream) => this.#onStreamUnused(stream);
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
    const endedLogs = this.#laneLinks.reduce((sum, link) => sum + link.endedLogs, 0);
    return this.#hotTopics + Math.max(0, endedLogs - SPARE_MAX) < this.#options.maxHotTopics;
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
    const streams = [entry.stream, entry.jsonStream];
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

  /** A connection keeps the topic's alias for publishing, until `release`. */
  hold(entry: TopicEntry): void {
    entry.holders++;
  }

  release(entry: TopicEntry): void {
    entry.holders--;
    this.#vanishIfUnused(entry);
  }

  #create(name: string, isDeclared: boolean): TopicEntry | RingcastError {
    const { maxTopics, defaults } = this.#options;
    if (this.#byName.size >= maxTopics) {
      return new RingcastError('LIMIT_EXCEEDED', `no more than ${maxTopics} topics (maxTopics)`);
    }
    const rule = this.#rules.find(({ matches }) => matches(name));
    const settings = rule?.settings ?? defaults;
    const home = rule?.home ?? 'auto';
    let lane = laneOf(name, home, this.#laneLinks.length);
    if (lane !== COLD && (!this.hasRoomForHot || !this.#isUsable(lane))) lane = COLD;
    const entry = this.#open(name, settings, lane, home, isDeclared);
    this.#byName.set(name, entry);
    if (entry.isHot) this.#hotTopics++;
    return entry;
  }

  #open(name: string, settings: TopicSettings, lane: number, home: Home, isDeclared: boolean): TopicEntry {
    const { historyMessages, historyBytes } = settings;
    const spec = { alias: this.#nextAlias(), topic: name, epoch: newEpoch(), historyMessages, historyBytes };
    const link = lane === COLD ? this.#coldLink : this.#laneLinks[lane];
    const entry = new TopicEntry(spec, settings, link, lane, home, isDeclared);
    this.#byAlias.set(spec.alias, entry);
    return entry;
  }

  /** Aliases are not used again until 2^32 topics have been made: a stale one must not name another topic. */
  #nextAlias(): number {
    do this.#lastAlias = (this.#lastAlias + 1) >>> 0;
    while (this.#lastAlias === 0 || this.#byAlias.has(this.#lastAlias));
    return this.#lastAlias;
  }

  #onStreamUnused(stream: Stream): void {
    const entry = this.#entryOfStream.get(stream);
    if (entry === undefined) return;
    this.#entryOfStream.delete(stream);
    this.#delivery.removeStream(stream, () => {});
    if (stream === entry.jsonStream) {
      entry.jsonStream = null;
      entry.link.closeJson(entry.spec.alias);
    } else {
      entry.stream = null;
    }
    this.#vanishIfUnused(entry);
  }

  /** The process itself has published to the topic, which does not make anybody use it: `sweep` has a look later. */
  publishedLocally(entry: TopicEntry): void {
    if (!isNeeded(entry)) this.#unattended.set(entry, this.#unattended.get(entry) ?? 0);
  }

  /** Ends unattended topics to which nothing came since the last call: about once per second, not with every message. */
  sweep(): void {
    for (const [entry, acceptedMessages] of this.#unattended) {
      if (entry.acceptedMessages !== acceptedMessages && !isNeeded(entry)) {
        this.#unattended.set(entry, entry.acceptedMessages);
        continue;
      }
      this.#unattended.delete(entry);
      this.#vanishIfUnused(entry);
    }
  }

  /** A topic that nobody uses and that has nothing to offer to the next one who does takes no memory. */
  #vanishIfUnused(entry: TopicEntry): void {
    if (!isNeeded(entry) && !entry.isClosed) this.#forget(entry);
  }

  #forget(entry: TopicEntry): void {
    entry.isClosed = true;
    entry.stream = null;
    entry.jsonStream = null;
    this.#byName.delete(entry.spec.topic);
    this.#byAlias.delete(entry.spec.alias);
    if (entry.isHot) this.#hotTopics--;
    entry.link.closeTopic(entry.spec.alias);
  }
}

function isNeeded(entry: TopicEntry): boolean {
  const isUsed = entry.stream !== null || entry.jsonStream !== null || entry.holders > 0;
  const hasHistory = entry.acceptedMessages > 0 && entry.settings.historyMessages > 0;
  return isUsed || hasHistory;
}

/** 48 random bits: enough that no incarnation is ever taken for another, short enough for 100,000 topics. */
function newEpoch(): string {
  return randomBytes(6).toString('base64url');
}

function definedOnly<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as Partial<T>;
}
