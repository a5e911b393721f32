// Protocol: what reading and writing an envelope costs, against what everybody pays who decodes or encodes the whole
// message; and encode() and decode() of whole values. Whole, and beside them: msgpackr set to plain MessagePack, JSON.parse
// and JSON.stringify.

import { isDeepStrictEqual } from 'node:util';
import { Packr, Unpackr } from 'msgpackr';
import { copyBytes } from '../../../dist/log/copy.js';
import { encodeClientFrame } from '../../../dist/protocol/client-frames.js';
import { EventHead, EventView } from '../../../dist/protocol/event.js';
import { eventToJson } from '../../../dist/protocol/json-event.js';
import { JsonReader } from '../../../dist/protocol/json-reader.js';
import { type FrameReader, OP, READ_END, READ_FRAME } from '../../../dist/protocol/messages.js';
import { decode, encode } from '../../../dist/protocol/msgpack.js';
import { MsgpackReader } from '../../../dist/protocol/msgpack-reader.js';
import { type Group, type TimeBench, verify, type Work } from '../bench.js';
import { PAYLOADS, type PayloadName, VERSIONS, versionsOf } from './payloads.js';

const PLAIN = { useRecords: false, moreTypes: false, mapsAsObjects: true, variableMapSize: true } as const;
const packr = new Packr(PLAIN);
const unpackr = new Unpackr(PLAIN);

const TOPIC = 'prices:AAPL';
const ALIAS = 77;
const TIME_MS = 1_700_000_000_000;
const BATCH = 100;
const BUFFER_BYTES = 4096;
const MASK = VERSIONS - 1;

/** A copy: msgpackr packs into a pool. */
const pack = (value: unknown): Uint8Array => new Uint8Array(packr.pack(value));
const encodeText = (text: string): Uint8Array => new TextEncoder().encode(text);
const decodeText = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Work on one message after the other; each returns what its input says it must. */
function perMessage<T>(inputs: readonly T[], step: (input: T) => number, expectedOf: (input: T) => number): Work {
  let at = 0;
  // Every version a whole number of times, so that any number of operations from anywhere has a known result.
  const constant = expectedOf(inputs[0]);
  verify(
    inputs.every((input) => expectedOf(input) === constant && step(input) === constant),
    'a message was not read or written as it should be',
  );
  return {
    run(times: number): number {
      let sum = 0;
      for (let time = 0; time < times; time++) {
        sum += step(inputs[at]);
        at = (at + 1) & MASK;
      }
      return sum;
    },
    expected: (times) => times * constant,
  };
}

// ---- PUBLISH, as the server reads it ---------------------------------------------------------------------------------

interface Published {
  readonly bytes: Uint8Array;
  readonly payloadBytes: number;
  readonly value: object;
}

function msgpackPublish(payload: PayloadName): Published[] {
  return versionsOf((version) => {
    const value = PAYLOADS[payload](version);
    const bytes = encodeClientFrame({ type: 'publish', topic: TOPIC, payload: value });
    return { bytes, payloadBytes: pack(value).length, value };
  });
}

function jsonPublish(payload: PayloadName): Published[] {
  return versionsOf((version) => {
    const value = PAYLOADS[payload](version);
    const text = JSON.stringify({ type: 'publish', topic: TOPIC, message: { payload: value } });
    return { bytes: encodeText(text), payloadBytes: pack(value).length, value };
  });
}

/** 1: read as what it is, the payload where it should be. */
function readEnvelope(reader: FrameReader, messages: readonly Published[]): Work {
  for (const { bytes, payloadBytes, value } of messages) {
    reader.reset(bytes, 0, bytes.length);
    verify(reader.next() === READ_FRAME && reader.op === OP.PUBLISH && reader.topic === TOPIC, 'not read as a PUBLISH');
    verify(reader.payloadEnd - reader.payloadStart === payloadBytes, 'the payload has another length');
    const payload = unpackr.unpack(reader.payload.slice(reader.payloadStart, reader.payloadEnd)) as unknown;
    verify(isDeepStrictEqual(payload, value), 'the payload is another one');
  }
  const step = ({ bytes, payloadBytes }: Published): number => {
    reader.reset(bytes, 0, bytes.length);
    if (reader.next() !== READ_FRAME || reader.topic !== TOPIC) return 0;
    return reader.payloadEnd - reader.payloadStart === payloadBytes ? 1 : 0;
  };
  return perMessage(messages, step, () => 1);
}

function decodeWhole(messages: readonly Published[]): Work {
  const step = ({ bytes }: Published): number => {
    const frame = unpackr.unpack(bytes) as [number, unknown, string, { symbol: string }];
    return frame[2] === TOPIC && frame[3].symbol === 'AAPL' ? frame[0] : 0;
  };
  return perMessage(messages, step, () => OP.PUBLISH);
}

