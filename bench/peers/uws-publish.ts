// Baseline: uWebSockets.js with its own subscribe/publish. A client message is [u32 topic][payload]; what subscribers get is
// the payload alone. See support/raw-dialect.ts for the messages that subscribe.

import type { Peer, RunningServer, ServerOptions } from '../support/peer.js';
import { controlAnswer, createRawDialect, RAW_SUBSCRIBE, RAW_UNSUBSCRIBE } from '../support/raw-dialect.js';

const PAYLOAD_MAX_BYTES = 1024 * 1024;

async function startServer(options: ServerOptions): Promise<RunningServer> {
  const uws = await import('uWebSockets.js');
  const names = Array.from({ length: options.topics.hot + options.topics.cold }, (_, topic) => `t${topic}`);
  const { tls } = options;
  const app = tls === undefined ? uws.App() : uws.SSLApp({ cert_file_name: tls.certFile, key_file_name: tls.keyFile });
  // maxBackpressure is uWS's default (64 KiB), made explicit: what a slow socket cannot take beyond it is dropped.
  app.ws('/*', {
    maxPayloadLength: PAYLOAD_MAX_BYTES,
    maxBackpressure: 64 * 1024,
    idleTimeout: 120,
    message: (socket, message) => {
      const view = new DataView(message);
      const topic = view.getUint32(0, true);
      if (topic < RAW_UNSUBSCRIBE) {
        app.publish(names[topic], new Uint8Array(message, 4), true);
        return;
      }
      for (let offset = 4; offset < message.byteLength; offset += 4) {
        const name = names[view.getUint32(offset, true)];
        if (topic === RAW_SUBSCRIBE) socket.subscribe(name);
        else socket.unsubscribe(name);
      }
      socket.send(controlAnswer(topic, message.byteLength / 4 - 1), true);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    app.listen('127.0.0.1', 0, (listenSocket) => {
      if (listenSocket) resolve(uws.us_socket_local_port(listenSocket));
      else reject(new Error('uws-publish: cannot listen'));
    });
  });
  return { port, close: async () => void app.close() };
}

export const peer: Peer = { name: 'uws-publish', startServer, createDialect: createRawDialect };
