/** Engine: the one place where the parts are built, wired, started and stopped. */

import { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';
import { type EngineConfig, type EngineOptions, parseConfig } from './config.js';
import { Delivery, type Scheduler } from './delivery/delivery.js';
import { type LocalHandlers, LocalSubscriber, type TopicEvent, type TopicGap } from './delivery/local-subscriber.js';
import { DELAY_OF_STREAM } from './delivery/subscription-table.js';
import { RingcastError } from './errors.js';
import { Gateway } from './gateway/gateway.js';
import { DirectLink } from './lane/direct-link.js';
import { LaneLink } from './lane/lane-link.js';
import { LanePool } from './lane/pool.js';
import { msgpackEncoder } from './protocol/encoder-msgpack.js';
import { MESSAGE_ID_MAX_BYTES, OPTIONS, PAYLOAD_NESTING_MAX, type SlowConsumerPolicy } from './protocol/messages.js';
import { encode, skipValue } from './protocol/msgpack.js';
import { optionProblem } from './protocol/options.js';
import { topicNameProblem } from './protocol/topic-name.js';
import { utf8Length } from './protocol/utf8.js';
import { Doorbell } from './ring/doorbell.js';
import type { Hooks } from './router/hooks.js';
import { Router } from './router/router.js';
import { policyNumber, TopicRegistry } from './router/topic-registry.js';

export interface PublishOptions {
  /** Message id, handed on to the subscribers; 1–64 bytes of UTF-8. */
  readonly id?: string;
}

export interface PublishResult {
  /** The message's number in its topic: 1, 2, 3 … */
  readonly seq: number;
  /** When the engine accepted it (ms since the epoch). */
  readonly time: number;
}

export interface LocalSubscribeOptions {
  /** Begin with up to so many retained messages, 0–1,000,000 (default 0). */
  readonly lastN?: number;
  /** What happens when this subscriber falls too far behind; by default what the topic's rule or the engine says. */
  readonly policy?: SlowConsumerPolicy;
  /** How long a message may wait for others (ms), 0–1000; by default what the topic's rule or the engine says. */
  readonly maxDelayMs?: number;
  /** Messages were lost to this subscriber; called in their place, before the next event. */
  readonly onGap?: (gap: TopicGap) => void;
  /** It ended without `close`: TOPIC_NOT_FOUND (deleted), SLOW_CONSUMER, SHUTTING_DOWN. Nothing is handed out after it. */
  readonly onEnd?: LocalHandlers['onEnd'];
}

export interface LocalSubscription {
  readonly topic: string;
  /** Names this life of the topic: numbers of different epochs must not be compared. */
  readonly epoch: string;
  /** The last message before the first one that will be handed out. */
  readonly seq: number;
  /** Ends it: nothing is handed out any more. May be called again. */
  close(): void;
}

/** What is there now, and counters since the start. */
export interface EngineStats {
  /** WebSocket connections now. */
  readonly connections: number;
  /** Of connections and of this process, now. */
  readonly subscriptions: number;
  /** Now, the hot ones included. */
  readonly topics: number;
  readonly hotTopics: number;
  /** Topics with subscribers now, those with subscribers of both codecs twice. */
  readonly streams: number;
  /** Connections that wait to be flushed, that wait for their delay, that do not read. */
  readonly readyConnections: number;
  readonly waitingConnections: number;
  readonly blockedConnections: number;
  /** Messages accepted, and messages refused with OVERLOADED. */
  readonly publishedMessages: number;
  readonly overloadedMessages: number;
  /** Bytes that the logs of cold topics take. */
  readonly coldLogBytes: number;
  /** Publishers that wait for a lane to number their message. */
  readonly pendingAcks: number;
  /** Messages × subscribers they were sent to, and the bytes of their frames. */
  readonly deliveredMessages: number;
  readonly deliveredBytes: number;
  /** Messages that subscribers were told they missed, and how often for which reason. */
  readonly lostMessages: number;
  readonly gaps: Readonly<Record<string, number>>;
  /** Connections ended by the policy `disconnect`. */
  readonly slowDisconnects: number;
  readonly badFrames: number;
  /** Upgrades that were refused: by `onConnect`, `maxConnections`, or for a URL that makes no sense. */
  readonly refusedConnections: number;
  /** Part of the time that the accept thread is busy, 0–1. */
  readonly utilisation: number;
  /** Fill of each lane's request ring, 0–100. */
  readonly laneFillPercent: readonly number[];
}

export interface TopicStats {
  readonly topic: string;
  readonly epoch: string;
  /** `cold`, or the number of the topic's lane. */
  readonly home: 'cold' | number;
  /** The newest message's number; 0: there has been none. */
  readonly seq: number;
  readonly subscribers: number;
  /** Handed to the topic's home; `seq` follows when it has numbered them. */
  readonly publishedMessages: number;
}

export type EngineHooks = Hooks;
export type EngineInput = EngineOptions & EngineHooks;

/**
 * `fault`: something went wrong that no caller can be told: a hook or a handler threw, a lane died.
 */
interface EngineEvents {
  fault: [fault: unknown];
}

type State = 'new' | 'running' | 'stopping' | 'closed';

/** Frames younger than this stay in a cold topic's log beyond its history, for consumers that lag a little (ms). */
const COLD_RETAIN_MS = 2000;
const TRIM_INTERVAL_MS = 1000;

/** Several engines in one process do not know of each other. */
export class Engine extends EventEmitter<EngineEvents> {
  readonly config: EngineConfig;
  readonly #scheduler: Scheduler = createScheduler();
  readonly #delivery: Delivery;
  readonly #coldLink: DirectLink;
  readonly #pool: LanePool;
  readonly #lanes: readonly LaneLink[];
  readonly #acceptBell: Doorbell;
  readonly #router: Router;
  readonly #gateway: Gateway;
  #state: State = 'new';
  #port = 0;
  #trimTimer: NodeJS.Timeout | null = null;
  #closing: Promise<void> | null = null;

  constructor(config: EngineConfig, hooks: EngineHooks) {
    super();
    this.config = config;
    this.#delivery = new Delivery({ budgetMs: config.deliveryBudgetMs }, this.#scheduler);
    this.#coldLink = new DirectLink({
      dataMaxBytes: config.coldLogMaxBytes,
      framesMax: config.coldLogMaxFrames,
      logsMaxBytes: config.coldLogsMaxBytes,
      retainMs: COLD_RETAIN_MS,
    });
    this.#pool = new LanePool(config.lanes, config.ringBytes);
    this.#acceptBell = new Doorbell(this.#pool.acceptBell);
    const logSizes = { dataBytes: config.hotLogBytes, frames: config.hotLogFrames };
    const events = {
      onHead: (alias: number): void => this.#router.onHead(alias),
      onAck: (request: number, seq: number): void => this.#router.onAck(request, seq),
    };
    this.#lanes = this.#pool.threads.map(
      ({ memory, port }) => new LaneLink(memory, port, logSizes, this.#scheduler, events),
    );
    const registry = new TopicRegistry(
      {
        autoCreate: config.topics.autoCreate,
        maxTopics: config.maxTopics,
        maxHotTopics: config.maxHotTopics,
        defaults: config,
        rules: config.topics.rules,
      },
      this.#delivery,
      this.#coldLink,
      this.#lanes,
    );
    this.#router = new Router(config, registry, this.#delivery, hooks, () => this.#scheduler.epochMs());
    this.#router.onFault = (fault) => this.#fault(fault);
    this.#gateway = new Gateway(config, this.#router, this.#delivery, hooks, this.#scheduler);
    this.#delivery.beforeTurn = () => {
      this.#drainLanes();
      this.#gateway.flushReplies();
    };
    for (const { ended } of this.#pool.threads) ended.catch((fault: unknown) => this.#laneDied(fault));
  }

  /** The port it listens on; 0 before `start`. */
  get port(): number {
    return this.#port;
  }

  /** Where clients connect to: `ws://127.0.0.1:8787/ws`. */
  get url(): string {
    const { host, tls } = this.config;
    const name = host.includes(':') ? `[${host}]` : host;
    return `${tls === undefined ? 'ws' : 'wss'}://${name}:${this.#port}/ws`;
  }

  /** Starts lanes and server. Throws RingcastError with one line that says what to do, a port in use for one. */
  async start(): Promise<void> {
    if (this.#state !== 'new') throw new RingcastError('CONFLICT', 'the engine has been started before');
    this.#state = 'running';
    this.#acceptBell.listen(
      () => this.#lanes.every((lane) => !lane.hasEvents()),
      () => this.#drainLanes(),
    );
    this.#trimTimer = setInterval(() => {
      this.#router.topics.sweep();
      this.#coldLink.trim(this.#scheduler.epochMs());
    }, TRIM_INTERVAL_MS);
    try {
      const died = this.#pool.threads.map(({ ended }) => ended);
      await Promise.race([Promise.all(this.#lanes.map((lane) => lane.ready)), ...died]);
      for (const name of this.config.topics.create) this.createTopic(name);
      this.#port = await this.#gateway.start();
    } catch (fault) {
      await this.#release();
      throw fault;
    }
  }

  // ---- topics ------------------------------------------------------------------------------------------------------

  /** Publishes a value, encoded as MessagePack. Rejects with RingcastError: BAD_REQUEST, TOPIC_NOT_FOUND, OVERLOADED … */
  async publish(topic: string, value: unknown, options: PublishOptions = {}): Promise<PublishResult> {
    return this.publishEncoded(topic, encode(value), options);
  }

  /** Publishes bytes that are one MessagePack value already. They are copied before this returns. */
  async publishEncoded(topic: string, payload: Uint8Array, options: PublishOptions = {}): Promise<PublishResult> {
    if (skipValue(payload, 0, payload.length, PAYLOAD_NESTING_MAX) !== payload.length) {
      const problem = `the payload must be exactly one MessagePack value, nested at most ${PAYLOAD_NESTING_MAX} deep`;
      throw new RingcastError('BAD_REQUEST', problem);
    }
    return this.#publish(topic, payload, options);
  }

  /**
   * Subscribes within the process. Events are handed out in turns of the event loop, like those of a socket.
   * Throws RingcastError: BAD_REQUEST (name, options), TOPIC_NOT_FOUND (and not created on first use), LIMIT_EXCEEDED.
   */
  subscribe(topic: string, options: LocalSubscribeOptions, onEvent: (event: TopicEvent) => void): LocalSubscription {
    this.#assertRunning();
    assertTopicName(topic);
    assertSubscribeOptions(options);
    const { topics } = this.#router;
    const entry = topics.obtain(topic);
    if (entry instanceof RingcastError) throw entry;
    const { lastN = 0, policy, maxDelayMs = DELAY_OF_STREAM, onGap, onEnd } = options;
    const cursor = entry.firstSeqFor(lastN);
    const ended: LocalHandlers['onEnd'] = (code, reason) => {
      // As the end of a socket does: a consumer that stays would be flushed again and again.
      this.#delivery.removeConsumer(consumer);
      onEnd?.(code, reason);
    };
    const subscriber = new LocalSubscriber(topic, { onEvent, onGap, onEnd: ended }, (fault) => this.#fault(fault));
    const consumer = this.#delivery.addConsumer(subscriber, msgpackEncoder);
    this.#delivery.subscribe(consumer, topics.streamOf(entry, false), {
      cursor,
      policy: policyNumber(policy ?? entry.settings.slowConsumerPolicy),
      delayMs: maxDelayMs,
    });
    const close = (): void => {
      subscriber.close();
      this.#delivery.removeConsumer(consumer);
    };
    return { topic, epoch: entry.spec.epoch, seq: cursor - 1, close };
  }

  /**
   * Creates a topic that stays until `deleteTopic`; one that exists already is left as it is.
   * Throws RingcastError: BAD_REQUEST (name), LIMIT_EXCEEDED (maxTopics).
   */
  createTopic(topic: string): void {
    this.#assertRunning();
    this.#router.topics.declare(topic);
  }

  /** Ends a topic: its subscribers get UNSUBSCRIBED, its history is gone. False: there was none. */
  deleteTopic(topic: string): boolean {
    this.#assertRunning();
    return this.#router.topics.delete(topic);
  }

  // ---- figures -----------------------------------------------------------------------------------------------------

  stats(): EngineStats {
    const load = this.#delivery.load;
    const { counters } = this.#delivery;
    const { topics } = this.#router;
    return {
      connections: this.#gateway.connectionCount,
      subscriptions: load.subscriptions,
      topics: topics.count,
      hotTopics: topics.hotCount,
      streams: load.streams,
      readyConnections: load.ready,
      waitingConnections: load.waiting,
      blockedConnections: load.blocked,
      publishedMessages: this.#router.publishedMessages,
      overloadedMessages: this.#router.overloadedMessages,
      coldLogBytes: this.#coldLink.logBytes,
      pendingAcks: this.#router.pendingAcks.count,
      deliveredMessages: counters.deliveredMessages,
      deliveredBytes: counters.deliveredBytes,
      lostMessages: counters.lostMessages,
      gaps: { ...counters.gaps },
      slowDisconnects: counters.slowDisconnects,
      badFrames: this.#gateway.counters.badFrames,
      refusedConnections: this.#gateway.counters.refusedConnections,
      utilisation: this.#delivery.autoDelay.utilisation,
      laneFillPercent: this.#lanes.map((lane) => lane.fillPercent()),
    };
  }

  /** Figures of one topic, or undefined when there is none. */
  topicStats(topic: string): TopicStats | undefined {
    const entry = this.#router.topics.find(topic);
    if (entry === undefined) return undefined;
    entry.log.refresh();
    return {
      topic,
      epoch: entry.spec.epoch,
      home: entry.isHot ? entry.lane : 'cold',
      seq: entry.log.headSeq,
      subscribers: (entry.stream?.subscriberCount ?? 0) + (entry.jsonStream?.subscriberCount ?? 0),
      publishedMessages: entry.acceptedMessages,
    };
  }

  // ---- stop --------------------------------------------------------------------------------------------------------

  /**
   * Stops gracefully: no new connections, advice to reconnect, everything accepted is delivered, connections close with
   * 1001. Resolves within `shutdownTimeoutMs`. May be called again: the calls share one stop.
   */
  close(): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  async #stop(): Promise<void> {
    if (this.#state === 'running') {
      this.#state = 'stopping';
      const deadlineMs = this.#scheduler.nowMs() + this.config.shutdownTimeoutMs;
      // From here on no log gives up what somebody who reads slowly is still to get.
      this.#stopTrimming();
      this.#gateway.stopAccepting();
      this.#gateway.adviseReconnect(this.config.drainSpreadMs, Math.random);
      await this.#lanesStopped(deadlineMs);
      while (this.#lanes.some((lane) => lane.hasEvents())) this.#drainLanes();
      await this.#gateway.flushed(deadlineMs);
    }
    await this.#release();
  }

  /** Asks the lanes to stop; each deals with everything in its ring first. */
  async #lanesStopped(deadlineMs: number): Promise<void> {
    for (const lane of this.#lanes) lane.stop();
    const ended = Promise.allSettled(this.#pool.threads.map(({ ended }) => ended));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, Math.max(0, deadlineMs - this.#scheduler.nowMs()));
    });
    await Promise.race([ended, late]);
    clearTimeout(timer);
  }

  #stopTrimming(): void {
    if (this.#trimTimer !== null) clearInterval(this.#trimTimer);
    this.#trimTimer = null;
  }

  async #release(): Promise<void> {
    this.#state = 'closed';
    this.#stopTrimming();
    this.#gateway.close();
    for (const { sink } of this.#delivery.consumers()) sink.end(1001, 'SHUTTING_DOWN');
    this.#delivery.close();
    this.#acceptBell.close();
    for (const lane of this.#lanes) lane.close();
    await this.#pool.destroy();
  }

  // ---- helpers -----------------------------------------------------------------------------------------------------

  #publish(topic: string, payload: Uint8Array, { id }: PublishOptions): Promise<PublishResult> {
    this.#assertRunning();
    assertTopicName(topic);
    if (payload.length > this.config.maxPayloadBytes) {
      const message = `a payload of ${payload.length} bytes; the limit is ${this.config.maxPayloadBytes} (maxPayloadBytes)`;
      throw new RingcastError('TOO_LARGE', message);
    }
    if (id !== undefined && !(utf8Length(id) >= 1 && utf8Length(id) <= MESSAGE_ID_MAX_BYTES)) {
      throw new RingcastError('BAD_REQUEST', `a message id has 1 to ${MESSAGE_ID_MAX_BYTES} bytes of UTF-8`);
    }
    const time = this.#scheduler.epochMs();
    return new Promise((resolve) =>
      this.#router.publishLocal(topic, payload, id, time, (seq) => resolve({ seq, time })),
    );
  }

  #drainLanes(): void {
    for (const lane of this.#lanes) if (lane.hasEvents()) lane.drainEvents();
  }

  #laneDied(fault: unknown): void {
    if (this.#state !== 'closed') this.#fault(fault);
  }

  /** Without a listener a fault is not swallowed: it ends the process like any uncaught exception. */
  #fault(fault: unknown): void {
    if (this.listenerCount('fault') > 0) this.emit('fault', fault);
    else throw fault;
  }

  #assertRunning(): void {
    if (this.#state === 'running') return;
    if (this.#state === 'stopping') throw new RingcastError('SHUTTING_DOWN', 'the engine is about to stop');
    const why = this.#state === 'new' ? 'call start() first' : 'it is closed';
    throw new RingcastError('CONFLICT', `the engine does not run: ${why}`);
  }
}