function parseWhole(messages: readonly Published[]): Work {
  const step = ({ bytes }: Published): number => {
    const message = JSON.parse(decodeText(bytes)) as { topic: string; message: { payload: { symbol: string } } };
    return message.topic === TOPIC ? message.message.payload.symbol.length : 0;
  };
  return perMessage(messages, step, () => 'AAPL'.length);
}

/** Many frames in one WebSocket message, as a feed sends them. */
function batches(): Published[] {
  const frames = msgpackPublish('quote');
  return versionsOf((version) => {
    const chosen = Array.from({ length: BATCH }, (_, index) => frames[(version + index) & MASK]);
    const bytes = new Uint8Array(Buffer.concat(chosen.map((frame) => frame.bytes)));
    return { bytes, payloadBytes: 0, value: chosen };
  });
}

function readBatch(): Work {
  const reader = new MsgpackReader();
  const step = ({ bytes }: Published): number => {
    let frames = 0;
    reader.reset(bytes, 0, bytes.length);
    for (let result = reader.next(); result !== READ_END; result = reader.next()) {
      if (result === READ_FRAME && reader.topic === TOPIC) frames++;
    }
    return frames;
  };
  return perMessage(batches(), step, () => BATCH);
}

function decodeBatch(): Work {
  const step = ({ bytes }: Published): number => {
    const frames = unpackr.unpackMultiple(bytes) as [number, unknown, string, object][];
    return frames[frames.length - 1][2] === TOPIC ? frames.length : 0;
  };
  return perMessage(batches(), step, () => BATCH);
}

// ---- EVENT, as the server writes it and a client reads it --------------------------------------------------------------

interface Event {
  readonly seq: number;
  readonly value: object;
  /** MessagePack. */
  readonly payload: Uint8Array;
  readonly frame: Uint8Array;
}

function events(payload: PayloadName): Event[] {
  const head = new EventHead();
  return versionsOf((version) => {
    const value = PAYLOADS[payload](version);
    const bytes = pack(value);
    const headBytes = head.write(ALIAS, version + 1, TIME_MS, 0);
    const frame = new Uint8Array(Buffer.concat([head.bytes.subarray(0, headBytes), bytes]));
    const fields = unpackr.unpack(frame) as unknown;
    verify(isDeepStrictEqual(fields, [OP.EVENT, ALIAS, version + 1, TIME_MS, value]), 'not the EVENT it should be');
    return { seq: version + 1, value, payload: bytes, frame };
  });
}

/** The head is written, the payload copied undecoded. 1: as many bytes as there should be. */
function writeEvent(payload: PayloadName): Work {
  const head = new EventHead();
  const buffer = new Uint8Array(BUFFER_BYTES);
  const step = ({ seq, payload: bytes, frame }: Event): number => {
    const headBytes = head.write(ALIAS, seq, TIME_MS, 0);
    copyBytes(head.bytes, 0, headBytes, buffer, 0);
    copyBytes(bytes, 0, bytes.length, buffer, headBytes);
    return headBytes + bytes.length === frame.length && buffer[frame.length - 1] === frame[frame.length - 1] ? 1 : 0;
  };
  return perMessage(events(payload), step, () => 1);
}

function packEvent(payload: PayloadName): Work {
  const step = ({ seq, value }: Event): number => {
    const frame = packr.pack([OP.EVENT, ALIAS, seq, TIME_MS, value]);
    return frame[1] === OP.EVENT && frame.length > 20 ? 1 : 0;
  };
  return perMessage(events(payload), step, () => 1);
}

function viewEvent(payload: PayloadName): Work {
  const view = new EventView();
  const step = ({ seq, frame }: Event): number => {
    if (!view.read(frame, 0, frame.length) || view.payloadEnd !== frame.length) return 0;
    return view.seq === seq && view.time === TIME_MS ? view.alias : 0;
  };
  return perMessage(events(payload), step, () => ALIAS);
}

function unpackEvent(payload: PayloadName): Work {
  const step = ({ seq, frame }: Event): number => {
    const fields = unpackr.unpack(frame) as number[];
    return fields[2] === seq ? fields[1] : 0;
  };
  return perMessage(events(payload), step, () => ALIAS);
}

function jsonOf({ seq, value }: Event): string {
  const ts = new Date(TIME_MS).toISOString();
  return JSON.stringify({ type: 'event', topic: TOPIC, message: { payload: value }, seq, ts });
}

