// The lines of `ringcast sub`, for every kind of value that MessagePack has.
import { describe, expect, it } from 'vitest';
import { eventLine, toJson } from '#src/cli/event-line.js';

const timeMs = Date.UTC(2026, 10, 20, 10, 0, 0, 123);
const EVENT = { topic: 'prices:AAPL', epoch: 'e1', seq: 18, time: timeMs, payload: { price: 1.5 } };

describe('an event as a line', () => {
  it('text: time, topic, sequence number, payload', () => {
    expect(eventLine(EVENT, 'text')).toBe('2026-11-20T10:00:00.123Z prices:AAPL 18 {"price":1.5}');
  });

  it('text: the key, and what became of it', () => {
    expect(eventLine({ ...EVENT, key: 'A\u001b[2J', change: 'delete', payload: null }, 'text')).toBe(
      '2026-11-20T10:00:00.123Z prices:AAPL 18 A�[2J delete null',
    );
  });

  it('json: all fields, the id only where there is one', () => {
    const position = '"topic":"prices:AAPL","epoch":"e1","seq":18';
    const fields = `${position},"time":"2026-11-20T10:00:00.123Z","payload":{"price":1.5}`;
    expect(eventLine(EVENT, 'json')).toBe(`{${fields}}`);
    expect(eventLine({ ...EVENT, id: 'm' }, 'json')).toBe(`{${fields},"id":"m"}`);
  });

  it('raw: the payload', () => {
    expect(eventLine(EVENT, 'raw')).toBe('{"price":1.5}');
  });
});

describe('values that JSON lacks', () => {
  it.each([
    [new Uint8Array([1, 2, 255]), '"AQL/"'],
    [Buffer.from([1, 2, 255]), '"AQL/"'],
    [2n ** 63n, '9223372036854775808'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [{ a: [1n, { b: new Uint8Array([0]) }] }, '{"a":[1,{"b":"AA=="}]}'],
    ['two\nlines', '"two\\nlines"'],
    [null, 'null'],
  ])('%o', (value, expected) => expect(toJson(value)).toBe(expected));
});
