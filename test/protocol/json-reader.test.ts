/** What JsonReader makes of messages that are broken, of the wrong types, unknown, or built to do harm. */

import { beforeEach, describe, expect, it } from 'vitest';
import { JsonReader } from '#src/protocol/json-reader.js';
import {
  OP,
  OPTIONS,
  PAYLOAD_NESTING_MAX,
  READ_END,
  READ_FRAME,
  READ_INVALID,
  READ_MALFORMED,
} from '#src/protocol/messages.js';
import { decode } from '#src/protocol/msgpack.js';
import { decodeUtf8 } from '#src/protocol/utf8.js';
import { fromHex, readAll, readOne, utf8, vectors } from './support.js';

let reader: JsonReader;
beforeEach(() => {
  reader = new JsonReader();
});

function problemOf(message: unknown): string {
  const { result } = readOne(reader, utf8(typeof message === 'string' ? message : JSON.stringify(message)));
  expect(result).toBe(READ_INVALID);
  return reader.problem;
}

const publish = (payload: unknown) => ({ type: 'publish', topic: 't', message: { payload } });

describe('text that is not JSON', () => {
  const json = vectors.client.filter((vector) => vector.json !== null);
  it.each(json)('$name: is one bad frame at every length', (vector) => {
    const bytes = utf8(vector.json!);
    for (let end = 1; end < bytes.length; end++) {
      if (decodeUtf8(bytes, 0, end) === null) continue; // cut within a character
      expect(readAll(reader, bytes, 0, end)).toEqual([READ_INVALID]);
      expect(reader.problem).toMatch(/^the message is not JSON: ./);
    }
    expect(readAll(reader, bytes)).toEqual([vector.read]);
  });

  it('costs that message and not the connection, and its request is named', () => {
    expect(problemOf('hello')).toMatch(/^the message is not JSON: /);
    expect(problemOf('{"type":"ping"}{"type":"ping"}')).toMatch(/^the message is not JSON: /);
    expect(problemOf('{"type":"publish","topic":"t","request_id":7,"message":{"payload":NaN}}')).toMatch(/not JSON/);
    expect(reader.id).toBe(7);
    expect(problemOf('{"type":"publish","topic":"t","message":{"payload":[1e999]},"request_id":"r8"}')).toMatch(
      /float64/,
    );
    expect(reader.id).toBe('r8');
  });

  it('is malformed where it is not even UTF-8', () => {
    expect(readAll(reader, fromHex('22 c3 28 22'))).toEqual([READ_MALFORMED]);
    for (const text of ['{"type":"\xff"}', '{"type":"ping","request_id":"\xff"}', '{"\xff":1}', '{} \xff', '\xff']) {
      const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
      expect(readAll(reader, bytes), text).toEqual([READ_MALFORMED]);
      expect(reader.problem).toBe('the message is not valid UTF-8');
    }
  });

  it('an empty message is nothing', () => {
    expect(readAll(reader, utf8(''))).toEqual([]);
    expect(reader.next()).toBe(READ_END);
  });
});

