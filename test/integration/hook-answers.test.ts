// Every hook, with every answer that it should not give: who asked is told so in time, and everybody else goes on.
import { describe, expect, it } from 'vitest';
import { createEngine, type EngineInput } from '#src/index.js';
import { startEngine } from '../support/engines.js';
import { refusal } from '../support/refusal.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

const HOOK_TIMEOUT_MS = 100;

type Answer = () => unknown;

/** Taken at once and from a promise. */
const REFUSALS: Record<string, Answer> = { false: () => false, null: () => null, undefined: () => undefined };

/** Likewise. */
const NO_ANSWERS: Record<string, Answer> = {
  0: () => 0,
  1: () => 1,
  NaN: () => Number.NaN,
  'a bigint': () => 1n,
  'an empty text': () => '',
  'a text': () => 'true',
  'a symbol': () => Symbol('true'),
  'an empty array': () => [],
  'an array': () => [true],
  'a function': () => () => true,
  'an Error': () => new Error('not found'),
  'a Map': () => new Map([['context', 1]]),
  'something else in an object': () => ({ allowed: false }),
  'something else beside a context': () => ({ context: 1, allowed: false }),
  'a boxed true': () => new Boolean(true),
};

const thenable = (then: unknown): Answer => {
  return () => ({ then });
};

/** No answer at all. */
const THROWS: Record<string, Answer> = {
  'throws an Error': () => {
    throw new Error('no database');
  },
  'throws undefined': () => {
    throw undefined;
  },
  'throws a text': () => {
    throw 'no database';
  },
  'rejects with an Error': () => Promise.reject(new Error('no database')),
  'rejects with null': () => Promise.reject(null),
  'returns a thenable that throws': thenable(() => {
    throw new Error('no database');
  }),
  'returns a thenable that rejects and then resolves': thenable(
    (resolve: (value: unknown) => void, reject: (fault: unknown) => void) => {
      reject(new Error('no database'));
      resolve(true);
    },
  ),
  'returns what cannot be looked at': () =>
    new Proxy(
      {},
      {
        get: () => {
          throw new Error('no database');
        },
      },
    ),
};
const SILENCES: Record<string, Answer> = {
  'is silent': () => new Promise(() => {}),
  'returns a thenable that is silent': thenable(() => {}),
};
const FAILURES = { ...THROWS, ...SILENCES };

const late = (answer: Answer): Answer => {
  return async () => answer();
};

function cases(answers: Record<string, Answer>): [string, Answer][] {
  return Object.entries(answers).flatMap(([name, answer]): [string, Answer][] => [
    [name, answer],
    [`${name}, by a promise`, late(answer)],
  ]);
}

/** An engine with room for one connection, and the hook's next answer; `true` from then on. */
async function engineThatAnswers(hook: 'onConnect' | 'authorize') {
  const next: { answer: Answer | null } = { answer: null };
  const ask = () => {
    const answer = next.answer ?? (() => true);
    next.answer = null;
    return answer();
  };
  const limits = { lanes: 0, maxConnections: 1, hookTimeoutMs: HOOK_TIMEOUT_MS };
  return { ...(await startEngine({ ...limits, [hook]: ask }, true)), next };
}

async function expectRefusedConnections(answers: [string, Answer][], status: number, faultCount: number) {
  const { engine, url, faults, next } = await engineThatAnswers('onConnect');
  for (const [name, answer] of answers) {
    next.answer = answer;
    const refused = await refusal(url);
    const text = expect.stringMatching(status === 403 ? /^FORBIDDEN: / : /^INTERNAL: /);
    expect(refused, name).toEqual({ status, text });
    expect(refused.text, name).not.toContain('database');
    await until(() => faults.length === faultCount, `${name}: ${faultCount} faults`);
    for (const fault of faults.splice(0)) expect(fault, name).toBeInstanceOf(Error);
    // The only place is free again.
    const client = await TestClient.open(url);
    await client.sync();
    await client.close();
    await until(() => engine.stats().connections === 0, `${name}: it has left`);
  }
  expect(engine.stats().refusedConnections).toBe(answers.length);
}

async function expectRefusedFrames(answers: [string, Answer][], code: string, faultCount: number) {
  const { engine, url, faults, next } = await engineThatAnswers('authorize');
  const client = await TestClient.open(url);
  for (const [name, answer] of answers) {
    next.answer = answer;
    expect(await client.request({ type: 'subscribe', topic: 't' }), name).toMatchObject({ type: 'error', code });
    await until(() => faults.length === faultCount, `${name}: ${faultCount} faults`);
    for (const fault of faults.splice(0)) expect(fault, name).toBeInstanceOf(Error);
    expect(engine.stats(), name).toMatchObject({ subscriptions: 0, topics: 0 });
    // The frames behind it are not held back any more.
    await client.sync();
  }
  expect(await client.request({ type: 'subscribe', topic: 't' })).toMatchObject({ type: 'ok' });
}

