// Hooks: who may connect, subscribe and publish; answers at once and by a promise; hooks that throw.
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { AuthorizeRequest, ConnectionInfo } from '#src/index.js';
import { encodeClientFrame } from '#src/protocol/client-frames.js';
import { Bystander } from '../support/bystander.js';
import { startEngine } from '../support/engines.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

/** A promise that the test settles. */
function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (fault: unknown) => void } {
  let resolve!: (value: T) => void;
  let reject!: (fault: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

const later = <T>(value: T): Promise<T> => new Promise((resolve) => setTimeout(resolve, 5, value));

describe('onConnect', () => {
  it.each([
    ['at once', () => false],
    ['by a promise', () => later(false)],
  ])('refuses %s: HTTP 403', async (_, onConnect) => {
    const { engine, url } = await startEngine({ lanes: 0, onConnect });
    await expect(TestClient.open(url)).rejects.toThrow('403');
    expect(engine.stats()).toMatchObject({ connections: 0, refusedConnections: 1 });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no database');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no database'))],
  ])('%s: HTTP 500, a fault, and the next one is asked again', async (_, fail) => {
    let calls = 0;
    const onConnect = () => (++calls === 1 ? fail() : true);
    const { url, faults } = await startEngine({ lanes: 0, onConnect }, true);
    await expect(TestClient.open(url)).rejects.toThrow('500');
    expect(faults).toMatchObject([{ message: 'no database' }]);
    await (await TestClient.open(url)).sync();
  });

  it('sees the request, and gives a context to the other hooks', async () => {
    const seen: unknown[] = [];
    const asked: AuthorizeRequest[] = [];
    const subscribed: ConnectionInfo[] = [];
    const closed: (ConnectionInfo & { code: number; reason: string })[] = [];
    const { url } = await startEngine({
      lanes: 0,
      onConnect: (request) => {
        seen.push(request);
        return later({ context: { user: request.headers['x-user'] } });
      },
      authorize: (request) => {
        asked.push(request);
        return true;
      },
      onSubscribe: (subscription) => {
        subscribed.push(subscription);
      },
      onClose: (connection) => {
        closed.push(connection);
      },
    });
    const client = await TestClient.open(`${url}?codec=msgpack`, 'msgpack', { headers: { 'X-User': 'ada' } });
    await client.request({ type: 'connect', options: { token: 't0k3n', clientId: 'c1' } });
    await client.publish('t', 1);
    const { epoch } = await client.subscribe('t', { lastN: 1 });
    await client.history('t');
    client.socket.close(4000, 'enough');
    await until(() => closed.length === 1, 'onClose');
    expect(seen).toMatchObject([
      { remoteAddress: '127.0.0.1', url: '/ws?codec=msgpack', headers: { upgrade: 'websocket', 'x-user': 'ada' } },
    ]);
    const who = {
      clientId: 'c1',
      token: 't0k3n',
      context: { user: 'ada' },
      connectionId: expect.stringMatching(/^\S{8,}$/),
    };
    expect(asked).toMatchObject([
      { ...who, action: 'publish', topic: 't' },
      { ...who, action: 'subscribe', topic: 't' },
      { ...who, action: 'subscribe', topic: 't' },
    ]);
    expect(subscribed).toMatchObject([{ ...who, topic: 't', epoch, seq: 0 }]);
    expect(closed).toMatchObject([{ ...who, code: 4000, reason: 'enough' }]);
  });

  it('a client that leaves while it is asked is forgotten', async () => {
    const answer = deferred<boolean>();
    const { engine, url } = await startEngine({ lanes: 0, onConnect: () => answer.promise });
    const leaving = new WebSocket(url);
    leaving.on('error', () => {}); // terminate() aborts the handshake
    await until(() => leaving.readyState === WebSocket.CONNECTING, 'connecting');
    const staying = TestClient.open(url);
    leaving.terminate();
    answer.resolve(true);
    await (await staying).sync();
    await until(() => engine.stats().connections === 1, 'only who stayed');
  });
});

