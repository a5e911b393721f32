/**
 * Supervised lane: one lane from the accept thread's point of view. Starts its thread, notices when it dies or hangs, and
 * starts the next one over the same memory.
 *
 *   starting ──READY──► running ──STOP──► stopped
 *      ▲                   │
 *      │ after a while     │ throws, exits, runs out of memory, or does not move: is terminated
 *      └─── restarting ◄───┘
 *                │ again and again without getting anywhere
 *                └─────► degraded: the accept thread runs the same code over the same memory, until its topics have left
 *
 * Meanwhile publishes wait in the ring. A message at which three threads in a row died is put aside. A thread that could
 * not be started for want of descriptors or memory has died of nothing: it is tried again for as long as it takes.
 */

import { LaneCounters, NO_RECORD } from '../counters/lane-counters.js';
import type { LaneState } from '../counters/report.js';
import { SharedLog } from '../log/shared-log.js';
import { skipValue } from '../protocol/msgpack.js';
import { RingReader } from '../ring/ring.js';
import type { Clock, Scheduler } from '../time/loop.js';
import { Lane, type LaneMemory, type LaneStart } from './lane.js';
import type { LaneLink, LaneThread } from './lane-link.js';
import type { LaneParcel } from './parcels.js';
import { isWant, type LaneThreads, type RunningLane } from './pool.js';
import { REQUEST_PUBLISH } from './records.js';

/** A message that was put aside because lanes died of it. */
export interface PoisonedMessage {
  readonly alias: number;
  /** The payload, MessagePack. */
  readonly payload: Uint8Array;
  /** When it was accepted (ms since the epoch). */
  readonly timeMs: number;
}

/** What happened to a lane, in words for an operator. */
export interface LaneDeath {
  readonly lane: number;
  /** `stalled`: it did not move and was ended; else it ended by itself. */
  readonly reason: 'stalled' | 'died';
  readonly fault: unknown;
}

export interface LaneEvents {
  /** Its thread has ended; another one is about to start. */
  onDeath(death: LaneDeath): void;
  /** The next thread runs, so many milliseconds after the last one was seen to be dead. */
  onRecovered(lane: number, recoveryMs: number): void;
  onPoison(lane: number, message: PoisonedMessage): void;
  /** No thread can be kept alive: topics have to leave the lane. */
  onDegraded(lane: number, fault: unknown): void;
}

/** What lanes have around them. */
export interface LaneWorld {
  readonly threads: LaneThreads;
  readonly loop: Scheduler;
  /** What threads measure by, and are judged by. */
  readonly clock: Clock;
  readonly events: LaneEvents;
}

/** Deaths in a row at one message until it is put aside. */
const POISON_DEATHS = 3;
/** Deaths in a row without a request dealt with, or a second of life, until the lane is given up. */
const FRUITLESS_DEATHS_MAX = 6;
/** A thread that lived so long has got somewhere (ms). */
const LIFE_MS = 1000;
/** Waits before the next start, by the number of fruitless deaths (ms). */
const BACKOFF_MS = [0, 0, 0, 10, 50, 250];
/** Waits before a start that failed for want of something is tried again (ms); the last one from then on. */
const WANT_BACKOFF_MS = [50, 250, 1000];
/** Looks at a lane within `stallMs`: a late timer of this thread alone never makes a lane look dead. */
const LOOKS_PER_STALL = 4;
/** Starting a thread on a busy machine takes longer than a batch: so much until it says for the first time that it moves. */
const START_STALL_FACTOR = 10;
/** Batches that a degraded lane gets per turn of the event loop. */
const STEPS_PER_TURN = 4;

/** Writer and reader: the accept thread. */
export class SupervisedLane {
  readonly number: number;
  readonly link: LaneLink;
  readonly counters: LaneCounters;
  state: LaneState = 'starting';
  /** Threads started after the first one. */
  restarts = 0;
  /** Messages put aside. */
  poisonedMessages = 0;

  readonly #memory: LaneMemory;
  readonly #threads: LaneThreads;
  readonly #loop: Scheduler;
  readonly #clock: Clock;
  readonly #events: LaneEvents;
  readonly #stallMs: number;
  #running: RunningLane | null = null;
  #putAside: number[] = [];
  #isStopping = false;
  #isStallEnd = false;

  #startedAtMs = 0;
  #diedAtMs = 0;
  #movedAtMs = 0;
  #lastBeats = -1;
  #lastPosition = NO_RECORD;
  #stillLooks = 0;
  /** The thread runs the lane's code, as its beats show. */
  #hasBegun = false;

  #deathPosition = NO_RECORD;
  #deathsThere = 0;
  #fruitlessDeaths = 0;
  /** Starts in a row that failed for want of something. */
  #failedStarts = 0;
  #releasedAtStart = 0;
  #cancelTimer: (() => void) | null = null;

  #onReady: () => void = () => {};
  #onStopped: () => void = () => {};
  /** Settles when a thread has run for the first time. */
  readonly ready = new Promise<void>((resolve) => {
    this.#onReady = resolve;
  });
  /** Settles when the lane has stopped as it was asked to. */
  readonly stopped = new Promise<void>((resolve) => {
    this.#onStopped = resolve;
  });

