/**
 * Delivery: who is due, in which order, and how much per turn of the event loop.
 *
 * A stream's head moves → its idle subscriptions become pending and their consumers ready (at once, or when their delay
 * is over) → ready consumers are flushed, cold class before hot class, for at most `budgetMs` per turn. Handlers only
 * enqueue; all work happens in turns, so that nothing waits longer than a turn for a socket to be read.
 */

import { ERROR_TABLE } from '../errors.js';
import type { FrameLog } from '../log/frame-log.js';
import type { FrameEncoder } from '../protocol/encoder.js';
import { type ReadOptions, SLOW_CONSUMER_POLICIES } from '../protocol/messages.js';
import type { Loop } from '../time/loop.js';
import { AutoDelay } from './auto-delay.js';
import type { Block } from './block.js';
import { BlockFlusher } from './block-flusher.js';
import { BlockedConsumers } from './blocked-consumers.js';
import { type CohortEvents, Cohorts } from './cohorts.js';
import { BLOCKED, CLOSED, type Consumer, IS_BLOCK, NO_ECHO, READY_COLD, READY_HOT } from './consumer.js';
import { Consumers } from './consumers.js';
import { type FlushCounters, Flusher, type OnSlow } from './flusher.js';
import { LagScan } from './lag-scan.js';
import { News } from './news.js';
import { Pace } from './pace.js';
import { Parts } from './parts.js';
import { ReadyConsumers } from './ready-consumers.js';
import { Removals } from './removals.js';
import { type RowChanges, Rows, type SubscriptionOptions } from './rows.js';
import type { GroupSink, GroupTransport, Sink } from './sink.js';
import { Stream, type StreamOptions } from './stream.js';
import { DELAY_OF_STREAM, NONE, SubscriptionTable } from './subscription-table.js';
import type { WorkQueue } from './work-queue.js';

export interface DeliveryOptions {
  /** Time that one turn may spend on flushing (ms). */
  readonly budgetMs: number;
}

export interface DeliveryEvents {
  /** Runs before each turn, and must not throw: the engine takes in what lanes have reported. */
  beforeTurn(): void;
  /** A consumer could not be flushed, and was ended for it. */
  onFault(fault: unknown): void;
  /** A stream lost its last subscription. */
  onStreamUnused(stream: Stream): void;
  /**
   * A subscriber to a stream of which only the newest of each key counts is so far behind that some of them are not retained.
   * Returns the stream that brings them, which it is to go on with. @param had its cursor
   */
  snapshotFor(stream: Stream, had: number): Stream;
}

/** Clock reads cost about 40 ns, a flush some microseconds. */
const FLUSHES_PER_CLOCK_READ = 8;
/** Sockets that one turn publishes to: they are written to when it is over, all at once. */
const SOCKETS_PER_TURN = 64;
/** Part of the budget that hot consumers get even in a turn that cold ones used up. */
const HOT_SHARE = 0.25;

/** Writer and reader: the accept thread. */
export class Delivery {
  readonly table = new SubscriptionTable();
  readonly autoDelay: AutoDelay;
  readonly parts: Parts;
  readonly counters: FlushCounters;
  readonly #loop: Loop;
  readonly #events: DeliveryEvents;
  readonly #budgetMs: number;
  readonly #consumers = new Consumers();
  readonly #streams: (Stream | null)[] = [];
  readonly #freeStreamSlots: number[] = [];
  readonly #flusher: Flusher;
  readonly #ready: ReadyConsumers;
  readonly #rows: Rows;
  readonly #cohorts: Cohorts;
  readonly #blockFlusher: BlockFlusher;
  readonly #news: News;
  readonly #pace = new Pace();
  readonly #blocked: BlockedConsumers;
  readonly #removals: Removals;
  /** Blocks that go on when what was published to them has reached their sockets: in the next turn. */
  readonly #unfinished: Block[] = [];
  /** How far `flushSome` has got. */
  #flushedSlots = 0;
  #isTurnScheduled = false;
  #isClosed = false;
  readonly #turn = (): void => this.#runTurn();

