/** What both readers make of a PUBLISH_BATCH that is none: one answer, which names the first bad message. */

import { describe, expect, it } from 'vitest';
import { JsonReader } from '#src/protocol/json-reader.js';
import { OP, READ_INVALID } from '#src/protocol/messages.js';
import { encode } from '#src/protocol/msgpack.js';
import { MsgpackReader } from '#src/protocol/msgpack-reader.js';
import { readOne, utf8 } from './support.js';

const json = new JsonReader();
const msgpack = new MsgpackReader();

describe('a batch that cannot be read', () => {
  const bad: [string, unknown, RegExp][] = [
    ['no array', 5, /^messages must be an array of 1 to 10000/],
    ['nothing', [], /^messages must be an array of 1 to 10000/],
    ['too many', new Array(10_001).fill([1]), /^messages must be an array of 1 to 10000/],
    ['no message', [[1], 2], /^messages\[1\]: must be an (array|object)/],
    ['a message of nothing', [[1], []], /^messages\[1\]: must be an (array|object)/],
    ['an unknown option', [[1, { colour: 1 }], 2], /^messages\[0\]: unknown option "colour"/],
    ['a bad option', [[1], [1, { key: 5 }]], /^messages\[1\]: option key must be/],
    ['open', [[1, { open: true }]], /^messages\[0\]: unknown option "open"/],
  ];
  it.each(bad)('%s', (_, messages, problem) => {
    const { result } = readOne(msgpack, encode([OP.PUBLISH_BATCH, 4, 't', messages]));
    expect([result, msgpack.problem, msgpack.id]).toEqual([READ_INVALID, expect.stringMatching(problem), 4]);
    const objectOf = (each: unknown): unknown => {
      if (!Array.isArray(each)) return each;
      return each.length === 0 ? {} : { payload: each[0], ...each[1] };
    };
    const named = Array.isArray(messages) ? messages.map(objectOf) : messages;
    const text = JSON.stringify({ type: 'publish_batch', messages: named, topic: 't', request_id: 4 });
    const asJson = readOne(json, utf8(text));
    expect([asJson.result, json.problem, json.id]).toEqual([READ_INVALID, expect.stringMatching(problem), 4]);
  });

  it.each([
    '{"type":"publish_batch","topic":"t","messages":[{"payload":1,"payload":2}]}',
    '{"type":"publish_batch","topic":"t","messages":[{"payload":1,"id":"a","id":"a"}]}',
    '{"type":"publish_batch","topic":"t","messages":[{"payload":1}],"messages":[{"payload":1}]}',
    '{"type":"publish_batch","topic":"t","message":{"payload":1},"messages":[{"payload":1}]}',
    '{"type":"publish_batch","topic":"t","messages":[{"payload":1}],"message":{"payload":1}}',
    '{"type":"publish","topic":"t","messages":[{"payload":1}]}',
    '{"type":"publish_batch","topic":"t","messages":[{"payload":1},]}',
    '{"type":"publish_batch","topic":"t"}',
  ])('%s', (text) => {
    expect(readOne(json, utf8(text)).result).toBe(READ_INVALID);
    // The next one is read as if nothing had been.
    const good = readOne(json, utf8('{"type":"publish_batch","topic":"t","messages":[{"payload":7}]}'));
    expect(good.fields.messages).toEqual([{ payload: '07', options: null }]);
  });
});
