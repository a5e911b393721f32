// Everything that the engine wires but the server and real threads, in one thread: the accept thread's parts, lanes with the
// real rings between them, clients with fake sockets. Nothing moves until an action moves it.

import { Delivery } from '#src/delivery/delivery.js';
import { Sweeps } from '#src/engine/sweeps.js';
import { RingcastError } from '#src/errors.js';
import { DirectLink } from '#src/lane/direct-link.js';
import { LaneSet, type LaneSetOptions } from '#src/lane/lane-set.js';
import type { HotSettings } from '#src/lane/load-meter.js';
import { COLD, type Home } from '#src/lane/placement.js';
import type { LaneDeath } from '#src/lane/supervised-lane.js';
import { HandOver } from '#src/router/hand-over.js';
import { HomeKeeper } from '#src/router/home-keeper.js';
import { overloaded } from '#src/router/refusals.js';
import { Router } from '#src/router/router.js';
import type { TopicEntry, TopicSettings } from '#src/router/topic-entry.js';
import { type PlacementRule, TopicRegistry } from '#src/router/topic-registry.js';
import { Checker, type Message, type TopicRecord } from './checker.js';
import type { Client } from './client.js';
import { faults, LaneFault } from './faults.js';
import { Loop } from './loop.js';
import { SimulatedThreads } from './threads.js';

/** How a world is built. */
export interface Shape {
  readonly lanes: LaneSetOptions;
  readonly cold: ConstructorParameters<typeof DirectLink>[0];
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

/** Pauses of the engine's timer for what has to be done now and then (ms). */
const SWEEP_MS = 1000;

export class World {
  readonly shape: Shape;
  readonly loop: Loop;
  readonly checker: Checker;
  readonly threads: SimulatedThreads;
  readonly delivery: Delivery;
  readonly coldLink: DirectLink;
  readonly lanes: LaneSet;
  readonly topics: TopicRegistry;
  readonly #sweeps: Sweeps;
  readonly router: Router;
  readonly handOver: HandOver;
  readonly homes: HomeKeeper;
  readonly clients = new Set<Client>();
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
    this.shape = shape;
    this.#log = log;
    this.loop = new Loop(shape.busyShare);
    this.checker = new Checker(shape.isRoomy);
    const { loop } = this;
    const laneClock = loop.laneClock(shape.laneLookMs);
    this.threads = new SimulatedThreads(laneClock);
    this.delivery = new Delivery({ budgetMs: shape.budgetMs }, loop);
    this.coldLink = new DirectLink(shape.cold);
    this.lanes = new LaneSet(
      shape.lanes,
      this.threads,
      loop,
      laneClock,
      {
        onHead: (alias) => this.router.onHead(alias),
        onAck: (request, seq) => this.router.onAck(request, seq),
        onPutAside: (request) => this.router.onPutAside(request),
      },
      {
        onDeath: (death) => this.#died(death),
        onRecovered: (lane) => this.trace(() => `lane ${lane} has recovered`),
        onPoison: (lane, message) => {
          this.trace(() => `lane ${lane} puts a message aside`);
          this.checker.putAside(message);
        },
        onDegraded: (lane) => {
          this.seen.degradedLanes++;
          this.trace(() => `lane ${lane} is given up`);
          this.homes.evacuate(lane);
        },
      },
    );
    const isUsable = (lane: number): boolean => this.lanes.isUsable(lane);
    const { links: laneLinks, sharedLogs } = this.lanes;
    this.checker.watchMemory(sharedLogs);
    faults.onLaneWrite = (log) => this.checker.inUse(log, 'a lane writes to a log');
    const { maxHotTopics } = shape.lanes;
    const registryOptions = {
      autoCreate: true,
      maxTopics: 1000,
      maxHotTopics,
      defaults: shape.topics,
      rules: shape.rules,
      nowMs: () => loop.nowMs(),
    };
    this.topics = new TopicRegistry(registryOptions, this.delivery, this.coldLink, laneLinks, isUsable);
    const routerOptions = { maxSubscriptionsPerConnection: 100, maxPayloadBytes: 2 ** 16, hookTimeoutMs: 0 };
    this.router = new Router(routerOptions, this.topics, this.delivery, {}, loop.messageClock);
    this.router.onFault = (fault) => this.checker.fail(`a hook failed: ${fault}`);
    const handOverOptions = { coldLink: this.coldLink, laneLinks, sharedLogs, isUsable, loop };
    this.handOver = new HandOver(handOverOptions, this.delivery, this.router);
    const homeOptions = { hot: shape.hot, rebalance: { ratio: shape.rebalanceRatio } };
    this.homes = new HomeKeeper(homeOptions, this.topics, this.handOver, this.lanes, loop);
    this.#sweeps = new Sweeps(loop, SWEEP_MS, [() => this.topics.sweep(), () => this.coldLink.trim(loop.epochMs())]);
    const { onMoved } = this.handOver;
    this.handOver.onMoved = (entry, from) => {
      this.#moved(entry, from);
      onMoved(entry, from);
    };
    this.router.onActive = (entry) => this.homes.watch(entry);
    this.delivery.beforeTurn = () => {
      this.lanes.drain();
      this.handOver.pump();
    };
  }

  /** Starts the lanes; their doorbell is not listened to: the simulation rings. */
  start(): void {
    for (const lane of this.lanes.lanes) lane.start();
    this.#sweeps.start();
  }

  /** Notes what happens, if anybody wants to know. */
  trace(describe: () => string): void {
    this.#log?.push(describe());
  }

  stopTrimming(): void {
    this.#sweeps.stop();
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
    this.homes.pin(entry, home).then(
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
    const before = router.publishedMessages;
    const settle = (outcome: unknown): void => {
      this.answered(message, () => {
        if (outcome instanceof RingcastError) checker.refused(message, outcome.code);
        else checker.acked(message, outcome as number);
      });
    };
    this.publishing = message;
    const entry = topics.obtain(topic);
    if (entry instanceof RingcastError) settle(entry);
    else if (!router.publishLocal(entry, payload, message.id, this.loop.messageClock.nowMs(), settle)) {
      settle(overloaded(entry));
    }
    if (router.publishedMessages > before && !(entry instanceof RingcastError)) this.accepted(message, entry);
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
