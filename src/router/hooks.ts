/** Hooks: what an embedding application can decide. Each may answer at once or by a promise. */

export type MaybePromise<T> = T | Promise<T>;

/** Also a promise of another make: taken for an answer it would be a yes to everything. */
export function isPromise<T>(answer: MaybePromise<T>): answer is Promise<T> {
  return typeof (answer as { readonly then?: unknown } | null | undefined)?.then === 'function';
}

/** Who asks. */
export interface ConnectionInfo {
  /** Unguessable name of the connection. */
  readonly connectionId: string;
  /** What the client called itself in CONNECT (or `client_id`), or null. Not verified by ringcast. */
  readonly clientId: string | null;
  /** The token of CONNECT, or null. Not verified by ringcast. */
  readonly token: string | null;
  /** What `onConnect` returned as `context`. */
  readonly context: unknown;
}

/** An upgrade request, as far as a decision needs it. */
export interface ConnectRequest {
  readonly connectionId: string;
  /** Text form of the peer's address. */
  readonly remoteAddress: string;
  /** Path and query, `/ws?topics=a,b`. */
  readonly url: string;
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface AuthorizeRequest extends ConnectionInfo {
  readonly action: 'subscribe' | 'publish';
  readonly topic: string;
}

export interface Hooks {
  /** `false` refuses the connection (HTTP 403). An object lets it in; its `context` goes to the other hooks. */
  onConnect?(request: ConnectRequest): MaybePromise<boolean | { readonly context?: unknown } | undefined>;
  /**
   * Whether the connection may subscribe to (and read the history of) or publish to a topic. Asked for each SUBSCRIBE and
   * HISTORY, and once per connection and topic for publishing. The connection's later frames wait for the answer.
   */
  authorize?(request: AuthorizeRequest): MaybePromise<boolean>;
  /** A connection has subscribed. `seq`: the last message before the first one that it gets. */
  onSubscribe?(
    subscription: ConnectionInfo & { readonly topic: string; readonly epoch: string; readonly seq: number },
  ): void;
  /** A connection has ended, whoever ended it; `code` is the WebSocket's close code, 1006 without a close frame. */
  onClose?(connection: ConnectionInfo & { readonly code: number; readonly reason: string }): void;
}