  /** @param stallMs a thread that does not move for so long is ended */
  constructor(number: number, memory: LaneMemory, link: LaneLink, stallMs: number, world: LaneWorld) {
    this.number = number;
    this.link = link;
    this.counters = new LaneCounters(memory.counters);
    this.#memory = memory;
    this.#stallMs = stallMs;
    this.#threads = world.threads;
    this.#loop = world.loop;
    this.#clock = world.clock;
    this.#events = world.events;
  }

  /** Topics may be placed here. */
  get isUsable(): boolean {
    return this.state !== 'degraded' && this.state !== 'stopped' && this.#failedStarts === 0;
  }

  /** Starts the lane's thread, the first one or the next. */
  start(): void {
    const start = this.#startMessage();
    this.#startedAtMs = this.#clock.nowMs();
    this.#movedAtMs = this.#startedAtMs;
    this.#stillLooks = 0;
    this.#hasBegun = false;
    this.#lastBeats = this.counters.beats;
    this.#lastPosition = NO_RECORD;
    this.#isStallEnd = false;
    let running: RunningLane;
    try {
      running = this.#threads.start(start, (fault) => this.#ended(fault));
    } catch (fault) {
      this.#ended(fault);
      return;
    }
    this.#running = running;
    const thread: LaneThread = {
      post: (parcel) => running.post(parcel),
      wake: () => {},
      ready: () => this.#ready(),
    };
    this.link.attach(thread);
    this.#armWatch();
  }

  /** Asks the lane to end after everything in its ring. `stopped` settles when it has. */
  stop(): void {
    this.#isStopping = true;
    this.link.stop();
  }

  /** Watches no more, and starts no more threads. Nobody has to wait for the lane from here on. */
  close(): void {
    this.state = 'stopped';
    this.#onReady();
    this.#onStopped();
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.link.attach(null);
    this.link.close();
  }

  // ---- life and death ----------------------------------------------------------------------------------------------

  #startMessage(): LaneStart {
    this.#releasedAtStart = this.#requestsReader().position;
    this.#putAside = this.#putAside.filter((position) => position > this.#releasedAtStart);
    // A thread that dies before its first record is not to be taken for one that died at its predecessor's last.
    this.counters.leaveRecords(0, 0, 0);
    return { memory: this.#memory, parcels: this.link.parcels, putAside: this.#putAside };
  }

