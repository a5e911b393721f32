// A topic as the protocol describes it: plain, slow, obvious. What each subscriber may get follows from it.

import type { ReadMode } from '#src/protocol/messages.js';

export interface Rule {
  readonly isKeyed: boolean;
  readonly merges: boolean;
  readonly maxKeys: number;
  readonly dedupMessages: number;
}

export type Payload = Readonly<Record<string, unknown>>;

export interface Published {
  readonly key: string | null;
  readonly payload: Payload;
  readonly isDelete: boolean;
  readonly id: string | null;
  readonly version: number | null;
  readonly ifSeq: number | null;
}

/** A message that was taken. */
export interface Taken extends Published {
  readonly seq: number;
  /** What its key is with it; null: no more. */
  readonly value: Payload | null;
}

/** The answer to a PUBLISH, in short. */
export type Answer = string;

export class ModelTopic {
  readonly rule: Rule;
  readonly messages: Taken[] = [];

  constructor(rule: Rule) {
    this.rule = rule;
  }

  get head(): number {
    return this.messages.length;
  }

  publish(message: Published): Answer {
    const { rule, head } = this;
    const { id, ifSeq, version, isDelete } = message;
    const remembered = this.messages.filter((each) => each.id !== null).slice(-rule.dedupMessages);
    const first = rule.dedupMessages === 0 || id === null ? undefined : remembered.find((each) => each.id === id);
    if (first !== undefined) return `${first.seq} duplicate`;
    if (rule.isKeyed && message.key === null) return 'BAD_REQUEST';
    const key = rule.isKeyed ? message.key : null;
    const keeps = rule.isKeyed || rule.merges;
    const newest = this.newest(key, head);
    const isThere = newest !== undefined && newest.value !== null;
    const last = keeps ? (isThere ? newest.seq : 0) : head;
    if (ifSeq !== null && ifSeq !== last) return `CONFLICT ${last}`;
    if (keeps && isThere && version !== null && (newest.version ?? version) > version) return `${newest.seq} stale`;
    if (rule.isKeyed && !isThere && this.keysAt(head).length >= rule.maxKeys) return 'LIMIT_EXCEEDED';
    const base = rule.merges && isThere ? newest.value : {};
    const value = isDelete ? null : { ...base, ...message.payload };
    this.messages.push({
      ...message,
      key: message.key,
      seq: head + 1,
      value,
      version: version ?? (rule.merges && isThere ? newest.version : null),
    });
    return `${head + 1}`;
  }

  at(seq: number): Taken {
    return this.messages[seq - 1] as Taken;
  }

  /** The last message of a key up to `seq`; of a topic that is not keyed, the last one. */
  newest(key: string | null, seq: number): Taken | undefined {
    for (let at = seq; at >= 1; at--) {
      const message = this.at(at);
      if (!this.rule.isKeyed || message.key === key) return message;
    }
    return undefined;
  }

  /** The key that a subscriber sees. */
  keyOf(message: Taken): string | null {
    return this.rule.isKeyed ? message.key : null;
  }

  keysAt(seq: number): (string | null)[] {
    const keys = [...new Set(this.messages.slice(0, seq).map((each) => this.keyOf(each)))];
    return keys.filter((key) => this.newest(key, seq)?.value !== null);
  }
}

export interface Filter {
  readonly text: string;
  readonly lets: (value: Payload) => boolean;
}

export interface Wishes {
  readonly mode: ReadMode;
  readonly maxRate: number | null;
  readonly filter: Filter | null;
  readonly track: boolean;
  readonly fields: readonly string[] | null;
  readonly delta: boolean;
}

/** What a subscriber with these wishes has of a key after a message; undefined: nothing. */
export class ModelView {
  readonly #topic: ModelTopic;
  readonly #wishes: Wishes;

  constructor(topic: ModelTopic, wishes: Wishes) {
    this.#topic = topic;
    this.#wishes = wishes;
  }

  /** Values, not what was published. */
  get hasValues(): boolean {
    const { mode, filter, fields, delta } = this.#wishes;
    return this.#topic.rule.merges && (mode === 'latest' || filter !== null || fields !== null || delta);
  }

  /** What the message is in this view; null: it says nothing to it; undefined: the filter does not let it through. */
  payloadAt(seq: number): Payload | null | undefined {
    const message = this.#topic.at(seq);
    if (message.isDelete) return null;
    return this.#seen(this.hasValues ? (message.value as Payload) : message.payload);
  }

  /** The same of a key's value, as it stands in a snapshot. */
  valueAt(key: string | null, seq: number): Payload | undefined {
    const value = this.#topic.newest(key, seq)?.value;
    return value == null ? undefined : this.#seen(value);
  }

  #seen(value: Payload): Payload | undefined {
    const { filter, fields } = this.#wishes;
    if (filter !== null && !filter.lets(value)) return undefined;
    if (fields === null) return value;
    return Object.fromEntries(Object.entries(value).filter(([name]) => fields.includes(name)));
  }

  /** The events that a subscriber to all messages gets of this one: none, one, a `leave`, a `delete`. */
  eventAt(seq: number): { readonly change: 'delete' | 'leave' | null; readonly payload: Payload | null } | null {
    const { filter, track, fields } = this.#wishes;
    const topic = this.#topic;
    const message = topic.at(seq);
    if (message.isDelete) return { change: 'delete', payload: null };
    const payload = this.payloadAt(seq);
    const before = this.#saidBefore(seq);
    if (payload === undefined) {
      return filter !== null && track && before !== undefined ? { change: 'leave', payload: null } : null;
    }
    const isSame = fields !== null && before !== undefined && isEqual(before, payload as Payload);
    return isSame ? null : { change: null, payload };
  }

  /** What was said last of the message's key before it; undefined: nothing, or that it is none of this view's. */
  #saidBefore(seq: number): Payload | undefined {
    const topic = this.#topic;
    const key = topic.keyOf(topic.at(seq));
    for (let earlier = seq - 1; earlier >= 1; earlier--) {
      const message = topic.at(earlier);
      if (topic.keyOf(message) !== key) continue;
      return message.isDelete ? undefined : (this.payloadAt(earlier) ?? undefined);
    }
    return undefined;
  }
}

/** Whatever the order of their fields. */
export function isEqual(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort());
  });
}
