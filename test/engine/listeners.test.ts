// Telling listeners: whatever one of them does, all are told, faults come to `fault`, and nothing is thrown.
import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { EngineEvents } from '#src/engine/api.js';
import { Listeners } from '#src/engine/listeners.js';
import { WRONG_ANSWERS } from '../support/wrong-answers.js';

const NAMES = ['lane', 'poison', 'warning', 'fault'] as const;
const EVENT = {} as never;

/** Promises are settled, and their reactions have run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Warning {
  readonly text: string;
  readonly detail: string;
}

function open(): {
  emitter: EventEmitter<EngineEvents>;
  listeners: Listeners;
  warnings: Warning[];
  clock: { ms: number };
} {
  const clock = { ms: 0 };
  const warnings: Warning[] = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((...args: unknown[]) => {
    const [text, options] = args as [string, { readonly type: string; readonly detail: string }];
    expect(options.type).toBe('RingcastFault');
    warnings.push({ text, detail: options.detail });
  });
  const emitter = new EventEmitter<EngineEvents>();
  return { emitter, listeners: new Listeners(emitter, () => clock.ms), warnings, clock };
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(NAMES)('a listener of %s that', (name) => {
  it.each(WRONG_ANSWERS)('$what is no reason not to tell the others', async ({ answer, isFault }) => {
    const { emitter, listeners, warnings } = open();
    const told: string[] = [];
    const faults: unknown[] = [];
    emitter.on(name, () => told.push('before'));
    emitter.once(name, answer);
    emitter.on(name, () => told.push('after'));
    if (name !== 'fault') emitter.on('fault', (fault) => faults.push(fault));
    expect(listeners.tell(name, EVENT)).toBe(true);
    await settled();
    expect(told).toEqual(['before', 'after']);
    // What a listener of `fault` does wrong has no other listener to be told to.
    expect([faults.length, warnings.length]).toEqual(name === 'fault' ? [0, Number(isFault)] : [Number(isFault), 0]);
    expect(emitter.listenerCount(name)).toBe(2);
  });
});

describe('a fault that nobody listens to', () => {
  it('is a process warning with its stack, one per second at most', () => {
    const { listeners, warnings, clock } = open();
    for (let n = 0; n < 100; n++) listeners.fault(new Error(`fault ${n}`));
    expect(warnings).toHaveLength(1);
    expect(warnings[0].detail).toMatch(/fault 0\n +at .*listeners\.test/);
    clock.ms = 1000;
    listeners.fault(new Error('later'));
    expect(warnings.slice(1)).toMatchObject([{ text: expect.stringContaining('99 more') }]);
  });

  it.each(WRONG_ANSWERS.filter(({ isFault }) => isFault))('of whatever make ($what)', async ({ answer }) => {
    const { emitter, listeners, warnings } = open();
    emitter.on('warning', answer);
    listeners.tell('warning', 'text');
    await settled();
    expect(warnings).toHaveLength(1);
  });
});
