// How fast may be published: by a connection, and to a topic by all of its publishers.

import { describe, expect, it } from 'vitest';
import { encode } from '#src/protocol/msgpack.js';
import { publishLocally, type RouterClient, RouterLab, type RouterLabOptions } from './router-lab.js';

const HOMES = ['cold', 'hot'] as const;
type Home = (typeof HOMES)[number];

function labOf(home: Home, rule: object, options: RouterLabOptions = {}): RouterLab {
  const registry = { rules: [{ match: 'limited:*', home, ...rule }] };
  return new RouterLab({ laneRingBytes: 2 ** 18, registry, ...options });
}

/** Publishes so many messages in one WebSocket message; how many were taken, and what the first other one was told. */
function publish(client: RouterClient, topic: string, count: number): [taken: number, waitMs: unknown] {
  client.send(...Array.from({ length: count }, (_, n) => ({ type: 'publish', id: n, topic, payload: n }) as const));
  const answers = client.take();
  const [refusal] = answers.filter(({ type }) => type === 'error') as { code: string; details: object }[];
  if (refusal !== undefined) expect(refusal).toMatchObject({ code: 'RATE_LIMITED', details: { topic } });
  const details = refusal?.details as { retryAfterMs: number } | undefined;
  return [answers.filter(({ type }) => type === 'ok').length, details?.retryAfterMs];
}

describe.each(HOMES)('a %s topic', (home) => {
  it('takes what its rule allows of all publishers together, and says when the next one may come', () => {
    const lab = labOf(home, { maxPublishRate: 10, maxPublishBurst: 3 });
    const [one, other] = [lab.client(), lab.client()];
    expect(publish(one, 'limited:a', 2)).toEqual([2, undefined]);
    expect(publish(other, 'limited:a', 4)).toEqual([1, 100]);
    expect(publish(other, 'limited:b', 4), 'another topic').toEqual([3, 100]);
    expect(publish(other, 'free', 100), 'without a rule').toEqual([100, undefined]);
    lab.advance(99);
    expect(publish(one, 'limited:a', 1)).toEqual([0, 1]);
    lab.advance(1);
    expect(publish(one, 'limited:a', 2)).toEqual([1, 100]);
    lab.advance(100_000);
    expect(publish(one, 'limited:a', 9), 'a silence brings no more than a burst').toEqual([3, 100]);
    expect(lab.router.publishing.rateLimitedMessages).toBe(3 + 1 + 1 + 1 + 6);
  });

  it('is limited for the process itself, too', () => {
    const lab = labOf(home, { maxPublishRate: 0.5 });
    expect(publishLocally(lab, 'limited:a', encode(1))).toBe(true);
    expect(publishLocally(lab, 'limited:a', encode(1))).toBe(false);
    expect(publish(lab.client(), 'limited:a', 1)).toEqual([0, 2000]);
  });
});

describe('a connection', () => {
  it('publishes so many messages per second, to whatever topics; others do not wait for it', () => {
    const lab = labOf('cold', {}, { maxPublishRatePerConnection: 100 });
    const [one, other] = [lab.client(), lab.client()];
    expect(publish(one, 'a', 60)).toEqual([60, undefined]);
    expect(publish(one, 'b', 60)).toEqual([40, 10]);
    expect(publish(other, 'b', 60)).toEqual([60, undefined]);
    lab.advance(500);
    expect(publish(one, 'a', 60)).toEqual([50, 10]);
  });

  it('that waits for no answers is told once, with a count', () => {
    const lab = labOf('cold', {}, { maxPublishRatePerConnection: 1, maxPublishBurstPerConnection: 2 });
    const client = lab.client();
    client.send(...Array.from({ length: 5 }, () => ({ type: 'publish', topic: 'a', payload: 1 }) as const));
    expect(client.take()).toMatchObject([
      { type: 'error', id: null, code: 'RATE_LIMITED', details: { topic: 'a', retryAfterMs: 1000, count: 3 } },
    ]);
  });
});