function assertTopicName(topic: string): void {
  const problem = topicNameProblem(topic);
  if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
}

function assertSubscribeOptions(options: LocalSubscribeOptions): void {
  for (const name of ['lastN', 'policy', 'maxDelayMs'] as const) {
    const problem = options[name] === undefined ? null : optionProblem(name, OPTIONS.SUBSCRIBE[name], options[name]);
    if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
  }
}

function createScheduler(): Scheduler {
  const { timeOrigin } = performance;
  return {
    nowMs: () => performance.now(),
    epochMs: () => timeOrigin + performance.now(),
    busyMs: () => performance.eventLoopUtilization().active,
    soon: (callback) => {
      setImmediate(callback);
    },
    after: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };
}

const HOOK_NAMES = ['onConnect', 'authorize', 'onSubscribe', 'onClose'] as const;

/**
 * Makes an engine; `start` runs it. Options are those of a configuration file, and the hooks.
 * Throws RingcastError BAD_REQUEST that names every wrong or unknown option.
 */
export function createEngine(input: EngineInput = {}): Engine {
  const hooks: Record<string, unknown> = {};
  const options: Record<string, unknown> = { ...input };
  for (const name of HOOK_NAMES) {
    if (options[name] !== undefined) hooks[name] = options[name];
    delete options[name];
  }
  for (const [name, hook] of Object.entries(hooks)) {
    if (typeof hook !== 'function') throw new RingcastError('BAD_REQUEST', `${name} must be a function`);
  }
  return new Engine(parseConfig(options), hooks as EngineHooks);
}
