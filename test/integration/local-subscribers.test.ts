// Subscribers within the process: whatever is sent to them and whatever their handlers do, the rest goes on.
import { describe, expect, it } from 'vitest';
import { decode, encode, type RingcastError } from '#src/index.js';
import { PAYLOAD_NESTING_MAX } from '#src/protocol/messages.js';
import { skipValue } from '#src/protocol/msgpack.js';
import { startEngine } from '../support/engines.js';
import { announcedSeed, seededRandom } from '../support/seeded.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';
import { WRONG_ANSWERS } from '../support/wrong-answers.js';

const HOT = [{ match: 'hot:*', home: 'hot' as const }];

/** Any bytes that a publisher may send: one value, with maps, extensions and strings of whatever content. */
function randomValue(random: () => number, depth = 0): number[] {
  const pick = (limit: number): number => Math.floor(random() * limit);
  const bytes = (count: number): number[] => Array.from({ length: count }, () => pick(256));
  const children = (count: number): number[] =>
    Array.from({ length: count }, () => randomValue(random, depth + 1)).flat();
  const kind = depth > 4 ? 3 + pick(5) : pick(8);
  const count = pick(4);
  if (kind < 2) return [0x80 | count, ...children(count * 2)];
  if (kind === 2) return [0x90 | count, ...children(count)];
  if (kind === 3) return [0xa0 | count, ...bytes(count)];
  if (kind === 4) return [0xc7, count, ...bytes(1 + count)];
  if (kind === 5) return [0xd4 + pick(5), ...bytes(0)].flatMap((type) => [type, ...bytes(1 + 2 ** (type - 0xd4))]);
  if (kind === 6) return [0xcf, ...bytes(8)];
  return [[0xc0, 0xc2, 0xff, pick(128)][pick(4)]];
}

describe('subscribers within the process', () => {
  it('get every message that can be decoded, whatever else strangers send', async () => {
    const random = seededRandom(announcedSeed('payloads of strangers'));
    const { engine, url, faults } = await startEngine({ lanes: 1, topics: HOT }, true);
    const stranger = await TestClient.open(url);
    for (const topic of ['cold:t', 'hot:t']) {
      faults.length = 0;
      const seqs: number[] = [];
      const decodable: number[] = [];
      engine.subscribe(topic, {}, ({ seq }) => seqs.push(seq));
      for (let seq = 1; seq <= 1500; seq++) {
        const payload = Uint8Array.from(randomValue(random));
        expect(skipValue(payload, 0, payload.length, PAYLOAD_NESTING_MAX)).toBe(payload.length);
        if (isDecodable(payload)) decodable.push(seq);
        stranger.socket.send(Buffer.concat([encode([4, null, topic]).fill(0x94, 0, 1), payload]));
      }
      await stranger.sync();
      await engine.publish(topic, 'the last one');
      await until(() => seqs.at(-1) === 1501, 'the last one');
      expect(seqs).toEqual([...decodable, 1501]);
      // The others are not left out in silence.
      expect(seqs.length + faults.length).toBe(1501);
    }
    await stranger.sync();
  });
});

function isDecodable(payload: Uint8Array): boolean {
  try {
    decode(payload);
    return true;
  } catch {
    return false;
  }
}

describe('a handler of engine.subscribe that', () => {
  it.each(WRONG_ANSWERS)(
    '$what: the next message comes, others get theirs, and listeners of fault are told',
    async ({ answer, isFault }) => {
      const { engine, faults } = await startEngine({ lanes: 0, maxLagMessages: 2 }, true);
      const calls: string[] = [];
      const others: number[] = [];
      const noted = (name: string) => () => {
        calls.push(name);
        return answer();
      };
      engine.subscribe('t', { onGap: noted('gap'), onEnd: noted('end') }, noted('event'));
      engine.subscribe('t', {}, ({ seq }) => others.push(seq));
      for (let seq = 1; seq <= 5; seq++) void engine.publish('t', seq);
      await until(() => others.length === 2, 'the two newest messages');
      engine.deleteTopic('t');
      await until(() => calls.includes('end'), 'the end');
      await new Promise((resolve) => setImmediate(resolve));
      expect(calls).toEqual(['gap', 'event', 'event', 'end']);
      expect(faults).toHaveLength(isFault ? 4 : 0);
      expect(await engine.publish('t', 'goes on')).toMatchObject({ seq: 1 });
    },
  );
});

describe('engine.subscribe refuses', () => {
  const onEvent = (): void => {};
  const calls: [what: string, args: unknown[], problem: RegExp][] = [
    ['a name that is no text', [5, {}, onEvent], /not a string/],
    ['options that are none', ['t', null, onEvent], /options/],
    ['no handler', ['t', {}], /onEvent/],
    ['a handler that is no function', ['t', {}, 'x'], /onEvent/],
    ['onGap that is no function', ['t', { onGap: 1 }, onEvent], /onGap/],
    ['onEnd that is no function', ['t', { onEnd: {} }, onEvent], /onEnd/],
    ['an option out of its range', ['t', { lastN: -1 }, onEvent], /lastN/],
  ];
  it.each(calls)('%s', async (_, args, problem) => {
    const { engine } = await startEngine({ lanes: 0 });
    const subscribe = engine.subscribe.bind(engine) as (...args: unknown[]) => unknown;
    const refusal = refusalOf(() => subscribe(...args));
    expect(refusal).toMatchObject({
      name: 'RingcastError',
      code: 'BAD_REQUEST',
      message: expect.stringMatching(problem),
    });
    expect(engine.stats().subscriptions).toBe(0);
  });
});

function refusalOf(call: () => unknown): RingcastError {
  try {
    call();
  } catch (error) {
    return error as RingcastError;
  }
  throw new Error('it was not refused');
}
