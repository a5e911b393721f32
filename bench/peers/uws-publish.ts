// Baseline: uWebSockets.js with its own subscribe/publish. A client message is [u16 topic][payload]; what subscribers get is
// the payload alone. [u16 0xffff][u16 topic]… subscribes and is answered by [u16 0xffff][u16 count].

import type { Peer, RunningServer, ServerOptions } from '../support/peer.js';
import { createRawDialect, RAW_CONTROL } from '../support/raw-dialect.js';

const PAYLOAD_MAX_BYTES = 1024 * 1024;

async function startServer(options: ServerOptions): Promise<RunningServer> {
  const uws = await import('uWebSockets.js');
  const names = Array.from({ length: options.topics.hot + options.topics.cold }, (_, topic) => `t${topic}`);
  const app = uws.App();
  // maxBackpressure is uWS's default (64 KiB), made explicit: what a slow socket cannot take beyond it is dropped.
  app.ws('/*', {
    maxPayloadLength: PAYLOAD_MAX_BYTES,
    maxBackpressure: 64 * 1024,
    idleTimeout: 120,
    message: (socket, message) => {
      const view = new DataView(message);
      const topic = view.getUint16(0, true);
      if (topic !== RAW_CONTROL) {
        app.publish(names[topic]!, new Uint8Array(message, 2), true);
        return;
      }
      for (let offset = 2; offset < message.byteLength; offset += 2)
        socket.subscribe(names[view.getUint16(offset, true)]!);
      const answer = new DataView(new ArrayBuffer(4));
      answer.setUint16(0, RAW_CONTROL, true);
      answer.setUint16(2, (message.byteLength - 2) / 2, true);
      socket.send(answer.buffer as ArrayBuffer, true);
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
