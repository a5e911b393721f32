// ringcast itself, embedded as a user would, with one lane; spoken to in ringcast.v1.msgpack.

import { RingcastMsgpackDialect } from '../../dist/load/ringcast-msgpack-dialect.js';
import {
  type Dialect,
  type Peer,
  type RunningServer,
  type ServerOptions,
  type TopicPlan,
  topicName,
} from '../support/peer.js';

/** @param entry the package's own, or that of another build of it */
export async function startRingcast(
  { createEngine }: Pick<typeof import('ringcast'), 'createEngine'>,
  options: ServerOptions,
): Promise<RunningServer> {
  const engine = createEngine({
    port: 0,
    lanes: 1,
    topics: [{ match: 'hot:*', home: 'hot' }],
    maxDelayMs: options.maxDelayMs,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...options.engine,
  });
  await engine.start();
  return { port: Number(new URL(engine.url).port), close: () => engine.close() };
}

async function startServer(options: ServerOptions): Promise<RunningServer> {
  return startRingcast(await import('ringcast'), options);
}

export function createDialect(plan: TopicPlan): Dialect {
  const topics = Array.from({ length: plan.hot + plan.cold }, (_, topic) => topicName(plan, topic));
  const keys = plan.isKeyed === true ? topics.map((_, topic) => (topic < plan.hot ? `key-${topic}` : null)) : undefined;
  return new RingcastMsgpackDialect({ path: '/ws', topics, keys });
}

export const peer: Peer = { name: 'ringcast', startServer, createDialect };
