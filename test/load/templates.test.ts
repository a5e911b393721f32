// JSON templates: what is filled in, and that the payload is found in whatever a server makes of it.
import { describe, expect, it } from 'vitest';
import type { EventSink } from '#src/load/dialect.js';
import { createDialect, createPayloadForm, formBytes } from '#src/load/dialects.js';
import { templateProblem } from '#src/load/json-template-dialect.js';

const PAYLOAD_BYTES = 120;

function dialectOf(publish: string, counting = false) {
  const templates = { subscribe: '{"op":"sub","ch":"{{topic}}","id":{{id}}}', publish, connect: '{"hello":{{id}}}' };
  return createDialect({
    ...{ protocol: 'json', path: '/', topics: ['a', 'say "hi"'], payloadBytes: PAYLOAD_BYTES },
    ...{ templates, counting },
  });
}

/** The publish message as it would be sent. */
function published(publish: string, topic: number, seq: number): string {
  const { head, tail } = dialectOf(publish).publishFrame(topic);
  const length = formBytes('json', PAYLOAD_BYTES);
  const bytes = new Uint8Array(head.length + length + tail.length);
  bytes.set(head);
  const form = createPayloadForm('json', PAYLOAD_BYTES, 1);
  form.fill(bytes, head.length, head.length + length);
  form.write(bytes, new DataView(bytes.buffer), head.length, head.length + length, topic, seq, 1234.567);
  bytes.set(tail, head.length + length);
  return Buffer.from(bytes).toString();
}

/** What is found in a message: topic, number and time of each payload, or null where it is damaged. */
function found(message: string): unknown[] {
  const bytes = Buffer.from(message);
  const form = createPayloadForm('json', PAYLOAD_BYTES, 1);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const payloads: unknown[] = [];
  const sink: EventSink = {
    payload: (_, start, end) => {
      payloads.push(form.read(bytes, view, start, end) ? [form.topic, form.seq, form.sentMs] : null);
    },
    ...{ acknowledged: () => {}, published: () => {}, gap: () => {}, problem: () => {} },
  };
  dialectOf('{{payload}}').read(0, bytes, view, 0, bytes.length, sink, true);
  return payloads;
}

describe('templates', () => {
  it('are filled in: topics as JSON has them, ids that count', () => {
    const dialect = dialectOf('{"op":"pub","ch":"{{topic}}","data":{{payload}}}');
    const bodies = dialect.subscribe([0, 1]).map((body) => JSON.parse(Buffer.from(body).toString()));
    expect(bodies).toEqual([
      { op: 'sub', ch: 'a', id: expect.any(Number) },
      { op: 'sub', ch: 'say "hi"', id: bodies[0].id + 1 },
    ]);
    expect(JSON.parse(Buffer.from(dialect.greeting!).toString())).toEqual({ hello: bodies[0].id - 1 });
  });

  it('put a payload of the asked size where it belongs', () => {
    const message = JSON.parse(published('{"ch":"{{topic}}","data":{{payload}},"end":"{{topic}}"}', 1, 5));
    expect(message).toEqual({ ch: 'say "hi"', data: { load: expect.any(String) }, end: 'say "hi"' });
    expect(JSON.stringify(message.data)).toHaveLength(PAYLOAD_BYTES);
    expect(JSON.parse(published('{"text":"<{{token}}>"}', 1, 5)).text).toMatch(/^<rcLoad1\..*\.>$/);
  });

  it.each<[string, (message: string) => string]>([
    ['as it is', (message) => message],
    ['wrapped', (message) => JSON.stringify({ a: 1, list: [JSON.parse(message)], z: 'rcLoad' })],
    ['as text within text', (message) => JSON.stringify({ body: JSON.stringify(JSON.parse(message), null, 2) })],
  ])('the payload is found %s', (_, wrap) => {
    expect(found(wrap(published('{"data":{{payload}}}', 1, 99)))).toEqual([[1, 99, 1234.567]]);
  });

  it('several payloads in one message are found', () => {
    const messages = [1, 2, 3].map((seq) => published('{"data":{{payload}}}', 0, seq));
    expect(found(`${messages.join('\n')}\n`)).toEqual([1, 2, 3].map((seq) => [0, seq, 1234.567]));
  });

  it('what has no payload is none, and what has half of one is damaged', () => {
    expect(found('{"ok":true,"rcLoad1":"rcLoad"}')).toEqual([]);
    const message = published('{"data":{{payload}}}', 0, 1);
    expect(found(message.slice(0, -10))).toEqual([null]);
    expect(found(message.slice(0, 30))).toEqual([null]);
    expect(found(message.replace('xxx', 'xx'))).toEqual([null]);
  });

  it.each<[Parameters<typeof templateProblem>[0], string, RegExp]>([
    ['publish', '{"ch":"{{topic}}"}', /exactly once/],
    ['publish', '{"a":{{payload}},"b":"{{token}}"}', /exactly once/],
    ['publish', '{"a":{{payload}},"b":{{chanel}}}', /\{\{chanel\}\} is not known there/],
    ['subscribe', '{"a":{{payload}}}', /\{\{payload\}\} is not known there; there are \{\{topic\}\}, \{\{id\}\}/],
    ['subscribe', '{"ch":{{topic}}}', /filled in, it is not JSON/],
    ['connect', '{"ch":"{{topic}}"}', /not known/],
  ])('%s %s is refused', (kind, template, problem) => {
    expect(templateProblem(kind, template)).toMatch(problem);
  });

  it.each<[Parameters<typeof templateProblem>[0], string]>([
    ['publish', '{"id":{{id}},"ch":"{{topic}}","data":{{payload}}}'],
    ['publish', '["pub","{{topic}}","{{token}}"]'],
    ['subscribe', '{"id":{{id}},"subscribe":{"channel":"{{topic}}"}}'],
    ['connect', '{"id":{{id}},"connect":{}}'],
  ])('%s %s is fine', (kind, template) => {
    expect(templateProblem(kind, template)).toBeNull();
  });
});
