/** What MsgpackReader makes of frames that are cut off, of the wrong types, unknown, or built to do harm. */

import { beforeEach, describe, expect, it } from 'vitest';
import {
  BAD_FRAMES_PER_MESSAGE_MAX,
  FRAMES,
  NESTING_MAX,
  OP,
  OPTIONS,
  type OpName,
  PAYLOAD_NESTING_MAX,
  READ_END,
  READ_FRAME,
  READ_INVALID,
  READ_MALFORMED,
} from '#src/protocol/messages.js';
import { encode } from '#src/protocol/msgpack.js';
import { MsgpackReader } from '#src/protocol/msgpack-reader.js';
import { concat, fromHex, readAll, readOne, vectors } from './support.js';

let reader: MsgpackReader;
beforeEach(() => {
  reader = new MsgpackReader();
});

const GOOD = encode([OP.PING, 'ok']);

function problemOf(...elements: unknown[]): string {
  const { result } = readOne(reader, encode(elements));
  expect(result).toBe(READ_INVALID);
  return reader.problem;
}

describe('truncation', () => {
  it.each(vectors.client)('$name: is malformed at every length, whatever lies behind the end', ({ msgpack, read }) => {
    const bytes = fromHex(msgpack);
    for (let end = 1; end < bytes.length; end++) {
      // The rest of the frame is still in the buffer: a reader that looked beyond `end` would accept it.
      expect(readAll(reader, bytes, 0, end)).toEqual([READ_MALFORMED]);
      expect(readAll(reader, bytes.slice(0, end))).toEqual([READ_MALFORMED]);
      const junk = concat(bytes.subarray(0, end), new Uint8Array(16).fill(0xa7));
      expect(readAll(reader, junk, 0, end)).toEqual([READ_MALFORMED]);
      expect(reader.problem).toBe('the message ends in the middle of a frame');
    }
    expect(readAll(reader, bytes)).toEqual([read]);
  });

  it('gives the frames before the cut', () => {
    const bytes = concat(GOOD, GOOD, GOOD.subarray(0, 2));
    expect(readAll(reader, bytes).map((result) => typeof result)).toEqual(['object', 'object', 'number']);
    expect(reader.next()).toBe(READ_END);
  });
});

