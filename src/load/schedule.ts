/**
 * When messages leave, and to which topics. Plans are plain data that travels to the publishing thread; a schedule carries one out.
 *
 *     steady         a burst every so often, over topics in turn; of one message: an even stream
 *     random         bursts at random times, each to one topic
 *     window         as fast as goes with so many messages under way
 *     flood          as fast as goes with so many unanswered
 *     replay         what was recorded, at a multiple of its own speed
 *     replay-window  what was recorded, as fast as goes with so many deliveries under way
 *     probe          number 0 to every topic, once
 *
 * Steps of a load are plans one after the other; see publisher-port.ts.
 */
import { seededRandom } from './topics.js';

/** Topics first, first + step … below `end`. */
export interface TopicTurn {
  readonly first: number;
  readonly end: number;
  readonly step: number;
}

export interface SteadyPlan {
  readonly kind: 'steady';
  readonly topics: TopicTurn;
  readonly perSecond: number;
  readonly burst: number;
  readonly bursts: number;
  /** Of the first one, behind the start. */
  readonly offsetMs: number;
}

export interface RandomPlan {
  readonly kind: 'random';
  readonly topics: TopicTurn;
  readonly perSecond: number;
  readonly burst: number;
  readonly seed: number;
}

export interface WindowPlan {
  readonly kind: 'window';
  readonly topic: number;
  readonly limit: number;
}

export interface FloodPlan {
  readonly kind: 'flood';
  readonly topic: number;
  /** WebSocket messages that may be unanswered. */
  readonly limit: number;
  /** Messages that share one, of which the last asks for an answer. */
  readonly framesPerMessage: number;
}

export interface ReplayPlan {
  readonly kind: 'replay';
  /** How many times as fast as it was recorded. */
  readonly speed: number;
}

export interface ReplayWindowPlan {
  readonly kind: 'replay-window';
  readonly limit: number;
  /** Deliveries of a message, by topic. */
  readonly subscribers: readonly number[];
}

export interface ProbePlan {
  readonly kind: 'probe';
  readonly topics: TopicTurn;
}

export type SchedulePlan = SteadyPlan | RandomPlan | WindowPlan | FloodPlan | ReplayPlan | ReplayWindowPlan | ProbePlan;

/** Messages in memory, as they are replayed. */
export interface RecordedLoad {
  /** Since the first message. */
  readonly atMs: Float64Array;
  readonly topics: Uint32Array;
  /** The end of each message's bytes; it begins where the one before ends. */
  readonly ends: Uint32Array;
  readonly bytes: Uint8Array;
}

/** Who builds the messages that a schedule asks for. */
export interface MessageWriter {
  /** Hot path: the next message of a topic. @param source what it carries, where that is not filler */
  message(topic: number, intendedMs: number, source?: Uint8Array): void;
  /** Messages that share one WebSocket message, of which the last one is answered. */
  acknowledgedMessages(topic: number, intendedMs: number, count: number): void;
  probe(topic: number, intendedMs: number): void;
}

/** Writer and reader: the publishing thread. */
export interface Schedule {
  /** Time between two bursts, on average. 0: it is not for time that it waits. */
  readonly intervalMs: number;
  /** When the next burst should leave, or when to ask again. Infinity: nothing is left. Hot path. */
  nextMs(nowMs: number): number;
  /** Writes the next burst. Hot path. */
  write(writer: MessageWriter, nowMs: number): void;
  /** Waits until it has to be asked again. Absent: the thread may sleep, as nothing that this one reads changes what is due. */
  pause?(): Promise<void>;
}

/** Modulo 2³². */
interface Counted {
  readonly count: number;
}

/** What schedules go by beside the clock. */
export interface ScheduleSources {
  readonly startMs: number;
  /** Deliveries, or messages, that are settled. */
  readonly settled: Counted;
  readonly answers: Counted & { next(): Promise<void> };
  readonly recording: RecordedLoad | null;
}

const SECOND_MS = 1000;
/** The reading thread ends this wait. */
const WOKEN_WAIT_MS = 50;
/** Nobody ends this one. */
const UNWOKEN_WAIT_MS = 0.2;
/** What of a recording has not arrived for so long was skipped, and is not waited for. */
const STALL_MS = 500;

