// A subscriber of either codec that believes nothing: each frame is held against the model.

import { SEND_BLOCKED, SEND_OK } from '#src/delivery/sink.js';
import type { Position } from '#src/protocol/messages.js';
import { decode } from '#src/protocol/msgpack.js';
import type { RouterClient, RouterLab } from '../router/router-lab.js';
import { isEqual, type ModelTopic, ModelView, type Payload, type Wishes } from './model.js';

export interface Beginning {
  readonly snapshot?: true;
  readonly lastN?: number;
  readonly since?: Position;
}

/** A frame, whatever the codec. */
interface Heard {
  readonly type: string;
  readonly seq: number;
  readonly key: string | null;
  readonly change: string | null;
  readonly payload: unknown;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly reason: string;
  readonly entries: readonly (readonly [key: string | null, seq: number, payload: unknown])[];
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly recovered: boolean | undefined;
}

const WIRE_NAMES: Record<string, string> = { lastN: 'last_n', maxRate: 'max_rate' };

export class Reader {
  readonly name: string;
  readonly client: RouterClient;
  readonly #isJson: boolean;
  readonly #lab: RouterLab;
  readonly #topic: ModelTopic;
  #wishes: Wishes;
  #view: ModelView;
  /** Everything up to here has been told, or has been said to be left out. */
  covered = -1;
  /** Seqs of merged messages, for which newer ones have to come. */
  readonly #owed = new Map<string | null, number>();
  /** What this subscriber has of each key. */
  readonly #has = new Map<string | null, Payload>();
  #snapshot: Heard['entries'] | null = null;
  #isSubscribed = false;
  isStalled = false;
  events = 0;

  constructor(name: string, lab: RouterLab, topic: ModelTopic, codec: 'msgpack' | 'json', wishes: Wishes) {
    this.name = name;
    this.#lab = lab;
    this.#topic = topic;
    this.#isJson = codec === 'json';
    this.#wishes = wishes;
    this.#view = new ModelView(topic, wishes);
    this.client = this.#isJson ? lab.jsonClient() : lab.client();
  }

  subscribe(beginning: Beginning): void {
    const { mode, maxRate, filter, track, fields, delta } = this.#wishes;
    const options = {
      ...(mode === 'latest' && maxRate === null ? { mode } : {}),
      ...(maxRate === null ? {} : { maxRate }),
      ...(filter === null ? {} : { filter: filter.text }),
      ...(track ? { track } : {}),
      ...(fields === null ? {} : { fields }),
      ...(delta ? { delta } : {}),
      ...beginning,
    };
    this.#send('subscribe', options);
  }

  /** Mode or rate change; the rest of the wishes stays. */
  update(mode: Wishes['mode'], maxRate: number | null): void {
    // What has been sent is of the old wishes.
    this.hear();
    this.#wishes = { ...this.#wishes, mode, maxRate };
    this.#view = new ModelView(this.#topic, this.#wishes);
    this.#send('update', maxRate === null ? { mode } : { maxRate });
  }

  get isDelta(): boolean {
    return this.#wishes.delta;
  }

  stall(): void {
    this.isStalled = true;
    this.client.sink.result = SEND_BLOCKED;
    this.#lab.delivery.blocked(this.client.session.consumer);
  }

  goOn(): void {
    this.isStalled = false;
    this.client.sink.result = SEND_OK;
    this.#lab.delivery.drained(this.client.session.consumer);
  }

