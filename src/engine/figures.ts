/** Figures: what the parts of an engine count, put together for whoever asks. */

import type { EngineFigures, GapCounts, LaneFigures, TopicFigures } from '../counters/report.js';
import type { Delivery } from '../delivery/delivery.js';
import type { LagScan } from '../delivery/lag-scan.js';
import type { Gateway } from '../gateway/gateway.js';
import type { DirectLink } from '../lane/direct-link.js';
import type { LaneLoad } from '../lane/lane-load.js';
import type { LaneSet } from '../lane/lane-set.js';
import type { HandOver } from '../router/hand-over.js';
import type { HomeKeeper } from '../router/home-keeper.js';
import type { Router } from '../router/router.js';
import { NO_ROW, type TopicEntry } from '../router/topic-entry.js';
import type { EngineStats, TopicStats } from './api.js';
import type { LocalPublishing } from './local-publishing.js';

export interface FigureSources {
  readonly gateway: Gateway;
  readonly router: Router;
  readonly publishing: LocalPublishing;
  readonly delivery: Delivery;
  readonly coldLink: DirectLink;
  readonly lanes: LaneSet;
  readonly homes: HomeKeeper;
  readonly handOver: HandOver;
}

/** Counters of which a report has rates as well. */
export type EngineCounts = Omit<EngineFigures, 'messagesPerSecond' | 'deliveriesPerSecond' | 'deliveredBytesPerSecond'>;

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
  #laneTimes: ReadonlyMap<TopicEntry, LaneTime> = new Map();

  /** @param slowestMax how many of the slowest consumers `lags` finds */
  constructor(sources: FigureSources, slowestMax: number, nowMs: () => number) {
    this.lags = sources.delivery.lagScan(slowestMax);
    this.#sources = sources;
    this.#nowMs = nowMs;
    this.#startedAtMs = nowMs();
  }

  engineStats(): EngineStats {
    const { gateway, router, publishing, delivery, coldLink, homes, handOver } = this.#sources;
    const { load, counters } = delivery;
    return {
      connections: gateway.connectionCount,
      subscriptions: load.subscriptions,
      topics: router.topics.count,
      hotTopics: router.topics.hotCount,
      streams: delivery.usedStreams,
      readyConnections: load.ready,
      waitingConnections: load.waiting,
      blockedConnections: load.blocked,
      publishedMessages: router.publishedMessages,
      overloadedMessages: router.overloadedMessages,
      refusedPublishes: publishing.refusedMessages,
      coldLogBytes: coldLink.logBytes,
      pendingAcks: router.pendingAcks.count,
      deliveredMessages: counters.deliveredMessages,
      deliveredBytes: counters.deliveredBytes,
      lostMessages: counters.lostMessages,
      gaps: { ...counters.gaps },
      slowDisconnects: counters.slowDisconnects,
      badFrames: gateway.counters.badFrames,
      refusedConnections: gateway.counters.refusedConnections,
      utilisation: delivery.autoDelay.utilisation,
      moves: homes.moves,
      movingTopics: handOver.underWayCount,
      lanes: this.lanes(),
    };
  }

  engineCounts(): EngineCounts {
    const { gateway, router, delivery, homes } = this.#sources;
    const { load, counters } = delivery;
    return {
      uptimeMs: this.#nowMs() - this.#startedAtMs,
      connections: gateway.connectionCount,
      blockedConnections: load.blocked,
      subscriptions: load.subscriptions,
      topics: router.topics.count,
      hotTopics: router.topics.hotCount,
      utilisation: delivery.autoDelay.utilisation,
      messages: router.publishedMessages,
      overloadedMessages: router.overloadedMessages,
      deliveries: counters.deliveredMessages,
      deliveredBytes: counters.deliveredBytes,
      lostMessages: counters.lostMessages,
      slowDisconnects: counters.slowDisconnects,
      moves: homes.moves,
    };
  }

  lanes(): LaneFigures[] {
    const { lanes, loads } = this.#sources.lanes;
    return lanes.map(({ number, state, link, counters, restarts, poisonedMessages }) => {
      const { utilisation, ringWaitMs, messagesPerSecond } = loads[number] as LaneLoad;
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
    const { meter } = this.#sources.homes;
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
      deliveries: counters?.deliveredMessages ?? 0,
      deliveredBytes: counters?.deliveredBytes ?? 0,
      lagMessages,
      lagMs,
      gaps: gapCounts(entry),
      lostMessages: counters?.lostMessages ?? 0,
      moves: entry.moves,
      laneShare: this.#laneTimes.get(entry)?.share ?? 0,
    };
  }

  /** Measures what part of its lane's time each of these topics took in the last `elapsedMs`, since the call before. */
  measureLaneTimes(topics: Iterable<TopicEntry>, elapsedMs: number): void {
    const laneTimes = new Map<TopicEntry, LaneTime>();
    for (const entry of topics) {
      if (!entry.isHot) continue;
      const busyMs = this.#sources.lanes.links[entry.lane]?.busyMsOf(entry.spec.alias) ?? 0;
      const before = this.#laneTimes.get(entry)?.busyMs ?? busyMs;
      // In a new lane a topic begins at 0.
      const sinceMs = busyMs >= before ? busyMs - before : busyMs;
      laneTimes.set(entry, { busyMs, share: elapsedMs > 0 ? Math.min(1, sinceMs / elapsedMs) : 0 });
    }
    this.#laneTimes = laneTimes;
  }

  #lagOf({ stream, jsonStream }: TopicEntry): { readonly lagMessages: number; readonly lagMs: number } {
    const lag = stream === null ? NO_LAG : this.lags.lagOf(stream);
    const jsonLag = jsonStream === null ? NO_LAG : this.lags.lagOf(jsonStream);
    return jsonLag.lagMessages > lag.lagMessages ? jsonLag : lag;
  }
}

const NO_LAG = { lagMessages: 0, lagMs: 0 };

function gapCounts({ counters }: TopicEntry): GapCounts {
  return {
    lapped: counters?.gapsOf('lapped') ?? 0,
    max_lag_ms: counters?.gapsOf('max_lag_ms') ?? 0,
    max_lag_messages: counters?.gapsOf('max_lag_messages') ?? 0,
    conflated: counters?.gapsOf('conflated') ?? 0,
    too_large: counters?.gapsOf('too_large') ?? 0,
  };
}
