// Clients that have got through their first exchange with a scripted server.
import { expect } from 'vitest';
import { type Client, type ClientOptions, connect } from '#src/client/client.js';
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
