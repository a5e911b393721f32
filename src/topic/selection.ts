/**
 * Selection: whether a topic takes a message: not twice, not an older version than its key has, not behind another one than it
 * is meant for, not without a key where one is needed.
 */

import type { FrameLog } from '../log/frame-log.js';
import { EVENT_HEAD_MAX_BYTES, EventView, eventTail, tailElements } from '../protocol/event.js';
import { KEY_MAX_BYTES } from '../protocol/messages.js';
import { utf8Length } from '../protocol/utf8.js';
import { FieldScan, parsePath } from '../variant/field-scan.js';
import { Deduplication } from './deduplication.js';
import type { KeyTable } from './key-table.js';
import { ANY_SEQ, type TopicMessage } from './message.js';
import type { TopicSpec } from './topic.js';

/** What becomes of a message that a topic does not take. Below the results of a link, above which are seqs. */
export const OUTCOME = {
  /** It has been published before: by its id. */
  duplicate: -2,
  /** Its key has a newer version. */
  stale: -3,
  /** The last message is another one than it is to follow. */
  conflict: -4,
  /** It has no key. */
  noKey: -5,
  /** There are as many keys as there may be, or their values are too large together. */
  keysFull: -6,
} as const;

/** The message is taken. */
export const TAKEN = 0;

/** By how much the head of a map grows with its entries, at most. */
const MAP_HEAD_BYTES = 5;

const NO_BYTES = new Uint8Array(0);

/** Writer and reader: the topic's home. Its fields are those of the message that was judged last. */
export class Selection {
  /** Null: the message has none, or the topic keeps nothing by key. */
  key: string | null = null;
  /** Of the message that this one was refused for. */
  refusedForSeq = 0;
  /** What is to follow the payload; not to be kept. */
  tail: Uint8Array = NO_BYTES;
  tailElements = 0;

  readonly #log: FrameLog;
  readonly #dedup: Deduplication | null;
  readonly #scan: FieldScan | null;
  readonly #view = new EventView();

  constructor({ keys, dedup }: TopicSpec, log: FrameLog) {
    this.#log = log;
    this.#dedup = dedup === undefined ? null : new Deduplication(dedup, log);
    this.#scan = keys?.field == null ? null : new FieldScan([parsePath(keys.field)]);
  }

  /** TAKEN or an OUTCOME. Keys may have gone for a message that is taken. */
  judge(message: TopicMessage, keys: KeyTable | null): number {
    this.#read(message);
    const { key, id, version } = this.#view;
    const nowMs = message.monotonicMs;
    const firstSeq = id === null || this.#dedup === null ? 0 : this.#dedup.seqOf(id, nowMs);
    if (firstSeq !== 0) return this.#refuse(OUTCOME.duplicate, firstSeq);
    this.key = keys === null || keys.spec.isSingle ? null : (key ?? this.#fieldOf(message));
    const isKept = keys !== null && (keys.spec.isSingle || this.key !== null);
    const needsKey = this.#view.change === 'delete' || keys?.spec.onMissing === 'refuse';
    if (keys !== null && !isKept && needsKey) return this.#refuse(OUTCOME.noKey, this.#log.headSeq);
    const newest = isKept ? keys.get(this.key ?? '', nowMs) : undefined;
    const last = isKept ? (newest?.seq ?? 0) : this.#log.headSeq;
    if (message.ifSeq !== ANY_SEQ && message.ifSeq !== last) return this.#refuse(OUTCOME.conflict, last);
    if (newest !== undefined && version !== null && (newest.version ?? version) > version)
      return this.#refuse(OUTCOME.stale, newest.seq);
    if (key === null && this.key !== null) this.#addKey(this.key);
    const merged =
      newest !== undefined && keys?.spec.merges === true ? keys.frameOf(newest).length + MAP_HEAD_BYTES : 0;
    const frameBytes = EVENT_HEAD_MAX_BYTES + this.#payloadBytes(message) + this.tail.length + merged;
    if (isKept && !keys.makeRoomFor(this.key ?? '', frameBytes, nowMs)) return this.#refuse(OUTCOME.keysFull, last);
    return TAKEN;
  }

  /** The message that was judged last has got this number. */
  taken(seq: number, timeMs: number): void {
    const { id } = this.#view;
    if (id !== null) this.#dedup?.add(id, seq, timeMs);
  }

  #refuse(outcome: number, seq: number): number {
    this.refusedForSeq = seq;
    return outcome;
  }

  #read({ bytes, end, tail, tailElements: elements, inlineTailBytes }: TopicMessage): void {
    const view = this.#view;
    this.tail = tail ?? (inlineTailBytes === 0 ? NO_BYTES : bytes.subarray(end - inlineTailBytes, end));
    this.tailElements = elements;
    view.key = view.id = view.change = view.version = null;
    if (elements > 0 && !view.readTail(this.tail, 0, this.tail.length, elements))
      throw new Error('a tail that is none: a fault of the sender');
  }

  #payloadBytes({ start, end, inlineTailBytes }: TopicMessage): number {
    return end - inlineTailBytes - start;
  }

  /** The key that stands in the payload: a text, or a number's digits. */
  #fieldOf({ bytes, start, end, inlineTailBytes }: TopicMessage): string | null {
    const scan = this.#scan;
    if (scan === null || !scan.scan(bytes, start, end - inlineTailBytes)) return null;
    const value = scan.valueAt(0);
    const isKey = typeof value === 'string' || typeof value === 'bigint' || Number.isInteger(value);
    const key = isKey ? String(value) : '';
    const keyBytes = utf8Length(key);
    return keyBytes >= 1 && keyBytes <= KEY_MAX_BYTES ? key : null;
  }

  #addKey(key: string): void {
    const { id, change, version } = this.#view;
    this.tail = eventTail({ key, id, change, version });
    this.tailElements = tailElements(this.tail);
  }
}
