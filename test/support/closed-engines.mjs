// A process of its own that uses and closes many engines, and prints which of them are still in memory, and how much of it.
import { createServer } from 'node:net';
import WebSocket from 'ws';
import { connect } from '#src/client/client.js';
import { createEngine } from '#src/index.js';

const ENGINES = Number(process.argv[2]);
const MESSAGES = 60;
const PAYLOAD = new Uint8Array(20_000);
const RULES = [{ match: 'hot:*', home: 'hot' }];

const blocker = createServer();
await new Promise((resolve) => blocker.listen(0, '127.0.0.1', resolve));

async function publish(engine, topics) {
  for (let n = 0; n < MESSAGES; n++) await engine.publish(topics[n % topics.length], PAYLOAD);
}

/** Each lives another life. */
const LIVES = {
  'was never started': () => {},
  'was closed while it started': async (engine) => {
    const starting = engine.start();
    await engine.close();
    await starting.catch(() => {});
  },
  'could not start': async (engine) => {
    await engine.start().catch(() => {});
  },
  'had cold topics and handlers': async (engine) => {
    await engine.start();
    engine.on('fault', () => {});
    engine.subscribe('a', { onGap: () => engine.stats(), onEnd: () => engine.stats() }, () => engine.stats());
    await publish(engine, ['a', 'b', 'c']);
    await engine.openPublisher('a').ready();
    engine.openPublisher('a', { onRefused: () => engine.stats() }).send({ not: 'refused' });
  },
  'had clients, and left some connected': async (engine) => {
    await engine.start();
    const clients = [await connect(engine.url, { WebSocket }), await connect(engine.url, { WebSocket })];
    for (const client of clients) await client.subscribe('a', {}, () => {});
    await publish(engine, ['a']);
    await clients[0].close();
  },
  'had lanes': async (engine) => {
    await engine.start();
    await publish(engine, ['hot:a', 'hot:b', 'c']);
    await engine.moveTopic('hot:a', 'cold');
    await engine.moveTopic('c', 'hot');
  },
};

const engines = [];

async function live(life, act) {
  const engine = createEngine({
    port: life === 'could not start' ? blocker.address().port : 0,
    lanes: life === 'had lanes' || life === 'was closed while it started' ? 1 : 0,
    onConnect: () => engine.stats().connections >= 0,
    ...(life === 'had lanes' && { topics: RULES }),
  });
  engines.push({ life, ref: new WeakRef(engine) });
  await act(engine);
  await engine.close();
}

/** Bytes outside the heap when everything that can be collected has been. */
async function collect() {
  for (let round = 0; round < 6; round++) {
    // What was closed a moment ago has its last callbacks in the next turns.
    await new Promise((resolve) => setTimeout(resolve, 20));
    globalThis.gc();
  }
  const { external, arrayBuffers } = process.memoryUsage();
  return external + arrayBuffers;
}

const lives = Object.entries(LIVES);
// What is made once per process is made before; on Node 24 it holds on to the first engine that started.
for (const [life, act] of lives) await live(life, act);
const beforeBytes = await collect();
engines.length = 0;
for (let n = 0; n < ENGINES; n++) await live(...lives[n % lives.length]);
const afterBytes = await collect();
const alive = engines.filter(({ ref }) => ref.deref() !== undefined).map(({ life }) => life);
blocker.close();
console.log(JSON.stringify({ made: engines.length, alive, grownBytes: afterBytes - beforeBytes }));