describe('wrong types', () => {
  const values: Record<string, Uint8Array> = {
    nil: encode(null),
    boolean: encode(true),
    unsigned: encode(7),
    negative: encode(-1),
    'negative int64': fromHex('d3 ff ff ff ff ff ff ff ff'),
    'too large integer': fromHex('cf 00 20 00 00 00 00 00 00'),
    fraction: encode(1.5),
    nan: encode(Number.NaN),
    string: encode('text'),
    'long string': encode('x'.repeat(300)),
    'bad utf8': fromHex('a2 c3 28'),
    empty: encode(''),
    bin: encode(new Uint8Array(2)),
    array: encode([]),
    map: encode({}),
    extension: fromHex('d4 05 00'),
    timestamp: fromHex('d6 ff 00 00 00 00'),
  };
  const accepted: Record<string, string[]> = {
    id: ['nil', 'unsigned', 'string', 'empty'],
    topic: ['string'],
    'topic or alias': ['string', 'unsigned'],
    payload: Object.keys(values),
    messages: [],
    method: ['string'],
    seq: ['unsigned'],
    params: Object.keys(values),
    options: ['nil', 'map'],
  };
  const complete: Record<string, unknown> = {
    id: 1,
    topic: 't',
    'topic or alias': 't',
    payload: 0,
    messages: [[0]],
    method: 'm',
    seq: 7,
    params: 0,
    options: {},
  };
  const inUse = (Object.keys(OP) as OpName[]).filter((name) => OP[name] < 32 && FRAMES[name].json !== null);
  const fieldsOf = (name: OpName) => FRAMES[name].fields.map((field) => field.replace('?', ''));
  const cases = inUse.flatMap((name) =>
    fieldsOf(name).flatMap((field) => Object.keys(values).map((kind) => ({ name, field, kind }))),
  );

  it.each(cases)('$name with $kind as $field', ({ name, field, kind }) => {
    const fields = fieldsOf(name);
    const parts = fields.map((other) => (other === field ? values[kind] : encode(complete[other])));
    const frame = concat(Uint8Array.of(0x91 + fields.length, OP[name]), ...parts);
    const results = readAll(reader, concat(frame, GOOD));
    const isFrame = accepted[field].includes(kind);
    expect(typeof results[0], reader.problem).toBe(isFrame ? 'object' : 'number');
    if (!isFrame) expect(results[0]).toBe(READ_INVALID);
    expect(results[1]).toMatchObject({ op: OP.PING, id: 'ok' });
  });

  it('keeps the id of a bad frame, so that the error can be matched', () => {
    problemOf(OP.SUBSCRIBE, 'r9', 5);
    expect(reader).toMatchObject({ op: OP.SUBSCRIBE, id: 'r9' });
    problemOf(OP.PRESENCE, 12, 'topic');
    expect(reader).toMatchObject({ op: OP.PRESENCE, id: 12 });
    problemOf(OP.ACK, 12, -1);
    expect(reader).toMatchObject({ op: OP.ACK, id: null });
  });

  it('accepts an integer in every encoding that holds it', () => {
    for (const id of ['05', 'cc 05', 'cd 00 05', 'ce 00 00 00 05', 'cf 00 00 00 00 00 00 00 05', 'd0 05', 'd1 00 05']) {
      expect(readOne(reader, fromHex(`92 05 ${id}`))).toMatchObject({ result: READ_FRAME, fields: { id: 5 } });
    }
    for (const id of ['d2 00 00 00 05', 'd3 00 00 00 00 00 00 00 05', 'cb 40 14 00 00 00 00 00 00', 'ca 40 a0 00 00']) {
      expect(readOne(reader, fromHex(`92 05 ${id}`))).toMatchObject({ result: READ_FRAME, fields: { id: 5 } });
    }
    expect(readOne(reader, fromHex('dc 00 02 cd 00 05 c0')).result).toBe(READ_FRAME);
    expect(readOne(reader, fromHex('dd 00 00 00 02 05 c0')).result).toBe(READ_FRAME);
  });
});

describe('operations', () => {
  it('refuses what is unknown, reserved, or for servers, and goes on', () => {
    expect(problemOf(31)).toBe('unknown operation 31');
    expect(problemOf(200, 1)).toBe('unknown operation 200');
    expect(problemOf(2 ** 33)).toBe('unknown operation 8589934592');
    expect(problemOf(OP.PRESENCE, 1, 't')).toBe('operation 9 (PRESENCE) is reserved and not supported by this server');
    expect(problemOf(OP.EVENT, 1, 2)).toBe('operation 35 (EVENT) is for servers only');
    expect(readAll(reader, concat(encode([99]), GOOD))).toMatchObject([READ_INVALID, { op: OP.PING }]);
  });

  it('refuses a top level that is no array with an operation', () => {
    for (const value of [null, 5, -1, 'text', true, {}, [], [null], ['x'], [-1], [1.5], [[]], new Uint8Array(3)]) {
      const results = readAll(reader, concat(encode(value), GOOD));
      expect(results).toMatchObject([READ_INVALID, { op: OP.PING }]);
      expect(reader.id).toBe('ok');
    }
  });

  it('says how a frame of the wrong length should look', () => {
    expect(problemOf(OP.SUBSCRIBE, 1)).toMatch(/^SUBSCRIBE is \[2, id\?, topic, options\?\], .* 3 to 4 .* not of 2$/);
    expect(problemOf(OP.PUBLISH, 1, 7)).toMatch(/not of 3$/);
    expect(problemOf(OP.PING, 1, 7)).toMatch(/not of 3$/);
  });
});

