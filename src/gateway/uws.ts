/**
 * The only door to uWebSockets.js: loads the binary that fits this Node and this C library, or says what would.
 *
 * The application's own installation comes first, so that there is one copy of the library in the process. Then come the
 * two repacks that ringcast brings (uws-packages.ts): which of them loads depends on the machine, so both are tried.
 */

import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from 'uWebSockets.js';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { RingcastError } from '../errors.js';
import { adviceFor, thisHost } from './uws-advice.js';
import { BUNDLED, NAME } from './uws-packages.js';

export type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket, us_socket_context_t, WebSocket };
export type Uws = typeof import('uWebSockets.js');

/** Results of `ws.send`. */
export const UWS_SENT = 1;
export const UWS_BACKPRESSURE = 0;

/** Throws RingcastError INTERNAL with one line that says what to do. */
export async function loadUws(): Promise<Uws> {
  const own = ofApplication();
  if (own !== null) return own;
  const faults: unknown[] = [];
  for (const { specifier, isCommonJs } of BUNDLED) {
    try {
      // Not by `import` where there is a choice: what a CommonJS module throws, Node 20 also tells as an unhandled rejection.
      return isCommonJs ? createRequire(import.meta.url)(specifier) : ((await import(specifier)) as Uws);
    } catch (fault) {
      faults.push(fault);
    }
  }
  throw new RingcastError('INTERNAL', adviceFor(thisHost()), { cause: new AggregateError(faults) });
}

/**
 * What `require('uWebSockets.js')` gives in the program that was started; null: nothing, or nothing that loads here.
 * ringcast's own repack is no answer: it has no entry for `require`.
 */
function ofApplication(): Uws | null {
  // Without a program (`node -e`, a REPL) Node itself looks from the current folder.
  const require = createRequire(process.argv[1] ?? join(process.cwd(), 'any'));
  try {
    const uws: Uws = require(NAME);
    return typeof uws.us_socket_local_port === 'function' ? uws : null; // older ones lack it
  } catch {
    return null; // if the bundled ones do not load either, that is what is told
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
