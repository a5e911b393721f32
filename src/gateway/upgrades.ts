/** Upgrades: who gets a WebSocket, and what everybody else is told. Every request is answered, by whatever happens. */

import { randomBytes } from 'node:crypto';
import type { ErrorCode } from '../errors.js';
import type { HookCalls } from '../router/hook-calls.js';
import type { ConnectRequest, Hooks } from '../router/hooks.js';
import { peerAddress } from './address.js';
import type { Connection, ConnectionRequest } from './connection.js';
import { SpareFiles } from './file-limit.js';
import { Origins } from './origins.js';
import { parseUpgrade, type UpgradeRequest } from './upgrade-url.js';
import type { HttpRequest, HttpResponse, us_socket_context_t } from './uws.js';

export interface UpgradeOptions {
  readonly host: string;
  readonly maxConnections: number;
  readonly allowedOrigins: readonly string[];
  /** `ulimit -n`; null: the system does not say. */
  readonly openFilesMax: number | null;
}

/** What upgrades need of the gateway. */
export interface UpgradeHost {
  readonly isDraining: boolean;
  readonly connectionCount: number;
  /** How long connections from the address are refused (ms); 0: they are not. */
  retryAfterMs(address: string): number;
  createConnection(request: ConnectionRequest): Connection;
  /** A request was refused, or a connection closed before it could make one. */
  refused(): void;
  /** Something failed that must not. */
  fault(fault: unknown): void;
  /** There are too few files for further connections. */
  filesAreScarce(): void;
}

interface Refusal {
  readonly status: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterS?: number;
}

/** What a request says, copied: uWebSockets.js takes its object back when the handler returns. */
interface Handshake {
  readonly url: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string;
}

const INTERNAL: Refusal = {
  status: '500 Internal Server Error',
  code: 'INTERNAL',
  message: 'the server could not decide whether to let the connection in',
};
const SHUTTING_DOWN: Refusal = {
  status: '503 Service Unavailable',
  code: 'SHUTTING_DOWN',
  message: 'the server is about to stop',
};

/** What `onConnect` decided. */
type Admission = { readonly isIn: false } | { readonly isIn: true; readonly context: unknown };

/** Writer and reader: the accept thread. */
export class Upgrades {
  readonly #options: UpgradeOptions;
  readonly #hooks: Hooks;
  readonly #hookCalls: HookCalls;
  readonly #host: UpgradeHost;
  readonly #origins: Origins;
  readonly #spareFiles: SpareFiles;
  /** Handshakes that `onConnect` still has to answer. */
  #underWay = 0;

  constructor(options: UpgradeOptions, hooks: Hooks, hookCalls: HookCalls, host: UpgradeHost) {
    this.#options = options;
    this.#hooks = hooks;
    this.#hookCalls = hookCalls;
    this.#host = host;
    this.#spareFiles = new SpareFiles(options.openFilesMax);
    this.#origins = new Origins(options.allowedOrigins, options.host);
  }

  /** Call it now and then. */
  tick(): void {
    this.#spareFiles.tick();
  }

  close(): void {
    this.#spareFiles.close();
  }

  /** A TCP connection was accepted. It is closed at once where the next ones could not be accepted any more. */
  accepted(res: HttpResponse): void {
    if (!this.#spareFiles.areScarce) return;
    this.#host.filesAreScarce();
    this.#host.refused();
    res.close();
  }

  /** A request for a WebSocket. */
  upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    this.#guarded(res, () => this.#begin(res, req, context));
  }

