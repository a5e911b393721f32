// JSON templates: what is filled in, and that the payload is found in whatever a server makes of it.
import { describe, expect, it } from 'vitest';
import type { EventSink } from '#src/load/dialect.js';
import { createDialect, createPayloadForm, formBytes } from '#src/load/dialects.js';
import { type JsonTemplates, templateProblem } from '#src/load/json-templates.js';
import type { LoadDialect } from '#src/load/load-dialect.js';

const PAYLOAD_BYTES = 120;

const SUBSCRIBE = '{"op":"sub","ch":"{{topic}}","id":{{id}}}';

function dialectOf(publish: string, more: Partial<JsonTemplates> = {}, counting = false) {
  const templates = { subscribe: SUBSCRIBE, publish, connect: '{"hello":{{id}}}', ...more };
  return createDialect({
    ...{ protocol: 'json', path: '/', topics: ['a', 'say "hi"'] },
    ...{ templates, counting },
  });
}

/** The publish message as it would be sent. */
function published(publish: string, topic: number, seq: number): string {
  return messageOf(dialectOf(publish), topic, seq);
}

function messageOf(dialect: LoadDialect, topic: number, seq: number): string {
  const length = formBytes('json', PAYLOAD_BYTES);
  const bytes = new Uint8Array(dialect.publishBytes(length, topic));
  const start = dialect.writePublish(bytes, 0, topic, length);
  const form = createPayloadForm('json', PAYLOAD_BYTES, 1);
  form.fill(bytes, start, start + length);
  form.write(bytes, new DataView(bytes.buffer), start, start + length, topic, seq, 1234.567);
  return Buffer.from(bytes).toString();
}

/** What subscribes to the topics. */
function subscribed(dialect: LoadDialect, topics: readonly number[]) {
  const bodies: { op: string; ch: string; id: number }[] = [];
  const send = (body: Uint8Array): void => {
    bodies.push(JSON.parse(Buffer.from(body).toString()));
  };
  dialect.subscribe({ index: 0, send, ready: () => {}, upgrade: () => {} }, topics);
  return bodies;
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

const KEEP_ALIVE: Partial<JsonTemplates> = { ping: '{}', pong: '{"pong":1}' };
/** Opcode and body. */
const ANSWER = '1 {"pong":1}';

/** What a message is answered with, and how many payloads are found in it. */
function heard(text: string, counting = false): { answers: string[]; payloads: number } {
  const dialect = dialectOf('{{payload}}', KEEP_ALIVE, counting);
  const answers: string[] = [];
  dialect.opened!({
    index: 3,
    send: (body, opcode) => answers.push(`${opcode} ${Buffer.from(body)}`),
    ...{ ready: () => {}, upgrade: () => {} },
  });
  // Behind other bytes, as in a receive buffer.
  const bytes = Buffer.from(`{}\n${text}\n{}`);
  const [start, end] = [3, bytes.length - 3];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let payloads = 0;
  const sink: EventSink = {
    payload: () => {
      payloads++;
    },
    ...{ acknowledged: () => {}, published: () => {}, gap: () => {}, problem: () => {} },
  };
  dialect.read(3, bytes, view, start, end, sink, true);
  expect(dialect.remarks).not.toContain('{}');
  return { answers, payloads };
}

describe('templates', () => {
  it('are filled in: topics as JSON has them, ids that count', () => {
    const dialect = dialectOf('{"op":"pub","ch":"{{topic}}","data":{{payload}}}');
    const bodies = subscribed(dialect, [0, 1]);
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

  it('give every publish an id of its own', () => {
    const dialect = dialectOf('{"id":{{id}},"ch":"{{topic}}","data":{{payload}},"again":"x{{id}}"}');
    const { id } = subscribed(dialect, [0])[0];
    for (let seq = 1; seq <= 12; seq++) {
      const message = JSON.parse(messageOf(dialect, seq % 2, seq));
      expect(message).toEqual({
        id: id + seq,
        ch: expect.any(String),
        data: expect.anything(),
        again: `x${message.id}`,
      });
    }
  });

  it.each<[string, string]>([
    ['alone', '{}'],
    ['before other lines', '{}\n{"id":1}'],
    ['between them', '{"id":1}\n{}\n{"id":2}'],
    ['behind them', '{"id":1}\n{}'],
    ['with the line ended', '{}\n'],
  ])('a ping %s is answered', (_, text) => {
    expect(heard(text)).toEqual({ answers: [ANSWER], payloads: 0 });
  });

  it.each<[string, string]>([
    ['within a line', '{"a":{}}'],
    ['longer', '{} '],
    ['shorter', '{'],
    ['not there', '\n'],
  ])('what is %s is no ping', (_, text) => {
    expect(heard(text)).toEqual({ answers: [], payloads: 0 });
  });

  it('a ping beside a payload is answered, too', () => {
    const message = published('{"data":{{payload}}}', 0, 1);
    expect(heard(`${message}\n{}`)).toEqual({ answers: [ANSWER], payloads: 1 });
    expect(heard(message)).toEqual({ answers: [], payloads: 1 });
  });

  it('a ping is no message where messages are counted', () => {
    expect(heard('{}', true)).toEqual({ answers: [ANSWER], payloads: 0 });
    expect(heard('{"a":1}', true)).toEqual({ answers: [], payloads: 1 });
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
    ['ping', '{"at":{{id}}}', /\{\{id\}\} is not known there; there are none/],
    ['pong', 'pong', /not JSON/],
  ])('%s %s is refused', (kind, template, problem) => {
    expect(templateProblem(kind, template)).toMatch(problem);
  });

  it.each<[Parameters<typeof templateProblem>[0], string]>([
    ['publish', '{"id":{{id}},"ch":"{{topic}}","data":{{payload}}}'],
    ['publish', '["pub","{{topic}}","{{token}}"]'],
    ['subscribe', '{"id":{{id}},"subscribe":{"channel":"{{topic}}"}}'],
    ['connect', '{"id":{{id}},"connect":{}}'],
    ['ping', '{}'],
    ['pong', '3'],
  ])('%s %s is fine', (kind, template) => {
    expect(templateProblem(kind, template)).toBeNull();
  });
});