describe('options', () => {
  it('names an unknown option and the known ones', () => {
    expect(problemOf(OP.SUBSCRIBE, 1, 't', { last: 5 })).toBe(
      `unknown option "last" of SUBSCRIBE; it takes ${Object.keys(OPTIONS.SUBSCRIBE).join(', ')}`,
    );
    expect(problemOf(OP.PUBLISH, 1, 't', 0, { toString: 1 })).toMatch(/^unknown option "toString"/);
    expect(problemOf(OP.HISTORY, 1, 't', { __proto__x: 1 })).toMatch(/^unknown option/);
  });

  const bad: [string, unknown[]][] = [
    ['lastN', [OP.SUBSCRIBE, 1, 't', { lastN: -1 }]],
    ['since', [OP.SUBSCRIBE, 1, 't', { since: 5 }]],
    ['since', [OP.SUBSCRIBE, 1, 't', { since: { seq: 5 } }]],
    ['since', [OP.SUBSCRIBE, 1, 't', { since: { epoch: 'e', seq: -1 } }]],
    ['since', [OP.SUBSCRIBE, 1, 't', { since: { epoch: '', seq: 1 } }]],
    ['since', [OP.SUBSCRIBE, 1, 't', { since: { epoch: 'e', seq: 1, x: 1 } }]],
    ['sinceTime', [OP.SUBSCRIBE, 1, 't', { sinceTime: 'now' }]],
    ['onGap', [OP.SUBSCRIBE, 1, 't', { onGap: 'nothing' }]],
    ['fromSeq', [OP.HISTORY, 1, 't', { fromSeq: 0.5 }]],
    ['reverse', [OP.HISTORY, 1, 't', { reverse: 1 }]],
    ['lastN', [OP.SUBSCRIBE, 1, 't', { lastN: 1.5 }]],
    ['lastN', [OP.HISTORY, 1, 't', { lastN: 1_000_001 }]],
    ['lastN', [OP.HISTORY, 1, 't', { lastN: '5' }]],
    ['policy', [OP.SUBSCRIBE, 1, 't', { policy: 'drop' }]],
    ['policy', [OP.SUBSCRIBE, 1, 't', { policy: 1 }]],
    ['maxDelayMs', [OP.SUBSCRIBE, 1, 't', { maxDelayMs: 1001 }]],
    ['maxDelayMs', [OP.SUBSCRIBE, 1, 't', { maxDelayMs: Number.NaN }]],
    ['noEcho', [OP.PUBLISH, 1, 't', 0, { noEcho: 1 }]],
    ['id', [OP.PUBLISH, 1, 't', 0, { id: '' }]],
    ['id', [OP.PUBLISH, 1, 't', 0, { id: 'é'.repeat(33) }]],
    ['id', [OP.PUBLISH, 1, 't', 0, { id: 5 }]],
    ['token', [OP.CONNECT, 1, { token: 'x'.repeat(8193) }]],
    ['clientId', [OP.CONNECT, 1, { clientId: [] }]],
  ];
  it.each(bad)('refuses a bad %s: %j', (name, elements) => {
    expect(problemOf(...elements)).toMatch(new RegExp(`^option ${name} must be `));
  });

  it('takes nil for absent, refuses doubles and keys that are not strings', () => {
    const absent = readOne(reader, encode([OP.SUBSCRIBE, 1, 't', { lastN: null, policy: null }]));
    expect(absent).toMatchObject({ result: READ_FRAME, fields: { options: {} } });
    expect(readOne(reader, fromHex('94 08 01 a1 74 82 a5 6c 61 73 74 4e 01 a5 6c 61 73 74 4e 02')).result).toBe(
      READ_INVALID,
    );
    expect(reader.problem).toBe('option lastN is given twice');
    expect(readOne(reader, fromHex('94 08 01 a1 74 81 05 01')).result).toBe(READ_INVALID);
  });

  it('wants a nil payload with open', () => {
    expect(problemOf(OP.PUBLISH, 1, 't', 0, { open: true })).toBe('with the option open the payload must be nil');
    expect(readOne(reader, encode([OP.PUBLISH, 1, 't', 0, { open: false }])).result).toBe(READ_FRAME);
  });
});

