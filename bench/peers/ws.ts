// Baseline: the ws package with a loop over the topic's sockets. Same wire format as uws-publish.

import type { WebSocket } from 'ws';
import type { Peer, RunningServer, ServerOptions } from '../support/peer.js';
import { controlAnswer, createRawDialect, RAW_SUBSCRIBE, RAW_UNSUBSCRIBE } from '../support/raw-dialect.js';

const SEND_OPTIONS = { binary: true, compress: false };

async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { WebSocketServer } = await import('ws');
  const subscribers = Array.from({ length: options.topics.hot + options.topics.cold }, () => new Set<WebSocket>());
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, backlog: 1024 });
  server.on('connection', (socket) => {
    const topics = new Set<number>();
    socket.on('message', (message: Buffer) => {
      const topic = message.readUInt32LE(0);
      if (topic < RAW_UNSUBSCRIBE) {
        const payload = message.subarray(4);
        for (const subscriber of subscribers[topic]) subscriber.send(payload, SEND_OPTIONS);
        return;
      }
      for (let offset = 4; offset < message.length; offset += 4) {
        const named = message.readUInt32LE(offset);
        if (topic === RAW_SUBSCRIBE) {
          topics.add(named);
          subscribers[named].add(socket);
        } else {
          topics.delete(named);
          subscribers[named].delete(socket);
        }
      }
      socket.send(controlAnswer(topic, message.length / 4 - 1), SEND_OPTIONS);
    });
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      for (const topic of topics) subscribers[topic].delete(socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('ws: no port');
  const close = async (): Promise<void> => {
    for (const client of server.clients) client.terminate();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { port: address.port, close };
}

export const peer: Peer = { name: 'ws', startServer, createDialect: createRawDialect };
