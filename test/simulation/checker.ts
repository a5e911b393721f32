// What must hold, whatever happens: each subscriber gets a topic's accepted messages in their order, or is told exactly
// which it does not get; each request gets one answer, and the right one; memory has one owner.

import type { TopicEntry } from '#src/directory/topic-entry.js';
import type { SharedLogs } from '#src/lane/shared-logs.js';
import type { PoisonedMessage } from '#src/lane/supervised-lane.js';
import type { FrameLog } from '#src/log/frame-log.js';
import { SharedLog } from '#src/log/shared-log.js';
import { isoTime } from '#src/protocol/json-event.js';
import { faults } from './faults.js';
import { numberIn, numberOf, type Payload } from './payload.js';

export class Violation extends Error {}

/** A message that somebody wanted to publish. */
export interface Message {
  readonly number: number;
  readonly payload: Payload;
  readonly id: string | undefined;
  readonly timeMs: number;
  /** Connection that must not get it; 0: everyone gets it. */
  readonly origin: number;
  readonly isAckWanted: boolean;
  /** Where it was accepted; null: it was refused at once. */
  topic: TopicRecord | null;
  /** Put aside by a lane, or refused after it had been accepted: has no seq. */
  isLeftOut: boolean;
  answers: number;
}

/** One life of a topic, as its publishers know it. */
export class TopicRecord {
  readonly entry: TopicEntry;
  /** What was accepted and not left out: message i has seq i + 1. */
  readonly messages: Message[] = [];
  /** The newest seq that anybody has heard of. */
  heardSeq = 0;

  constructor(entry: TopicEntry) {
    this.entry = entry;
  }

  get name(): string {
    return this.entry.spec.topic;
  }
}

/** What one subscriber has to get next. */
export interface Following {
  readonly record: TopicRecord;
  nextSeq: number;
}

/** An event as a subscriber got it, of either codec. */
export interface HeardEvent {
  readonly seq: number;
  readonly payload: unknown;
  /** As a number, or as JSON writes it. */
  readonly time: number | string;
  readonly id: string | undefined;
}

export class Checker {
  /** The first violation: those that were thrown into code that catches are not lost. */
  violation: Violation | null = null;
  /** Logs are large enough for everything: no message may be lost. */
  readonly #isRoomy: boolean;
  readonly #records = new Map<TopicEntry, TopicRecord>();
  readonly #messages = new Map<number, Message>();
  readonly #spareMemory = new Set<SharedArrayBuffer>();
  events = 0;
  gaps = 0;
  acks = 0;
  leftOut = 0;

  constructor(isRoomy: boolean) {
    this.#isRoomy = isRoomy;
  }

  fail(text: string): never {
    const violation = new Violation(text);
    this.violation ??= violation;
    throw violation;
  }

  recordOf(entry: TopicEntry): TopicRecord {
    let record = this.#records.get(entry);
    if (record === undefined) {
      record = new TopicRecord(entry);
      this.#records.set(entry, record);
    }
    return record;
  }

  get records(): Iterable<TopicRecord> {
    return this.#records.values();
  }

  // ---- publishers --------------------------------------------------------------------------------------------------

  accepted(message: Message, entry: TopicEntry): void {
    const record = this.recordOf(entry);
    message.topic = record;
    record.messages.push(message);
    this.#messages.set(message.number, message);
  }

  /** @param epoch as the answer says; MessagePack's does not */
  acked(message: Message, seq: number, epoch?: string): void {
    this.#answered(message);
    this.acks++;
    const { topic } = message;
    if (topic === null) this.fail(`message ${message.number} was acked with seq ${seq}, but not accepted`);
    if (message.isLeftOut) this.fail(`message ${message.number} was acked with seq ${seq}, but left out`);
    if (epoch !== undefined && epoch !== topic.entry.spec.epoch)
      this.fail(`message ${message.number} was acked for another life of its topic`);
    const there = topic.messages[seq - 1];
    if (there !== message) {
      const right = topic.messages.indexOf(message) + 1;
      this.fail(`message ${message.number} was acked with seq ${seq} of ${topic.name}, not ${right}`);
    }
    topic.heardSeq = Math.max(topic.heardSeq, seq);
  }