describe('maxConnections', () => {
  it('refuses one too many with HTTP 503, until somebody leaves', async () => {
    const { engine, url } = await startEngine({ lanes: 0, maxConnections: 2 });
    const [first, second] = [await TestClient.open(url), await TestClient.open(url)];
    for (let n = 0; n < 3; n++) await expect(TestClient.open(url)).rejects.toThrow('503');
    expect(engine.stats()).toMatchObject({ connections: 2, refusedConnections: 3 });
    await first.sync();
    await second.close();
    await until(() => engine.stats().connections === 1, 'one has left');
    await (await TestClient.open(url)).sync();
  });

  it('holds while onConnect is thinking, and counts nobody twice', async () => {
    const answers: ((isIn: boolean) => void)[] = [];
    const onConnect = () => new Promise<boolean>((resolve) => answers.push(resolve));
    const { engine, url } = await startEngine({ lanes: 0, maxConnections: 2, onConnect });
    const attempts = Array.from({ length: 5 }, () =>
      TestClient.open(url).then(
        () => 'in',
        (error: Error) => error.message,
      ),
    );
    const outcomes = Promise.all(attempts);
    await until(() => answers.length + engine.stats().refusedConnections === 5, 'all have arrived');
    for (const answer of answers.splice(0)) answer(true);
    const all = await outcomes;
    expect(all.filter((outcome) => outcome === 'in')).toHaveLength(2);
    expect(all.filter((outcome) => outcome.includes('503'))).toHaveLength(3);
    expect(engine.stats().connections).toBe(2);
  });

  it('places of those that are refused or leave while onConnect thinks are free again', async () => {
    const answers: ((isIn: boolean) => void)[] = [];
    const onConnect = () => new Promise<boolean>((resolve) => answers.push(resolve));
    const { url } = await startEngine({ lanes: 0, maxConnections: 1, onConnect });
    for (let n = 0; n < 3; n++) {
      const refused = TestClient.open(url);
      await until(() => answers.length === 1, 'asked');
      answers.shift()?.(false);
      await expect(refused).rejects.toThrow('403');
      const leaving = new WebSocket(url);
      leaving.on('error', () => {}); // terminate() aborts the handshake
      await until(() => answers.length === 1, 'asked');
      leaving.terminate();
      answers.shift();
    }
    const last = await openWhenFree(url, answers);
    await last.sync();
  });
});

/** The server learns a moment later that somebody left: until then the answer is 503. */
async function openWhenFree(url: string, answers: ((isIn: boolean) => void)[]): Promise<TestClient> {
  for (let attempt = 1; ; attempt++) {
    const opening = TestClient.open(url);
    const settled = opening.then(
      () => true,
      () => true,
    );
    let isSettled = false;
    void settled.then(() => {
      isSettled = true;
    });
    await until(() => answers.length > 0 || isSettled, 'asked or refused');
    answers.shift()?.(true);
    try {
      return await opening;
    } catch (error) {
      if (attempt === 100) throw error;
    }
  }
}

