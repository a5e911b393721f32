// Whatever a hook gives, throws or rejects with is a verdict: no exception, no rejection, no wait without end.
import { describe, expect, it } from 'vitest';
import { HookCalls, permission } from '#src/router/hook-calls.js';

/** Throws at whatever is done with it, `instanceof` included. */
function untouchable(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** A promise of the language whose own property is something else than the language's. */
function oddPromise(name: 'constructor' | 'then', property: PropertyDescriptor): Promise<boolean> {
  return Object.defineProperty(Promise.resolve(true), name, property);
}

const fails = (): never => {
  throw new Error('of the promise itself');
};

async function verdictOn(call: () => unknown): Promise<{ verdict: boolean | null; faults: string[] }> {
  const faults: string[] = [];
  const calls = new HookCalls(20, ({ message }) => faults.push(message));
  const verdict = await calls.ask('authorize', call, permission, false);
  await Promise.resolve();
  return { verdict, faults };
}

describe('hook calls', () => {
  it('bear with what throws when it is looked at', async () => {
    const expected = { verdict: null, faults: ['the hook authorize threw something that cannot be shown'] };
    const thrown = (): never => {
      throw untouchable();
    };
    expect(await verdictOn(thrown)).toEqual(expected);
    expect(await verdictOn(async () => thrown())).toEqual(expected);
    expect((await verdictOn(async () => untouchable())).verdict).toBeNull();
  });

  it('bear with promises that have members of their own', async () => {
    const refused = { verdict: null, faults: ['of the promise itself'] };
    expect(await verdictOn(() => oddPromise('then', { value: fails }))).toEqual(refused);
    const silent = await verdictOn(() => oddPromise('then', { value: () => {} }));
    expect(silent.verdict).toBeNull();
    expect(silent.faults[0]).toContain('has not answered within 20 ms');
    expect(await verdictOn(() => oddPromise('constructor', { get: fails }))).toEqual(refused);
  });

  it('tell hooks whose answer does not matter, and report what they throw', async () => {
    const faults: string[] = [];
    const calls = new HookCalls(20, ({ message }) => faults.push(message));
    calls.tell('onClose', () => {
      throw untouchable();
    });
    calls.tell('onClose', () => Promise.reject(untouchable()));
    await new Promise((resolve) => setImmediate(resolve));
    const problem = 'the hook onClose threw something that cannot be shown';
    expect(faults).toEqual([problem, problem]);
  });
});
