// What the README and the engine's doc comments claim, where no other test looks: deaths of lanes, stops, lag limits, options.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createEngine, type LocalGap, type LocalSubscribeOptions } from '#src/index.js';

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A script in a process whose lanes die. */
function startWithDyingLane(script: string, ...args: string[]): ChildProcessWithoutNullStreams {
  const [preload, path] = ['dying-lane.cjs', script].map((name) => fileURLToPath(new URL(name, import.meta.url)));
  return spawn(process.execPath, ['--require', preload!, path!, ...args]);
}

function runWithDyingLane(script: string): Promise<Ended> {
  const child = startWithDyingLane(script);
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...output })));
}

describe('the death of a lane', () => {
  it('loses and doubles nothing, again and again', async () => {
    const { code, stdout, stderr } = await runWithDyingLane('dying-lane-child.mjs');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      areAllAcknowledged: true,
      areAllDeliveredOnce: true,
      refusals: [],
      pendingAcks: 0,
      faults: ['a fault in the lane'],
      coldSeq: 1,
    });
    expect(result.kinds).toEqual(['died', 'recovered', 'died', 'recovered', 'died', 'recovered']);
    expect(result.restarts).toBeGreaterThanOrEqual(3);
    expect(result.published).toBeGreaterThan(9);
  });

  it('is told by ringcast serve, which goes on', async () => {
    const child = startWithDyingLane('../../dist/cli/main.js', 'serve', '--demo', '--port', '0', '--lanes', '1');
    const lines: string[] = [];
    for await (const line of createInterface({ input: child.stderr })) {
      if (lines.push(line) === 4) child.kill('SIGTERM');
    }
    for (const index of [0, 2]) {
      expect(lines[index]).toBe('ringcast: lane 0 died and is replaced: a fault in the lane');
      expect(lines[index + 1]).toMatch(/^ringcast: lane 0 goes on after \d+ ms$/);
    }
    expect(child.exitCode ?? (await once(child, 'exit'))[0]).toBe(0);
  });
});

describe('engine.close', () => {
  it('leaves no publish unsettled, also when the lanes get no time', async () => {
    const engine = createEngine({ port: 0, lanes: 1, shutdownTimeoutMs: 0, topics: [{ match: '*', home: 'hot' }] });
    await engine.start();
    const publishes = Array.from({ length: 1000 }, (_, n) => engine.publish('a', n));
    await engine.close();
    for (const [index, outcome] of (await Promise.allSettled(publishes)).entries()) {
      if (outcome.status === 'fulfilled') expect(outcome.value.seq).toBe(index + 1);
      else expect(outcome.reason).toMatchObject({ code: 'SHUTTING_DOWN' });
    }
    expect(engine.stats().pendingAcks).toBe(0);
  });
});

describe('engine.subscribe', () => {
  it.each([{ lastN: -1 }, { lastN: 1.5 }, { maxDelayMs: 1001 }, { policy: 'drop_newest' }])(
    'refuses %j',
    async (options) => {
      const engine = createEngine({ port: 0, lanes: 0 });
      await engine.start();
      const refused = expect.objectContaining({ name: 'RingcastError', code: 'BAD_REQUEST' });
      expect(() => engine.subscribe('a', options as LocalSubscribeOptions, () => {})).toThrow(refused);
      expect(engine.stats().topics).toBe(0);
      await engine.close();
    },
  );
});

describe('maxLagMessages', () => {
  async function lastSeqs(lastN: number): Promise<{ seqs: number[]; gaps: LocalGap[] }> {
    const engine = createEngine({ port: 0, lanes: 0, maxLagMessages: 5 });
    await engine.start();
    const publish = (count: number) => Promise.all(Array.from({ length: count }, (_, n) => engine.publish('a', n)));
    // So that the stream of the second subscriber exists and has seen the messages.
    engine.subscribe('a', {}, () => {});
    if (lastN > 0) await publish(20);
    const seqs: number[] = [];
    const gaps: LocalGap[] = [];
    const got = new Promise<void>((resolve) => {
      const onEvent = ({ seq }: { seq: number }) => {
        seqs.push(seq);
        if (seq === 20) resolve();
      };
      engine.subscribe('a', { lastN, onGap: (gap) => gaps.push(gap) }, onEvent);
    });
    if (lastN === 0) await publish(20);
    await got;
    await engine.close();
    return { seqs, gaps };
  }

  it('counts a burst beyond it as lag of a healthy subscriber', async () => {
    const { seqs, gaps } = await lastSeqs(0);
    expect(seqs).toEqual([16, 17, 18, 19, 20]);
    expect(gaps).toEqual([{ topic: 'a', fromSeq: 1, toSeq: 15, reason: 'max_lag_messages' }]);
  });

  it('bounds what lastN replays, without a gap', async () => {
    const { seqs, gaps } = await lastSeqs(20);
    expect(seqs).toEqual([16, 17, 18, 19, 20]);
    expect(gaps).toEqual([]);
  });
});