describe('authorize', () => {
  it.each(['at once', 'by a promise'])('decides %s about subscribing, history and publishing', async (how) => {
    const { engine, url } = await startEngine({
      lanes: 0,
      authorize: ({ action, topic }) => {
        const isAllowed = topic.startsWith(action);
        return how === 'at once' ? isAllowed : later(isAllowed);
      },
    });
    const client = await TestClient.open(url);
    await client.subscribe('subscribe:t');
    await client.history('subscribe:t');
    await client.publish('publish:t', 1);
    for (const request of [
      { type: 'subscribe' as const, topic: 'publish:t' },
      { type: 'history' as const, topic: 'publish:t' },
      { type: 'publish' as const, topic: 'subscribe:t', payload: 1 },
      { type: 'publish' as const, topic: 'subscribe:t', payload: null, options: { open: true } },
    ]) {
      expect(await client.request(request)).toMatchObject({
        type: 'error',
        code: 'FORBIDDEN',
        message: expect.stringContaining(request.topic),
      });
    }
    client.send({ type: 'publish', topic: 'subscribe:t', payload: 'unasked' });
    await client.sync();
    expect(client.errors().at(-1)).toMatchObject({ id: null, code: 'FORBIDDEN' });
    expect(client.events()).toEqual([]);
    expect(engine.stats().messages).toBe(1);
    expect(client.isClosed).toBe(false);
  });

  it('subscribing does not allow to publish by the alias it gave', async () => {
    const { url } = await startEngine({ lanes: 0, authorize: ({ action }) => action === 'subscribe' });
    const client = await TestClient.open(url);
    const { alias } = await client.subscribe('t');
    expect(await client.request({ type: 'publish', topic: alias as number, payload: 1 })).toMatchObject({
      code: 'FORBIDDEN',
    });
    client.send({ type: 'publish', topic: alias as number, payload: 1 });
    await client.sync();
    expect(client.events()).toEqual([]);
  });

  it('is asked once per connection and topic for publishing', async () => {
    let asked = 0;
    const authorize = () => {
      asked++;
      return later(true);
    };
    const { url } = await startEngine({ lanes: 0, authorize });
    const client = await TestClient.open(url);
    for (let n = 0; n < 20; n++) await client.publish(n % 2 ? 'a' : 'b', n);
    expect(asked).toBe(2);
    await (await TestClient.open(url)).publish('a', 1);
    expect(asked).toBe(3);
  });

  it.each(['cold:t', 'hot:t'])(
    'frames wait for an answer and keep their order (%s), those of others do not wait',
    async (topic) => {
      const answers = new Map<string, ReturnType<typeof deferred<boolean>>>();
      const { url } = await startEngine({
        topics: [{ match: 'hot:*', home: 'hot' }],
        authorize: ({ topic: name, action }) => {
          if (!name.startsWith('slow')) return true;
          const answer = deferred<boolean>();
          answers.set(`${action} ${name}`, answer);
          return answer.promise;
        },
      });
      const client = await TestClient.open(url);
      const other = await TestClient.open(url);
      await other.subscribe(topic);
      // In one message: the frames behind the one that waits are held back, and so are the messages behind it.
      client.socket.send(
        Buffer.concat([
          encodeClientFrame({ type: 'publish', topic, payload: 1 }),
          encodeClientFrame({ type: 'subscribe', id: 's', topic: 'slow:a' }),
          encodeClientFrame({ type: 'publish', topic, payload: 2 }),
          encodeClientFrame({ type: 'publish', id: 'p', topic: 'slow:b', payload: ['kept', 1, 2.5] }),
          encodeClientFrame({ type: 'publish', topic, payload: 3 }),
        ]),
      );
      client.send({ type: 'publish', topic, payload: 4 });
      client.send({ type: 'ping', id: 'end' });
      await until(() => answers.has('subscribe slow:a'), 'the hook is asked');
      await other.publish(topic, 'others do not wait');
      expect((await other.untilEvents(2)).map(({ payload }) => payload)).toEqual([1, 'others do not wait']);
      expect(client.heard.map(({ type }) => type)).toEqual(['welcome']);

      answers.get('subscribe slow:a')?.resolve(true);
      await until(() => answers.has('publish slow:b'), 'the next one is asked');
      expect((await other.untilEvents(3)).at(-1)?.payload).toBe(2);
      answers.get('publish slow:b')?.resolve(true);
      await other.untilEvents(5);
      expect(other.events().map(({ payload }) => payload)).toEqual([1, 'others do not wait', 2, 3, 4]);
      await client.until(() => client.heard.some(({ type }) => type === 'pong'), 'the end');
      expect(client.heard.map((frame) => ('id' in frame ? frame.id : null)).filter(Boolean)).toEqual(['s', 'p', 'end']);
    },
  );

  it('what waits is bounded: too much of it ends the connection with 1013', async () => {
    const { engine, url } = await startEngine({
      lanes: 0,
      maxPayloadBytes: 64 * 1024,
      authorize: () => new Promise(() => {}),
    });
    const waiting = await TestClient.open(url);
    waiting.send({ type: 'subscribe', topic: 't' });
    for (let n = 0; n < 300; n++) waiting.send({ type: 'publish', topic: 't', payload: 'x'.repeat(60_000) });
    expect(await waiting.untilClosed()).toMatchObject({
      code: 1013,
      reason: expect.stringContaining('RATE_LIMITED'),
    });
    expect(engine.stats()).toMatchObject({ connections: 0, subscriptions: 0, topics: 0 });
  });

  it('what waits is bounded also when it has no bytes', async () => {
    const answer = deferred<boolean>();
    const authorize = ({ topic }: AuthorizeRequest) => topic === 'bystander' || answer.promise;
    const { engine, url } = await startEngine({ lanes: 0, authorize });
    const bystander = await Bystander.join(engine);
    const waiting = await TestClient.open(url);
    for (const topic of ['a', 'b']) waiting.send({ type: 'subscribe', topic });
    for (let n = 0; n < 400_000 && !waiting.isClosed; n++) waiting.socket.send(Buffer.alloc(0));
    expect(await waiting.untilClosed()).toMatchObject({
      code: 1013,
      reason: expect.stringContaining('RATE_LIMITED'),
    });
    answer.resolve(true);
    await bystander.isUnharmed();
  });

  it('a connection that ends while the hook thinks leaves nothing behind', async () => {
    const answer = deferred<boolean>();
    let asked = 0;
    const authorize = () => {
      asked++;
      return answer.promise;
    };
    const { engine, url } = await startEngine({ lanes: 0, authorize });
    const byUrl = await TestClient.open(`${url}?topics=a,b`);
    const byFrame = await TestClient.open(url);
    byFrame.send({ type: 'publish', topic: 't', payload: 1 }, { type: 'subscribe', topic: 't' });
    await until(() => asked === 2, 'both are asked');
    byUrl.socket.terminate();
    byFrame.socket.terminate();
    await until(() => engine.stats().connections === 0, 'both have left');
    answer.resolve(true);
    await (await TestClient.open(url)).sync();
    expect(engine.stats()).toMatchObject({ subscriptions: 0, streams: 0, topics: 0, messages: 0 });
    expect(asked).toBe(2);
  });

  it('by URL: each topic is asked about, answers come in the order of the URL', async () => {
    const authorize = ({ topic }: AuthorizeRequest) =>
      topic === 'b' ? later(false) : topic === 'c' ? later(true) : true;
    const { engine, url } = await startEngine({ lanes: 0, authorize });
    const client = await TestClient.open(`${url}?topics=a,b,c,d`);
    await client.publish('d', 'behind the subscriptions');
    expect(client.heard.slice(1, 5)).toMatchObject([
      { type: 'ok', result: { topic: 'a' } },
      { type: 'error', id: null, code: 'FORBIDDEN' },
      { type: 'ok', result: { topic: 'c' } },
      { type: 'ok', result: { topic: 'd' } },
    ]);
    await client.untilEvents(1, 'd');
    expect(engine.stats().subscriptions).toBe(3);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no database');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no database'))],
  ])('%s: INTERNAL, a fault, and nothing is done', async (_, fail) => {
    const { engine, url, faults } = await startEngine({ lanes: 0, authorize: fail }, true);
    const client = await TestClient.open(url);
    expect(await client.request({ type: 'subscribe', topic: 't' })).toMatchObject({ code: 'INTERNAL' });
    expect(await client.request({ type: 'publish', topic: 't', payload: 1 })).toMatchObject({ code: 'INTERNAL' });
    expect(client.errors().some(({ message }) => message.includes('database'))).toBe(false);
    expect(faults).toMatchObject([{ message: 'no database' }, { message: 'no database' }]);
    await client.sync();
    expect(engine.stats()).toMatchObject({ subscriptions: 0, topics: 0, messages: 0 });
  });

  it('an answer that is a promise of another make is waited for too', async () => {
    // biome-ignore lint/suspicious/noThenProperty: what some libraries return in place of a Promise
    const refusal = { then: (resolve: (isAllowed: boolean) => void) => void setTimeout(resolve, 1, false) };
    const { url } = await startEngine({ lanes: 0, authorize: () => refusal as unknown as Promise<boolean> });
    const client = await TestClient.open(url);
    expect(await client.request({ type: 'subscribe', topic: 't' })).toMatchObject({ type: 'error', code: 'FORBIDDEN' });
  });
});

describe('onSubscribe and onClose', () => {
  it('that throw are faults, and harm nobody', async () => {
    const fail = (where: string) => () => {
      throw new Error(where);
    };
    const { engine, url, faults } = await startEngine(
      { lanes: 0, onSubscribe: fail('onSubscribe'), onClose: fail('onClose') },
      true,
    );
    const client = await TestClient.open(url);
    await client.subscribe('t');
    await client.publish('t', 1);
    await client.untilEvents(1);
    await client.close();
    await until(() => faults.length === 2, 'two faults');
    expect(faults).toMatchObject([{ message: 'onSubscribe' }, { message: 'onClose' }]);
    expect(engine.stats()).toMatchObject({ connections: 0, subscriptions: 0 });
  });
});