export function scheduleOf(plan: SchedulePlan, { startMs, settled, answers, recording }: ScheduleSources): Schedule {
  switch (plan.kind) {
    case 'steady':
      return new SteadySchedule(plan, startMs);
    case 'random':
      return new RandomSchedule(plan, startMs);
    case 'window':
      return new WindowSchedule(plan.limit, new UnderWay(settled), WOKEN_WAIT_MS, (writer, nowMs) => {
        writer.message(plan.topic, nowMs);
        return 1;
      });
    case 'flood':
      return new FloodSchedule(plan, answers);
    case 'replay':
      return new ReplaySchedule(plan, recording!, startMs);
    case 'replay-window':
      return new WindowSchedule(
        plan.limit,
        new UnderWay(settled, STALL_MS),
        UNWOKEN_WAIT_MS,
        replayInTurn(recording!, plan.subscribers),
      );
    case 'probe':
      return new ProbeSchedule(plan);
  }
}

class SteadySchedule implements Schedule {
  readonly intervalMs: number;
  readonly #plan: SteadyPlan;
  readonly #firstMs: number;
  #written = 0;
  #topic: number;

  constructor(plan: SteadyPlan, startMs: number) {
    this.#plan = plan;
    this.#firstMs = startMs + plan.offsetMs;
    this.#topic = plan.topics.first;
    this.intervalMs = (SECOND_MS * plan.burst) / plan.perSecond;
  }

  nextMs(): number {
    return this.#written < this.#plan.bursts
      ? this.#firstMs + this.#written * this.intervalMs
      : Number.POSITIVE_INFINITY;
  }

