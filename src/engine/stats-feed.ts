/**
 * Stats feed: measures about once per second, writes the report to the stats board for other threads, and publishes it
 * on `$stats` while somebody subscribes.
 *
 * It looks at every subscription and every topic with traffic, in small steps between which the event loop goes on: with
 * a million of them a measurement takes as long as it takes, and delays nobody.
 */

import { type ConsumerFigures, encodeReport, type StatsReport, type TopicFigures } from '../counters/report.js';
import {
  allocateStatsBoard,
  BOARD_CONSUMERS_MAX,
  BOARD_TOPICS_MAX,
  StatsBoardWriter,
} from '../counters/stats-board.js';
import { Top } from '../counters/top.js';
import { BLOCKED } from '../delivery/consumer.js';
import type { LaggingSubscription } from '../delivery/lag-scan.js';
import { NO_ROW, type TopicEntry } from '../directory/topic-entry.js';
import { EVENT_HEAD_MAX_BYTES } from '../protocol/event.js';
import { STATS_TOPIC } from '../protocol/topic-name.js';
import type { Loop } from '../time/loop.js';
import { JSON_STREAM } from '../variant/stream-spec.js';
import type { FigureSources, Figures } from './figures.js';

/** How many of the slowest consumers `Figures` is to find. */
export const SLOWEST_MAX = BOARD_CONSUMERS_MAX;
/** How often it measures at most (ms). */
const MEASURE_MS = 1000;
/** What a published report has of the board's. */
const PUBLISHED_TOPICS_MAX = 50;
const PUBLISHED_CONSUMERS_MAX = 20;
/** How much larger a report may be as JSON than as MessagePack. */
const JSON_GROWTH = 3;
/** Topics whose load is looked at, and topics whose figures are put together, in one turn of the event loop. */
const RANKED_PER_TURN = 2000;
const FIGURES_PER_TURN = 100;
/** Topics with the same deliveries per second are ordered by messages per second: so little does that count. */
const MESSAGE_WEIGHT = 1e-6;

/** Writer: the accept thread. */
export class StatsFeed {
  /** For a StatsBoardReader in any thread. */
  readonly board: SharedArrayBuffer = allocateStatsBoard();
  readonly #publishMs: number;
  readonly #measureMs: number;
  readonly #figures: Figures;
  readonly #sources: Pick<FigureSources, 'core' | 'gateway'>;
  readonly #loop: Loop;
  readonly #writer: StatsBoardWriter;
  readonly #topic: TopicEntry | null;
  #measuredAtMs: number;
  #publishedAtMs = Number.NEGATIVE_INFINITY;
  #measurement: Iterator<void> | null = null;
  #cancelTimer: (() => void) | null = null;
  #isStopped = false;

  /** @param publishMs how often the report is published; 0: never, there is no topic for it */
  constructor(publishMs: number, figures: Figures, sources: Pick<FigureSources, 'core' | 'gateway'>, loop: Loop) {
    this.#publishMs = publishMs;
    this.#measureMs = publishMs === 0 ? MEASURE_MS : Math.min(MEASURE_MS, publishMs);
    this.#figures = figures;
    this.#sources = sources;
    this.#loop = loop;
    this.#writer = new StatsBoardWriter(this.board);
    this.#topic = publishMs === 0 ? null : sources.core.topics.addServerTopic(STATS_TOPIC);
    this.#measuredAtMs = loop.nowMs();
  }

