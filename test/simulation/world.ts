// Everything that the engine wires but the server and real threads, in one thread: the accept thread's parts, lanes with the
// real rings between them, clients with fake sockets. Nothing moves until an action moves it.

import type { PlacementRule } from '#src/directory/placement-rules.js';
import type { TopicEntry, TopicSettings } from '#src/directory/topic-entry.js';
import { Core, type CoreOptions } from '#src/engine/core.js';
import { RingcastError } from '#src/errors.js';
import { COLD, type Home } from '#src/home/placement.js';
import type { LaneSetOptions } from '#src/lane/lane-set.js';
import type { LaneDeath } from '#src/lane/supervised-lane.js';
import type { HotSettings } from '#src/moves/load-meter.js';
import type { AckCallback } from '#src/router/pending-acks.js';
import { HANDED_OVER } from '#src/router/publishing.js';
import { CoreParts } from '../support/core-parts.js';
import { TopicTree } from '../support/topic-tree.js';
import { Checker, type Message, type TopicRecord } from './checker.js';
import type { Client } from './client.js';
import { faults, LaneFault } from './faults.js';
import { Loop } from './loop.js';
import { SimulatedThreads } from './threads.js';

/** More than ever waits for a connection in so small a world: nothing may be dropped. */
const BACKPRESSURE_MAX_BYTES = 2 ** 20;

/** How a world is built. */
export interface Shape {
  readonly lanes: LaneSetOptions;
  readonly cold: CoreOptions['cold'];
  readonly topics: TopicSettings;
  readonly rules: readonly PlacementRule[];
  readonly hot: HotSettings;
  readonly rebalanceRatio: number;
  readonly budgetMs: number;
  readonly busyShare: number;
  /** Time that lanes take between two looks at the clock (ms). */
  readonly laneLookMs: number;
  /** Logs are large enough for everything that is published. */
  readonly isRoomy: boolean;
}

/** How often what was to be seen has been seen. */
export interface Seen {
  deaths: number;
  stalls: number;
  degradedLanes: number;
  /** Moves by calls, and by load. */
  pinnedMoves: number;
  promotions: number;
  demotions: number;
  rebalances: number;
}

function coreOptions(shape: Shape): CoreOptions {
  return {
    delivery: { budgetMs: shape.budgetMs },
    cold: shape.cold,
    lanes: shape.lanes,
    topics: {
      autoCreate: true,
      maxTopics: 1000,
      maxHotTopics: shape.lanes.maxHotTopics,
      maxStreamsPerTopic: 100,
      defaults: shape.topics,
      rules: shape.rules,
      retention: shape.cold.retention,
    },
    router: {
      maxSubscriptionsPerConnection: 100,
      maxPayloadBytes: 2 ** 16,
      hookTimeoutMs: 0,
      requestTimeoutMs: 1000,
      maxRequestsPerConnection: 3,
      maxPublishRatePerConnection: 0,
      maxPublishBurstPerConnection: 0,
      ...{ maxDurables: 100, maxDurablesPerTopic: 100, durableTtlMs: 60_000, maxUnacked: 1000 },
    },
    homes: { hot: shape.hot, rebalance: { ratio: shape.rebalanceRatio } },
  };
}

export class World extends CoreParts {
  readonly shape: Shape;
  readonly loop: Loop;
  readonly checker: Checker;
  readonly threads: SimulatedThreads;
  readonly core: Core;
  readonly clients = new Set<Client>();
  readonly tree: TopicTree;
  /** Subscriptions that have joined a cohort. */
  joins = 0;
  /** Everything that anybody wanted to publish. */
  readonly messages: Message[] = [];
  /** The last call that was to put a topic somewhere. */
  readonly pins = new Map<TopicEntry, { readonly home: Home; isRefused: boolean }>();
  pinsUnderWay = 0;
  readonly seen: Seen = {
    deaths: 0,
    stalls: 0,
    degradedLanes: 0,
    pinnedMoves: 0,
    promotions: 0,
    demotions: 0,
    rebalances: 0,
  };
  /** The message that is being handed to the router. */
  publishing: Message | null = null;
  #checkAnswer: (() => void) | null = null;
  readonly #log: string[] | null;