  refused(message: Message, code: string): void {
    this.#answered(message);
    switch (code) {
      case 'OVERLOADED':
        if (message.topic !== null) this.fail(`message ${message.number} was accepted and OVERLOADED`);
        return;
      case 'TOPIC_NOT_FOUND':
        // Held for a topic that was deleted on its way, or sent to an alias of one that is gone.
        if (message.topic === null) return;
        if (!message.topic.entry.isClosed) this.fail(`message ${message.number} was refused by a topic that exists`);
        this.#leaveOut(message);
        return;
      case 'INTERNAL':
        if (!message.isLeftOut) this.fail(`message ${message.number} was answered INTERNAL, but not put aside`);
        return;
      default:
        this.fail(`message ${message.number} was answered ${code}`);
    }
  }

  putAside({ payload, timeMs }: PoisonedMessage): void {
    const number = numberIn(payload, 0, payload.length);
    const message = this.#messages.get(number);
    if (message === undefined || message.isLeftOut)
      this.fail(`message ${number} was put aside, which nobody waits for`);
    if (message.timeMs !== timeMs) this.fail(`message ${number} was put aside with the time ${timeMs}`);
    this.#leaveOut(message);
  }

  #leaveOut(message: Message): void {
    const { messages, heardSeq, name } = message.topic as TopicRecord;
    const index = messages.indexOf(message);
    if (index < heardSeq) this.fail(`message ${message.number} was left out of ${name}, but has seq ${index + 1}`);
    message.isLeftOut = true;
    messages.splice(index, 1);
    this.leftOut++;
  }

  #answered(message: Message): void {
    message.answers++;
    if (message.answers > 1) this.fail(`message ${message.number} was answered twice`);
    if (!message.isAckWanted) this.fail(`message ${message.number} was answered, which nobody asked for`);
  }

  // ---- subscribers -------------------------------------------------------------------------------------------------

  event(following: Following, connection: number, { seq, payload, time, id }: HeardEvent): void {
    const { record } = following;
    const wanted = this.nextFor(following, connection);
    const where = `connection ${connection}, ${record.name}`;
    if (seq !== wanted) this.fail(`${where}: message ${seq} came instead of ${wanted}`);
    const message = record.messages[seq - 1];
    if (message === undefined)
      this.fail(`${where}: seq ${seq} came (${JSON.stringify(payload)}), which nobody published`);
    if (numberOf(payload) !== message.number || JSON.stringify(payload) !== JSON.stringify(message.payload)) {
      this.fail(`${where}: seq ${seq} is message ${numberOf(payload)} instead of ${message.number}`);
    }
    const expectedTime = typeof time === 'string' ? isoTime(message.timeMs) : message.timeMs;
    if (time !== expectedTime) this.fail(`${where}: seq ${seq} has the time ${time} instead of ${expectedTime}`);
    if (id !== message.id) this.fail(`${where}: seq ${seq} has the id ${id} instead of ${message.id}`);
    following.nextSeq = seq + 1;
    record.heardSeq = Math.max(record.heardSeq, seq);
    this.events++;
  }

  gap(following: Following, connection: number, fromSeq: number, toSeq: number, reason: string, log: FrameLog): void {
    const { record, nextSeq } = following;
    const where = `connection ${connection}, ${record.name}: gap ${fromSeq}–${toSeq} (${reason})`;
    // It may begin with own messages that the subscriber was not told of.
    if (fromSeq < nextSeq || fromSeq > this.nextFor(following, connection) || toSeq < fromSeq) {
      this.fail(`${where} where ${nextSeq} was next`);
    }
    if (toSeq > record.messages.length) this.fail(`${where}, but there are ${record.messages.length} messages`);
    const isLeftOut = reason === 'too_large' && fromSeq === toSeq && faults.leftOutOfJson.has(fromSeq);
    // Who wants the newest only may be told so at any time.
    if (this.#isRoomy && !isLeftOut && reason !== 'merged') this.fail(`${where}, though there is room for all`);
    // It may be heard later than it was sent; meanwhile a log only loses.
    const { isClosed } = record.entry;
    if (reason === 'lapped' && fromSeq >= log.tailSeq && !isClosed)
      this.fail(`${where}, but the log begins with ${log.tailSeq}`);
    following.nextSeq = toSeq + 1;
    this.gaps++;
  }

  /** A new subscriber was told that it gets everything after `seq`. */
  subscribed(record: TopicRecord, seq: number, lastN: number): Following {
    const { name, messages, entry } = record;
    if (seq > messages.length) this.fail(`${name}: subscribed after seq ${seq} of ${messages.length}`);
    const { headSeq } = entry.log;
    if (seq < headSeq - lastN || seq > headSeq) {
      this.fail(`${name}: the last ${lastN} of ${headSeq} messages were asked for, and begin after ${seq}`);
    }
    const { historyMessages } = entry.settings;
    if (this.#isRoomy && seq !== headSeq - Math.min(lastN, historyMessages, headSeq)) {
      this.fail(`${name}: the last ${lastN} of ${headSeq} messages begin after ${seq}`);
    }
    return { record, nextSeq: seq + 1 };
  }

  history(record: TopicRecord, seq: number, entries: readonly { seq: number; payload: unknown }[]): void {
    const { name, messages } = record;
    for (const [index, entry] of entries.entries()) {
      const wanted = seq - entries.length + 1 + index;
      if (entry.seq !== wanted) this.fail(`${name}: message ${entry.seq} instead of ${wanted} in a history`);
      const { number } = messages[wanted - 1] ?? { number: null };
      if (numberOf(entry.payload) !== number) {
        this.fail(`${name}: message ${numberOf(entry.payload)} instead of ${number} at ${wanted} in a history`);
      }
    }
  }

  caughtUp(following: Following, connection: number): void {
    const { record } = following;
    const wanted = this.nextFor(following, connection);
    if (wanted <= record.messages.length) {
      this.fail(`connection ${connection}, ${record.name}: ${wanted} … ${record.messages.length} are missing`);
    }
  }

  /** The next seq that is not the subscriber's own. */
  nextFor({ record, nextSeq }: Following, connection: number): number {
    let seq = nextSeq;
    while (record.messages[seq - 1]?.origin === connection) seq++;
    return seq;
  }

  // ---- memory ------------------------------------------------------------------------------------------------------

  /** Follows the memory of shared logs from here on. */
  watchMemory(sharedLogs: SharedLogs): void {
    const take = sharedLogs.take.bind(sharedLogs);
    const give = sharedLogs.give.bind(sharedLogs);
    sharedLogs.take = (firstSeq) => {
      const memory = take(firstSeq);
      this.#spareMemory.delete(memory);
      return memory;
    };
    sharedLogs.give = (log) => {
      const memory = memoryOf(log);
      if (memory !== null) {
        if (this.#spareMemory.has(memory)) this.fail('the memory of a log was given back twice');
        this.#spareMemory.add(memory);
      }
      give(log);
    };
  }

  /** A log that is in use: nobody else may have its memory. */
  inUse(log: FrameLog, what: string): void {
    const memory = memoryOf(log);
    if (memory !== null && this.#spareMemory.has(memory)) this.fail(`${what}, whose memory was given back`);
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  allAnswered(messages: Iterable<Message>): void {
    for (const message of messages) {
      const { number, isAckWanted, answers, topic, isLeftOut } = message;
      if (isAckWanted && answers === 0) {
        const where = topic === null ? 'was not accepted' : `was accepted by ${topic.name}`;
        this.fail(`message ${number} was never answered; it ${where}${isLeftOut ? ' and left out' : ''}`);
      }
    }
  }

  /** All logs have everything, and each memory one user. */
  logsComplete(): void {
    const users = new Map<SharedArrayBuffer, string>();
    for (const { entry, messages, name } of this.#records.values()) {
      if (entry.isClosed) continue;
      const { headSeq } = entry.log;
      if (headSeq !== messages.length)
        this.fail(`${name}: ${messages.length} messages were accepted, ${headSeq} are there`);
      for (const log of new Set([entry.log, ...entry.streams.map((stream) => stream.log)])) {
        const memory = memoryOf(log);
        if (memory === null) continue;
        this.inUse(log, `a log of ${name}`);
        const other = users.get(memory);
        if (other !== undefined) this.fail(`${name} and ${other} share the memory of a log`);
        users.set(memory, name);
      }
    }
  }
}

/** Null: it is no shared log. */
function memoryOf(log: FrameLog): SharedArrayBuffer | null {
  return log instanceof SharedLog ? log.memory : null;
}
