// A server that fans out with as little work as can be: uWebSockets.js, its own publish, JSON in and out. Its messages are what
// the load generator's templates make of them; nothing is parsed. Prints its port; ends with its parent.

import { App, us_socket_local_port } from 'uWebSockets.js';

const SUBSCRIBE = '{"sub":"';
const PUBLISH = '{"pub":"';

const app = App();
app.ws('/*', {
  maxPayloadLength: 1024 * 1024,
  maxBackpressure: 64 * 1024 * 1024,
  message: (socket, message, isBinary) => {
    const text = Buffer.from(message).toString('latin1');
    const kind = text.slice(0, SUBSCRIBE.length);
    const topic = text.slice(kind.length, text.indexOf('"', kind.length));
    if (kind === SUBSCRIBE) socket.subscribe(topic);
    else if (kind === PUBLISH) app.publish(topic, message.slice(0), isBinary);
  },
});
app.listen('127.0.0.1', 0, (listenSocket) => {
  if (!listenSocket) throw new Error('cannot listen');
  process.send!(us_socket_local_port(listenSocket));
});
process.on('disconnect', () => process.exit(0));
