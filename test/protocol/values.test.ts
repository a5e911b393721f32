/** Single values: encode, decode, skip, strings, topic names, EVENT heads, MessagePack as JSON. */

import { describe, expect, it } from 'vitest';
import { ByteCursor, NONE } from '#src/protocol/byte-cursor.js';
import { decodeServerFrames } from '#src/protocol/client-frames.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { EVENT_HEAD_MAX_BYTES, EventHead, EventView, eventTail } from '#src/protocol/event.js';
import { eventToJson } from '#src/protocol/json-event.js';
import { PAYLOAD_NESTING_MAX, READ_FRAME } from '#src/protocol/messages.js';
import { decode, encode, SKIP_INCOMPLETE, SKIP_INVALID, skipValue } from '#src/protocol/msgpack.js';
import { MsgpackReader } from '#src/protocol/msgpack-reader.js';
import { msgpackToJson } from '#src/protocol/msgpack-to-json.js';
import { ExtensionValue } from '#src/protocol/msgpack-types.js';
import { topicNameProblem } from '#src/protocol/topic-name.js';
import { decodeUtf8, encodeUtf8, utf8Length } from '#src/protocol/utf8.js';
import { concat, fromHex, fromUtf8, readOne, seededRandom, toHex } from './support.js';

/** One value of each MessagePack type, the shortest and longest of those with lengths. */
const TYPES = [
  ...['00', '7f', 'e0', 'ff', '80', '81 a1 61 00', '90', '91 c0', 'a0', 'a1 61', 'c0', 'c2', 'c3'],
  ...['c4 00', 'c4 02 01 02', 'c5 00 01 ff', 'c6 00 00 00 01 ff', 'c7 00 05', 'c7 01 05 00', 'c8 00 01 05 00'],
  ...['c9 00 00 00 01 05 00', 'ca 3f 80 00 00', 'cb 3f f0 00 00 00 00 00 00', 'cc ff', 'cd ff ff', 'ce ff ff ff ff'],
  ...['cf 00 00 00 00 00 00 00 01', 'd0 80', 'd1 80 00', 'd2 80 00 00 00', 'd3 ff ff ff ff ff ff ff ff'],
  ...['d4 05 00', 'd5 05 00 00', 'd6 05 00 00 00 00', 'd7 05 00 00 00 00 00 00 00 00'],
  ...[`d8 05${' 00'.repeat(16)}`, 'd9 01 61', 'da 00 01 61', 'db 00 00 00 01 61', 'dc 00 01 c0', 'dd 00 00 00 01 c0'],
  ...['de 00 01 c0 c0', 'df 00 00 00 01 c0 c0', '82 a1 61 92 01 02 a1 62 81 c0 c0'],
];

describe('skipValue', () => {
  it.each(TYPES)('finds the end of %s, and that a shorter one is incomplete', (hex) => {
    const bytes = concat(fromHex(hex), Uint8Array.of(0xc0, 0xc0));
    const length = bytes.length - 2;
    expect(skipValue(bytes, 0, bytes.length)).toBe(length);
    expect(skipValue(bytes, 0, length)).toBe(length);
    for (let end = 0; end < length; end++) expect(skipValue(bytes, 0, end)).toBe(SKIP_INCOMPLETE);
  });

  it('refuses 0xc1 and values that are nested too deep', () => {
    expect(skipValue(fromHex('c1'), 0, 1)).toBe(SKIP_INVALID);
    expect(skipValue(fromHex('92 00 c1'), 0, 3)).toBe(SKIP_INVALID);
    expect(skipValue(fromHex('91 91 91 c0'), 0, 4, 3)).toBe(4);
    expect(skipValue(fromHex('91 91 91 c0'), 0, 4, 2)).toBe(SKIP_INVALID);
  });
});

describe('encode and decode', () => {
  it('give values back', () => {
    for (const value of [null, true, -1, 1.5, 2 ** 53 - 1, 'é', [1, [2]], { a: { b: [] } }, new Uint8Array([1, 2])]) {
      expect(decode(encode(value))).toEqual(value);
    }
    expect(decode(encode(undefined))).toBeNull();
    expect(decode(encode({ gone: undefined }))).toEqual({ gone: null });
    expect(decode(fromHex('cf 00 00 00 01 00 00 00 00'))).toBe(2 ** 32);
    expect(decode(fromHex('cf ff ff ff ff ff ff ff ff'))).toBe(2n ** 64n - 1n);
    expect(decode(encode(new Date(1_700_000_000_123)))).toEqual(new Date(1_700_000_000_123));
  });

  it('encode into memory of their own, and decode copies', () => {
    const first = encode('one');
    const kept = toHex(first);
    for (let count = 0; count < 1000; count++) encode({ count });
    expect(toHex(first)).toBe(kept);
    expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype);
    const source = encode(new Uint8Array([1, 2]));
    const decoded = decode(source) as Uint8Array;
    source.fill(0);
    expect([...decoded]).toEqual([1, 2]);
  });

  it('decode reads shared memory', () => {
    const bytes = encode({ text: 'x'.repeat(300), more: 'é' });
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 2));
    shared.set(bytes, 1);
    expect(decode(shared, 1, shared.length - 1)).toEqual({ text: 'x'.repeat(300), more: 'é' });
  });

  it('decode refuses what is not one complete value', () => {
    for (const hex of ['', '91', '00 00', 'c1', 'd4 72', '81 a1 61']) {
      expect(() => decode(fromHex(hex)), hex).toThrow(/one complete/);
    }
  });
});

