// Graceful stop: everything accepted is delivered, everybody is told, and it ends in time.
import { afterEach, describe, expect, it } from 'vitest';
import { RunningCli } from '../cli/run-cli.js';
import { startEngine } from '../support/engines.js';
import { floodOn, floodPayload, floodUntilBlocked } from '../support/flood.js';
import { follow } from '../support/sequence.js';
import { TestClient } from '../support/test-client.js';
import { until, within } from '../support/until.js';
import { CODECS, type HeardEvent } from '../support/wire.js';

const HOT = [{ match: 'hot:*', home: 'hot' as const }];
const TOPICS = ['cold:t', 'hot:t'];
const servers: RunningCli[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.kill('SIGKILL');
    await server.ended;
  }
});

async function serve(...args: string[]): Promise<{ server: RunningCli; url: string }> {
  const rules = JSON.stringify(HOT);
  const server = new RunningCli(['serve', '--port', '0', '--lanes', '1', '--topics-rules', rules, ...args]);
  servers.push(server);
  await server.until(({ stdout }) => stdout.includes('Memory'));
  return { server, url: /ws:\S+/.exec(server.stdout)?.[0] ?? '' };
}

/** Publishes without pause until the connection ends; as much at a time as the acks of the time before allow. */
async function publishUntilClosed(client: TestClient): Promise<void> {
  for (let n = 0; !client.isClosed; ) {
    const id = `batch ${n}`;
    for (let i = 0; i < 50; i++, n++) {
      client.send({ type: 'publish', id: `p${n}`, topic: TOPICS[n % 2], payload: { n, filler: 'x'.repeat(100) } });
    }
    client.send({ type: 'ping', id });
    await until(() => client.isClosed || client.heard.some((frame) => frame.type === 'pong' && frame.id === id));
  }
}

describe('ringcast serve on SIGTERM', () => {
  it('delivers what it accepted, tells everybody when to come back, closes with 1001, exits 0', async () => {
    const { server, url } = await serve('--shutdown-timeout-ms', '8s', '--drain-spread-ms', '3s');
    const subscribers = [await TestClient.open(url, 'msgpack'), await TestClient.open(url, 'json')];
    for (const subscriber of subscribers) for (const topic of TOPICS) await subscriber.subscribe(topic);
    const publisher = await TestClient.open(url);
    const publishing = publishUntilClosed(publisher);
    for (const subscriber of subscribers) await subscriber.untilEvents(500);
    const startMs = performance.now();
    server.kill('SIGTERM');
    expect(await server.ended).toMatchObject({
      code: 0,
      signal: null,
      stderr: expect.stringMatching(/^ringcast: SIGTERM, stopping/),
    });
    expect(performance.now() - startMs).toBeLessThan(8000);
    await publishing;

    const acked = publisher.heard.flatMap((frame) =>
      frame.type === 'ok' && `${frame.id}`.startsWith('p') ? [frame] : [],
    );
    for (const subscriber of subscribers) {
      expect((await subscriber.untilClosed()).code).toBe(1001);
      const seqs = new Map(TOPICS.map((topic) => [topic, follow(topic, 0, subscriber.heard)]));
      for (const { id, result } of acked) {
        const topic = TOPICS[Number(`${id}`.slice(1)) % 2];
        expect(result.seq as number).toBeLessThan(seqs.get(topic)!.nextSeq);
      }
      for (const { gaps } of seqs.values()) expect(gaps).toBe(0);
    }
    const counts = subscribers.map((subscriber) => subscriber.events().length);
    expect(counts[0]).toBe(counts[1]);
    expect(counts[0]).toBeGreaterThanOrEqual(acked.length);

    for (const client of [...subscribers, publisher]) {
      const notices = client.heard.flatMap((frame) => (frame.type === 'notice' ? [frame] : []));
      expect(notices).toHaveLength(1);
      const { kind, details } = notices[0].fields as { kind: string; details: Record<string, number> };
      const delayMs = details.reconnectDelayMs ?? details.reconnect_delay_ms;
      expect(kind).toBe('drain');
      expect(delayMs).toBeGreaterThanOrEqual(0);
      expect(delayMs).toBeLessThanOrEqual(3000);
    }
  });

  it('does not wait longer than shutdownTimeoutMs for a client that does not read', async () => {
    const { server, url } = await serve('--shutdown-timeout-ms', '1500ms', '--cold-log-max-bytes', '64MiB');
    const [stalled, healthy, publisher] = await Promise.all([1, 2, 3].map(() => TestClient.open(url)));
    await stalled!.subscribe('cold:flood');
    stalled!.socket.pause();
    await healthy!.subscribe('cold:flood');
    for (let n = 0; n < 50; n++) await publisher!.publish('cold:flood', floodPayload(n, 500_000));
    const startMs = performance.now();
    server.kill('SIGTERM');
    await healthy!.until(() => healthy!.heard.some(({ type }) => type === 'notice'), 'NOTICE');
    // While the stop waits for the stalled one, nobody new comes in, and nothing new is accepted.
    await expect(TestClient.open(url)).rejects.toThrow('ECONNREFUSED');
    for (const request of [
      { type: 'publish' as const, topic: 'cold:flood', payload: 'late' },
      { type: 'subscribe' as const, topic: 'cold:other' },
    ]) {
      expect(await publisher!.request(request)).toMatchObject({ type: 'error', code: 'SHUTTING_DOWN' });
    }
    await publisher!.sync();
    expect(await within(server.ended, 10_000, 'the server has ended')).toMatchObject({ code: 0 });
    const elapsedMs = performance.now() - startMs;
    expect(elapsedMs).toBeGreaterThan(1400);
    expect(elapsedMs).toBeLessThan(1500 + 1000); // the second is for the process to start its end and to exit
    for (const client of [healthy!, publisher!]) expect((await client.untilClosed()).code).toBe(1001);
    expect(follow('cold:flood', 0, healthy!.heard)).toMatchObject({ events: 50, gaps: 0 });
  });
});