  start(): void {
    this.#arm(this.#measureMs);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #arm(delayMs: number): void {
    this.#cancelTimer = this.#loop.after(delayMs, () => {
      this.#cancelTimer = null;
      this.#measurement = this.#measure();
      this.#continue();
    });
  }

  #continue(): void {
    if (this.#isStopped || this.#measurement === null) return;
    if (this.#measurement.next().done !== true) {
      this.#loop.soon(() => this.#continue());
      return;
    }
    this.#measurement = null;
    const tookMs = this.#loop.nowMs() - this.#measuredAtMs;
    this.#arm(Math.max(this.#measureMs / 2, this.#measureMs - tookMs));
  }

  /** One measurement; yields where the event loop is to have its turn. */
  *#measure(): Generator<void> {
    const startMs = this.#loop.nowMs();
    const elapsedMs = startMs - this.#measuredAtMs;
    this.#measuredAtMs = startMs;
    while (!this.#figures.lags.step(this.#loop.nowMs())) yield;
    const busiest = yield* this.#busiestTopics();
    this.#figures.measureLaneTimes(busiest, elapsedMs);
    const topics: TopicFigures[] = [];
    for (const entry of busiest) {
      if (!entry.isClosed) topics.push(this.#figures.topic(entry));
      if (topics.length % FIGURES_PER_TURN === 0) yield;
    }
    this.#figures.measureRates(elapsedMs);
    const report = this.#report(topics, elapsedMs);
    // Turns of their own: with a thousand topics, encoding takes most of a millisecond.
    yield;
    this.#writer.write(report);
    yield;
    this.#publishIfDue(report, startMs);
  }

  /** Topics with traffic, most deliveries first, then quiet ones up to the limit. */
  *#busiestTopics(): Generator<void, TopicEntry[]> {
    const { keeper, topics: directory } = this.#sources.core;
    const { meter } = keeper;
    const top = new Top<TopicEntry>(BOARD_TOPICS_MAX);
    let looked = 0;
    for (const entry of keeper.activeTopics()) {
      const row = entry.loadRow;
      if (row !== NO_ROW) {
        top.offer(meter.deliveriesPerSecond(row) + meter.messagesPerSecond(row) * MESSAGE_WEIGHT, entry);
      }
      if (++looked % RANKED_PER_TURN === 0) yield;
    }
    const topics = [...top.items];
    if (topics.length === BOARD_TOPICS_MAX) return topics;
    for (const entry of directory.entries()) {
      if (topics.length === BOARD_TOPICS_MAX) break;
      if (entry.loadRow === NO_ROW) topics.push(entry);
    }
    return topics;
  }

  #report(topics: TopicFigures[], elapsedMs: number): StatsReport {
    return {
      time: Math.round(this.#loop.epochMs()),
      intervalMs: elapsedMs,
      engine: this.#figures.engine(),
      lanes: this.#figures.lanes(),
      topics,
      slowest: this.#figures.lags.slowest
        .filter(({ consumer }) => !consumer.isClosed)
        .map((lag) => this.#consumer(lag)),
    };
  }

  #consumer({ consumer, stream, lagMessages, lagMs }: LaggingSubscription): ConsumerFigures {
    const session = this.#sources.gateway.sessionOf(consumer.sink);
    return {
      connectionId: session?.connectionId ?? '',
      clientId: session?.clientId ?? '',
      topic: stream.options.topic,
      lagMessages,
      lagMs,
      isBlocked: (consumer.flags & BLOCKED) !== 0,
    };
  }

  // ---- the topic ---------------------------------------------------------------------------------------------------

  #publishIfDue(report: StatsReport, nowMs: number): void {
    const topic = this.#topic;
    if (topic === null || topic.subscriberCount === 0) return;
    // Half a measurement early is nearer than half a measurement late.
    if (nowMs - this.#publishedAtMs < this.#publishMs - this.#measureMs / 2) return;
    this.#publishedAtMs = nowMs;
    const growth = topic.streamOf(JSON_STREAM.key) === undefined ? 1 : JSON_GROWTH;
    const fits = (bytes: number): boolean => topic.log.canHold(bytes * growth + EVENT_HEAD_MAX_BYTES);
    const bytes = encodeReport(report, PUBLISHED_TOPICS_MAX, PUBLISHED_CONSUMERS_MAX, fits);
    // Refused when the logs of cold topics are full: the next report comes soon.
    if (bytes !== null) this.#sources.core.router.publishing.publishOwn(topic, bytes, this.#loop.nowMs());
  }
}