  constructor(options: DeliveryOptions, loop: Loop, events: DeliveryEvents) {
    this.#loop = loop;
    this.#events = events;
    this.#budgetMs = options.budgetMs;
    const onSlow: OnSlow = (consumer, { options }, reason) => {
      this.counters.slowDisconnects++;
      this.#end(consumer, `${options.topic}: ${reason}`);
    };
    this.#flusher = new Flusher(this.table, this.#streams, loop, {
      onSlow,
      onRefused: (consumer) => this.#end(consumer, 'send buffer limit'),
      mayJoin: (consumer, row) => this.#cohorts.mayJoin(consumer, row),
      onCatchUp: (consumer, row, stream) => this.#catchUp(consumer, row, stream),
      onPhaseOver: (consumer, row, stream, cursor) => this.#rows.transfer(consumer, row, stream, cursor),
      onRest: (consumer, row, stream, waitMs) => this.#rows.rest(consumer, row, stream, waitMs),
      onFault: (consumer, fault) => this.#fail(consumer, fault),
    });
    this.counters = this.#flusher.counters;
    this.#ready = new ReadyConsumers(
      loop,
      () => this.#scheduleTurn(),
      () => {
        if (!this.#isTurnScheduled) this.#runTurn();
      },
    );
    const cohortEvents: CohortEvents = {
      addBlock: (transport) => this.#consumers.addBlock(transport),
      onPending: (consumer, { isHot }) => this.#ready.makeReady(consumer, isHot),
      catchUp: (block, cohort) => this.#blockFlusher.catchUp(block, cohort, loop.nowMs()),
    };
    this.#cohorts = new Cohorts(this.table, this.#streams, this.#consumers.bySlot, cohortEvents, loop);
    this.#rows = new Rows(this.table, this.#streams, this.#cohorts, this.#ready, loop, (stream) => {
      if (!stream.isRemoved) events.onStreamUnused(stream);
      else if (stream.isIdle) this.#freeStream(stream);
    });
    this.parts = new Parts(this.table, this.#streams, this.#rows);
    this.#blockFlusher = new BlockFlusher(
      this.table,
      this.#streams,
      this.#cohorts,
      this.counters,
      this.#flusher.inPlace,
      (consumer) => this.#block(consumer),
      loop,
    );
    this.#removals = new Removals(
      this.table,
      this.#consumers.bySlot,
      (consumer, row) => this.#rows.remove(consumer, row),
      (block, cohort) => this.#cohorts.dissolve(block, cohort),
      (consumer) => {
        this.#cohorts.remove(consumer);
        this.#consumers.remove(consumer);
      },
    );
    this.#blocked = new BlockedConsumers(this.table, this.#streams, loop, onSlow);
    this.autoDelay = new AutoDelay(() => loop.busyMs(), loop.nowMs());
    this.#news = new News(this.table, this.#consumers.bySlot, this.#ready, this.autoDelay, loop);
  }

  // ---- consumers and streams ---------------------------------------------------------------------------------------

  addConsumer(sink: Sink, encoder: FrameEncoder): Consumer {
    return this.#consumers.add(sink, encoder);
  }

  /** One whose transport can publish to many at once. */
  addGroupConsumer(sink: GroupSink, encoder: FrameEncoder, transport: GroupTransport): Consumer {
    const consumer = this.addConsumer(sink, encoder);
    this.#cohorts.add(consumer, transport);
    return consumer;
  }

  /** From here on the consumer's own messages may have to be left out of what it gets. */
  servesNoEcho(consumer: Consumer): void {
    if (consumer.publishesNoEcho) return;
    consumer.flags |= NO_ECHO;
    this.#cohorts.leaveAll(consumer);
  }

  /** Ends a consumer. What it held is freed in this turn of the event loop and, where that is much, in the next ones. */
  removeConsumer(consumer: Consumer): void {
    if ((consumer.flags & CLOSED) !== 0) return;
    this.#ready.remove(consumer);
    this.#blocked.remove(consumer);
    consumer.flags = (consumer.flags & ~BLOCKED) | CLOSED;
    this.#removals.addConsumer(consumer);
    if (this.#removals.hasWork) this.#scheduleTurn();
  }

  addStream(options: StreamOptions): Stream {
    const slot = this.#freeStreamSlots.pop() ?? this.#streams.length;
    const stream = new Stream(slot, options);
    this.#streams[slot] = stream;
    return stream;
  }

  /**
   * Ends a stream: its subscriptions get nothing any more, and each subscriber is handed out. That is done in this turn of
   * the event loop and, where there are many, in the next ones; those that something is pending for come with their flush.
   */
  removeStream(stream: Stream, onSubscriber: (consumer: Consumer) => void): void {
    stream.end();
    this.#rows.wakeEnded(stream);
    if (stream.isIdle) this.#freeStream(stream);
    else this.#removals.addStream(stream, onSubscriber);
    if (this.#removals.hasWork) this.#scheduleTurn();
  }

  /** Has the consumer told of what has ended, before it is told of something new by the same name. */
  settleEnded(consumer: Consumer): void {
    this.#removals.settle(consumer);
  }

  /**
   * The stream is read from another log from here on, which goes on with the same seqs, and maybe in the other class. Its
   * cursors stay; subscriptions that are pending stay where they are until they have been flushed.
   */
  rehome(stream: Stream, log: FrameLog, isHot: boolean): void {
    stream.log = log;
    stream.isHot = isHot;
    stream.slice.forget();
    this.headMoved(stream);
  }

  // ---- subscriptions -----------------------------------------------------------------------------------------------

  /** False: the consumer has this subscription already, or has ended; nothing changes. */
  subscribe(consumer: Consumer, stream: Stream, options: SubscriptionOptions): boolean {
    // Its slot may be another's by now.
    if ((consumer.flags & CLOSED) !== 0 || !this.#rows.add(consumer, stream, options)) return false;
    if (this.#cohorts.hasWork) this.#scheduleTurn();
    return true;
  }

  /** The subscription goes on with another stream of its topic, from `cursor` on. */
  transfer(consumer: Consumer, from: Stream, to: Stream, cursor: number, changes: Partial<SubscriptionOptions>): void {
    const row = this.#rowOf(consumer, from);
    if (row === NONE) return;
    this.#rows.transfer(consumer, row, to, cursor, changes);
    if (this.#cohorts.hasWork) this.#scheduleTurn();
  }

  #catchUp(consumer: Consumer, row: number, stream: Stream): void {
    const cursor = this.table.cursorOf(row);
    const merged = stream.log.headSeq + 1 - cursor;
    this.counters.countGaps('merged', 0, merged);
    stream.counters.countGaps('merged', 0, merged);
    this.#rows.transfer(consumer, row, this.#events.snapshotFor(stream, cursor), 1);
  }

  /** How a subscription is read, beyond what its stream is; its delay, where it has one of its own. */
  readingOf(consumer: Consumer, stream: Stream): ReadOptions {
    const row = this.#rowOf(consumer, stream);
    const delayMs = this.table.delayMs[row];
    const policy = SLOW_CONSUMER_POLICIES[this.table.policy(row)];
    const { reading } = stream.options.successor ?? stream;
    const maxBandwidth = this.#rows.meterOf(consumer, stream, row)?.bytesPerSecond ?? 0;
    return { policy, ...reading, maxBandwidth, ...(delayMs === DELAY_OF_STREAM ? {} : { maxDelayMs: delayMs }) };
  }

  /** Policy, delay and bandwidth of a subscription. */
  change(consumer: Consumer, stream: Stream, changes: RowChanges): void {
    const row = this.#rowOf(consumer, stream);
    if (row !== NONE) this.#rows.change(consumer, row, stream, changes);
  }

  /** The stream, which was empty, has this log from here on. @param successorCursor where its subscribers go on behind it */
  fill(stream: Stream, log: FrameLog, successorCursor: number): void {
    stream.successorCursor = successorCursor;
    stream.leastSeq = successorCursor - 1;
    this.rehome(stream, log, stream.isHot);
  }

  /** False: there was no such subscription. */
  unsubscribe(consumer: Consumer, stream: Stream): boolean {
    const row = this.#rowOf(consumer, stream);
    if (row !== NONE) this.#rows.remove(consumer, row);
    return row !== NONE;
  }

  /** See Rows. */
  ack(consumer: Consumer, alias: number, seq: number): number | undefined {
    return this.#rows.ack(consumer, alias, seq);
  }

  /** Streams with subscribers. */
  get usedStreams(): number {
    return this.#rows.usedStreams;
  }

  isSubscribed(consumer: Consumer, stream: Stream): boolean {
    return this.#rowOf(consumer, stream) !== NONE;
  }

  /** Seq of the next message that the subscription gets, or NONE when there is no such subscription. */
  cursorOf(consumer: Consumer, stream: Stream): number {
    const row = this.#rowOf(consumer, stream);
    return row === NONE ? NONE : this.table.cursorOf(row);
  }

  #rowOf(consumer: Consumer, stream: Stream): number {
    return (consumer.flags & CLOSED) !== 0 ? NONE : this.table.find(consumer.slot, stream.slot);
  }

  // ---- events ------------------------------------------------------------------------------------------------------

  /** Hot path: per message or batch. Something was appended to the stream's log. */
  headMoved(stream: Stream): void {
    if (this.#news.add(stream)) this.#scheduleTurn();
  }

  /** Hot path: per message that a client sends. Turns are short while there are any. */
  somebodyCame(): void {
    this.#pace.somebodyCame();
  }

  /** The transport took everything it was given. */
  drained(consumer: Consumer): void {
    if ((consumer.flags & BLOCKED) === 0) return;
    consumer.flags &= ~BLOCKED;
    this.#blocked.remove(consumer);
    if (!consumer.isPending) return;
    this.#blocked.updateFloors(consumer);
    this.#ready.makeReady(consumer, consumer.coldHead === NONE);
  }

  /** The transport is full although delivery sent nothing (an answer, say). */
  blocked(consumer: Consumer): void {
    if ((consumer.flags & CLOSED) === 0) this.#block(consumer);
  }

  #block(consumer: Consumer): void {
    consumer.flags |= BLOCKED;
    this.#blocked.add(consumer);
    this.#cohorts.leaveAll(consumer);
  }

  /** A turn's part of flushing all that can be, without delays, before a shutdown. True: everything has been flushed. */
  flushSome(): boolean {
    const deadlineMs = this.#loop.nowMs() + this.#budgetMs;
    this.#blockFlusher.beginTurn();
    if (this.#flushedSlots === 0) this.#events.beforeTurn();
    this.#news.mark(deadlineMs);
    if (this.#news.count > 0) return false;
    const consumers = this.#consumers.bySlot;
    while (this.#flushedSlots < consumers.length) {
      const consumer = consumers[this.#flushedSlots];
      // Each call sends one message; the consumer is passed when it is up to date, blocked or gone.
      const hasMore = consumer != null && this.#flush(consumer, deadlineMs);
      if (!hasMore) this.#flushedSlots++;
      else if ((consumer.flags & IS_BLOCK) !== 0) return false;
      if (this.#loop.nowMs() >= deadlineMs && this.#flushedSlots < consumers.length) return false;
    }
    this.#flushedSlots = 0;
    this.#flusher.forgetViews();
    return true;
  }

  /** Calls off every timer; no turn runs any more. */
  close(): void {
    this.#isClosed = true;
    this.#ready.close();
    this.#rows.close();
    this.#blocked.close();
  }

  /** How much waits where; all zero when nothing is going on. */
  get load(): Record<'consumers' | 'streams' | 'subscriptions' | 'ready' | 'waiting' | 'blocked', number> {
    return {
      consumers: this.#consumers.count - this.#cohorts.blockCount,
      streams: this.#streams.length - this.#freeStreamSlots.length,
      subscriptions: this.table.count - this.#cohorts.count,
      ready: this.#ready.readyCount,
      waiting: this.#ready.waitingCount,
      blocked: this.#blocked.count,
    };
  }

  /** A scan of its own for each caller. @param slowestMax how many of the slowest subscriptions it finds */
  lagScan(slowestMax: number): LagScan {
    return new LagScan(this.table, this.#streams, this.#consumers.bySlot, slowestMax);
  }

  consumers(): Iterable<Consumer> {
    return this.#consumers.open();
  }

  // ---- turns -------------------------------------------------------------------------------------------------------

  #scheduleTurn(): void {
    if (this.#isTurnScheduled || this.#isClosed) return;
    this.#isTurnScheduled = true;
    this.#loop.soon(this.#turn);
  }

  #runTurn(): void {
    if (this.#isClosed) return;
    // Set while the turn runs: what becomes ready in it is either flushed in it or makes the last lines schedule the next.
    this.#isTurnScheduled = true;
    try {
      this.#runPhases();
    } finally {
      // Also when a handler threw: whoever catches that goes on with a delivery that works.
      this.#isTurnScheduled = false;
      this.#flusher.forgetViews();
      if (this.#hasWork()) this.#scheduleTurn();
      else {
        this.#pace.rest();
        this.#ready.armTimer();
      }
    }
  }

  #hasWork(): boolean {
    return this.#news.count + this.#ready.readyCount > 0 || this.#removals.hasWork || this.#cohorts.hasWork;
  }

  #runPhases(): void {
    this.#blockFlusher.beginTurn();
    this.#events.beforeTurn();
    this.#removals.step();
    const startMs = this.#loop.nowMs();
    this.autoDelay.update(startMs);
    const factor = this.#pace.next();
    const socketsMax = SOCKETS_PER_TURN * factor;
    const budgetMs = this.#budgetMs * factor;
    const deadlineMs = startMs + budgetMs;
    this.#news.mark(deadlineMs);
    this.#ready.expire(startMs);
    const sockets = this.#flushQueue(this.#ready.cold, READY_COLD, deadlineMs, socketsMax);
    const hotDeadlineMs = Math.max(deadlineMs, this.#loop.nowMs() + budgetMs * HOT_SHARE);
    this.#flushQueue(this.#ready.hot, READY_HOT, hotDeadlineMs, Math.max(1, socketsMax - sockets));
    for (const block of this.#unfinished) this.#ready.makeReady(block, block.coldHead === NONE);
    this.#unfinished.length = 0;
    this.#cohorts.step(hotDeadlineMs);
  }

  /**
   * Hot path: per turn. Consumers flushed with more to send go to the end of the queue. Ends at the deadline, or when
   * enough sockets were published to; returns how many.
   */
  #flushQueue(queue: WorkQueue<Consumer>, readyFlag: number, deadlineMs: number, socketsMax: number): number {
    let untilClockRead = FLUSHES_PER_CLOCK_READ;
    let sockets = 0;
    while (queue.length > 0) {
      const consumer = queue.shift();
      consumer.flags &= ~readyFlag;
      const hasMore = this.#flush(consumer, deadlineMs);
      if ((consumer.flags & IS_BLOCK) !== 0) {
        if (hasMore) this.#unfinished.push(consumer as Block);
        sockets += (consumer as Block).reached;
        if (sockets >= socketsMax) break;
      } else if (hasMore) this.#ready.makeReady(consumer, consumer.coldHead === NONE);
      if (--untilClockRead === 0) {
        if (this.#loop.nowMs() >= deadlineMs) break;
        untilClockRead = FLUSHES_PER_CLOCK_READ;
      }
    }
    return sockets;
  }

  /** Hot path: per consumer and flush. Returns whether there is more to send that can be taken. */
  #flush(consumer: Consumer, deadlineMs: number): boolean {
    if ((consumer.flags & IS_BLOCK) !== 0) return this.#flushBlock(consumer as Block, deadlineMs);
    const hasMore = this.#flusher.flush(consumer);
    if ((consumer.flags & BLOCKED) !== 0) this.#block(consumer);
    return hasMore;
  }

  #flushBlock(block: Block, deadlineMs: number): boolean {
    try {
      return this.#blockFlusher.flush(block, deadlineMs);
    } catch (fault) {
      // It is not known whom what was published has reached.
      for (const consumer of [...block.connections]) this.#fail(consumer, fault);
      return false;
    }
  }

  // ---- ends --------------------------------------------------------------------------------------------------------

  /** Ends a slow consumer's connection. It is freed here and not only when its transport reports the end, if ever. */
  #end(consumer: Consumer, reason: string): void {
    consumer.sink.end(ERROR_TABLE.SLOW_CONSUMER.closeCode, `SLOW_CONSUMER ${reason}`);
    this.removeConsumer(consumer);
  }

  #freeStream(stream: Stream): void {
    this.#streams[stream.slot] = null;
    this.#freeStreamSlots.push(stream.slot);
  }

  /** A consumer that could not be flushed is ended: what it has got is not known. It costs nobody else a message. */
  #fail(consumer: Consumer, fault: unknown): void {
    this.removeConsumer(consumer);
    consumer.sink.end(ERROR_TABLE.INTERNAL.closeCode, 'INTERNAL');
    this.#events.onFault(fault);
  }
}
