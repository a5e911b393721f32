// Baseline: uWebSockets.js with a loop over the topic's sockets, one `send` each. Same wire format as uws-publish.

import type { WebSocket } from 'uWebSockets.js';
import type { Peer, RunningServer, ServerOptions } from '../support/peer.js';
import { controlAnswer, createRawDialect, RAW_SUBSCRIBE, RAW_UNSUBSCRIBE } from '../support/raw-dialect.js';

const PAYLOAD_MAX_BYTES = 1024 * 1024;

/** What a socket is subscribed to. */
interface SocketData {
  topics: Set<number>;
}

async function startServer({ topics, tls }: ServerOptions): Promise<RunningServer> {
  const uws = await import('uWebSockets.js');
  const subscribers = Array.from({ length: topics.hot + topics.cold }, () => new Set<WebSocket<SocketData>>());
  const app = tls === undefined ? uws.App() : uws.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile });
  // maxBackpressure is uWS's default (64 KiB), made explicit: what a slow socket cannot take beyond it is dropped.
  app.ws<SocketData>('/*', {
    maxPayloadLength: PAYLOAD_MAX_BYTES,
    maxBackpressure: 64 * 1024,
    idleTimeout: 120,
    upgrade: (response, request, context) => {
      response.upgrade<SocketData>(
        { topics: new Set() },
        request.getHeader('sec-websocket-key'),
        request.getHeader('sec-websocket-protocol'),
        request.getHeader('sec-websocket-extensions'),
        context,
      );
    },
    message: (socket, message) => {
      const view = new DataView(message);
      const topic = view.getUint32(0, true);
      if (topic < RAW_UNSUBSCRIBE) {
        const payload = new Uint8Array(message, 4);
        for (const subscriber of subscribers[topic]) subscriber.send(payload, true);
        return;
      }
      const own = socket.getUserData().topics;
      for (let offset = 4; offset < message.byteLength; offset += 4) {
        const named = view.getUint32(offset, true);
        if (topic === RAW_SUBSCRIBE) {
          own.add(named);
          subscribers[named].add(socket);
        } else {
          own.delete(named);
          subscribers[named].delete(socket);
        }
      }
      socket.send(controlAnswer(topic, message.byteLength / 4 - 1), true);
    },
    close: (socket) => {
      for (const topic of socket.getUserData().topics) subscribers[topic].delete(socket);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    app.listen('127.0.0.1', 0, (listenSocket) => {
      if (listenSocket) resolve(uws.us_socket_local_port(listenSocket));
      else reject(new Error('uws-send-loop: cannot listen'));
    });
  });
  return { port, close: async () => void app.close() };
}

export const peer: Peer = { name: 'uws-send-loop', startServer, createDialect: createRawDialect };
