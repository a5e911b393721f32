// What cohorts rely on in uWebSockets.js, with real sockets: its topics and their model do the same.

import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket as Client } from 'ws';
import { loadUws, type TemplatedApp, type us_listen_socket, type WebSocket } from '#src/gateway/uws.js';
import { Random, testSeed } from '../ring/random.js';
import { TopicTree, TreeSocket } from '../support/topic-tree.js';
import { until } from '../support/until.js';

const SOCKETS = 6;
const GROUPS = 4;
const ROUNDS = 40;
const OPERATIONS = 30;
const BACKPRESSURE_MAX_BYTES = 256 * 1024;
/** So many turns without a change: nobody takes any more. */
const STEADY_TURNS = 300;
const LAST = 'the last one';

const afterTest: (() => void)[] = [];
afterEach(() => {
  for (const end of afterTest.splice(0)) end();
});

/** A server with that many connections, and what each of their clients has received. */
class Lab {
  readonly app: TemplatedApp;
  readonly sockets: WebSocket<unknown>[] = [];
  readonly clients: Client[] = [];
  readonly received: string[][] = [];
  dropped = 0;

  private constructor(app: TemplatedApp) {
    this.app = app;
  }

  static async open(count: number): Promise<Lab> {
    const uws = await loadUws();
    const app = uws.App();
    const lab = new Lab(app);
    app.ws('/*', {
      maxBackpressure: BACKPRESSURE_MAX_BYTES,
      sendPingsAutomatically: false,
      open: (ws) => {
        lab.sockets.push(ws as WebSocket<unknown>);
      },
      dropped: () => {
        lab.dropped++;
      },
    });
    const listening = await new Promise<us_listen_socket | false>((resolve) => app.listen('127.0.0.1', 0, resolve));
    const port = uws.us_socket_local_port(listening as unknown as Parameters<typeof uws.us_socket_local_port>[0]);
    afterTest.push(() => {
      for (const client of lab.clients) client.terminate();
      app.close();
    });
    for (let index = 0; index < count; index++) {
      const client = new Client(`ws://127.0.0.1:${port}`);
      const received: string[] = [];
      client.on('message', (data) => received.push(String(data)));
      client.on('error', () => {});
      lab.clients.push(client);
      lab.received.push(received);
      // One after the other: so client i has socket i. At both ends: who is not open yet cannot pause.
      const isOpen = () => lab.sockets.length === index + 1 && client.readyState === Client.OPEN;
      await until(isOpen, 'a connection');
    }
    return lab;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('uWebSockets.js’s topics', () => {
  it('hand over the same messages in the same order as their model, whatever is done in one turn', async () => {
    const random = new Random(testSeed('topic tree'));
    const lab = await Lab.open(SOCKETS);
    const tree = new TopicTree(BACKPRESSURE_MAX_BYTES);
    const modelled: string[][] = lab.sockets.map(() => []);
    const models = modelled.map(
      (messages) =>
        new TreeSocket(
          tree,
          (message) => messages.push(String(Buffer.from(message))),
          () => true,
        ),
    );
    for (let round = 0, number = 0; round < ROUNDS; round++) {
      await turn();
      tree.drainAll();
      for (let count = random.below(OPERATIONS); count > 0; count--) {
        const index = random.below(SOCKETS);
        const [socket, model] = [lab.sockets[index] as WebSocket<unknown>, models[index] as TreeSocket];
        const group = random.below(GROUPS);
        const dice = random.below(100);
        if (dice < 20) {
          socket.subscribe(String(group));
          tree.subscribe(model, group);
        } else if (dice < 28) {
          socket.unsubscribe(String(group));
          tree.unsubscribe(model, group);
        } else {
          const bytes = random.chance(0.1) ? 20_000 : 10;
          const message = Buffer.from(`${number++} `.padEnd(bytes, '.'));
          if (dice < 40) {
            socket.send(message, true);
            model.send(message);
          } else {
            const times = random.chance(0.1) ? 40 : 1;
            for (let time = 0; time < times; time++) {
              lab.app.publish(String(group), message, true);
              tree.publish(group, message);
            }
          }
        }
      }
    }
    tree.drainAll();
    for (const socket of lab.sockets) socket.send(LAST);
    await until(() => lab.received.every((messages) => messages.at(-1) === LAST), 'the last messages');
    expect(lab.received).toEqual(modelled.map((messages) => [...messages, LAST]));
    expect(modelled.flat().length).toBeGreaterThan(ROUNDS * OPERATIONS);
  });

  it('hand over what was published before `end` closes a socket', async () => {
    const lab = await Lab.open(1);
    const [socket] = lab.sockets as [WebSocket<unknown>];
    socket.subscribe('a');
    await turn();
    lab.app.publish('a', 'one');
    lab.app.publish('a', 'two');
    const closed = new Promise((resolve) => lab.clients[0]?.once('close', resolve));
    socket.end(1000, '');
    await closed;
    expect(lab.received).toEqual([['one', 'two']]);
  });

  it('keep all that is published to one that does not read, show it at once, and drop only above the limit', async () => {
    const lab = await Lab.open(1);
    const [socket] = lab.sockets as [WebSocket<unknown>];
    socket.subscribe('a');
    lab.clients[0]?.pause();
    const filling = 'x'.repeat(60_000);
    let sent = 0;
    // Until the buffers of the system are full, which take some more now and then.
    for (let steady = 0, last = 0; steady < STEADY_TURNS; ) {
      if (socket.getBufferedAmount() === 0) {
        socket.send(filling);
        sent++;
      }
      await turn();
      const amount = socket.getBufferedAmount();
      steady = amount > 0 && amount === last ? steady + 1 : 0;
      last = amount;
    }
    const published = 'y'.repeat(1000);
    const frameBytes = published.length + 4;
    for (let count = 0; count < 50; count++) {
      const before = socket.getBufferedAmount();
      lab.app.publish('a', published);
      await turn();
      // Behind the turn of the event loop in which it was published.
      await turn();
      expect(socket.getBufferedAmount() - before).toBe(frameBytes);
    }
    expect(lab.dropped).toBe(0);
    socket.unsubscribe('a');
    const unsubscribedAt = socket.getBufferedAmount();
    lab.app.publish('a', published);
    await turn();
    await turn();
    expect(socket.getBufferedAmount()).toBe(unsubscribedAt);
    socket.subscribe('a');
    let kept = 50;
    while (lab.dropped === 0) {
      if (socket.getBufferedAmount() <= BACKPRESSURE_MAX_BYTES) kept++;
      lab.app.publish('a', published);
      await turn();
      await turn();
    }
    lab.clients[0]?.resume();
    await until(() => lab.received[0]?.length === sent + kept, 'all that was kept');
    await turn();
    expect(lab.received[0]?.length).toBe(sent + kept);
  });
});
