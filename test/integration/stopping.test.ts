// Cohorts of real sockets, any of which stop reading and go on at any moment: nobody loses, doubles or reorders a message
// without being told, and what the engine has counted is what came.

import { expect, it } from 'vitest';
import { SMALL_LOGS, startEngine } from '../support/engines.js';
import { floodUntilBlocked } from '../support/flood.js';
import { announcedSeed, seededRandom } from '../support/seeded.js';
import { follow } from '../support/sequence.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

const TOPICS = ['cold:a', 'cold:b', 'hot:c'];
const CLIENTS = 24;
const FOUND = 6;
const ROUNDS = 80;
/** At most so many do not read at a time. */
const STOPPED_MAX = 10;
const PUBLISHED_MAX_BYTES = 16 * 1024 * 1024;

it('sockets that stop at any moment lose nothing that they are not told of', { timeout: 60_000 }, async () => {
  const random = seededRandom(announcedSeed('stopping'));
  const below = (limit: number): number => Math.floor(random() * limit);
  const { engine, url } = await startEngine({ ...SMALL_LOGS, topics: [{ match: 'hot:*', home: 'hot' }] });
  const clients: TestClient[] = [];
  for (let count = 0; count < CLIENTS; count++) {
    const client = await TestClient.open(url, count % 4 === 0 ? 'json' : 'msgpack');
    for (const topic of TOPICS) await client.subscribe(topic);
    clients.push(client);
  }
  const stopped = new Set<TestClient>();
  const published = new Map(TOPICS.map((topic) => [topic, 0]));
  let bytes = 0;
  // Some stop for so long that they are found.
  for (const client of clients.slice(0, FOUND)) {
    client.socket.pause();
    stopped.add(client);
  }
  published.set('cold:a', await floodUntilBlocked(engine, 'cold:a', FOUND));
  for (let round = 0; round < ROUNDS; round++) {
    for (let change = below(3); change > 0; change--) {
      const client = clients[below(CLIENTS)] as TestClient;
      if (stopped.delete(client)) client.socket.resume();
      else if (stopped.size < STOPPED_MAX) {
        client.socket.pause();
        stopped.add(client);
      }
    }
    for (let count = 1 + below(12); count > 0 && bytes < PUBLISHED_MAX_BYTES; count--) {
      const topic = TOPICS[below(TOPICS.length)] as string;
      const size = random() < 0.7 ? below(60_000) : below(300);
      bytes += size;
      published.set(topic, (published.get(topic) as number) + 1);
      const isAcked = engine.publish(topic, 'x'.repeat(size));
      if (random() < 0.5) await isAcked;
    }
  }
  for (const client of stopped) client.socket.resume();
  const isThere = (client: TestClient): boolean =>
    TOPICS.every((topic) => follow(topic, 0, client.heard).nextSeq === (published.get(topic) as number) + 1);
  await until(() => clients.every(isThere), 'everybody has everything', 30_000);
  const followed = clients.flatMap((client) => TOPICS.map((topic) => follow(topic, 0, client.heard)));
  const sum = (pick: (follower: (typeof followed)[number]) => number) =>
    followed.reduce((total, follower) => total + pick(follower), 0);
  expect(engine.stats()).toMatchObject({
    deliveries: sum(({ events }) => events),
    lostMessages: sum(({ lost }) => lost),
    blockedConnections: 0,
    slowDisconnects: 0,
  });
});