describe('addresses', () => {
  it('applies the rules of topic names', () => {
    expect(problemOf(OP.SUBSCRIBE, 1, '')).toMatch(/empty/);
    expect(problemOf(OP.SUBSCRIBE, 1, 'x'.repeat(256))).toMatch(/256 bytes, at most 255/);
    expect(problemOf(OP.SUBSCRIBE, 1, '$sys')).toMatch(/reserved/);
    expect(problemOf(OP.SUBSCRIBE, 1, 'a\nb')).toMatch(/control/);
    expect(readOne(reader, encode([OP.SUBSCRIBE, 1, 'x'.repeat(255)])).result).toBe(READ_FRAME);
  });

  it('refuses an alias that no server gives, and an alias where only a name can stand', () => {
    expect(problemOf(OP.PUBLISH, 1, 2 ** 32, 0)).toMatch(/alias/);
    expect(problemOf(OP.SUBSCRIBE, 1, 7)).toMatch(/topic must be a string/);
  });

  it('a request id has at most 64 bytes', () => {
    expect(problemOf(OP.PING, 'é'.repeat(33))).toMatch(/request id/);
    expect(readOne(reader, encode([OP.PING, 'é'.repeat(32)])).result).toBe(READ_FRAME);
  });
});

describe('bombs', () => {
  const nested = (levels: number) => concat(new Uint8Array(levels).fill(0x91), Uint8Array.of(0xc0));
  const publish = (payload: Uint8Array) => concat(fromHex('94 04 c0 07'), payload);

  it('bounds the nesting of a payload, and of everything', () => {
    expect(readOne(reader, publish(nested(PAYLOAD_NESTING_MAX))).result).toBe(READ_FRAME);
    expect(readAll(reader, concat(publish(nested(PAYLOAD_NESTING_MAX + 1)), GOOD))).toMatchObject([READ_INVALID, {}]);
    expect(reader.id).toBe('ok');
    expect(readAll(reader, publish(nested(NESTING_MAX)))).toEqual([READ_MALFORMED]);
    expect(readAll(reader, publish(nested(1_000_000)))).toEqual([READ_MALFORMED]);
    expect(readAll(reader, nested(1_000_000))).toEqual([READ_MALFORMED]);
    expect(reader.problem).toMatch(/nested deeper/);
  });

  it.each([
    'dd ff ff ff ff',
    'df ff ff ff ff',
    'df 80 00 00 00',
    'dc ff ff',
    'de ff ff',
    'c6 ff ff ff ff',
    'db ff ff ff ff',
  ])('a length without content costs nothing: %s', (bomb) => {
    expect(readAll(reader, fromHex(bomb))).toEqual([READ_MALFORMED]);
    expect(readAll(reader, publish(fromHex(bomb)))).toEqual([READ_MALFORMED]);
    expect(readAll(reader, concat(fromHex('94 02 c0 a1 74'), fromHex(bomb)))).toEqual([READ_MALFORMED]);
    expect(readAll(reader, concat(fromHex('92 05'), fromHex(bomb)))).toEqual([READ_MALFORMED]);
  });

  it('refuses the one byte that MessagePack never uses', () => {
    expect(readAll(reader, fromHex('c1'))).toEqual([READ_MALFORMED]);
    expect(readAll(reader, publish(fromHex('c1')))).toEqual([READ_MALFORMED]);
  });

  it('gives a message of bad frames up after a few', () => {
    const results = readAll(reader, new Uint8Array(1_000_000));
    expect(results).toHaveLength(BAD_FRAMES_PER_MESSAGE_MAX + 1);
    expect(results.slice(0, -1).every((result) => result === READ_INVALID)).toBe(true);
    expect(results.at(-1)).toBe(READ_MALFORMED);
    expect(reader.problem).toMatch(/^more than 16 bad frames in one message/);
    // The count belongs to the message, not to the connection.
    expect(readAll(reader, concat(new Uint8Array(16), GOOD)).at(-1)).toMatchObject({ op: OP.PING });
  });
});
