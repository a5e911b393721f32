// Faults of lanes: a lane's code dies, or stops for ever, just before or just after one of its calls that read or write
// shared memory. The calls are watched by wrappers that do nothing but while a lane's code runs.

import { LaneCounters } from '#src/counters/lane-counters.js';
import { TopicBusyWriter } from '#src/counters/topic-busy.js';
import { Lane } from '#src/lane/lane.js';
import { FrameLog } from '#src/log/frame-log.js';
import { Doorbell } from '#src/ring/doorbell.js';
import { RingReader, RingWriter } from '#src/ring/ring.js';
import { Topic } from '#src/topic/topic.js';
import { numberIn } from './payload.js';

/** What ends a lane's code at a point of our choice. */
export class LaneFault extends Error {
  /** The thread neither goes on nor ends: it has to be ended. */
  readonly isHang: boolean;

  constructor(message: string, isHang: boolean) {
    // Where it was thrown is in the message, and a stack takes longer than all that the lane did.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.isHang = isHang;
  }
}

/** A fault to come. */
export interface FaultPlan {
  /** Watched calls of the lane until then. */
  callsLeft: number;
  readonly when: 'before' | 'after';
  readonly isHang: boolean;
}

type Method = (...operands: never[]) => unknown;

/** Everything between two of a lane's writes to shared memory begins or ends one of these. */
const WATCHED: readonly (readonly [label: string, owner: object, names: readonly string[]])[] = [
  ['Atomics', Atomics, ['store', 'exchange', 'add', 'compareExchange']],
  ['FrameLog', FrameLog.prototype, ['begin', 'write', 'commit', 'skipTo']],
  ['RingWriter', RingWriter.prototype, ['tryClaim', 'writeHeader', 'commit', 'publish']],
  ['RingReader', RingReader.prototype, ['next', 'release']],
  ['LaneCounters', LaneCounters.prototype, ['beat', 'enterRecord', 'leaveRecords']],
  ['TopicBusyWriter', TopicBusyWriter.prototype, ['add']],
  ['Topic', Topic.prototype, ['publish', 'openJson', 'closeJson']],
  ['Doorbell', Doorbell.prototype, ['ring']],
];

const POISON_DEATHS = 3;

const NO_PLAN: FaultPlan = { callsLeft: Number.POSITIVE_INFINITY, when: 'before', isHang: false };

export class Faults {
  /** Numbers of the messages of which whoever handles them dies, or, if so marked, hangs. */
  readonly poison = new Map<number, 'dies' | 'hangs'>();
  /** Seqs of messages whose JSON form so many threads in a row died of that it is left out. */
  readonly leftOutOfJson = new Set<number>();
  /** A lane is about to write to a log. */
  onLaneWrite: (log: FrameLog) => void = () => {};
  readonly #originals: (() => void)[] = [];
  /** The plan for the lane whose code runs now; null: it is the accept thread's turn. */
  #plan: FaultPlan | null = null;

  /** Puts the wrappers in place, until `restore`. */
  install(): void {
    for (const [label, owner, names] of WATCHED) {
      for (const name of names) this.replace(owner, name, (original) => this.#watched(original, `${label}.${name}`));
    }
    const faults = this;
    this.replace(Topic.prototype, 'publish', (original) => {
      return function (this: Topic, ...operands: Parameters<Topic['publish']>): unknown {
        if (faults.isLaneAtWork) faults.#beforePublish(operands);
        return original.apply(this, operands as never);
      };
    });
    this.replace(FrameLog.prototype, 'begin', (original) => {
      return function (this: FrameLog, ...operands: never[]): unknown {
        if (faults.isLaneAtWork) faults.onLaneWrite(this);
        return original.apply(this, operands);
      };
    });
    this.replace(FrameLog.prototype, 'noteAttempt', (original) => {
      return function (this: FrameLog, seq: number): unknown {
        const attempts = original.call(this, seq as never) as number;
        if (attempts >= POISON_DEATHS) faults.leftOutOfJson.add(seq);
        return attempts;
      };
    });
    // A degraded lane is run by the accept thread, which calls the lane's code without going through `run`.
    this.replace(Lane.prototype, 'step', (original) => {
      return function (this: Lane): unknown {
        if (faults.isLaneAtWork) return original.call(this);
        return faults.run(null, () => original.call(this));
      };
    });
  }

  restore(): void {
    for (const undo of this.#originals.splice(0).reverse()) undo();
  }

  get isLaneAtWork(): boolean {
    return this.#plan !== null;
  }

  /** Runs a lane's code. It throws a LaneFault when the plan says so. */
  run<T>(plan: FaultPlan | null, action: () => T): T {
    this.#plan = plan ?? NO_PLAN;
    try {
      return action();
    } finally {
      this.#plan = null;
    }
  }

  /** Replaces one method by another that may use it, until `restore`. */
  replace(owner: object, name: string, make: (original: Method) => Method): void {
    const methods = owner as Record<string, Method>;
    const original = methods[name] as Method;
    methods[name] = make(original);
    this.#originals.push(() => {
      methods[name] = original;
    });
  }

  #watched(original: Method, label: string): Method {
    const faults = this;
    return function (this: unknown, ...operands: never[]): unknown {
      const plan = faults.#plan;
      if (plan === null) return original.apply(this, operands);
      const isHere = plan.callsLeft-- === 0;
      if (isHere && plan.when === 'before') throw faults.#fault(plan, label);
      const result = original.apply(this, operands);
      if (isHere && plan.when === 'after') throw faults.#fault(plan, label);
      return result;
    };
  }

  #fault({ when, isHang }: FaultPlan, label: string): LaneFault {
    return new LaneFault(`${isHang ? 'hung' : 'died'} ${when} ${label}`, isHang);
  }

  #beforePublish([{ bytes, start, end }]: Parameters<Topic['publish']>): void {
    if (this.poison.size === 0) return;
    const number = numberIn(bytes, start, end);
    const effect = this.poison.get(number);
    if (effect !== undefined) throw new LaneFault(`${effect} of message ${number}`, effect === 'hangs');
  }
}

/** One for the process: prototypes are, too. */
export const faults = new Faults();
