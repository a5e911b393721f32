// A model of uWebSockets.js's topics (20.x: TopicTree.h, WebSocket.h), for tests in which sockets stop and go on as they
// are told. test/gateway/topic-tree.test.ts holds it against the real ones.

import { type GroupTransport, SEND_BLOCKED, SEND_OK, SEND_REFUSED, type SendResult } from '#src/delivery/sink.js';

/** Messages that wait for a socket until it is drained at the latest. */
export const PENDING_MAX = 32;
/** Larger ones do not wait. */
export const CORK_BYTES = 16 * 1024;

/** A socket of the server, and whoever is at its other end. */
export class TreeSocket {
  /** The peer has left something in the transport. */
  isFull = false;
  isClosed = false;
  /** Published messages that were not kept; the server is told of each by `onDropped`. */
  dropped = 0;
  onDropped: () => void = () => {};
  /** Published, and not handed to the transport yet. */
  readonly pending: Uint8Array[] = [];
  /** In user space, because the peer does not read. */
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  readonly #tree: TopicTree;
  readonly #hear: (message: Uint8Array) => void;
  readonly #readsOn: () => boolean;

  /** @param readsOn asked behind each message: false: the peer reads no more */
  constructor(tree: TopicTree, hear: (message: Uint8Array) => void, readsOn: () => boolean) {
    this.#tree = tree;
    this.#hear = hear;
    this.#readsOn = readsOn;
  }

  /** What `getBufferedAmount` says. */
  backlogBytes(): number {
    return this.isFull ? Math.max(1, this.#waitingBytes) : 0;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** What was sent or published, and the peer has not got. */
  get underWay(): readonly Uint8Array[] {
    return [...this.#waiting, ...this.pending];
  }

  /** What was published to it goes first. */
  send(message: Uint8Array): SendResult {
    if (this.isClosed) return SEND_REFUSED;
    this.#tree.drain(this);
    return this.take(message);
  }

  /** The transport gets a message. */
  take(message: Uint8Array): SendResult {
    if (this.isFull) {
      if (this.#waitingBytes > this.#tree.backpressureMaxBytes) return SEND_REFUSED;
      this.#waiting.push(message.slice());
      this.#waitingBytes += message.length;
      return SEND_BLOCKED;
    }
    this.#hear(message);
    if (this.#readsOn()) return SEND_OK;
    this.isFull = true;
    return SEND_BLOCKED;
  }

  /** The peer reads all that waits, and goes on. */
  read(): void {
    this.isFull = false;
    this.#waitingBytes = 0;
    for (const message of this.#waiting.splice(0)) this.#hear(message);
  }

  /** What was published to it is still sent. */
  end(): void {
    this.#tree.drain(this);
    this.close();
  }

  close(): void {
    this.isClosed = true;
    this.#tree.forget(this);
  }
}

export class TopicTree implements GroupTransport {
  /** Behind so much that waits for a socket, what is published to it is dropped. */
  readonly backpressureMaxBytes: number;
  readonly #members = new Map<number, Set<TreeSocket>>();
  readonly #drainable = new Set<TreeSocket>();

  constructor(backpressureMaxBytes: number) {
    this.backpressureMaxBytes = backpressureMaxBytes;
  }

  get groupCount(): number {
    return this.#members.size;
  }

  membersOf(group: number): Iterable<TreeSocket> {
    return this.#members.get(group) ?? [];
  }

  subscribe(socket: TreeSocket, group: number): void {
    const members = this.#members.get(group) ?? new Set();
    this.#members.set(group, members.add(socket));
  }

  unsubscribe(socket: TreeSocket, group: number): void {
    this.drain(socket);
    const members = this.#members.get(group);
    members?.delete(socket);
    if (members?.size === 0) this.#members.delete(group);
  }

  publish(group: number, message: Uint8Array): void {
    const kept = message.slice();
    for (const socket of this.membersOf(group)) {
      if (kept.length >= CORK_BYTES) {
        this.drain(socket);
        this.#take(socket, kept);
        continue;
      }
      socket.pending.push(kept);
      this.#drainable.add(socket);
      if (socket.pending.length === PENDING_MAX) this.drain(socket);
    }
  }

  /** Hands over what was published to a socket, with one write. Whoever cannot take a message gets none of those behind it. */
  drain(socket: TreeSocket): void {
    if (!this.#drainable.delete(socket)) return;
    let isKept = true;
    for (const message of socket.pending.splice(0)) isKept = isKept && this.#take(socket, message);
  }

  #take(socket: TreeSocket, message: Uint8Array): boolean {
    if (socket.isClosed || socket.take(message) !== SEND_REFUSED) return true;
    socket.dropped++;
    socket.onDropped();
    return false;
  }

  /** As the event loop does before it polls, and before what was asked for with `setImmediate`. */
  drainAll(): void {
    for (const socket of [...this.#drainable]) this.drain(socket);
  }

  /** A socket has closed: it is a member of nothing, and what was not handed over is gone. */
  forget(socket: TreeSocket): void {
    this.#drainable.delete(socket);
    for (const [group, members] of this.#members) {
      members.delete(socket);
      if (members.size === 0) this.#members.delete(group);
    }
  }
}
