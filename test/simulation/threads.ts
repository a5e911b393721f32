// Threads of lanes without threads: the simulation says when each takes a step, and what becomes of it meanwhile.

import { Lane, type LaneStart } from '#src/lane/lane.js';
import type { LaneParcel } from '#src/lane/parcels.js';
import type { LaneThreads, RunningLane } from '#src/lane/pool.js';
import type { Clock } from '#src/time/loop.js';
import { type FaultPlan, faults, LaneFault } from './faults.js';

/** starting: it exists, its code has not begun. hung: it neither goes on nor ends. dying: it has ended, nobody knows yet. */
type ThreadState = 'starting' | 'running' | 'hung' | 'dying' | 'gone';

export class SimulatedThread implements RunningLane {
  state: ThreadState = 'starting';
  plan: FaultPlan | null = null;
  /** Has been told to end; it may well take a step until it does. */
  isTerminated = false;
  readonly name: string;
  readonly #start: LaneStart;
  readonly #onEnded: (fault: unknown) => void;
  readonly #clock: Clock;
  readonly #posted: LaneParcel[] = [];
  #lane: Lane | null = null;
  #fault: unknown = null;

  constructor(name: string, start: LaneStart, onEnded: (fault: unknown) => void, clock: Clock) {
    this.name = name;
    this.#start = start;
    this.#onEnded = onEnded;
    this.#clock = clock;
  }

  get isBusy(): boolean {
    return this.state === 'starting' || this.state === 'dying' || this.isTerminated;
  }

  post(parcel: LaneParcel): void {
    this.#posted.push(parcel);
  }

  terminate(): void {
    this.isTerminated = true;
  }

  /** Ends it where it stands. */
  die(fault: unknown): void {
    if (this.state === 'gone' || this.state === 'dying') return;
    this.state = 'dying';
    this.#fault = fault;
  }

  /** Whatever it does next. True: it did something. */
  step(): boolean {
    if (this.state === 'gone') return false;
    if (this.state === 'dying') {
      this.state = 'gone';
      this.#onEnded(this.#fault);
      return true;
    }
    const hasWorked = this.state === 'hung' ? false : this.#run();
    if (this.isTerminated) this.die(new LaneFault('terminated', false));
    return hasWorked || this.isTerminated;
  }

  #run(): boolean {
    try {
      return faults.run(this.plan, () => this.#work());
    } catch (fault) {
      this.plan = null;
      if (fault instanceof LaneFault && fault.isHang) this.state = 'hung';
      else this.die(fault);
      return true;
    }
  }

  #work(): boolean {
    if (this.#lane === null) {
      this.#lane = new Lane(this.#start, () => this.#posted.shift(), this.#clock);
      this.#lane.begin();
      this.state = 'running';
      return true;
    }
    const hasWorked = this.#lane.step();
    if (this.#lane.isStopped) this.die(null);
    return hasWorked;
  }
}

export class SimulatedThreads implements LaneThreads {
  /** Those that are not gone. */
  alive: SimulatedThread[] = [];
  /** Has a say in what becomes of a new thread. */
  onStart: (thread: SimulatedThread) => void = () => {};
  readonly #clock: Clock;
  #started = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(start: LaneStart, onEnded: (fault: unknown) => void): RunningLane {
    this.#started++;
    const ended = (fault: unknown): void => {
      this.alive = this.alive.filter((other) => other !== thread);
      onEnded(fault);
    };
    const thread = new SimulatedThread(`thread ${this.#started}`, start, ended, this.#clock);
    this.alive.push(thread);
    this.onStart(thread);
    return thread;
  }
}
