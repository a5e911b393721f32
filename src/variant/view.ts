/**
 * View: what of a topic's messages a group of subscribers wants: those that a filter lets through, some of their fields,
 * what has changed of them, the newest of each key so many times a second. A stream of its own, made once per message.
 *
 * It remembers of each key what it has said last. Whoever begins one, or goes on with one after its home has died, tells it
 * the newest message of each key first (`prime`).
 */

import { jsonEncoder } from '../protocol/encoder-json.js';
import { msgpackEncoder } from '../protocol/encoder-msgpack.js';
import { EventHead, EventView, eventTail, tailElements } from '../protocol/event.js';
import { eventToJson } from '../protocol/json-event.js';
import type { EventChange, StreamRef } from '../protocol/messages.js';
import { deltaOf } from './delta.js';
import { FieldScan } from './field-scan.js';
import { compileFilter, type Filter } from './filter.js';
import { isEqual } from './map-entries.js';
import { Projection } from './projection.js';
import type { ViewWishes } from './stream-spec.js';
import type { Variant, VariantCounters } from './variant.js';

/** Keys that are remembered; when there are more, all are forgotten: each is said whole once more. */
const KEYS_MAX = 100_000;

const NIL = Uint8Array.of(0xc0);
const NO_BYTES = new Uint8Array(0);

/** What has been said of a key. */
interface Said {
  /** Of the frame that said it last; 0: none did that is known. */
  seq: number;
  /** The filter let its newest message through. */
  isIn: boolean;
  /** The payload that subscribers have; empty: none is kept. */
  payload: Uint8Array;
  /** Deltas since the last whole one. */
  deltas: number;
}

const view = new EventView();
const head = new EventHead();
let eventScratch = new Uint8Array(1024);

/** Bound to one stream. */
export class View implements Variant {
  superseded = 0;
  readonly #options: ViewWishes;
  readonly #counters: VariantCounters;
  readonly #filter: Filter | null;
  readonly #scan: FieldScan | null;
  readonly #projection: Projection | null;
  readonly #byKey = new Map<string, Said>();

  /** Throws BAD_REQUEST: a filter that does not parse, a field that is none. */
  constructor(options: ViewWishes, counters: VariantCounters) {
    this.#options = options;
    this.#counters = counters;
    this.#filter = options.filter === undefined ? null : compileFilter(options.filter);
    this.#scan = this.#filter === null ? null : new FieldScan(this.#filter.paths);
    this.#projection = options.fields === undefined ? null : new Projection(options.fields);
  }