  #ready(): void {
    if (this.state === 'stopped') return;
    this.#failedStarts = 0;
    if (this.state === 'restarting') {
      this.state = 'running';
      this.#events.onRecovered(this.number, this.#clock.nowMs() - this.#diedAtMs);
    }
    this.state = 'running';
    this.#onReady();
  }

  #ended(fault: unknown): void {
    this.#running = null;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (this.state === 'stopped') return;
    this.#takeInWhatItReported();
    // Also when it died of its end: STOP is the last record, a successor would wait for it for ever.
    if (this.#isStopping && (fault === null || this.#requestsReader().isEmpty())) {
      this.state = 'stopped';
      this.link.attach(null);
      this.#onStopped();
      return;
    }
    this.link.attach(null);
    if (isWant(fault) && this.counters.beats === this.#lastBeats && !this.#hasBegun) {
      this.#startLater(fault);
      return;
    }
    this.#diedAtMs = this.#clock.nowMs();
    this.#events.onDeath({ lane: this.number, reason: this.#isStallEnd ? 'stalled' : 'died', fault });
    this.#blame();
    if (this.#fruitlessDeaths >= FRUITLESS_DEATHS_MAX) {
      this.#degrade(fault);
      return;
    }
    this.state = 'restarting';
    this.restarts++;
    const backoffMs = BACKOFF_MS[Math.min(this.#fruitlessDeaths, BACKOFF_MS.length - 1)];
    if (backoffMs === 0) this.start();
    else this.#cancelTimer = this.#loop.after(backoffMs, () => this.start());
  }

  /** No thread could be started. Said once, not with each attempt; topics are placed elsewhere meanwhile. */
  #startLater(fault: unknown): void {
    if (this.#failedStarts === 0 && this.state !== 'restarting') this.#diedAtMs = this.#clock.nowMs();
    if (this.#failedStarts === 0) this.#events.onDeath({ lane: this.number, reason: 'died', fault });
    const backoffMs = WANT_BACKOFF_MS[Math.min(this.#failedStarts, WANT_BACKOFF_MS.length - 1)];
    this.#failedStarts++;
    this.state = 'restarting';
    this.#cancelTimer = this.#loop.after(backoffMs, () => this.start());
    // An engine that has just been started goes on without the lane: all topics are cold until it runs.
    if (this.#failedStarts > WANT_BACKOFF_MS.length) this.#onReady();
  }

  /** All that the dead thread has published, before the next one adds to it: what it let go of is not given to that one. */
  #takeInWhatItReported(): void {
    const { link } = this;
    while (link.hasEvents()) link.drainEvents();
    link.noteHeads();
  }

  /** Counts deaths: at one message, and without any request dealt with. */
  #blame(): void {
    const position = this.counters.recordPosition;
    const hasWorked = this.#requestsReader().position !== this.#releasedAtStart;
    const hasLived = this.state === 'running' && this.#diedAtMs - this.#startedAtMs >= LIFE_MS && !this.#isStallEnd;
    this.#fruitlessDeaths = hasWorked || hasLived ? 1 : this.#fruitlessDeaths + 1;
    this.#deathsThere = position !== NO_RECORD && position === this.#deathPosition ? this.#deathsThere + 1 : 1;
    this.#deathPosition = position;
    if (position === NO_RECORD || this.#deathsThere < POISON_DEATHS) return;
    const message = this.#messageAt(position);
    // Anything but a message cannot be left out, and no message that is in the log: then the lane is given up.
    if (message === null || this.#isHandled(message, position)) return;
    this.#putAside.push(position);
    this.poisonedMessages++;
    this.#deathPosition = NO_RECORD;
    this.#fruitlessDeaths = 0;
    this.#events.onPoison(this.number, message);
  }

  /** The message whose record ends at a ring position, or null when that is no message. */
  #messageAt(position: number): PoisonedMessage | null {
    const reader = this.#requestsReader();
    while (reader.next()) {
      if (reader.position !== position) continue;
      if (reader.type !== REQUEST_PUBLISH) return null;
      const { bytes, payloadStart, payloadEnd } = reader;
      // Behind it there may be a message id.
      const payload = bytes.slice(payloadStart, skipValue(bytes, payloadStart, payloadEnd));
      return { alias: reader.alias, payload, timeMs: reader.time };
    }
    return null;
  }

  /** Whether a message has been appended; only while no thread runs. */
  #isHandled({ alias }: PoisonedMessage, position: number): boolean {
    for (const parcel of this.link.parcels) {
      if (parcel.kind !== 'topic' || parcel.alias !== alias) continue;
      const log = new SharedLog(parcel.memory, parcel.head);
      const isAppended = log.headSeq >= parcel.firstSeq && log.ingressPositionAt(log.head) >= position;
      return isAppended || position <= parcel.openPosition;
    }
    // The lane has let go of the topic behind the message.
    return true;
  }

  /** What the lane has not released; only while no thread runs. */
  #requestsReader(): RingReader {
    return new RingReader(this.#memory.requests);
  }

  // ---- watch -------------------------------------------------------------------------------------------------------

  #armWatch(): void {
    this.#cancelTimer = this.#loop.after(this.#stallMs / LOOKS_PER_STALL, () => this.#look());
  }

  #look(): void {
    const { beats, recordPosition } = this.counters;
    const nowMs = this.#clock.nowMs();
    if (beats !== this.#lastBeats || recordPosition !== this.#lastPosition) {
      this.#lastBeats = beats;
      this.#lastPosition = recordPosition;
      this.#movedAtMs = nowMs;
      this.#stillLooks = 0;
      this.#hasBegun = true;
    } else {
      this.#stillLooks++;
    }
    const limitMs = this.#stallMs * (this.#hasBegun ? 1 : START_STALL_FACTOR);
    if (this.#stillLooks >= LOOKS_PER_STALL - 1 && nowMs - this.#movedAtMs >= limitMs) {
      this.#isStallEnd = true;
      this.#running?.terminate();
      return;
    }
    this.#armWatch();
  }

  // ---- degraded ----------------------------------------------------------------------------------------------------

  #degrade(fault: unknown): void {
    this.state = 'degraded';
    this.#runHere();
    this.#onReady();
    this.#events.onDegraded(this.number, fault);
  }

  /** Runs the lane's code in this thread, a few batches per turn. */
  #runHere(): void {
    const start = this.#startMessage();
    const posted: LaneParcel[] = [];
    let lane: Lane | null = null;
    let isScheduled = false;
    let hasFailed = false;
    const turn = (): void => {
      isScheduled = false;
      if (this.state !== 'degraded' || hasFailed) return;
      try {
        // Its beginning can fail, too.
        lane ??= new Lane(start, () => posted.shift(), this.#clock);
        for (let step = 0; step < STEPS_PER_TURN && !lane.isStopped; step++) {
          const hasMore = lane.step();
          // Here nobody else makes room for events.
          while (this.link.hasEvents()) this.link.drainEvents();
          if (!hasMore) break;
          if (step === STEPS_PER_TURN - 1) wake();
        }
      } catch (fault) {
        hasFailed = true;
        this.#failedHere(fault);
        return;
      }
      if (!lane.isStopped) return;
      this.state = 'stopped';
      this.#onStopped();
    };
    const wake = (): void => {
      if (isScheduled) return;
      isScheduled = true;
      this.#loop.soon(turn);
    };
    this.link.attach({ post: (parcel) => posted.push(parcel), wake, ready: () => this.#onReady() });
    wake();
  }

  #failedHere(fault: unknown): void {
    this.#takeInWhatItReported();
    this.#events.onDeath({ lane: this.number, reason: 'died', fault });
    this.#blame();
    if (this.#fruitlessDeaths < FRUITLESS_DEATHS_MAX * 2) this.#runHere();
    else throw fault;
  }
}
