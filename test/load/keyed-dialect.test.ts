// A keyed topic as the load generator speaks it: numbers are its keys.

import { describe, expect, it } from 'vitest';
import { RingcastMsgpackDialect } from '#src/load/ringcast-msgpack-dialect.js';
import { EventHead, eventTail, tailElements } from '#src/protocol/event.js';
import { OP } from '#src/protocol/messages.js';
import { decode, encode, skipValue } from '#src/protocol/msgpack.js';

const PAYLOAD_BYTES = 30;
const ALIAS = 7;
const payloadOf = (fill: number): Uint8Array => new Uint8Array(PAYLOAD_BYTES).fill(fill);

/** Two keys of one topic, and a topic without. */
function lab() {
  const dialect = new RingcastMsgpackDialect({ path: '/ws', topics: ['k', 'k', 'plain'], keys: ['a', 'b', null] });
  const told: unknown[] = [];
  const sent: unknown[][] = [];
  const connection = {
    ...{ index: 0, ready: () => {}, upgrade: () => {} },
    send: (bytes: Uint8Array) => {
      for (let at = 0; at < bytes.length; ) {
        const end = skipValue(bytes, at, bytes.length);
        sent.push(decode(bytes.subarray(at, end)) as unknown[]);
        at = end;
      }
    },
  };
  const read = (...frames: Uint8Array[]): void => {
    const bytes = new Uint8Array(Buffer.concat(frames));
    const first = (start: number) => bytes[start];
    dialect.read(0, bytes, new DataView(bytes.buffer), 0, bytes.length, {
      payload: (_, start, end) => told.push(['payload', first(start), end - start]),
      entry: (_, start, end) => told.push(['entry', first(start), end - start]),
      snapshot: (_, entries, isLast) => told.push(['snapshot', entries, isLast]),
      acknowledged: (_, count) => told.push(['acknowledged', count]),
      published: () => {},
      gap: (_, messages) => told.push(['gap', messages]),
      problem: (_, text) => told.push(['problem', text]),
    });
  };
  return { dialect, connection, sent, told, read };
}

function event(seq: number, fill: number, key: string | null): Uint8Array {
  const tail = eventTail({ key });
  const head = new EventHead();
  const headBytes = head.write(ALIAS, seq, 0, tailElements(tail));
  return Buffer.concat([head.bytes.subarray(0, headBytes), encode(payloadOf(fill)), tail]);
}

const gap = (from: number, to: number): Uint8Array => encode([OP.GAP, ALIAS, from, to, 'merged']);
const ok = (id: number, seq: number): Uint8Array => encode([OP.OK, id, { topic: 'k', alias: ALIAS, epoch: 'e', seq }]);

describe('a load of a keyed topic', () => {
  it('subscribes and opens once for all keys, reads as it is told, and publishes with the key', () => {
    const { dialect, connection, sent, told, read } = lab();
    dialect.reading = { mode: 'latest' };
    dialect.subscribe(connection, [0, 1, 2]);
    expect(sent.splice(0).map(([op, , topic, options]) => [op, topic, options])).toEqual([
      [OP.SUBSCRIBE, 'k', { mode: 'latest' }],
      [OP.SUBSCRIBE, 'plain', { mode: 'latest' }],
    ]);
    dialect.open(connection, [0, 1]);
    const [[, openId]] = sent as [[number, number]];
    read(ok(0, 0), ok(openId, 0));
    expect(told).toEqual([
      ['acknowledged', 2],
      ['acknowledged', 2],
    ]);
    expect(dialect.epochOf(0)).toBe('e');
    const bytes = new Uint8Array(dialect.publishBytes(PAYLOAD_BYTES, 1));
    const start = dialect.writePublish(bytes, 0, 1, PAYLOAD_BYTES);
    bytes.set(payloadOf(5), start);
    expect(decode(bytes)).toEqual([OP.PUBLISH, null, ALIAS, payloadOf(5), { key: 'b' }]);
  });

  it('counts each message once: as an event, in a gap, or in a snapshot that takes the place of those before', () => {
    const { told, read } = lab();
    read(ok(0, 10), event(11, 1, 'a'), gap(12, 14), event(15, 2, 'b'));
    expect(told.splice(0).slice(1)).toEqual([
      ['payload', 1, PAYLOAD_BYTES],
      ['gap', 3],
      ['payload', 2, PAYLOAD_BYTES],
    ]);
    const entries = [
      ['b', 15, 0, payloadOf(2)],
      ['a', 19, 0, payloadOf(3), 4],
    ];
    read(encode([OP.SNAPSHOT, ALIAS, 20, entries, true, false]), encode([OP.SNAPSHOT, ALIAS, 20, [], false, true]));
    expect(told.splice(0)).toEqual([
      ['entry', 3, PAYLOAD_BYTES],
      ['snapshot', 2, false],
      ['gap', 4],
      ['snapshot', 0, true],
    ]);
    read(gap(21, 21), event(22, 6, null));
    expect(told).toEqual([
      ['gap', 1],
      ['payload', 6, PAYLOAD_BYTES],
    ]);
  });
});
