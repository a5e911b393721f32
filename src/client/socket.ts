/** The WebSocket a client talks through: the few members it uses, and where the constructor comes from. */

/** What the client needs of a WebSocket: the browser's, Node's own and the one of the `ws` package all have it. */
export interface WebSocketLike {
  binaryType: string;
  onopen: unknown;
  onmessage: unknown;
  onerror: unknown;
  onclose: unknown;
  /** Bytes that `send` has taken and the system has not. */
  readonly bufferedAmount: number;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
  /** Ends it without asking the peer, where the runtime can do that (`ws`). */
  terminate?(): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocketLike;

/** The members of the events that are read. `error` and `message` exist only where the runtime tells the cause. */
export interface MessageEventLike {
  readonly data: unknown;
}
export interface ErrorEventLike {
  readonly message?: string;
  readonly error?: { readonly code?: string };
}
export interface CloseEventLike {
  readonly code: number;
  readonly reason: string;
}

/** The given constructor, or the runtime's own; throws one clear line when there is neither. */
export function webSocketConstructor(given: WebSocketConstructor | undefined): WebSocketConstructor {
  const found = given ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
  if (found === undefined) {
    throw new TypeError(
      "This runtime has no global WebSocket (Node has one from version 22 on): install the package 'ws' and pass it, as in connect(url, { WebSocket: (await import('ws')).default }).",
    );
  }
  return found;
}
