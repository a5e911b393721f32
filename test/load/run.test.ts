// Whole runs, with processes and publishing threads, against a server whose faults are known to the message.
import { afterEach, describe, expect, it } from 'vitest';
import type { LoadJob } from '#src/load/job.js';
import { startLocalTeam } from '#src/load/local-team.js';
import { runLoad } from '#src/load/run.js';
import { type Fate, FaultyServer, type FaultyServerOptions, TEMPLATES } from './faulty-server.js';

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
  it('finds what the server lost, doubled, mixed up and damaged, to the message', async () => {
    // Of 100 messages to each topic. A damaged message did not arrive, either.
    const fates: Record<number, Fate> = { 10: 'lose', 11: 'lose', 20: 'double', 30: 'hold', 40: 'hold', 50: 'damage' };
    const { url } = await startServer({ fate: (seq) => fates[seq] ?? 'deliver' });
    const { verification, published, problems, timed } = await run(job(url, { topicsPerConnection: 2 }), 2);
    expect(published).toBe(200);
    const each = { expected: 100, delivered: 97, lost: 3, doubled: 1, reordered: 2, corrupt: 1 };
    const all = Object.fromEntries(Object.entries(each).map(([key, value]) => [key, value * 12]));
    expect(verification).toEqual({ ...all, gapMessages: 0, complete: false });
    expect(timed).toBe(verification.delivered);
    expect(problems).toEqual([]);
  });

  it('ends when the server has closed all connections, with what it knows', async () => {
    const { url } = await startServer({
      onPublish: (seq, { sockets }) => {
        if (seq === 20) for (const socket of sockets.clients) socket.close(1001, 'going');
      },
    });
    const { connectionsLost, problems, verification, partial } = await run(job(url, { durationMs: 60_000 }));
    expect(partial).toEqual(['nobody was left to go on']);
    expect(connectionsLost).toBe(6);
    expect(verification.complete).toBe(false);
    expect(problems).toContain('connection 0: closed by the server with 1001 (going)');
    expect(problems.at(-1)).toMatch(/closed all connections|publisher/);
  });

  it('fails before anything is measured when subscriptions do not work', async () => {
    const { url } = await startServer({
      onSubscribe: (socket) => socket.close(1008, 'not for you'),
    });
    await expect(run(job(url))).rejects.toThrow(/closed|subscriptions/);
  });
});