/** From the MessagePack frame: once per message and topic, however many JSON subscribers there are. */
function transcodeEvent(payload: PayloadName): Work {
  const all = events(payload);
  for (const event of all) {
    const text = decodeText(eventToJson(TOPIC, event.frame, 0, event.frame.length));
    verify(isDeepStrictEqual(JSON.parse(text), JSON.parse(jsonOf(event))), 'not the JSON event it should be');
  }
  const step = ({ frame }: Event): number => (eventToJson(TOPIC, frame, 0, frame.length)[2] === 0x74 ? 1 : 0);
  return perMessage(all, step, () => 1);
}

/** What a server does that holds the payload as an object. */
function stringifyEvent(payload: PayloadName): Work {
  const encoder = new TextEncoder();
  const step = (event: Event): number => (encoder.encode(jsonOf(event))[2] === 0x74 ? 1 : 0);
  return perMessage(events(payload), step, () => 1);
}

// ---- values, as programs publish and receive them ---------------------------------------------------------------------

function encodeValues(payload: PayloadName, encodeOne: (value: unknown) => Uint8Array): Work {
  const values = versionsOf((version) => PAYLOADS[payload](version));
  for (const value of values) verify(isDeepStrictEqual(unpackr.unpack(encodeOne(value)), value), 'not the value');
  return perMessage(
    values,
    (value) => (encodeOne(value)[0] >> 4 === 8 ? 1 : 0), // a short map
    () => 1,
  );
}

function decodeValues(payload: PayloadName, decodeOne: (bytes: Uint8Array) => unknown): Work {
  const values = versionsOf((version) => pack(PAYLOADS[payload](version)));
  for (const bytes of values) verify(isDeepStrictEqual(decodeOne(bytes), unpackr.unpack(bytes)), 'not the value');
  const step = (bytes: Uint8Array): number => (decodeOne(bytes) as { symbol: string }).symbol.length;
  return perMessage(values, step, () => 'AAPL'.length);
}

function valueBenches(payload: PayloadName): TimeBench[] {
  const shared = { kind: 'time', item: 'value', items: 1 } as const;
  const [encoding, decoding] = [`value/encode/${payload}`, `value/decode/${payload}`];
  return [
    { ...shared, name: encoding, against: `${encoding}/msgpackr`, prepare: () => encodeValues(payload, encode) },
    { ...shared, name: `${encoding}/msgpackr`, prepare: () => encodeValues(payload, pack) },
    { ...shared, name: decoding, against: `${decoding}/msgpackr`, prepare: () => decodeValues(payload, decode) },
    { ...shared, name: `${decoding}/msgpackr`, prepare: () => decodeValues(payload, (bytes) => unpackr.unpack(bytes)) },
  ];
}

// ---- the group -------------------------------------------------------------------------------------------------------

interface Pair {
  readonly name: string;
  readonly item: string;
  readonly items?: number;
  readonly envelope: () => Work;
  readonly whole: () => Work;
}

/** A bench of the envelope, and one of the whole message beside it. */
function pair({ name, item, items = 1, envelope, whole }: Pair): TimeBench[] {
  const shared = { kind: 'time', item, items } as const;
  return [
    { ...shared, name: `${name}/envelope`, against: `${name}/whole`, prepare: envelope },
    { ...shared, name: `${name}/whole`, prepare: whole },
  ];
}

function pairsOf(payload: PayloadName): Pair[] {
  const message = { item: 'message' };
  const event = { item: 'event' };
  return [
    {
      ...{ ...message, name: `msgpack/read-publish/${payload}` },
      envelope: () => readEnvelope(new MsgpackReader(), msgpackPublish(payload)),
      whole: () => decodeWhole(msgpackPublish(payload)),
    },
    {
      ...{ ...event, name: `msgpack/encode-event/${payload}` },
      ...{ envelope: () => writeEvent(payload), whole: () => packEvent(payload) },
    },
    {
      ...{ ...event, name: `msgpack/read-event/${payload}` },
      ...{ envelope: () => viewEvent(payload), whole: () => unpackEvent(payload) },
    },
    {
      ...{ ...message, name: `json/read-publish/${payload}` },
      envelope: () => readEnvelope(new JsonReader(), jsonPublish(payload)),
      whole: () => parseWhole(jsonPublish(payload)),
    },
    {
      ...{ ...event, name: `json/encode-event/${payload}` },
      ...{ envelope: () => transcodeEvent(payload), whole: () => stringifyEvent(payload) },
    },
  ];
}

const BATCHED: Pair = {
  ...{ name: `msgpack/read-publish/batch=${BATCH}`, item: 'message', items: BATCH },
  ...{ envelope: readBatch, whole: decodeBatch },
};

export const group: Group = {
  name: 'protocol',
  title: 'envelopes, against decoding or encoding the whole message; JSON also transcodes the payload',
  benches: [
    ...[BATCHED, ...pairsOf('quote'), ...pairsOf('book')].flatMap(pair),
    ...[...valueBenches('quote'), ...valueBenches('book')],
  ],
};