describe('onConnect', () => {
  it('refuses by HTTP 403', () => expectRefusedConnections(cases(REFUSALS), 403, 0));

  it('answers nonsense: HTTP 500 and a fault', () => expectRefusedConnections(cases(NO_ANSWERS), 500, 1));

  it('fails: HTTP 500 and a fault', () => expectRefusedConnections(cases(FAILURES), 500, 1));

  it('lets in', async () => {
    const next: { answer: Answer } = { answer: () => true };
    const onConnect = (() => next.answer()) as EngineInput['onConnect'];
    const { url } = await startEngine({ lanes: 0, onConnect });
    const answers = cases({
      true: () => true,
      'an empty object': () => ({}),
      'a context': () => ({ context: 'ada' }),
      'an object without a prototype': () => Object.assign(Object.create(null), { context: 'ada' }),
      'a thenable that answers twice': thenable((resolve: (value: unknown) => void) => {
        resolve(true);
        resolve(false);
      }),
    });
    for (const [name, answer] of answers) {
      next.answer = answer;
      const client = await TestClient.open(url).catch(() => expect.fail(name));
      await client.sync();
    }
  });

  it('answers that come after the time-out change nothing', async () => {
    const answers: ((isIn: boolean) => void)[] = [];
    const failures: ((fault: Error) => void)[] = [];
    const onConnect = () =>
      new Promise<boolean>((resolve, reject) => {
        answers.push(resolve);
        failures.push(reject);
      });
    const { engine, url, faults } = await startEngine({ lanes: 0, hookTimeoutMs: HOOK_TIMEOUT_MS, onConnect }, true);
    const both = [await refusal(url), await refusal(url)];
    expect(both.map(({ status }) => status)).toEqual([500, 500]);
    answers[0]?.(true);
    failures[1]?.(new Error('late'));
    const staying = TestClient.open(url);
    await until(() => answers.length === 3, 'asked');
    answers[2]?.(true);
    await (await staying).sync();
    expect(faults.map((fault) => (fault as Error).message)).toEqual([
      expect.stringContaining('onConnect has not answered within 100 ms'),
      expect.stringContaining('onConnect has not answered within 100 ms'),
    ]);
    expect(engine.stats().connections).toBe(1);
  });

  it('with hookTimeoutMs 0 may think for as long as it likes, also beyond the end of the engine', async () => {
    let ask = (): void => {};
    const asked = new Promise<void>((resolve) => {
      ask = resolve;
    });
    const onConnect = () => {
      ask();
      return new Promise<boolean>(() => {});
    };
    const engine = createEngine({ port: 0, lanes: 0, hookTimeoutMs: 0, onConnect });
    await engine.start();
    const socket = TestClient.open(engine.url).catch(() => 'cut');
    await asked;
    await engine.close();
    expect(await socket).toBe('cut');
  });
});

describe('authorize', () => {
  it('refuses by FORBIDDEN', () => expectRefusedFrames(cases(REFUSALS), 'FORBIDDEN', 0));

  it('answers nonsense: FORBIDDEN and a fault', () => expectRefusedFrames(cases(NO_ANSWERS), 'FORBIDDEN', 1));

  it('fails: INTERNAL and a fault', () => expectRefusedFrames(cases(FAILURES), 'INTERNAL', 1));
});

describe('onSubscribe and onClose', () => {
  async function tryAll(answers: [string, Answer][], faultCount: number): Promise<void> {
    const next: { answer: Answer } = { answer: () => true };
    const hooks = { onSubscribe: () => next.answer(), onClose: () => next.answer() } as EngineInput;
    const { engine, url, faults } = await startEngine({ lanes: 0, ...hooks }, true);
    for (const [name, answer] of answers) {
      next.answer = answer;
      const client = await TestClient.open(url);
      await client.subscribe('t');
      await engine.publish('t', 1);
      await client.untilEvents(1);
      await client.close();
      await until(() => engine.stats().connections === 0, `${name}: it has left`);
      await until(() => faults.length === faultCount, `${name}: ${faultCount} faults`);
      for (const fault of faults.splice(0)) expect(fault, name).toBeInstanceOf(Error);
    }
  }

  it('answer something: nobody minds', () => tryAll([...cases(REFUSALS), ...cases(NO_ANSWERS)], 0));

  it('are silent: nobody waits', () => tryAll(cases(SILENCES), 0));

  it('fail: faults, and nothing else', () => tryAll(cases(THROWS), 2));
});
