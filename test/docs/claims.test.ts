// What the README and the engine's doc comments claim, where no other test looks: death of a lane, lag limits, options.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createEngine, type LocalSubscribeOptions, type TopicGap } from '#src/index.js';

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script in a process whose lanes die. */
function runWithDyingLane(script: string, ...args: string[]): Promise<Ended> {
  const preload = fileURLToPath(new URL('dying-lane.cjs', import.meta.url));
  const child = spawn(process.execPath, [
    '--require',
    preload,
    fileURLToPath(new URL(script, import.meta.url)),
    ...args,
  ]);
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
  it('stops its topics and no others, when somebody listens to fault', async () => {
    const { code, stdout, stderr } = await runWithDyingLane('dying-lane-child.mjs', 'with-listener');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ fault: 'a fault in the lane', acknowledged: 0, delivered: 0, coldSeq: 1 });
    expect(result.refusals).toEqual(['OVERLOADED']);
    expect(result.refused).toBeGreaterThan(0);
    expect(result.pendingAcks).toBeGreaterThan(0);
  });

  it('ends a process in which nobody does', async () => {
    const { code, stdout, stderr } = await runWithDyingLane('dying-lane-child.mjs');
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('a fault in the lane');
  });

  it('ends ringcast serve, which says why', async () => {
    const serve = ['serve', '--demo', '--port', '0', '--lanes', '1'];
    const { code, stderr } = await runWithDyingLane('../../dist/cli/main.js', ...serve);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ringcast: a fault of the server ends it: .*a fault in the lane\n/);
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
  async function lastSeqs(lastN: number): Promise<{ seqs: number[]; gaps: TopicGap[] }> {
    const engine = createEngine({ port: 0, lanes: 0, maxLagMessages: 5 });
    await engine.start();
    const publish = (count: number) => Promise.all(Array.from({ length: count }, (_, n) => engine.publish('a', n)));
    // So that the stream of the second subscriber exists and has seen the messages.
    engine.subscribe('a', {}, () => {});
    if (lastN > 0) await publish(20);
    const seqs: number[] = [];
    const gaps: TopicGap[] = [];
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
