// Clients that have got through their first exchange with a scripted server.
import { expect } from 'vitest';
import { type Client, type ClientOptions, connect, type Publisher } from '#src/client/client.js';
import { OP } from '#src/protocol/messages.js';
import { FakeSocket, server, settle, WELCOME } from './fake-socket.js';

export const URL = 'ws://127.0.0.1:1/ws';

export async function connected(
  options: ClientOptions = {},
  welcome = WELCOME,
): Promise<{ client: Client; socket: FakeSocket }> {
  const connecting = connect(URL, { WebSocket: FakeSocket, ...options });
  const socket = FakeSocket.latest();
  socket.serverOpens();
  await settle();
  const [, id] = socket.takeFrame();
  socket.serverSends(server.welcome(welcome), server.connected(id as number, { connectionId: 'c-1', clientId: null }));
  return { client: await connecting, socket };
}

/** Answers a SUBSCRIBE that has been sent. */
export function answerSubscribe(socket: FakeSocket, topic: string, alias: number, seq: number): void {
  const frame = socket.takeFrame();
  expect(frame.slice(0, 3)).toEqual([OP.SUBSCRIBE, frame[1], topic]);
  socket.serverSends(server.subscribed(frame[1] as number, { topic, alias, epoch: 'e1', seq }));
}

export async function subscribed(client: Client, socket: FakeSocket, topic: string, alias: number, seq = 0) {
  const seen: unknown[] = [];
  const subscribing = client.subscribe(topic, {}, ({ seq, payload }) => seen.push([seq, payload]));
  await settle();
  answerSubscribe(socket, topic, alias, seq);
  return { subscription: await subscribing, seen };
}

export async function openedPublisher(client: Client, socket: FakeSocket): Promise<Publisher> {
  const [topic, alias] = ['t', 3];
  const opening = client.openPublisher(topic);
  await settle();
  const [op, id, ...rest] = socket.takeFrame();
  expect([op, ...rest]).toEqual([OP.PUBLISH, topic, null, { open: true }]);
  socket.serverSends(server.subscribed(id as number, { topic, alias, epoch: 'e', seq: 0 }));
  return opening;
}

/** The next uncaught exception of this process, which then is none. */
export function nextUncaught(): Promise<unknown> {
  return new Promise((resolve) => {
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => {
      for (const listener of others) process.on('uncaughtException', listener);
      resolve(error);
    });
  });
}
