/** Requests: what REQUEST does: a handler of the application answers. */

import { RingcastError } from '../errors.js';
import type { ClientFrame, RequestOptions } from '../protocol/messages.js';
import { decode, encode } from '../protocol/msgpack.js';
import type { Scheduler } from '../time/loop.js';
import type { Authorisation } from './authorisation.js';
import type { Batch } from './batch.js';
import type { ConnectionInfo } from './hooks.js';
import type { Session } from './session.js';

/** A request, as its handler gets it. */
export interface RequestInfo extends ConnectionInfo {
  readonly method: string;
  /** The client's name for what the request is a part of, or null. */
  readonly traceId: string | null;
  /** Aborted when nobody waits for the answer any more: it took too long, or the connection has ended. */
  readonly signal: AbortSignal;
}

/** Returns the answer, or a promise of it. What it throws is answered: a RingcastError as it is, anything else as INTERNAL. */
export type RequestHandler = (params: unknown, request: RequestInfo) => unknown;

export interface RequestsOptions {
  readonly maxRequestsPerConnection: number;
  /** How long a handler may take; 0: for ever. */
  readonly requestTimeoutMs: number;
}

/** Writer and reader: the accept thread. */
export class Requests {
  readonly #options: RequestsOptions;
  readonly #authorisation: Authorisation;
  readonly #batch: Batch;
  readonly #loop: Scheduler;
  readonly #onFault: (fault: unknown) => void;
  readonly #handlers = new Map<string, RequestHandler>();
  /** Those that are not answered yet. */
  readonly #open = new Map<Session, Set<AbortController>>();

  constructor(
    options: RequestsOptions,
    authorisation: Authorisation,
    batch: Batch,
    loop: Scheduler,
    onFault: (fault: unknown) => void,
  ) {
    this.#options = options;
    this.#authorisation = authorisation;
    this.#batch = batch;
    this.#loop = loop;
    this.#onFault = onFault;
  }

  /** Has requests for this method answered; undefined: no more. */
  handle(method: string, handler: RequestHandler | undefined): void {
    if (handler === undefined) this.#handlers.delete(method);
    else this.#handlers.set(method, handler);
  }

  /** REQUEST. The connection's later frames do not wait for the answer. */
  request(session: Session, frame: ClientFrame): Promise<void> | undefined {
    const method = frame.method as string;
    const { id } = frame;
    const { traceId = null } = (frame.options as RequestOptions | null) ?? {};
    const answer = new RequestAnswer(session, id, method, traceId, this.#batch);
    const handler = this.#handlers.get(method);
    if (handler === undefined) {
      answer.refuse(new RingcastError('BAD_REQUEST', `no handler for the method ${JSON.stringify(method)}`));
      return undefined;
    }
    const { maxRequestsPerConnection } = this.#options;
    if ((this.#open.get(session)?.size ?? 0) >= maxRequestsPerConnection) {
      const message = `no more than ${maxRequestsPerConnection} requests at a time (maxRequestsPerConnection)`;
      answer.refuse(new RingcastError('LIMIT_EXCEEDED', message, { limit: maxRequestsPerConnection }));
      return undefined;
    }
    let params: unknown;
    try {
      // Decoded now: the frame is lent.
      params = decode(frame.payload, frame.payloadStart, frame.payloadEnd);
    } catch (fault) {
      answer.refuse(new RingcastError('BAD_REQUEST', `params: ${(fault as Error).message}`));
      return undefined;
    }
    return this.#authorisation.check(session, 'request', method, id, () =>
      this.#call(session, handler, params, answer),
    );
  }

  /** Nobody waits for the answers to this connection any more. */
  end(session: Session): void {
    const open = this.#open.get(session);
    this.#open.delete(session);
    for (const controller of open ?? []) controller.abort();
  }

  #call(session: Session, handler: RequestHandler, params: unknown, answer: RequestAnswer): void {
    const controller = new AbortController();
    const open = this.#open.get(session) ?? new Set();
    open.add(controller);
    this.#open.set(session, open);
    const { requestTimeoutMs } = this.#options;
    const settle = (reply: () => void): void => {
      if (!open.delete(controller)) return;
      if (open.size === 0 && this.#open.get(session) === open) this.#open.delete(session);
      cancel?.();
      if (!session.consumer.isClosed) reply();
    };
    const expire = (): void => {
      const message = `${answer.method} has not answered within ${requestTimeoutMs} ms (requestTimeoutMs)`;
      settle(() => answer.refuse(new RingcastError('TIMEOUT', message)));
      controller.abort();
    };
    const cancel = requestTimeoutMs === 0 ? null : this.#loop.after(requestTimeoutMs, expire);
    const { method, traceId } = answer;
    const info: RequestInfo = { ...session.info, method, traceId, signal: controller.signal };
    // Whatever it returns or throws, at once or later: a promise of our own bears with that.
    new Promise((resolve) => resolve(handler(params, info))).then(
      (value) => settle(() => this.#answer(answer, value)),
      (thrown: unknown) => settle(() => this.#fail(answer, thrown)),
    );
  }

  #answer(answer: RequestAnswer, value: unknown): void {
    let bytes: Uint8Array;
    try {
      bytes = encode(value);
    } catch (fault) {
      this.#fault(answer, fault);
      return;
    }
    answer.give(bytes);
  }

  #fail(answer: RequestAnswer, thrown: unknown): void {
    if (thrown instanceof RingcastError) answer.refuse(thrown);
    else this.#fault(answer, thrown);
  }

  /** Nothing of it is for the client to see. */
  #fault(answer: RequestAnswer, thrown: unknown): void {
    answer.refuse(new RingcastError('INTERNAL', `the handler of ${answer.method} failed`));
    this.#onFault(thrown);
  }
}

/** How a request is answered. */
class RequestAnswer {
  readonly method: string;
  readonly traceId: string | null;
  readonly #session: Session;
  readonly #id: ClientFrame['id'];
  readonly #batch: Batch;

  constructor(session: Session, id: ClientFrame['id'], method: string, traceId: string | null, batch: Batch) {
    this.#session = session;
    this.#id = id;
    this.method = method;
    this.traceId = traceId;
    this.#batch = batch;
  }

  /** With a nil id nobody wants it. @param result as MessagePack */
  give(result: Uint8Array): void {
    if (this.#id === null) return;
    const { encoder } = this.#session.consumer;
    this.#session.reply(encoder.answered(this.#id, this.#ref, result, this.#nowMs()));
  }

  refuse({ code, message, details }: RingcastError): void {
    const { encoder } = this.#session.consumer;
    this.#session.reply(encoder.unanswered(this.#id, this.#ref, code, message, details, this.#nowMs()));
  }

  get #ref(): { readonly method: string; readonly traceId: string | null } {
    return { method: this.method, traceId: this.traceId };
  }

  #nowMs(): number {
    this.#batch.begin();
    return this.#batch.timeMs;
  }
}
