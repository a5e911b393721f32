/** What a server that refuses the upgrade says, where the WebSocket shows it: that of the package `ws` does, others don't. */

import { ERROR_TABLE, type ErrorCode, RingcastError } from '../errors.js';

/** More of an answer is somebody else's error page. */
const LINE_MAX_CHARACTERS = 200;

/** For statuses that come without a code of ours, say from a proxy. */
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  429: 'RATE_LIMITED',
  503: 'SHUTTING_DOWN',
};

/** The members that are read of Node's IncomingMessage. */
interface Response {
  readonly statusCode: number;
  setEncoding(encoding: 'utf8'): void;
  on(name: 'data', listener: (text: string) => void): void;
  on(name: 'end' | 'close' | 'error', listener: () => void): void;
}

/** Calls back, at least once, with the error when the server refuses. Whoever listens has to end the socket. */
export function onRefusal(socket: object, refused: (error: RingcastError) => void): void {
  const emitter = socket as { on?: (name: string, listener: (request: unknown, response: Response) => void) => void };
  if (typeof emitter.on !== 'function') return;
  emitter.on('unexpected-response', (_request, response) => {
    let text = '';
    const tell = (): void => refused(refusal(response.statusCode, text));
    response.setEncoding('utf8');
    response.on('data', (more) => {
      text += more;
      if (text.length > LINE_MAX_CHARACTERS) tell();
    });
    for (const name of ['end', 'close', 'error'] as const) response.on(name, tell);
  });
}

/** The server's refusals are one line that begins with the code, or says in words what is wrong with the address. */
function refusal(status: number, text: string): RingcastError {
  const line = (text.split('\n', 1)[0] as string).slice(0, LINE_MAX_CHARACTERS).trim();
  const word = /^[A-Z_]+/.exec(line)?.[0] ?? '';
  const isFault = status >= 500;
  const code = Object.hasOwn(ERROR_TABLE, word)
    ? (word as ErrorCode)
    : (CODE_OF_STATUS[status] ?? (isFault ? 'INTERNAL' : 'BAD_REQUEST'));
  const message = `the server refused the connection (${status})${line === '' ? '' : `: ${line}`}`;
  // A server that is full may have room later, although LIMIT_EXCEEDED as such asks for a change.
  return new RingcastError(code, message, isFault ? { status, retry: true } : { status });
}
