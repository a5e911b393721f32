/** The only door to uWebSockets.js: loads the binary for this Node version, or says which versions have one. */

import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from 'uWebSockets.js';
import { RingcastError } from '../errors.js';

export type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket, us_socket_context_t, WebSocket };
export type Uws = typeof import('uWebSockets.js');

/** Results of `ws.send`. */
export const UWS_SENT = 1;
export const UWS_BACKPRESSURE = 0;

const HINT =
  'ringcast needs Node.js 20 or 22 (uWebSockets.js has no binary for this one: %s). Use one of them, or install the official ' +
  'release for yours: npm install uWebSockets.js@uNetworking/uWebSockets.js#v20.51.0';

/** Throws RingcastError INTERNAL with one line that says what to do. */
export async function loadUws(): Promise<Uws> {
  try {
    return await import('uWebSockets.js');
  } catch (fault) {
    const platform = `Node ${process.version}, ${process.platform} ${process.arch}, ABI ${process.versions.modules}`;
    throw new RingcastError('INTERNAL', HINT.replace('%s', platform), { cause: fault });
  }
}

/** `listen` takes a host and options at once, which the package's types leave out. */
export function listenExclusively(
  uws: Uws,
  app: TemplatedApp,
  host: string,
  port: number,
  onResult: (socket: us_listen_socket | false) => void,
): void {
  // Without this option uSockets sets SO_REUSEPORT, and a second server on the port would silently get half the connections.
  type Listen = (host: string, port: number, options: number, callback: typeof onResult) => TemplatedApp;
  const exclusive = (uws as unknown as { LIBUS_LISTEN_EXCLUSIVE_PORT: number }).LIBUS_LISTEN_EXCLUSIVE_PORT;
  (app.listen as unknown as Listen).call(app, host, port, exclusive, onResult);
}
