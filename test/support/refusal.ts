// A WebSocket that is not let in.
import WebSocket, { type ClientOptions } from 'ws';

/** The HTTP status and text with which a WebSocket is refused. */
export function refusal(
  url: string,
  protocols: string[] = [],
  options: ClientOptions = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, protocols, options);
    socket.on('open', () => {
      socket.terminate();
      reject(new Error('it was let in'));
    });
    socket.on('error', () => {}); // terminate() below reports the handshake as aborted
    socket.on('unexpected-response', (_, response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => {
        socket.terminate();
        resolve({ status: response.statusCode ?? 0, text });
      });
    });
  });
}
