/**
 * SNAPSHOT frames: what a topic has of each key, in parts of at most one delivery, each a complete message. The first and the
 * last are marked; what follows the last is exactly what came behind `seq`.
 *
 *     [36, alias, seq, [[key?, seq, time, payload, version?], …], first, last]
 */

import { EventView } from './event.js';
import { isoTime } from './json-event.js';
import { JsonWriter } from './json-writer.js';
import { FRAMES, OP, type StreamRef } from './messages.js';
import { encode } from './msgpack.js';
import { writeJson } from './msgpack-to-json.js';
import { Float64 } from './msgpack-types.js';

/** What stands around the entries of a part, at most, but the topic's name. */
const AROUND_BYTES = 100;

const ARRAY16 = 0xdc;
const [FALSE, TRUE] = [Uint8Array.of(0xc2), Uint8Array.of(0xc3)];
const ENTRIES_MAX = 0xffff;

interface SnapshotForm {
  /** An entry's bytes, of an EVENT. */
  entry(view: EventView, frame: Uint8Array): Uint8Array;
  part(topic: StreamRef, seq: number, entries: readonly Uint8Array[], isFirst: boolean, isLast: boolean): Uint8Array;
}

const msgpack: SnapshotForm = {
  entry({ key, seq, time, payloadStart, payloadEnd, version }, frame) {
    const head = encode([key, seq, new Float64(time), null, ...(version === null ? [] : [version])]);
    const versionBytes = version === null ? 0 : encode(version).length;
    // The nil stands for the payload, which is copied undecoded.
    const nilAt = head.length - versionBytes - 1;
    return concat([head.subarray(0, nilAt), frame.subarray(payloadStart, payloadEnd), head.subarray(nilAt + 1)]);
  },
  part({ alias }, seq, entries, isFirst, isLast) {
    const head = encode([OP.SNAPSHOT, alias, seq, null, null, null]).subarray(0, -3);
    const arrayHead = Uint8Array.of(ARRAY16, entries.length >> 8, entries.length & 255);
    return concat([head, arrayHead, ...entries, isFirst ? TRUE : FALSE, isLast ? TRUE : FALSE]);
  },
};

const writer = new JsonWriter();
const textEncoder = new TextEncoder();

const json: SnapshotForm = {
  entry({ key, seq, time, payloadStart, payloadEnd, version }, frame) {
    writer.clear().text(`{"key":${JSON.stringify(key)},`);
    if (version !== null) writer.text(`"version":${version},`);
    writer.text(`"seq":${seq},"ts":"${isoTime(time)}","payload":`);
    writeJson(writer, frame, payloadStart, payloadEnd);
    writer.text('}');
    return writer.copy();
  },
  part({ topic }, seq, entries, isFirst, isLast) {
    const head = { type: FRAMES.SNAPSHOT.json, topic, seq, first: isFirst, last: isLast, entries: [] };
    const start = textEncoder.encode(JSON.stringify(head).slice(0, -2));
    const separated = entries.flatMap((entry, index) => (index === 0 ? [entry] : [COMMA, entry]));
    return concat([start, ...separated, END]);
  },
};
const [COMMA, END] = [textEncoder.encode(','), textEncoder.encode(']}')];

const FORMS: Readonly<Record<'msgpack' | 'json', SnapshotForm>> = { msgpack, json };

/** Makes the parts of one snapshot. */
export class SnapshotParts {
  readonly parts: Uint8Array[] = [];
  readonly #form: SnapshotForm;
  readonly #topic: StreamRef;
  readonly #seq: number;
  readonly #partMaxBytes: number;
  readonly #view = new EventView();
  #entries: Uint8Array[] = [];
  #bytes = 0;

  /** @param seq the newest message that is in it. @param partMaxBytes of each; one entry may be larger */
  constructor(codec: 'msgpack' | 'json', topic: StreamRef, seq: number, partMaxBytes: number) {
    this.#form = FORMS[codec];
    this.#topic = topic;
    this.#seq = seq;
    const nameBytes = codec === 'json' ? textEncoder.encode(JSON.stringify(topic.topic)).length : 0;
    this.#partMaxBytes = partMaxBytes - AROUND_BYTES - nameBytes;
  }

  /** @param frame an EVENT. One whose payload has no form here is left out */
  add(frame: Uint8Array): void {
    if (!this.#view.read(frame, 0, frame.length)) throw new Error('an entry of a snapshot is an EVENT');
    const entry = this.#entryOf(frame);
    if (entry === null) return;
    const isFull = this.#bytes + entry.length + 1 > this.#partMaxBytes || this.#entries.length === ENTRIES_MAX;
    if (this.#entries.length > 0 && isFull) this.#end(false);
    this.#entries.push(entry);
    this.#bytes += entry.length + 1;
  }

  /** All parts; at least one, which may have no entries. */
  finish(): readonly Uint8Array[] {
    this.#end(true);
    return this.parts;
  }

  #entryOf(frame: Uint8Array): Uint8Array | null {
    try {
      return this.#form.entry(this.#view, frame);
    } catch {
      return null;
    }
  }

  #end(isLast: boolean): void {
    const isFirst = this.parts.length === 0;
    this.parts.push(this.#form.part(this.#topic, this.#seq, this.#entries, isFirst, isLast));
    this.#entries = [];
    this.#bytes = 0;
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  let lengthBytes = 0;
  for (const part of parts) lengthBytes += part.length;
  const whole = new Uint8Array(lengthBytes);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
