// A client that sends faster than the server reads: the server goes on for everybody else.
import { afterEach, describe, expect, it } from 'vitest';
import { encodeClientFrame } from '#src/protocol/client-frames.js';
import { RunningCli } from '../cli/run-cli.js';
import { TestClient } from '../support/test-client.js';
import { within } from '../support/until.js';

let server: RunningCli;

afterEach(async () => {
  server.kill('SIGKILL');
  await server.ended;
});

const FRAMES_PER_MESSAGE = 15_000;
/** So much waits on its way to the kernel: its buffers never run dry. */
const UNSENT_BYTES = 8 * 1024 * 1024;
/** The limit is a second of the server's time; a kernel with small buffers never lets it be reached. */
const FLOOD_MAX_MS = 5000;

/** Publishes without a pause and without asking for answers, until it is closed. */
async function flood(client: TestClient): Promise<void> {
  const frame = encodeClientFrame({ type: 'publish', topic: 'flood', payload: 'f'.repeat(40) });
  const message = Buffer.concat(Array.from({ length: FRAMES_PER_MESSAGE }, () => frame));
  while (!client.isClosed) {
    while (client.socket.bufferedAmount < UNSENT_BYTES) client.socket.send(message);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('a client that floods the server', () => {
  it('is told RATE_LIMITED and closed; others are served, and SIGTERM is heard', async () => {
    // The server is a process of its own: in this one the flood could not go on while the server reads.
    server = new RunningCli(['serve', '--port', '0', '--lanes', '0']);
    await server.until(({ stdout }) => stdout.includes('Memory'));
    const url = /ws:\S+/.exec(server.stdout)?.[0] ?? '';
    const other = await TestClient.open(url);
    await other.subscribe('t');
    const flooder = await TestClient.open(url);
    const flooding = flood(flooder);

    const end = performance.now() + FLOOD_MAX_MS;
    for (let n = 1; performance.now() < end && !flooder.isClosed; n++) {
      await other.publish('t', n);
      await other.untilEvents(n);
    }
    if (flooder.isClosed) {
      const { code, reason } = await flooder.closed;
      expect(code).toBe(1013);
      expect(reason).toContain('RATE_LIMITED faster than the server reads');
      expect(flooder.errors().map((error) => error.code)).toEqual(['RATE_LIMITED']);
    }
    await other.sync();
    server.kill('SIGTERM');
    expect(await within(server.ended, 10_000, 'the server has ended')).toMatchObject({ code: 0 });
    expect((await other.untilClosed()).code).toBe(1001);
    await flooding;
  });
});
