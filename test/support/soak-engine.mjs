// An engine in a process of its own, so that its heap is nobody else's. Options in argv[2]; answers questions over IPC.
import { createEngine } from '#src/index.js';

const engine = createEngine(JSON.parse(process.argv[2]));
engine.on('fault', (fault) => process.send({ fault: `${fault?.stack ?? fault}` }));

/** Bytes in use when everything that can be collected has been. */
async function memory() {
  for (let round = 0; round < 4; round++) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { heapUsed, arrayBuffers, rss };
}

const answers = {
  stats: () => engine.stats(),
  topic: (name) => engine.topicStats(name) ?? null,
  memory,
};

process.on('message', async ({ id, question, argument }) => {
  process.send({ id, answer: await answers[question](argument) });
});
process.on('disconnect', () => process.exit(0));

await engine.start();
process.send({ url: engine.url });