describe('engine.close()', () => {
  it.each([0, 1, 2])('delivers what was published in the very turn before (%i lanes)', async (lanes) => {
    const count = 10_000;
    const logs = {
      ringBytes: 16 * 1024 * 1024,
      hotLogFrames: 65_536,
      coldLogMaxFrames: 65_536,
      hotLogBytes: 16 * 1024 * 1024,
      coldLogMaxBytes: 16 * 1024 * 1024,
      // Without it a cold log keeps two seconds, and on a busy machine the turn may be longer.
      historyMessages: count,
      historyBytes: 8 * 1024 * 1024,
    };
    const { engine, url } = await startEngine({ ...logs, lanes, topics: HOT, shutdownTimeoutMs: 8000 });
    const clients = await Promise.all(CODECS.map((codec) => TestClient.open(url, codec)));
    const local: number[] = [];
    for (const topic of TOPICS) {
      for (const client of clients) await client.subscribe(topic);
      engine.subscribe(topic, {}, ({ seq }) => local.push(seq));
    }
    const acks = TOPICS.flatMap((topic) => Array.from({ length: count }, (_, n) => engine.publish(topic, n)));
    const closing = engine.close();
    expect((await Promise.all(acks)).map(({ seq }) => seq)).toEqual(
      TOPICS.flatMap(() => Array.from({ length: count }, (_, n) => n + 1)),
    );
    await closing;
    expect(local).toHaveLength(2 * count);
    for (const client of clients) {
      expect((await client.untilClosed()).code).toBe(1001);
      for (const topic of TOPICS) expect(follow(topic, 0, client.heard)).toMatchObject({ events: count, gaps: 0 });
    }
  });

  it('answers what it accepted before it closes', async () => {
    const { engine, url } = await startEngine({ topics: HOT });
    const publisher = await TestClient.open(url);
    publisher.send(
      ...Array.from({ length: 2000 }, (_, n) => ({
        type: 'publish' as const,
        id: n,
        topic: TOPICS[n % 2],
        payload: n,
      })),
    );
    await until(() => engine.stats().messages > 0, 'they are accepted');
    await engine.close();
    await publisher.untilClosed();
    expect(publisher.heard.filter(({ type }) => type === 'ok')).toHaveLength(engine.stats().messages);
  });

  it.each(CODECS)(
    'lets a client read to the end that sends something when its connection has ended (%s)',
    async (codec) => {
      let client: TestClient | undefined;
      const onClose = (): void => {
        // Unread when the socket is closed, while much of what the client is to read is still on its way.
        client?.send({ type: 'ping', id: 1 });
        client?.socket.resume();
      };
      const { engine, url } = await startEngine({ lanes: 0, onClose });
      client = await TestClient.open(url, codec);
      await client.subscribe('t');
      client.socket.pause();
      for (let n = 1; n <= 40; n++) await engine.publish('t', floodPayload(n));
      await engine.close();
      expect((await client.untilClosed()).code).toBe(1001);
      expect(follow('t', 0, client.heard)).toMatchObject({ events: 40, gaps: 0 });
      expect(client.heard.filter(({ type }) => type === 'notice')).toHaveLength(1);
    },
  );

  it('lets nobody in whom onConnect accepts too late', async () => {
    const answers: ((isAccepted: boolean) => void)[] = [];
    const onConnect = () => new Promise<boolean>((answer) => answers.push(answer));
    const { engine, url } = await startEngine({ lanes: 0, onConnect });
    const first = TestClient.open(url);
    await until(() => answers.length === 1, 'onConnect is asked about the first');
    answers[0]?.(true);
    await first;
    const refused = expect(TestClient.open(url)).rejects.toThrow('503');
    await until(() => answers.length === 2, 'onConnect is asked about the second');
    const closing = engine.close();
    // The server still reads what the first client may send.
    answers[1]?.(true);
    await refused;
    await closing;
    expect(engine.stats()).toMatchObject({ connections: 0, refusedConnections: 1 });
  });

  it('messages that wait for their delay do not wait any longer', async () => {
    const { engine, url } = await startEngine({ lanes: 0, maxDelayMs: 1000 });
    const client = await TestClient.open(url);
    await client.subscribe('t');
    await engine.publish('t', 'patient');
    const startMs = performance.now();
    await engine.close();
    await client.untilClosed();
    expect(performance.now() - startMs).toBeLessThan(900);
    expect(client.events().map(({ payload }: HeardEvent) => payload)).toEqual(['patient']);
  });

  it('a subscriber that starts to read again in time gets everything', async () => {
    const { engine, url } = await startEngine({ lanes: 0, shutdownTimeoutMs: 8000 });
    const stalled = await TestClient.open(url);
    await stalled.subscribe('t');
    stalled.socket.pause();
    const count = await floodUntilBlocked(engine, 't');
    await engine.publish('t', 'last');
    const closing = engine.close();
    stalled.socket.resume();
    await closing;
    expect((await stalled.untilClosed()).code).toBe(1001);
    expect(follow('t', 0, stalled.heard)).toMatchObject({ events: count + 1, gaps: 0 });
  });

  it('what a slow one is to get is kept until the deadline, also without history', async () => {
    const { engine, url } = await startEngine({ lanes: 0, historyMessages: 0, shutdownTimeoutMs: 10_000 });
    const stalled = await TestClient.open(url);
    await stalled.subscribe('t');
    stalled.socket.pause();
    const count = await floodUntilBlocked(engine, 't');
    await floodOn(engine, 't', count + 1, 20);
    const startMs = performance.now();
    const closing = engine.close();
    // A running engine keeps messages beyond the history for two seconds, and looks once per second.
    await until(() => performance.now() - startMs > 3500, 'a running engine would have forgotten them');
    stalled.socket.resume();
    await closing;
    expect((await stalled.untilClosed()).code).toBe(1001);
    expect(follow('t', 0, stalled.heard)).toMatchObject({ events: count + 20, gaps: 0 });
  });

  it('is shared by those who call it, also with a hook that never answers', async () => {
    const { engine, url } = await startEngine({ lanes: 1, authorize: () => new Promise(() => {}) });
    const client = await TestClient.open(url);
    client.send({ type: 'subscribe', topic: 't' }, { type: 'ping', id: 1 });
    await client.until(() => client.heard.length > 0, 'WELCOME');
    const startMs = performance.now();
    await Promise.all([engine.close(), engine.close()]);
    expect(performance.now() - startMs).toBeLessThan(900);
    expect((await client.untilClosed()).code).toBe(1001);
  });
});
