/**
 * Hooks: what an embedding application can decide. `onConnect` and `authorize` may answer at once or by a promise, within
 * `hookTimeoutMs`. One that throws, rejects, is silent or answers with something else than what stands here lets nobody do
 * anything, and is told to the engine's `fault` listeners.
 */

export type MaybePromise<T> = T | Promise<T>;

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
  /** The peer's address: `192.0.2.7`, `2001:db8::7`. An IPv4 address is always written as one. */
  readonly remoteAddress: string;
  /** Path and query as they came, `/ws?topics=a,b`. */
  readonly url: string;
  /** Names in lower case. One that came several times has all values, joined by `, ` (cookies: `; `). */
  readonly headers: Readonly<Record<string, string>>;
}

export interface AuthorizeRequest extends ConnectionInfo {
  readonly action: 'subscribe' | 'publish' | 'request';
  /** Of a request its method. */
  readonly topic: string;
}

export interface Hooks {
  /**
   * Whether to let somebody in. `true` does, and so does an object whose `context` goes to the other hooks. `false`, `null`
   * and `undefined` refuse (HTTP 403); everything else is a fault (HTTP 500).
   */
  onConnect?(request: ConnectRequest): MaybePromise<boolean | { readonly context?: unknown } | null | undefined>;
  /**
   * Whether the connection may subscribe to (and read the history of) or publish to a topic. Asked for each SUBSCRIBE and
   * HISTORY and REQUEST, and once per connection and topic for publishing. The connection's later frames wait for the answer. Only
   * `true` allows; `false`, `null` and `undefined` refuse (FORBIDDEN), and so does everything else, which is a fault too.
   */
  authorize?(request: AuthorizeRequest): MaybePromise<boolean | null | undefined>;
  /** A connection has subscribed. `seq`: the last message before the first one that it gets. */
  onSubscribe?(
    subscription: ConnectionInfo & { readonly topic: string; readonly epoch: string; readonly seq: number },
  ): void;
  /** A connection has ended, whoever ended it; `code` is the WebSocket's close code, 1006 without a close frame. */
  onClose?(connection: ConnectionInfo & { readonly code: number; readonly reason: string }): void;
}
