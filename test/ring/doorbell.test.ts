// What the doorbell promises: within one thread here, between processes' event loops in doorbell-child.mjs, under load
// in two-threads.test.ts.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { allocateDoorbell, Doorbell } from '#src/ring/doorbell.js';
import { deferred } from './deferred.js';

const doorbells: Doorbell[] = [];

function pair() {
  const memory = allocateDoorbell();
  const reader = new Doorbell(memory);
  doorbells.push(reader);
  return { reader, writer: new Doorbell(memory) };
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

afterEach(() => {
  for (const doorbell of doorbells.splice(0)) doorbell.close();
});

describe('listen', () => {
  it('does not call back while nobody rings', async () => {
    const { reader } = pair();
    let calls = 0;
    reader.listen(
      () => true,
      () => calls++,
    );
    await turns(20);
    expect(calls).toBe(0);
  });

  it('calls back once per wake-up, and not within ring()', async () => {
    const { reader, writer } = pair();
    let calls = 0;
    const called = deferred();
    reader.listen(
      () => true,
      () => {
        calls++;
        called.resolve();
      },
    );
    expect(writer.ring()).toBe(true);
    expect(writer.ring()).toBe(false);
    expect(calls).toBe(0);
    await called.promise;
    await turns(20);
    expect(calls).toBe(1);
  });

  it('hears again after each wake-up', async () => {
    const { reader, writer } = pair();
    let called = deferred();
    reader.listen(
      () => true,
      () => called.resolve(),
    );
    for (let i = 0; i < 200; i++) {
      called = deferred();
      expect(writer.ring()).toBe(true);
      await called.promise;
    }
    expect(reader.rescueCount).toBe(0);
  });

  it('calls back in a later turn when there is work already, without a ring', async () => {
    const { reader } = pair();
    let work = 1;
    let calls = 0;
    reader.listen(
      () => work === 0,
      () => {
        calls++;
        work = 0;
      },
    );
    expect(calls).toBe(0);
    await turns(5);
    expect(calls).toBe(1);
  });

  it('calls back again while work is left, never recursively, and lets others have their turn between', async () => {
    const { reader, writer } = pair();
    let work = 5;
    let depth = 0;
    const log: string[] = [];
    reader.listen(
      () => work === 0,
      () => {
        expect(++depth).toBe(1);
        work--;
        log.push('ring');
        setImmediate(() => log.push('other'));
        // While it is at work it is awake: nobody has to wake it.
        expect(writer.ring()).toBe(false);
        depth--;
      },
    );
    await turns(20);
    expect(work).toBe(0);
    expect(log.filter((entry) => entry === 'ring')).toHaveLength(5);
    expect(log.join(' ')).not.toContain('ring ring');
  });

  it('loses no ring that comes between the last look and the wait', async () => {
    const { reader, writer } = pair();
    let calls = 0;
    let looks = 0;
    reader.listen(
      () => {
        // The record came just after this look: the flag is set, so the writer rings.
        if (++looks === 1) expect(writer.ring()).toBe(true);
        return true;
      },
      () => calls++,
    );
    await turns(10);
    expect(calls).toBe(1);
  });

  it('calls back no more after close, and can be closed twice', async () => {
    const { reader, writer } = pair();
    let calls = 0;
    reader.listen(
      () => true,
      () => calls++,
    );
    writer.ring();
    reader.close();
    reader.close();
    expect(writer.ring()).toBe(false);
    await turns(20);
    expect(calls).toBe(0);
  });

  it('calls back no more after close while a turn was due', async () => {
    const { reader } = pair();
    let calls = 0;
    reader.listen(
      () => false,
      () => {
        calls++;
        reader.close();
      },
    );
    await turns(20);
    expect(calls).toBe(1);
    reader.listen(
      () => false,
      () => calls++,
    );
    reader.close();
    await turns(20);
    expect(calls).toBe(1);
  });

  it('refuses a second listener', () => {
    const { reader } = pair();
    const idle = () => true;
    const nothing = () => {};
    reader.listen(idle, nothing);
    expect(() => reader.listen(idle, nothing)).toThrow('listens already');
  });
});

describe('wait', () => {
  it('returns at once when there is work', () => {
    const { reader, writer } = pair();
    reader.wait(() => false, 60_000);
    expect(writer.ring()).toBe(false);
  });

  it('returns at once when the doorbell rang after the look', () => {
    const { reader, writer } = pair();
    reader.wait(() => writer.ring(), 60_000);
    expect(writer.ring()).toBe(false);
  });

  it('returns after its time-out, awake', () => {
    const { reader, writer } = pair();
    reader.wait(() => true, 5);
    expect(writer.ring()).toBe(false);
  });
});

describe('in a process of its own', () => {
  async function child(mode: string): Promise<{ code: number | null; output: string }> {
    const script = fileURLToPath(new URL('./doorbell-child.mjs', import.meta.url));
    const process_ = spawn(process.execPath, ['--expose-gc', script, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    process_.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    const [code] = await once(process_, 'close');
    return { code, output: output.trim() };
  }

  it('a listener keeps an otherwise idle loop alive, hears a thread, and lets the process exit after close', async () => {
    expect(await child('idle')).toEqual({ code: 0, output: 'rung 50, rescued 0' });
  });

  it('a listener that throws is a fault, but does not deafen the doorbell', async () => {
    expect(await child('throw')).toEqual({ code: 0, output: 'thrown 1, rung 2' });
  });

  it('the safety net finds what was published without a ring', async () => {
    expect(await child('silent')).toEqual({ code: 0, output: 'rung 1, rescued 1' });
  });

  it('a record allocates nothing on its way through a ring, whatever its position', async () => {
    expect(await child('allocation')).toEqual({ code: 0, output: 'no allocation' });
  });
});
