// Load in a process of its own: hundreds of subscribers and some publishers over real sockets. Plan in argv[2], see
// load-process.ts; the test says when to publish, when to stop, and where the topics ended.

import { setTimeout as pause } from 'node:timers/promises';
import { Publisher, Subscriber } from './load-clients.mjs';
import { Ledger } from './load-ledger.mjs';

const CONNECTING_AT_ONCE = 50;
const POLL_MS = 10;
const SETTLED_MAX_MS = 20_000;

const plan = JSON.parse(process.argv[2]);
const ledger = new Ledger();
const subscribers = plan.subscribers.map(({ codec }, n) => new Subscriber(`subscriber ${n}`, codec, ledger));
const publishers = plan.publishers.map(({ number, codec, topics }) => new Publisher(number, codec, topics, ledger));
const visitors = plan.visitors.map(({ codec }, n) => new Subscriber(`visitor ${n}`, codec, ledger));
let isOver = false;
let visiting = [];
let visitCount = 0;

async function until(condition, what) {
  const endMs = Date.now() + SETTLED_MAX_MS;
  while (!condition()) {
    if (Date.now() > endMs) {
      ledger.problem(`still not after ${SETTLED_MAX_MS} ms: ${what()}`);
      return;
    }
    await pause(POLL_MS);
  }
}

/** Comes to a topic, stays for a while, and leaves it again, so that streams begin and end. */
async function visit(visitor, { visits }) {
  for (let n = 0; !isOver; n++) {
    const { topic, lastN, stayMs, awayMs } = visits[n % visits.length];
    await visitor.subscribe(topic, { lastN });
    await pause(stayMs);
    await visitor.unsubscribe(topic);
    visitCount++;
    await pause(awayMs);
  }
}

const commands = {
  async connect(url) {
    const peers = [...subscribers, ...publishers, ...visitors];
    for (let n = 0; n < peers.length; n += CONNECTING_AT_ONCE) {
      await Promise.all(peers.slice(n, n + CONNECTING_AT_ONCE).map((peer) => peer.open(url)));
    }
    await Promise.all(
      subscribers.map((peer, n) => Promise.all(plan.subscribers[n].topics.map((topic) => peer.subscribe(topic)))),
    );
  },

  async publish() {
    for (const publisher of publishers) publisher.start(plan.tickMs);
    visiting = visitors.map((visitor, n) => visit(visitor, plan.visitors[n]));
  },

  /** Resolves when everything published is answered. */
  async stop() {
    for (const publisher of publishers) publisher.stop();
    isOver = true;
    await until(
      () => publishers.every(({ unanswered }) => unanswered === 0),
      () => `${publishers.map(({ unanswered }) => unanswered)} publishes are unanswered`,
    );
    await Promise.all(visiting);
  },

  /** Resolves when every subscriber has heard every topic to its end. */
  async finish(heads) {
    for (const [n, subscriber] of subscribers.entries()) {
      for (const topic of plan.subscribers[n].topics) {
        const isDone = () => subscriber.nextSeq(topic) === heads[topic] + 1;
        await until(isDone, () => `${subscriber.name}: ${topic} ${subscriber.nextSeq(topic) - 1} of ${heads[topic]}`);
        if (ledger.problems.length > 20) break;
      }
    }
    const outcomes = publishers.map((publisher, n) => ({
      number: plan.publishers[n].number,
      outcomes: publisher.outcomes,
    }));
    for (const peer of [...subscribers, ...publishers, ...visitors]) peer.close();
    return { ...ledger.report(), outcomes, visits: visitCount };
  },
};

process.on('message', async ({ command, argument }) => {
  process.send({ done: command, result: await commands[command](argument) });
});
process.on('disconnect', () => process.exit(0));