describe('numbers', () => {
  it('ByteCursor reads what DataView wrote', () => {
    const random = seededRandom(7);
    const cursor = new ByteCursor();
    const kinds = [
      ...[[0xcc, 1, 'Uint8'] as const, [0xcd, 2, 'Uint16'] as const, [0xce, 4, 'Uint32'] as const],
      ...[[0xd0, 1, 'Int8'] as const, [0xd1, 2, 'Int16'] as const, [0xd2, 4, 'Int32'] as const],
      ...[[0xca, 4, 'Float32'] as const, [0xcb, 8, 'Float64'] as const],
      ...[[0xcf, 8, 'BigUint64'] as const, [0xd3, 8, 'BigInt64'] as const],
    ];
    for (let round = 0; round < 2000; round++) {
      const [type, bodyBytes, kind] = kinds[round % kinds.length];
      const view = new DataView(new ArrayBuffer(bodyBytes + 1));
      view.setUint8(0, type);
      const written = Math.floor(random() * 2 ** (round % 54)) * (round % 3 === 0 ? -1 : 1);
      if (kind === 'BigUint64' || kind === 'BigInt64') view[`set${kind}`](1, BigInt(written));
      else view[`set${kind}`](1, kind === 'Float64' ? written / 3 : written);
      const value = Number(view[`get${kind}`](1));
      cursor.bytes = new Uint8Array(view.buffer);
      cursor.end = cursor.bytes.length;
      cursor.offset = 0;
      expect(cursor.unsigned()).toBe(Number.isSafeInteger(value) && value >= 0 ? value : NONE);
      cursor.offset = 0;
      expect(cursor.number()).toBe(value);
      expect(cursor.offset).toBe(bodyBytes + 1);
      cursor.offset = 0;
      cursor.end -= 1;
      expect(cursor.unsigned()).toBe(NONE);
      expect(cursor.number()).toBeNaN();
      expect(cursor.offset).toBe(0);
    }
  });
});

describe('UTF-8', () => {
  it('decodes, measures and refuses', () => {
    for (const text of ['', 'abc', 'é€😀', '\ufeffbom', 'x'.repeat(1000), `${'x'.repeat(300)}é`]) {
      const bytes = encodeUtf8(text);
      expect(utf8Length(text)).toBe(bytes.length);
      expect(decodeUtf8(bytes, 0, bytes.length)).toBe(text);
      const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
      shared.set(bytes);
      expect(decodeUtf8(shared, 0, shared.length)).toBe(text);
    }
    for (const half of ['\ud800', 'a\udc00', '\ud800x', '\udc00\ud800']) expect(utf8Length(half)).toBe(-1);
    expect(decodeUtf8(fromHex('c3 28'), 0, 2)).toBeNull();
    expect(decodeUtf8(fromHex('ed a0 80'), 0, 3)).toBeNull();
  });
});

describe('topic names', () => {
  it('1 to 255 bytes of UTF-8 without control characters, not starting with $', () => {
    for (const name of ['a', 'x'.repeat(255), 'é'.repeat(127), 'a$', ' ', 'a/b?c=d&e#f', '日本', '😀']) {
      expect(topicNameProblem(name)).toBeNull();
    }
    expect(topicNameProblem('')).toMatch(/empty/);
    expect(topicNameProblem('x'.repeat(256))).toMatch(/256 bytes, at most 255/);
    expect(topicNameProblem('é'.repeat(128))).toMatch(/256 bytes/);
    expect(topicNameProblem('$a')).toMatch(/reserved/);
    expect(topicNameProblem('\ud800')).toMatch(/UTF-8/);
    for (const control of ['\0', '\x1f', '\x7f', '\x80', '\x9f', '\n'])
      expect(topicNameProblem(`a${control}`)).toMatch(/control/);
  });

  it('the reader keeps many names apart', () => {
    const reader = new MsgpackReader();
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 3000; index++) {
        const name = index % 10 === 0 ? `préis:${index}` : `prices:${index}`;
        const { result, fields } = readOne(reader, encode([4, null, name, index]));
        expect(result).toBe(READ_FRAME);
        expect(fields.topic).toBe(name);
      }
    }
  });
});