describe('messages', () => {
  it('must be objects with a known type', () => {
    for (const value of [null, 5, 'text', true, [], [1]])
      expect(problemOf(JSON.stringify(value))).toMatch(/JSON object/);
    for (const type of [undefined, null, 5, '', 'Ping', 'event', 'constructor', '__proto__']) {
      expect(problemOf({ type, request_id: 'r1' })).toMatch(/^unknown type; known are connect, subscribe, /);
      expect(reader.id).toBe('r1');
    }
  });

  it('have a request_id that is a string or a natural number', () => {
    for (const id of [-1, 1.5, 2 ** 53, true, {}, [], 'x'.repeat(65)]) {
      expect(problemOf({ type: 'ping', request_id: id })).toMatch(/^request_id must be/);
      expect(reader.id).toBeNull();
    }
    expect(problemOf('{"type":"ping","request_id":"\\ud800"}')).toMatch(/^request_id must be/);
    for (const id of [0, 'r', '', 'x'.repeat(64)]) {
      expect(readOne(reader, utf8(JSON.stringify({ type: 'ping', request_id: id }))).fields.id).toBe(id);
    }
    expect(readOne(reader, utf8('{"type":"ping","request_id":null}')).result).toBe(READ_FRAME);
  });

  it('name topics by the same rules as MessagePack', () => {
    for (const topic of [undefined, null, 7, {}])
      expect(problemOf({ type: 'subscribe', topic })).toBe('topic must be a string');
    expect(problemOf({ type: 'subscribe', topic: '' })).toMatch(/empty/);
    expect(problemOf({ type: 'subscribe', topic: 'x'.repeat(256) })).toMatch(/256 bytes/);
    expect(problemOf({ type: 'unsubscribe', topic: '$x' })).toMatch(/reserved/);
    expect(problemOf({ type: 'history', topic: 'a\u0085b' })).toMatch(/control/);
    expect(problemOf('{"type":"subscribe","topic":"a\\udc00"}')).toMatch(/UTF-8/);
  });

  it('have no unknown fields', () => {
    const names = Object.values(OPTIONS.SUBSCRIBE).map(({ json }) => json);
    expect(problemOf({ type: 'subscribe', topic: 't', lastN: 5 })).toBe(
      `unknown option "lastN" of subscribe; it takes type, request_id, topic, ${names.join(', ')}`,
    );
    expect(problemOf({ ...publish(1), open: true })).toMatch(/^unknown option "open"/);
    expect(problemOf('{"type":"ping","type":"ping"}')).toBe('type is given twice');
    expect(problemOf('{"type":"ping","__proto__":{}}')).toMatch(/^unknown option "__proto__"/);
    expect(problemOf({ type: 'publish', topic: 't', message: { payload: 1, key: 2 } })).toMatch(
      /^unknown option "key"/,
    );
  });

  const bad: [string, object][] = [
    ['last_n', { last_n: -1 }],
    ['last_n', { last_n: '5' }],
    ['policy', { policy: 'none' }],
    ['max_delay_ms', { max_delay_ms: 1001 }],
    ['client_id', { client_id: '' }],
    ['client_id', { client_id: 5 }],
  ];
  it.each(bad)('refuse a bad %s: %j', (name, option) => {
    expect(problemOf({ type: 'subscribe', topic: 't', ...option })).toMatch(new RegExp(`^option ${name} must be`));
  });

  it('take null for absent, and a client_id anywhere', () => {
    const text = '{"type":"subscribe","topic":"t","last_n":null,"policy":null}';
    expect(readOne(reader, utf8(text))).toMatchObject({ result: READ_FRAME, fields: { options: null } });
    const ping = readOne(reader, utf8('{"type":"ping","client_id":"s1"}'));
    expect(ping).toMatchObject({ result: READ_FRAME, fields: { op: OP.PING, options: null } });
  });
});

describe('payloads', () => {
  it('are read as MessagePack of the same value', () => {
    const values = [null, 0, -5, 1.5, 2 ** 40, '', 'é€😀', [], {}, [1, [2, { a: null }]], { a: { b: [true, false] } }];
    for (const value of values) {
      const { result, fields } = readOne(reader, utf8(JSON.stringify(publish(value))));
      expect(result).toBe(READ_FRAME);
      expect(decode(fromHex(fields.payload))).toEqual(value);
    }
  });

  it('must be there, in a message object', () => {
    expect(problemOf({ type: 'publish', topic: 't' })).toMatch(/^message must be an object/);
    expect(problemOf({ type: 'publish', topic: 't', message: 'x' })).toMatch(/^message must be an object/);
    expect(problemOf({ type: 'publish', topic: 't', message: {} })).toBe('message.payload is missing');
    expect(problemOf({ type: 'publish', topic: 't', message: { id: 5, payload: 1 } })).toMatch(/message\.id must be/);
    expect(problemOf('{"type":"publish","topic":"t","message":{"payload":1,"payload":2}}')).toMatch(/given twice/);
    expect(problemOf('{"type":"publish","topic":"t","message":{"id":"a","id":"b","payload":2}}')).toMatch(
      /given twice/,
    );
  });

  it('must have a UTF-8 form', () => {
    for (const payload of ['"\\ud800"', '["\\uDBFF"]', '{"\\udc00":1}', '{"a":["x\\ud800y"]}']) {
      expect(problemOf(`{"type":"publish","topic":"t","message":{"payload":${payload}}}`)).toMatch(/surrogate/);
    }
    const pair = readOne(reader, utf8('{"type":"publish","topic":"t","message":{"payload":"\\ud83d\\ude00"}}'));
    expect(decode(fromHex(pair.fields.payload))).toBe('😀');
  });

  it('are bounded in nesting', () => {
    const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    const text = (levels: number) => `{"type":"publish","topic":"t","message":{"payload":${nested(levels)}}}`;
    expect(readOne(reader, utf8(text(PAYLOAD_NESTING_MAX))).result).toBe(READ_FRAME);
    expect(problemOf(text(PAYLOAD_NESTING_MAX + 1))).toMatch(/nested deeper/);
    expect(problemOf(text(100_000))).toMatch(/nested deeper/);
  });
});
