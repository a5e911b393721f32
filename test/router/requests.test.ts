// REQUEST: a handler of the application answers, at once, later, or not at all.

import { describe, expect, it } from 'vitest';
import { RingcastError } from '#src/errors.js';
import type { RequestInfo } from '#src/router/requests.js';
import { type RouterClient, RouterLab } from './router-lab.js';

/** A promise's callbacks run between turns. */
const microtasks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function answers(client: RouterClient): Promise<unknown[]> {
  await microtasks();
  return client.take().map((frame) => {
    if (frame.type === 'ok') return [frame.id, frame.result];
    return frame.type === 'error' ? [frame.id, frame.code] : frame.type;
  });
}

describe('a request', () => {
  it('is answered by its handler, at once or later', async () => {
    const lab = new RouterLab();
    const seen: RequestInfo[] = [];
    lab.router.requests.handle('add', (params, info) => {
      seen.push(info);
      const [a, b] = params as [number, number];
      return a + b;
    });
    lab.router.requests.handle('later', async (params) => ({ said: params }));
    const client = lab.client();
    client.send({ type: 'request', id: 1, method: 'add', params: [1, 2], options: { traceId: 't' } });
    client.send({ type: 'request', id: 2, method: 'later' }, { type: 'ping', id: 3 });
    client.send({ type: 'request', method: 'add', params: [1, 1] });
    const got = await answers(client);
    expect(got[0], 'later frames do not wait').toBe('pong');
    expect(got.slice(1)).toEqual([
      [1, { traceId: 't', result: 3 }],
      [2, { result: { said: null } }],
    ]);
    expect(seen[0]).toMatchObject({ method: 'add', traceId: 't', connectionId: client.session.connectionId });
    expect(lab.faults).toEqual([]);
  });

  it('in JSON is answered by a response', async () => {
    const lab = new RouterLab();
    lab.router.requests.handle('echo', (params) => params);
    const client = lab.jsonClient();
    client.sendJson({ type: 'request', request_id: 'r', action: 'echo', payload: { __proto__x: [1] }, trace_id: 't' });
    client.sendJson({ type: 'request', request_id: 's', action: 'nothing' });
    await microtasks();
    const server_time = expect.stringMatching(/Z$/) as string;
    expect(client.takeJson()).toEqual([
      {
        ...{ type: 'response', request_id: 's', action: 'nothing', success: false, server_time },
        error: { code: 'BAD_REQUEST', message: 'no handler for the method "nothing"' },
      },
      {
        ...{ type: 'response', request_id: 'r', action: 'echo', trace_id: 't', success: true, server_time },
        payload: { __proto__x: [1] },
      },
    ]);
  });

  it.each<[string, () => unknown, string, number]>([
    [
      'throws a refusal',
      () => {
        throw new RingcastError('CONFLICT', 'no');
      },
      'CONFLICT',
      0,
    ],
    ['rejects with one', () => Promise.reject(new RingcastError('FORBIDDEN', 'no')), 'FORBIDDEN', 0],
    [
      'throws',
      () => {
        throw new Error('oops');
      },
      'INTERNAL',
      1,
    ],
    ['rejects with nothing', () => Promise.reject(undefined), 'INTERNAL', 1],
    ['answers with what has no form', () => () => {}, 'INTERNAL', 1],
  ])('whose handler %s is answered so', async (_, handler, code, faults) => {
    const lab = new RouterLab();
    lab.router.requests.handle('m', handler);
    const client = lab.client();
    client.send({ type: 'request', id: 1, method: 'm' });
    expect(await answers(client)).toEqual([[1, code]]);
    expect(lab.faults).toHaveLength(faults);
  });

  it('is answered TIMEOUT when that takes too long, and its late answer is nobody’s', async () => {
    const lab = new RouterLab();
    let settle: (value: unknown) => void = () => {};
    const signals: AbortSignal[] = [];
    lab.router.requests.handle('slow', (_, { signal }) => {
      signals.push(signal);
      return new Promise((resolve) => {
        settle = resolve;
      });
    });
    const client = lab.client();
    client.send({ type: 'request', id: 1, method: 'slow' });
    lab.advance(1001);
    expect(await answers(client)).toEqual([[1, 'TIMEOUT']]);
    expect(signals[0]?.aborted).toBe(true);
    settle(5);
    expect(await answers(client)).toEqual([]);
  });

  it('is one of so many at a time', async () => {
    const lab = new RouterLab();
    const waiting: ((value: unknown) => void)[] = [];
    lab.router.requests.handle('slow', () => new Promise((resolve) => waiting.push(resolve)));
    const client = lab.client();
    for (let id = 1; id <= 4; id++) client.send({ type: 'request', id, method: 'slow' });
    expect(await answers(client)).toEqual([[4, 'LIMIT_EXCEEDED']]);
    waiting[0]?.('x');
    expect(await answers(client)).toEqual([[1, { result: 'x' }]]);
    client.send({ type: 'request', id: 5, method: 'slow' });
    expect(await answers(client)).toEqual([]);
    client.close();
    lab.advance(2000);
    expect(lab.scheduler.timerCount, 'nothing waits any more').toBe(0);
  });

  it('is asked about, as the rest is', async () => {
    const asked: unknown[] = [];
    const lab = new RouterLab({
      hooks: {
        authorize: ({ action, topic }) => {
          asked.push([action, topic]);
          return topic === 'yes';
        },
      },
    });
    for (const method of ['yes', 'no']) lab.router.requests.handle(method, () => method);
    const client = lab.client();
    client.send({ type: 'request', id: 1, method: 'no' }, { type: 'request', id: 2, method: 'yes' });
    expect(await answers(client)).toEqual([
      [1, 'FORBIDDEN'],
      [2, { result: 'yes' }],
    ]);
    expect(asked).toEqual([
      ['request', 'no'],
      ['request', 'yes'],
    ]);
  });
});