describe('EVENT', () => {
  it('a head is never longer than announced, and ids have a limit', () => {
    const head = new EventHead();
    expect(head.bytes.length).toBe(EVENT_HEAD_MAX_BYTES);
    expect(head.write(1, 0xffff_ffff, 0, 0)).toBe(21);
    expect(head.write(1, Number.MAX_SAFE_INTEGER, 0, 0)).toBe(25);
    const view = new EventView();
    expect(view.read(concat(head.bytes, Uint8Array.of(0)), 0, 26)).toBe(true);
    expect(view.seq).toBe(Number.MAX_SAFE_INTEGER);
    expect(eventTail({ id: 'x'.repeat(31) }).length).toBe(33);
    expect(eventTail({ id: 'x'.repeat(32) }).length).toBe(35);
    expect(() => eventTail({ id: 'x'.repeat(65) })).toThrow(RangeError);
  });

  it('refuses every other shape', () => {
    const view = new EventView();
    const good = fromHex('95 23 ce 00 00 00 07 ce 00 00 00 12 cb 42 7a 1f 86 60 c0 60 00 05');
    expect(view.read(good, 0, good.length)).toBe(true);
    for (const index of [0, 1, 2, 7, 12]) {
      const bad = good.slice();
      bad[index] = 0x00;
      expect(view.read(bad, 0, bad.length)).toBe(false);
    }
    expect(() => decodeServerFrames(fromHex('95 23 07 01 00 05'))).toThrow(/fixed-width head/);
    expect(() => eventToJson('t', good, 0, good.length - 1)).toThrow(/canonical/);
  });
});

describe('MessagePack as JSON', () => {
  const json = (hex: string) => msgpackToJson(fromHex(hex), 0, fromHex(hex).length);

  it('has a form for everything', () => {
    expect(json('cf 00 20 00 00 00 00 00 01')).toBe('9007199254740993');
    expect(json('d3 80 00 00 00 00 00 00 00')).toBe('-9223372036854775808');
    expect(json('cb 43 40 00 00 00 00 00 00')).toBe('9.007199254740992e+15');
    expect(json('cb 80 00 00 00 00 00 00 00')).toBe('-0');
    expect(json('cb 7f f0 00 00 00 00 00 00')).toBe('null');
    expect(json('c4 03 ff fe fd')).toBe('"//79"');
    expect(json('d7 ff 1d 53 53 00 65 53 f1 00')).toBe('"2023-11-14T22:13:20.123Z"');
    expect(json('c7 0c ff 07 54 d4 c0 ff ff ff ff ff ff ff ff')).toBe('"1969-12-31T23:59:59.123Z"');
    expect(json('c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff')).toMatch(/^\{"ext":-1,"data":"/);
    expect(json('84 c0 01 c3 02 91 01 03 cb 3f f8 00 00 00 00 00 00 04')).toBe('{"null":1,"true":2,"[1]":3,"1.5":4}');
    expect(json('81 a9 5f 5f 70 72 6f 74 6f 5f 5f 01')).toBe('{"__proto__":1}');
    expect(json('a2 c3 28')).toBe('"\ufffd("');
    const big = encode(new Uint8Array(100_000).fill(65));
    expect(atob(JSON.parse(msgpackToJson(big, 0, big.length)))).toBe('A'.repeat(100_000));
  });

  it('is what JSON.stringify would say of JSON values', () => {
    const value = { s: 'q"\\\n\u2028é', n: [0, -1, 1.25, 1e300, 2 ** 40, -(2 ** 20)], o: { '': null, '1': true } };
    const bytes = encode(value);
    expect(JSON.parse(msgpackToJson(bytes, 0, bytes.length))).toEqual(value);
  });
});

describe('HISTORY', () => {
  it('carries any payload', () => {
    const head = new EventHead();
    const frames = ['d4 05 01', 'a2 68 69', `${'91 '.repeat(PAYLOAD_NESTING_MAX)}c0`].map((payload, index) => {
      const headBytes = head.write(7, index + 1, 5, 0);
      const bytes = concat(head.bytes.slice(0, headBytes), fromHex(payload));
      return { bytes, start: 0, end: bytes.length };
    });
    const frame = msgpackEncoder.history('h', { topic: 't', epoch: 'e', seq: 3 }, frames);
    const [message] = decodeServerFrames(frame);
    if (message?.type !== 'ok') throw new Error('not an OK');
    const entries = message.result.messages as unknown[][];
    expect(entries.slice(0, 2)).toEqual([
      [1, 5, new ExtensionValue(5, Uint8Array.of(1))],
      [2, 5, 'hi'],
    ]);
    expect(entries[2].slice(0, 2)).toEqual([3, 5]);
    expect(fromUtf8(encodeUtf8(JSON.stringify(entries[2][2])))).toBe(`${'['.repeat(100)}null${']'.repeat(100)}`);
  });
});
