/** The server's process: the engine as a user embeds it. Argument: ServerSettings as JSON. */
import { createEngine } from '../../index.js';
import { makeCertificate } from './certificate.js';
import { type FromServer, type ServerReading, type ServerSettings, type ToServer, topicPrefix } from './job.js';
import { threadIds, threadTimesMs } from './thread-times.js';

const send = (message: FromServer): void => {
  process.send!(message);
};

async function start({ lanes, delaysMs, tls: isEncrypted, engine: keys }: ServerSettings): Promise<void> {
  const homes = lanes === 0 ? (['cold'] as const) : (['cold', 'hot'] as const);
  const rules = homes.flatMap((home) =>
    delaysMs.map((maxDelayMs) => ({ match: `${topicPrefix(home, maxDelayMs)}*`, home, maxDelayMs })),
  );
  const before = new Set(threadIds());
  const certificate = isEncrypted === true ? makeCertificate() : null;
  const tls = certificate === null ? {} : { tls: { certFile: certificate.certFile, keyFile: certificate.keyFile } };
  const engine = createEngine({ ...keys, ...tls, port: 0, lanes, topics: rules });
  await engine.start().finally(() => certificate?.remove());
  const laneThreads = new Set(threadIds().filter((id) => !before.has(id)));

  process.on('message', (message: ToServer) => {
    if (message.type === 'read') send({ type: 'reading', reading: read(laneThreads) });
    else void engine.close().finally(() => process.exit(0));
  });
  send({ type: 'ready', port: Number(new URL(engine.url).port) });
}

function read(laneThreads: ReadonlySet<string>): ServerReading {
  const accept = String(process.pid);
  let acceptCpuMs = 0;
  let lanesCpuMs = 0;
  let helpersCpuMs = 0;
  for (const [id, ms] of threadTimesMs()) {
    if (id === accept) acceptCpuMs += ms;
    else if (laneThreads.has(id)) lanesCpuMs += ms;
    else helpersCpuMs += ms;
  }
  const rssBytes = process.memoryUsage.rss();
  return { atMs: performance.now(), acceptCpuMs, lanesCpuMs, helpersCpuMs, rssBytes };
}

process.on('SIGINT', () => {}); // Ctrl-C goes to the whole group; whoever started this process ends it
process.on('disconnect', () => process.exit(1));
start(JSON.parse(process.argv[2]) as ServerSettings).catch((error: unknown) => {
  send({ type: 'failed', reason: error instanceof Error ? error.message : String(error) });
});