  write(writer: MessageWriter): void {
    const { burst, topics } = this.#plan;
    const intendedMs = this.nextMs();
    for (let message = 0; message < burst; message++) {
      writer.message(this.#topic, intendedMs);
      this.#topic += topics.step;
      if (this.#topic >= topics.end) this.#topic = topics.first;
    }
    this.#written++;
  }
}

/**
 * Topics and times are random, the number of bursts per second is not: a rate that varies by chance would be measured as a cost
 * that does. So each second has the same number of times, thrown at random.
 */
class RandomSchedule implements Schedule {
  readonly intervalMs: number;
  readonly #plan: RandomPlan;
  readonly #random: () => number;
  readonly #perSecond: number;
  #timesMs = new Float64Array(0);
  #next = 0;
  #secondMs: number;
  /** Bursts that are due up to the end of the second, as a fraction adds up. */
  #due = 0;

  constructor(plan: RandomPlan, startMs: number) {
    this.#plan = plan;
    this.#random = seededRandom(plan.seed);
    this.#perSecond = plan.perSecond / plan.burst;
    this.intervalMs = SECOND_MS / this.#perSecond;
    this.#secondMs = startMs - SECOND_MS;
  }

  nextMs(): number {
    if (this.#perSecond === 0) return Number.POSITIVE_INFINITY;
    while (this.#next === this.#timesMs.length) this.#beginSecond();
    return this.#timesMs[this.#next];
  }

  #beginSecond(): void {
    this.#secondMs += SECOND_MS;
    this.#due += this.#perSecond;
    const count = Math.floor(this.#due);
    this.#due -= count;
    this.#timesMs = Float64Array.from({ length: count }, () => this.#secondMs + this.#random() * SECOND_MS).sort();
    this.#next = 0;
  }

  write(writer: MessageWriter): void {
    const { burst, topics } = this.#plan;
    const intendedMs = this.nextMs();
    this.#next++;
    const topic = topics.first + topics.step * Math.floor((this.#random() * (topics.end - topics.first)) / topics.step);
    for (let message = 0; message < burst; message++) writer.message(topic, intendedMs);
  }
}

/** How many of what has been written are under way, as far as somebody has told. */
export class UnderWay {
  /** Modulo 2³², as what is settled. */
  written = 0;
  readonly #settled: Counted;
  readonly #stallMs: number;
  #lastSettled = 0;
  #lost = 0;
  #movedMs = Number.NEGATIVE_INFINITY;

  /** @param stallMs after so long without a movement all that is under way counts as lost; default: it never does */
  constructor(settled: Counted, stallMs = Number.POSITIVE_INFINITY) {
    this.#settled = settled;
    this.#stallMs = stallMs;
  }

  count(nowMs: number): number {
    const settled = this.#settled.count;
    if (settled !== this.#lastSettled || this.#movedMs === Number.NEGATIVE_INFINITY) {
      this.#lastSettled = settled;
      this.#movedMs = nowMs;
    } else if (nowMs - this.#movedMs > this.#stallMs) {
      this.#lost = (this.written - settled) | 0;
      this.#movedMs = nowMs;
    }
    // What counted as lost may come after all.
    return Math.max(0, (this.written - settled - this.#lost) | 0);
  }
}

/** Asked for one message, or batch of messages, at a time; says how many of what the window counts that is. */
type WriteOne = (writer: MessageWriter, nowMs: number) => number;

class WindowSchedule implements Schedule {
  readonly intervalMs = 0;
  readonly #limit: number;
  readonly #underWay: UnderWay;
  readonly #waitMs: number;
  readonly #writeOne: WriteOne;

  constructor(limit: number, underWay: UnderWay, waitMs: number, writeOne: WriteOne) {
    this.#limit = limit;
    this.#underWay = underWay;
    this.#waitMs = waitMs;
    this.#writeOne = writeOne;
  }

  nextMs(nowMs: number): number {
    return this.#underWay.count(nowMs) < this.#limit ? nowMs : nowMs + this.#waitMs;
  }

  write(writer: MessageWriter, nowMs: number): void {
    this.#underWay.written += this.#writeOne(writer, nowMs);
  }
}

/** A window of answers, which this thread reads itself: so it waits for them, and does not sleep. */
class FloodSchedule extends WindowSchedule {
  readonly #answers: ScheduleSources['answers'];

  constructor({ topic, limit, framesPerMessage }: FloodPlan, answers: ScheduleSources['answers']) {
    super(limit, new UnderWay(answers), WOKEN_WAIT_MS, (writer, nowMs) => {
      writer.acknowledgedMessages(topic, nowMs, framesPerMessage);
      return 1;
    });
    this.#answers = answers;
  }

  pause(): Promise<void> {
    return this.#answers.next();
  }
}

class ReplaySchedule implements Schedule {
  readonly intervalMs: number;
  readonly #recording: RecordedLoad;
  readonly #speed: number;
  readonly #startMs: number;
  #next = 0;

  constructor({ speed }: ReplayPlan, recording: RecordedLoad, startMs: number) {
    this.#recording = recording;
    this.#speed = speed;
    this.#startMs = startMs;
    this.intervalMs = (recording.atMs.at(-1) ?? 0) / speed / recording.topics.length;
  }

  nextMs(): number {
    const { atMs, topics } = this.#recording;
    return this.#next < topics.length ? this.#startMs + atMs[this.#next] / this.#speed : Number.POSITIVE_INFINITY;
  }

  write(writer: MessageWriter): void {
    writer.message(this.#recording.topics[this.#next], this.nextMs(), recorded(this.#recording, this.#next));
    this.#next++;
  }
}

/** Message by message; starts again at the recording's end. */
function replayInTurn(recording: RecordedLoad, subscribers: readonly number[]): WriteOne {
  const { topics } = recording;
  let next = 0;
  return (writer, nowMs) => {
    const topic = topics[next];
    writer.message(topic, nowMs, recorded(recording, next));
    next = (next + 1) % topics.length;
    return subscribers[topic];
  };
}

function recorded({ bytes, ends }: RecordedLoad, message: number): Uint8Array {
  return bytes.subarray(message === 0 ? 0 : ends[message - 1], ends[message]);
}

class ProbeSchedule implements Schedule {
  readonly intervalMs = 0;
  readonly #topics: TopicTurn;
  #topic: number;

  constructor({ topics }: ProbePlan) {
    this.#topics = topics;
    this.#topic = topics.first;
  }

  nextMs(nowMs: number): number {
    return this.#topic < this.#topics.end ? nowMs : Number.POSITIVE_INFINITY;
  }

  write(writer: MessageWriter, nowMs: number): void {
    writer.probe(this.#topic, nowMs);
    this.#topic += this.#topics.step;
  }
}