  #send(type: 'subscribe' | 'update', options: object): void {
    if (!this.#isJson) {
      this.client.send({ type, id: 1, topic: 't', options } as never);
      return;
    }
    const named = Object.entries(options).map(([name, value]) => [WIRE_NAMES[name] ?? name, value]);
    this.client.sendJson({ type, request_id: 1, topic: 't', ...Object.fromEntries(named) });
  }

  /** Holds what has come against the model. */
  hear(): void {
    const frames = this.#isJson ? this.client.takeJson().map(ofJson) : this.client.take().map(ofMsgpack);
    for (const frame of frames) this.#hear(frame);
  }

  /** Nothing is under way any more. */
  expectUpToDate(): void {
    const { head } = this.#topic;
    if (this.#snapshot !== null) this.#fail('a snapshot has no end');
    for (let seq = this.covered + 1; seq <= head; seq++) {
      const isDue = this.#isLatest ? this.#isNewest(seq) : true;
      const event = isDue ? this.#view.eventAt(seq) : null;
      // Who has never had a value need not be told that it leaves, or, at a rate, that it is what it was; who has is looked at below.
      const mayBeSilent = event?.change === 'leave' || (this.#wishes.fields !== null && this.#wishes.maxRate !== null);
      if (event !== null && !mayBeSilent && !this.#isSaid(seq)) this.#fail(`message ${seq} of ${head} has not come`);
    }
    // With fields a value may have come back to what it was.
    for (const [key, seq] of this.#wishes.fields === null ? this.#owed : []) {
      const newest = this.#topic.newest(key, head);
      if (newest !== undefined && newest.seq <= seq && !this.#isSaid(seq))
        this.#fail(`message ${seq} was merged into nothing`);
    }
    if (this.#has.size > 0 || this.covered >= 0) this.#expectValues(head);
  }

  get #isLatest(): boolean {
    return this.#wishes.mode === 'latest';
  }

  /** What it has of those keys that it has ever had is what the model has. */
  #expectValues(head: number): void {
    for (const [key, value] of this.#has) {
      const right = this.#view.valueAt(key, head);
      // Without `track` nobody says that a value is not let through any more.
      if (right === undefined && this.#wishes.filter !== null && !this.#wishes.track) continue;
      if (!isEqual(right, value))
        this.#fail(`has ${JSON.stringify(value)} of ${key} instead of ${JSON.stringify(right)}`);
    }
  }

  #isNewest(seq: number): boolean {
    return this.#topic.newest(this.#topic.keyOf(this.#topic.at(seq)), this.#topic.head)?.seq === seq;
  }

  /** It would say again what this subscriber has. */
  #isSaid(seq: number): boolean {
    const key = this.#topic.keyOf(this.#topic.at(seq));
    return this.#wishes.fields !== null && this.#has.has(key) && isEqual(this.#has.get(key), this.#view.payloadAt(seq));
  }

  #hear(frame: Heard): void {
    switch (frame.type) {
      case 'ok':
        // An UPDATE's has no seq.
        if (frame.seq === undefined || this.#isSubscribed) return;
        this.#isSubscribed = true;
        this.covered = frame.seq;
        return;
      case 'event':
        this.#event(frame);
        return;
      case 'gap':
        this.#gap(frame);
        return;
      case 'snapshot':
        this.#part(frame);
        return;
      default:
        this.#fail(`got ${JSON.stringify(frame)}`);
    }
  }

  #event({ seq, key, change, payload }: Heard): void {
    this.events++;
    const topic = this.#topic;
    if (this.#snapshot !== null) this.#fail(`message ${seq} came within a snapshot`);
    if (seq <= this.covered) this.#fail(`message ${seq} came after ${this.covered}`);
    if (seq > topic.head) this.#fail(`message ${seq} came of ${topic.head}`);
    const message = topic.at(seq);
    if (key !== message.key) this.#fail(`message ${seq} has the key ${key} instead of ${message.key}`);
    this.#expectNothingBefore(seq);
    const its = topic.keyOf(message);
    if (change === 'delete' || change === 'leave') {
      if (change === 'delete' ? !message.isDelete : this.#view.payloadAt(seq) !== undefined)
        this.#fail(`message ${seq} is no ${change}`);
      this.#has.delete(its);
    } else {
      const right = this.#view.payloadAt(seq);
      const said = change === 'delta' ? applied(this.#has.get(its), payload) : payload;
      if (right === undefined || !isEqual(right, said)) {
        this.#fail(`message ${seq} is ${JSON.stringify(said)} instead of ${JSON.stringify(right)}`);
      }
      this.#keep(its, said as Payload);
    }
    this.#paid(its, seq);
    this.covered = seq;
  }

  /** A part of a value makes one only of what is known. */
  #keep(key: string | null, said: Payload): void {
    const isPart = this.#topic.rule.merges && !this.#view.hasValues;
    const base = this.#has.get(key);
    if (!isPart) this.#has.set(key, said);
    else if (base !== undefined) this.#has.set(key, { ...base, ...said });
  }

  /** What is of its view comes, or is announced. */
  #expectNothingBefore(seq: number): void {
    // At a rate a value that has come back to what it was is not told, nor one that the filter lets through no more.
    const { fields, filter, maxRate } = this.#wishes;
    if (maxRate !== null && (fields !== null || filter !== null)) return;
    for (let missed = this.covered + 1; missed < seq; missed++) {
      const event = this.#view.eventAt(missed);
      if (event !== null && event.change !== 'leave' && !this.#isSaid(missed))
        this.#fail(`message ${missed} is missing before ${seq}`);
    }
  }

  #gap({ fromSeq, toSeq, reason }: Heard): void {
    if (fromSeq <= this.covered || toSeq < fromSeq || toSeq > this.#topic.head) {
      this.#fail(`gap ${fromSeq}–${toSeq} (${reason}) after ${this.covered}, of ${this.#topic.head}`);
    }
    this.#expectNothingBefore(fromSeq);
    if (reason === 'merged') {
      if (!this.#isLatest) this.#fail('merged, which it does not want');
      for (let seq = fromSeq; seq <= toSeq; seq++) {
        // Between merged ones there may be others that are none of this view's.
        const event = this.#view.eventAt(seq);
        if (event !== null && event.change !== 'leave') this.#owed.set(this.#topic.keyOf(this.#topic.at(seq)), seq);
      }
    } else {
      // Nothing is known of what it has any more.
      this.#has.clear();
    }
    this.covered = toSeq;
  }

  #paid(key: string | null, seq: number): void {
    if ((this.#owed.get(key) ?? 0) < seq) this.#owed.delete(key);
  }

  #part({ seq, entries, isFirst, isLast }: Heard): void {
    if (isFirst !== (this.#snapshot === null)) this.#fail('a part of a snapshot is missing');
    this.#snapshot = [...(this.#snapshot ?? []), ...entries];
    if (!isLast) return;
    if (seq < this.covered) this.#fail(`a snapshot behind ${seq} after ${this.covered}`);
    this.#take(seq, this.#snapshot);
    this.#snapshot = null;
    this.covered = seq;
  }

  #take(seq: number, entries: Heard['entries']): void {
    const topic = this.#topic;
    const said = new Map(entries.map(([key, its, payload]) => [key, { its, payload }]));
    if (said.size !== entries.length) this.#fail('a snapshot has a key twice');
    for (const key of topic.keysAt(seq)) {
      const right = this.#view.valueAt(key, seq);
      const entry = said.get(key);
      said.delete(key);
      if (right === undefined && entry === undefined) continue;
      const newest = topic.newest(key, seq)?.seq;
      if (entry === undefined || entry.its !== newest || !isEqual(entry.payload, right)) {
        this.#fail(
          `a snapshot behind ${seq} has ${JSON.stringify(entry)} of ${key} instead of ${newest}: ${JSON.stringify(right)}`,
        );
      }
    }
    if (said.size > 0) this.#fail(`a snapshot behind ${seq} has ${[...said.keys()]}`);
    this.#has.clear();
    for (const [key, , payload] of entries) this.#has.set(key, payload as Payload);
    this.#owed.clear();
  }

  #fail(text: string): never {
    throw new Error(`${this.name} (${JSON.stringify(this.#wishes)}): ${text}`);
  }
}

function applied(base: Payload | undefined, delta: unknown): Payload {
  const [changed, removed] = delta as [Payload, string[]];
  if (base === undefined) throw new Error('a delta of nothing');
  const kept = Object.entries(base).filter(([name]) => !removed.includes(name));
  return { ...Object.fromEntries(kept), ...changed };
}

function ofMsgpack(frame: ReturnType<RouterClient['take']>[number]): Heard {
  const { type } = frame;
  if (frame.type === 'event') return { ...frame, payload: decode(frame.payloadBytes) } as never;
  if (frame.type === 'ok') return { type, ...frame.result } as never;
  if (frame.type !== 'snapshot') return frame as never;
  const entries = frame.entries.map(([key, seq, , payload]) => [key, seq, payload]);
  return { type, seq: frame.seq, entries, isFirst: frame.first, isLast: frame.last } as never;
}

function ofJson(message: Record<string, unknown>): Heard {
  const { type, seq, key = null, change = null } = message;
  switch (type) {
    case 'ack':
      return { ...message, type: 'ok' } as never;
    case 'event':
      return { type, seq, key, change, payload: (message.message as { payload: unknown }).payload } as never;
    case 'gap':
      return { type, fromSeq: message.from_seq, toSeq: message.to_seq, reason: message.reason } as never;
    case 'snapshot': {
      const entries = (message.entries as { key: string; seq: number; payload: unknown }[]).map((each) => [
        each.key,
        each.seq,
        each.payload,
      ]);
      return { type, seq, entries, isFirst: message.first, isLast: message.last } as never;
    }
    default:
      return message as never;
  }
}
