/** Figures: what the parts of an engine count, put together for whoever asks. */

import type { EngineFigures, LaneFigures, TopicFigures } from '../counters/report.js';
import { NO_GAPS } from '../delivery/delivery-counters.js';
import { type Lag, type LagScan, NO_LAG } from '../delivery/lag-scan.js';
import { NO_ROW, type TopicEntry } from '../directory/topic-entry.js';
import type { Gateway } from '../gateway/gateway.js';
import type { LocalPublishing } from '../local/local-publishing.js';
import type { EngineStats, TopicStats } from './api.js';
import type { Core } from './core.js';

export interface FigureSources {
  readonly core: Core;
  readonly gateway: Gateway;
  readonly local: LocalPublishing;
}

/** Of the whole engine, over the interval that was measured last. */
type Rates = Pick<EngineFigures, 'messagesPerSecond' | 'deliveriesPerSecond' | 'deliveredBytesPerSecond'>;

/** What a topic has taken of its lane's time (ms), and which part of all time that was lately. */
interface LaneTime {
  readonly busyMs: number;
  readonly share: number;
}

/** Reader: the accept thread. */
export class Figures {
  /** Finds the slowest subscribers; stepped by the stats feed. */
  readonly lags: LagScan;
  readonly #sources: FigureSources;
  readonly #nowMs: () => number;
  readonly #startedAtMs: number;
  #rates: Rates = { messagesPerSecond: 0, deliveriesPerSecond: 0, deliveredBytesPerSecond: 0 };
  /** What there was when the rates were taken. */
  #measured: EngineFigures;
  #laneTimes: ReadonlyMap<TopicEntry, LaneTime> = new Map();

  /** @param slowestMax how many of the slowest consumers `lags` finds */
  constructor(sources: FigureSources, slowestMax: number, nowMs: () => number) {
    this.lags = sources.core.delivery.lagScan(slowestMax);
    this.#sources = sources;
    this.#nowMs = nowMs;
    this.#startedAtMs = nowMs();
    this.#measured = this.engine();
  }

  engineStats(): EngineStats {
    return { ...this.engine(), lanes: this.lanes() };
  }

  engine(): EngineFigures {
    const { core, gateway, local } = this.#sources;
    const { topics, delivery, coldLink, lanes, handOver } = core;
    const { publishing } = core.router;
    const { load, counters } = delivery;
    return {
      uptimeMs: this.#nowMs() - this.#startedAtMs,
      connections: gateway.connectionCount,
      readyConnections: load.ready,
      waitingConnections: load.waiting,
      blockedConnections: load.blocked,
      subscriptions: load.subscriptions,
      topics: topics.count,
      hotTopics: topics.hotCount,
      streams: delivery.usedStreams,
      coldLogBytes: coldLink.logBytes,
      utilisation: delivery.autoDelay.utilisation,
      ...this.#rates,
      messages: publishing.acceptedMessages,
      overloadedMessages: publishing.overloadedMessages,
      rateLimitedMessages: publishing.rateLimitedMessages,
      refusedPublishes: local.refusedMessages,
      refusedMatches: core.router.patterns.refusedMatches,
      pendingAcks: publishing.pendingAcks.count,
      deliveries: counters.deliveries,
      deliveredBytes: counters.deliveredBytes,
      lostMessages: counters.lostMessages,
      mergedMessages: counters.mergedMessages,
      expiredMessages: counters.expiredMessages,
      undecodableMessages: lanes.lanes.reduce(
        (sum, lane) => sum + lane.counters.undecodable,
        coldLink.counters.undecodable,
      ),
      gaps: counters.gaps,
      slowDisconnects: counters.slowDisconnects,
      badFrames: gateway.badFrames,
      refusedConnections: gateway.refusedConnections,
      moves: handOver.moves,
      movingTopics: handOver.underWayCount,
    };
  }

  /** Takes the engine's rates over the last `elapsedMs`, since the call before. */
  measureRates(elapsedMs: number): void {
    const before = this.#measured;
    const now = this.engine();
    const perSecond = (count: number): number => (elapsedMs > 0 ? (count * 1000) / elapsedMs : 0);
    this.#measured = now;
    this.#rates = {
      messagesPerSecond: perSecond(now.messages - before.messages),
      deliveriesPerSecond: perSecond(now.deliveries - before.deliveries),
      deliveredBytesPerSecond: perSecond(now.deliveredBytes - before.deliveredBytes),
    };
  }

  lanes(): LaneFigures[] {
    const { lanes, loads } = this.#sources.core.lanes;
    return lanes.map(({ number, state, link, counters, restarts, poisonedMessages }) => {
      const { utilisation, ringWaitMs, messagesPerSecond } = loads[number];
      return {
        lane: number,
        state,
        topics: link.topicCount,
        utilisation,
        ringFillPercent: link.fillPercent(),
        ringWaitMs,
        messagesPerSecond,
        messages: counters.messages,
        bytes: counters.bytes,
        restarts,
        poisonedMessages,
      };
    });
  }

  topicStats(entry: TopicEntry): TopicStats {
    entry.log.refresh();
    return { ...this.topic(entry), epoch: entry.spec.epoch, seq: entry.log.headSeq };
  }

  topic(entry: TopicEntry): TopicFigures {
    const { meter } = this.#sources.core.keeper;
    const { spec, loadRow, counters } = entry;
    const hasTraffic = loadRow !== NO_ROW;
    const { lagMessages, lagMs } = this.#lagOf(entry);
    return {
      topic: spec.topic,
      home: entry.isHot ? entry.lane : 'cold',
      subscribers: entry.subscriberCount,
      messagesPerSecond: hasTraffic ? meter.messagesPerSecond(loadRow) : 0,
      deliveriesPerSecond: hasTraffic ? meter.deliveriesPerSecond(loadRow) : 0,
      messages: entry.acceptedMessages,
      bytes: entry.acceptedBytes,
      deliveries: counters?.deliveries ?? 0,
      deliveredBytes: counters?.deliveredBytes ?? 0,
      lagMessages,
      lagMs,
      gaps: counters?.gaps ?? NO_GAPS,
      lostMessages: counters?.lostMessages ?? 0,
      mergedMessages: counters?.mergedMessages ?? 0,
      expiredMessages: counters?.expiredMessages ?? 0,
      moves: entry.moves,
      laneShare: this.#laneTimes.get(entry)?.share ?? 0,
    };
  }

  /** Measures what part of its lane's time each of these topics took in the last `elapsedMs`, since the call before. */
  measureLaneTimes(topics: Iterable<TopicEntry>, elapsedMs: number): void {
    const laneTimes = new Map<TopicEntry, LaneTime>();
    for (const entry of topics) {
      if (!entry.isHot) continue;
      const busyMs = this.#sources.core.lanes.links[entry.lane]?.busyMsOf(entry.spec.alias) ?? 0;
      const before = this.#laneTimes.get(entry)?.busyMs ?? busyMs;
      // In a new lane a topic begins at 0.
      const sinceMs = busyMs >= before ? busyMs - before : busyMs;
      laneTimes.set(entry, { busyMs, share: elapsedMs > 0 ? Math.min(1, sinceMs / elapsedMs) : 0 });
    }
    this.#laneTimes = laneTimes;
  }

  /** Of the stream whose subscribers are furthest behind. */
  #lagOf({ streams }: TopicEntry): Lag {
    const lags = streams.map((stream) => this.lags.lagOf(stream));
    return lags.reduce((worst, lag) => (lag.lagMessages > worst.lagMessages ? lag : worst), NO_LAG);
  }
}