  #begin(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const handshake = readHandshake(res, req);
    const { headers } = handshake;
    const asked = this.#judge(handshake);
    if ('status' in asked) {
      this.#refuse(res, asked);
      return;
    }
    const connectionId = randomBytes(9).toString('base64url');
    let isAborted = false;
    let isUnderWay = true;
    // Counts from here on: a hook that thinks must not let more in than there is room for.
    this.#underWay++;
    const settle = (): void => {
      if (isUnderWay) this.#underWay--;
      isUnderWay = false;
    };
    const conclude = (verdict: Admission | null): void => {
      settle();
      if (isAborted) return;
      const refusal = this.#refusalAfter(verdict);
      if (refusal !== null) {
        this.#refuse(res, refusal);
        return;
      }
      const { codec, subprotocol, topics } = asked;
      const given = verdict?.isIn ? verdict.context : undefined;
      const connection = this.#host.createConnection({ connectionId, codec, topics, context: given });
      const key = headers['sec-websocket-key'] ?? '';
      res.upgrade({ connection }, key, subprotocol, headers['sec-websocket-extensions'] ?? '', context);
    };
    const verdict = this.#ask({ connectionId, ...publicPart(handshake) });
    if (!(verdict instanceof Promise)) {
      conclude(verdict);
      return;
    }
    res.onAborted(() => {
      isAborted = true;
      settle();
    });
    void verdict.then((late) => {
      if (isAborted) settle();
      else this.#guarded(res, () => res.cork(() => conclude(late)));
    });
  }

  /** Any other request. */
  refusePlain(res: HttpResponse): void {
    res.writeStatus('426 Upgrade Required').writeHeader('upgrade', 'websocket');
    finish(res, 'BAD_REQUEST', 'this is a ringcast server; connect a WebSocket to /ws');
  }

  /** What is asked for, or why it is refused whoever asks. */
  #judge({ path, query, headers, remoteAddress }: Handshake): UpgradeRequest | Refusal {
    const { connectionCount, isDraining } = this.#host;
    const retryAfterS = Math.ceil(this.#host.retryAfterMs(remoteAddress) / 1000);
    if (retryAfterS > 0) {
      const message = `a connection from there sent more than the server reads; come back in ${retryAfterS} s`;
      return { status: '429 Too Many Requests', code: 'RATE_LIMITED', message, retryAfterS };
    }
    if (isDraining) return SHUTTING_DOWN;
    const foreign = this.#origins.problem(headers.origin, headers.host);
    if (foreign !== null) return { status: '403 Forbidden', code: 'FORBIDDEN', message: foreign };
    const takesOthers = this.#hooks.onConnect !== undefined;
    const asked = parseUpgrade(path, query, headers['sec-websocket-protocol'] ?? '', takesOthers);
    if (typeof asked === 'string') return { status: '400 Bad Request', code: 'BAD_REQUEST', message: asked };
    if (connectionCount + this.#underWay >= this.#options.maxConnections) {
      return { status: '503 Service Unavailable', code: 'LIMIT_EXCEEDED', message: 'maxConnections is reached' };
    }
    return asked;
  }

  #ask(request: ConnectRequest): Admission | null | Promise<Admission | null> {
    const { onConnect } = this.#hooks;
    if (onConnect === undefined) return { isIn: true, context: undefined };
    return this.#hookCalls.ask('onConnect', () => onConnect.call(this.#hooks, request), verdictOf, null);
  }

  #refusalAfter(verdict: Admission | null): Refusal | null {
    if (verdict === null) return INTERNAL;
    if (!verdict.isIn)
      return { status: '403 Forbidden', code: 'FORBIDDEN', message: 'the server does not let this connection in' };
    return this.#host.isDraining ? SHUTTING_DOWN : null;
  }

  /** An exception would end the process, and leave who asked without an answer. */
  #guarded(res: HttpResponse, act: () => void): void {
    try {
      act();
    } catch (fault) {
      queueMicrotask(() => this.#host.fault(fault));
      try {
        this.#refuse(res, INTERNAL);
      } catch {
        // It had been answered.
      }
    }
  }

  #refuse(res: HttpResponse, { status, code, message, retryAfterS }: Refusal): void {
    this.#host.refused();
    res.writeStatus(status);
    if (retryAfterS !== undefined) res.writeHeader('retry-after', `${retryAfterS}`);
    finish(res, code, message);
  }
}

/** The connection ends with the answer: further requests that came with this one must not hold the event loop. */
function finish(res: HttpResponse, code: ErrorCode, message: string): void {
  res.writeHeader('content-type', 'text/plain; charset=utf-8').end(`${code}: ${message}\n`, true);
}

function publicPart({ url, headers, remoteAddress }: Handshake): Omit<ConnectRequest, 'connectionId'> {
  return { url, headers, remoteAddress };
}

/** Undefined: not an answer that `onConnect` may give. */
function verdictOf(answer: unknown): Admission | undefined {
  if (answer === true) return { isIn: true, context: undefined };
  if (answer === false || answer === null || answer === undefined) return { isIn: false };
  if (!isPlainObject(answer)) return undefined;
  // Something else than a context may mean anything: a user that was forgotten to be wrapped, or a refusal.
  if (Object.keys(answer).some((key) => key !== 'context')) return undefined;
  return { isIn: true, context: answer.context };
}

function isPlainObject(value: unknown): value is { readonly context?: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function readHandshake(res: HttpResponse, req: HttpRequest): Handshake {
  const path = req.getUrl();
  // Whatever its type says: undefined where there is none.
  const query = (req.getQuery() as string | undefined) ?? '';
  const url = query ? `${path}?${query}` : path;
  return { url, path, query, headers: readHeaders(req), remoteAddress: peerAddress(res.getRemoteAddressAsText()) };
}

/** A header that comes several times has all values, as if they had come in one line (RFC 9110, 5.3; cookies: RFC 6265, 5.4). */
function readHeaders(req: HttpRequest): Record<string, string> {
  const headers = new Map<string, string>();
  req.forEach((name, value) => {
    const known = headers.get(name);
    headers.set(name, known === undefined ? value : `${known}${name === 'cookie' ? '; ' : ', '}${value}`);
  });
  return Object.fromEntries(headers);
}