  /** @param log takes what happens, in words; null: nobody wants to know. */
  constructor(shape: Shape, log: string[] | null) {
    super();
    this.shape = shape;
    this.#log = log;
    this.tree = new TopicTree(BACKPRESSURE_MAX_BYTES);
    this.loop = new Loop(shape.busyShare, this.tree);
    this.checker = new Checker(shape.isRoomy);
    const laneClock = this.loop.laneClock(shape.laneLookMs);
    this.threads = new SimulatedThreads(laneClock);
    this.core = new Core(coreOptions(shape), {
      hooks: {},
      loop: this.loop,
      threads: this.threads,
      laneClock,
      laneEvents: {
        onDeath: (death) => this.#died(death),
        onRecovered: (lane) => this.trace(() => `lane ${lane} has recovered`),
        onPoison: (lane, message) => {
          this.trace(() => `lane ${lane} puts a message aside`);
          this.checker.putAside(message);
        },
        onDegraded: (lane) => {
          this.seen.degradedLanes++;
          this.trace(() => `lane ${lane} is given up`);
        },
      },
      onFault: (fault) => this.checker.fail(`a fault that nobody is told of: ${fault}`),
      beforeTurn: () => {},
    });
    this.checker.watchMemory(this.lanes.sharedLogs);
    faults.onLaneWrite = (log) => this.checker.inUse(log, 'a lane writes to a log');
    this.#watchMoves();
  }

  #watchMoves(): void {
    const moved = this.topics.moved.bind(this.topics);
    this.topics.moved = (entry, from) => {
      this.#moved(entry, from);
      moved(entry, from);
    };
  }

  /** Starts the lanes; their doorbell is not listened to: the simulation rings. */
  start(): void {
    for (const lane of this.lanes.lanes) lane.start();
    this.core.sweeps.start();
  }

  /** Notes what happens, if anybody wants to know. */
  trace(describe: () => string): void {
    this.#log?.push(describe());
  }

  recordOf(topic: string): TopicRecord {
    const entry = this.topics.find(topic);
    if (entry === undefined) return this.checker.fail(`${topic} does not exist`);
    return this.checker.recordOf(entry);
  }

  pin(topic: string, home: Home): void {
    const entry = this.topics.find(topic);
    if (entry === undefined) return;
    const pin = { home, isRefused: false };
    this.pins.set(entry, pin);
    this.pinsUnderWay++;
    this.keeper.pin(entry, home).then(
      () => {
        this.pinsUnderWay--;
      },
      (refusal) => {
        this.pinsUnderWay--;
        pin.isRefused = true;
        if (!(refusal instanceof RingcastError)) this.checker.violation ??= refusal;
      },
    );
  }

  // ---- publishing --------------------------------------------------------------------------------------------------

  /** The message that is being handed over was accepted, by the topic that its connection has just published to. */
  accepted(message: Message, entry: TopicEntry): void {
    this.checker.accepted(message, entry);
  }

  /** The application itself publishes. */
  publishLocally(message: Message, topic: string, payload: Uint8Array): void {
    const { router, checker, topics } = this;
    const before = router.publishing.acceptedMessages;
    const settle: AckCallback = (outcome) => {
      this.answered(message, () => {
        if (outcome instanceof RingcastError) checker.refused(message, outcome.code);
        else checker.acked(message, outcome.seq);
      });
    };
    this.publishing = message;
    const entry = topics.obtain(topic);
    if (entry instanceof RingcastError) settle(entry);
    else {
      const result = router.publishing.publishLocally(entry, payload, { id: message.id }, this.loop.now, settle, true);
      if (result !== HANDED_OVER) settle(router.publishing.refusalOf(entry, result));
    }
    if (router.publishing.acceptedMessages > before && !(entry instanceof RingcastError)) this.accepted(message, entry);
    this.settlePublishing();
  }

  /** An answer has come; within the call that publishes the message it is looked at once that has returned. */
  answered(message: Message, check: () => void): void {
    if (message === this.publishing) this.#checkAnswer = check;
    else check();
  }

  settlePublishing(): void {
    this.publishing = null;
    const check = this.#checkAnswer;
    this.#checkAnswer = null;
    check?.();
  }

  #moved({ home, lane, spec }: TopicEntry, from: number): void {
    this.trace(() => `${spec.topic} has moved from ${from} to ${lane}`);
    if (from !== COLD && lane !== COLD && (home === 'auto' || home === 'hot')) this.seen.rebalances++;
    else if (home !== 'auto') this.seen.pinnedMoves++;
    else if (lane === COLD) this.seen.demotions++;
    else this.seen.promotions++;
  }

  #died({ lane, reason, fault }: LaneDeath): void {
    this.seen[reason === 'stalled' ? 'stalls' : 'deaths']++;
    this.trace(() => `lane ${lane} is seen to be dead: ${fault}`);
    if (reason === 'died' && !(fault instanceof LaneFault)) {
      this.checker.fail(`lane ${lane} died by itself: ${fault instanceof Error ? fault.stack : fault}`);
    }
  }
}