  derive(topic: StreamRef, frame: Uint8Array): Uint8Array | null {
    this.#read(frame);
    const { key, change } = view;
    const isDelete = change === 'delete';
    const before = this.#byKey.get(key ?? '');
    const deltas = before?.deltas ?? 0;
    this.superseded = before?.seq ?? 0;
    const isIn = !isDelete && this.#letsIn(frame);
    if (!isIn) {
      const hasLeft = !isDelete && before?.isIn === true && this.#options.track === true;
      if (isDelete || hasLeft) this.#byKey.set(key ?? '', { isIn: false, payload: NO_BYTES, deltas: 0, seq: view.seq });
      else if (before !== undefined) before.payload = NO_BYTES;
      if (before !== undefined && !isDelete) before.isIn = false;
      if (isDelete) return this.#frame(topic, NIL, 'delete', frame);
      return hasLeft ? this.#frame(topic, NIL, 'leave', frame) : null;
    }
    const payload = this.#payload(frame);
    // A projection of what is no map says nothing.
    if (payload === null) return null;
    const isSame =
      before !== undefined && isEqual(before.payload, 0, before.payload.length, payload, 0, payload.length);
    if (this.#projection !== null && isSame && before.payload.length > 0) return null;
    const delta = this.#deltaTo(before, payload);
    this.#remember(key ?? '', before, payload, delta === null ? 0 : deltas + 1, view.seq);
    return delta === null ? this.#frame(topic, payload, null, frame) : this.#frame(topic, delta, 'delta', frame);
  }

  /** The whole value, as those get it who begin with it; null: it is none of theirs. */
  entry(topic: StreamRef, frame: Uint8Array): Uint8Array | null {
    this.#read(frame);
    if (!this.#letsIn(frame)) return null;
    const payload = this.#payload(frame);
    return payload === null ? null : this.#event(topic, payload, null, frame);
  }

  prime(frame: Uint8Array, isStillToCome: boolean): void {
    this.#read(frame);
    if (isStillToCome) {
      // What was before is not known. Who leaves may never have been in, which does no harm.
      this.#remember(view.key ?? '', undefined, NO_BYTES, 0, 0);
      return;
    }
    if (!this.#letsIn(frame)) return;
    const payload = this.#payload(frame);
    if (payload !== null) this.#remember(view.key ?? '', undefined, payload, 0, 0);
  }

  forget(key: string): void {
    const said = this.#byKey.get(key);
    if (said === undefined) return;
    said.payload = NO_BYTES;
    said.deltas = 0;
  }

  gap(topic: StreamRef, seq: number): Uint8Array {
    const encoder = this.#options.codec === 'json' ? jsonEncoder : msgpackEncoder;
    return encoder.gap(topic, seq, seq, 'too_large');
  }

  #read(frame: Uint8Array): void {
    if (!view.read(frame, 0, frame.length)) throw new Error('not a canonical EVENT frame');
  }

  #letsIn(frame: Uint8Array): boolean {
    const filter = this.#filter;
    if (filter === null || this.#scan === null) return true;
    if (this.#scan.scan(frame, view.payloadStart, view.payloadEnd)) return filter.matches(this.#scan);
    this.#counters.undecodable++;
    return false;
  }

  /** Null: it has no fields. */
  #payload(frame: Uint8Array): Uint8Array | null {
    const { payloadStart, payloadEnd } = view;
    if (this.#projection === null) return frame.subarray(payloadStart, payloadEnd);
    const fields = this.#projection.of(frame, payloadStart, payloadEnd);
    if (fields === null) this.#counters.undecodable++;
    return fields;
  }

  /** Null: the payload is to be said whole. */
  #deltaTo(before: Said | undefined, payload: Uint8Array): Uint8Array | null {
    const { delta, deltaFullEvery } = this.#options;
    if (delta !== true || before === undefined || before.payload.length === 0) return null;
    if (deltaFullEvery !== undefined && before.deltas + 1 >= deltaFullEvery) return null;
    return deltaOf(before.payload, payload);
  }

  #remember(key: string, before: Said | undefined, payload: Uint8Array, deltas: number, seq: number): void {
    const isProjected = this.#projection !== null;
    // A projection's bytes are new ones; others are those of the frame, which is not kept.
    const kept = isProjected ? payload : this.#options.delta === true ? payload.slice() : NO_BYTES;
    if (before !== undefined) {
      before.isIn = true;
      before.payload = kept;
      before.deltas = deltas;
      before.seq = seq;
      return;
    }
    if (this.#byKey.size >= KEYS_MAX && !this.#byKey.has(key)) this.#byKey.clear();
    this.#byKey.set(key, { isIn: true, payload: kept, deltas, seq });
  }

  #frame(topic: StreamRef, payload: Uint8Array, change: EventChange | null, frame: Uint8Array): Uint8Array {
    const event = this.#event(topic, payload, change, frame);
    return this.#options.codec === 'json' ? eventToJson(topic.topic, event, 0, event.length) : event;
  }

  /** @param frame of the message: where nothing changes beside the payload its tail is the event's */
  #event({ alias }: StreamRef, payload: Uint8Array, change: EventChange | null, frame: Uint8Array): Uint8Array {
    const { seq, time, key, id, version } = view;
    const isSame = change === view.change;
    const tail = isSame ? frame.subarray(view.payloadEnd, view.frameEnd) : eventTail({ key, id, version, change });
    const headBytes = head.write(alias, seq, time, isSame ? view.tailElements : tailElements(tail));
    const bytes = headBytes + payload.length + tail.length;
    if (eventScratch.length < bytes) eventScratch = new Uint8Array(2 * bytes);
    for (let at = 0; at < headBytes; at++) eventScratch[at] = head.bytes[at];
    eventScratch.set(payload, headBytes);
    if (tail.length > 0) eventScratch.set(tail, headBytes + payload.length);
    return eventScratch.subarray(0, bytes);
  }
}
