// Whole runs in each protocol, against servers that lose nothing.
import { afterEach, describe, expect, it } from 'vitest';
import type { LoadJob } from '#src/load/job.js';
import { LatencyHistogram } from '#src/load/latency-histogram.js';
import { startLocalTeam } from '#src/load/local-team.js';
import { runLoad } from '#src/load/run.js';
import { startEngine } from '../support/engines.js';
import { FaultyServer, type FaultyServerOptions, TEMPLATES } from './faulty-server.js';

let server: FaultyServer | null = null;

afterEach(async () => {
  await server?.close();
  server = null;
});

async function startServer(options: FaultyServerOptions = {}): Promise<FaultyServer> {
  server = await FaultyServer.start(options);
  return server;
}

function job(url: string, changes: Partial<LoadJob> = {}): LoadJob {
  return {
    ...{ url, protocol: 'json', templates: TEMPLATES, headers: [], insecure: false, run: 77, allowFewer: false },
    ...{ connections: 6, topics: '2', topicsPerConnection: 1, choice: 'turn', seed: 1, rampPerSecond: 0 },
    ...{ rate: 400, burst: 1, payloadBytes: 160, publishers: 1, warmupMs: 0, durationMs: 500 },
    ...changes,
  };
}

async function run(whole: LoadJob, processes = 1) {
  const { result, partial } = await runLoad({ job: whole, machines: [startLocalTeam(processes)] });
  return { ...result, partial };
}

describe('a run', () => {
  it.each([
    [1, 1],
    [3, 2],
  ])(
    'by templates, with %i publishers and %i processes, is complete where the server is sound',
    async (publishers, processes) => {
      const { url } = await startServer();
      const changes = { publishers, connections: 10, topics: '5', burst: 4, rate: 1200 };
      const result = await run(job(url, changes), processes);
      expect(result.verification).toMatchObject({ complete: true, expected: result.published * 2 });
      expect(result.published).toBe(server!.published);
      expect(result.health).toHaveLength(processes);
    },
  );

  it.each(['ringcast', 'ringcast-json'] as const)(
    'with protocol %s is complete at a ringcast server',
    async (protocol) => {
      const { url } = await startEngine();
      const changes = { protocol, topics: 'a,"b",c', topicsPerConnection: 2, choice: 'random', warmupMs: 200 } as const;
      const { verification, published, timed, latencyHdr } = await run(job(url, changes), 2);
      expect(published).toBe(280);
      expect(verification.complete).toBe(true);
      expect(timed).toBeGreaterThan(0);
      expect(timed).toBeLessThan(verification.delivered);
      expect(LatencyHistogram.decode(latencyHdr).total).toBe(timed);
    },
  );

  it('answers pings by template, subscribers and publishers alike', async () => {
    const silent = new Set<unknown>();
    const { url } = await startServer({
      onPublish: (_, { published, sockets }) => {
        if (published !== 1) return;
        for (const socket of sockets.clients) {
          silent.add(socket);
          socket.send('{}');
        }
      },
      onEmpty: (socket) => silent.delete(socket),
    });
    const result = await run(job(url, { templates: { ...TEMPLATES, ping: '{}', pong: '{}' } }));
    expect(result.published).toBeGreaterThan(0);
    expect(silent.size).toBe(0);
    expect(result.verification.complete).toBe(true);
  });

  it('counts what comes at rate 0', async () => {
    const other = await startServer({
      onSubscribe: (socket) => {
        const timer = setInterval(() => socket.send('{"price":1}'), 5);
        socket.on('close', () => clearInterval(timer));
      },
    });
    const { verification, measured, published } = await run(job(other.url, { rate: 0, durationMs: 400 }));
    expect(published).toBe(0);
    expect(measured.delivered).toBeGreaterThan(6);
    expect(measured.messages).toBe(measured.delivered);
    expect(measured.readBytes).toBe(measured.messages * ('{"price":1}'.length + 2));
    expect(verification.corrupt).toBe(0);
  });
});
