/** Gateway: the WebSocket server as the engine has it: starts, counts, and stops gracefully. */

import type { Delivery } from '../delivery/delivery.js';
import type { Sink } from '../delivery/sink.js';
import { RingcastError } from '../errors.js';
import type { Hooks } from '../router/hooks.js';
import type { Router } from '../router/router.js';
import type { Session } from '../router/session.js';
import type { Loop } from '../time/loop.js';
import { Connection, type ConnectionRequest } from './connection.js';
import { Connections, type ConnectionsOptions } from './connections.js';
import { isUnfinished, lingerMs } from './farewell.js';
import { type ListenerOptions, Server } from './server.js';
import { type UpgradeHost, type UpgradeOptions, Upgrades } from './upgrades.js';

export type GatewayOptions = ListenerOptions & ConnectionsOptions & UpgradeOptions;

export interface GatewayEvents {
  /** Something happens that whoever runs the server should know, and can change. */
  onWarning(text: string): void;
  onFault(fault: unknown): void;
}

/** How often a stop looks whether everything has been sent. */
const FLUSH_POLL_MS = 10;
/** How often a lack of files is told while it lasts. */
const FILES_WARNING_EVERY_MS = 60_000;

/** Writer and reader: the accept thread. */
export class Gateway implements UpgradeHost {
  /** Upgrades that were refused, and connections closed before they could ask for one. */
  refusedConnections = 0;

  readonly #options: GatewayOptions;
  readonly #events: GatewayEvents;
  readonly #delivery: Delivery;
  readonly #loop: Loop;
  readonly #connections: Connections;
  readonly #upgrades: Upgrades;
  #nextFilesWarningMs = 0;
  #server: Server | null = null;
  #tickTimer: NodeJS.Timeout | null = null;

  constructor(
    options: GatewayOptions,
    router: Router,
    delivery: Delivery,
    hooks: Hooks,
    loop: Loop,
    events: GatewayEvents,
  ) {
    this.#options = options;
    this.#events = events;
    this.#delivery = delivery;
    this.#loop = loop;
    this.#connections = new Connections(options, router, delivery, loop, events.onFault);
    this.#upgrades = new Upgrades(options, hooks, router.hookCalls, this);
  }

  get badFrames(): number {
    return this.#connections.badFrames;
  }

  /** Whose sink it is; null: not a connection's, or one that has no session. */
  sessionOf(sink: Sink): Session | null {
    return sink instanceof Connection ? sink.session : null;
  }

  /** Sends the answers that wait. Called before each delivery turn: no event may overtake an answer. */
  flushReplies(): void {
    this.#connections.flushReplies();
  }

  // ---- start and stop ----------------------------------------------------------------------------------------------

  /** Listens. Resolves to the port; throws RingcastError with one line that says what to do. */
  async start(): Promise<number> {
    const server = await Server.create(this.#options, this.#upgrades, this.#connections);
    this.#server = server;
    this.#assertNotClosed();
    const port = await server.listen();
    this.#assertNotClosed();
    if (server.warning !== null) this.#events.onWarning(server.warning);
    this.#upgrades.tick();
    this.#tickTimer = setInterval(() => {
      this.#connections.tick();
      this.#upgrades.tick();
    }, this.#connections.tickMs);
    return port;
  }

  /** A stop that came while it started has found nothing to close yet: the failed start releases what there is by then. */
  #assertNotClosed(): void {
    if (this.isDraining) throw new RingcastError('SHUTTING_DOWN', 'the engine was closed while it started');
  }

  /** No new connections from here on, and no new subscriptions or messages on those there are. */
  stopAccepting(): void {
    this.#connections.isDraining = true;
    // Their pongs would come when the sockets are about to be closed (see farewell.ts).
    this.#connections.pingEveryBytes = Number.POSITIVE_INFINITY;
    this.#server?.stopListening();
  }

  /** Advises every client to reconnect elsewhere after a delay of its own, so that they do not all arrive at once. */
  adviseReconnect(spreadMs: number, random: () => number): void {
    for (const { session } of this.#connections.all) {
      if (session === null) continue;
      const reconnectDelayMs = Math.round(random() * spreadMs);
      session.reply(session.consumer.encoder.notice('drain', { reconnectDelayMs }));
    }
    this.flushReplies();
  }

  /** Resolves when every socket has taken what was sent, or at the deadline. */
  async flushed(deadlineMs: number): Promise<void> {
    // Before the first look: what was accepted a moment ago is pending for nobody yet.
    await this.#flushOnce(deadlineMs);
    while (isUnfinished(this.#connections.all, this.#loop.nowMs(), deadlineMs)) {
      await new Promise((resolve) => setTimeout(resolve, FLUSH_POLL_MS));
      await this.#flushOnce(deadlineMs);
    }
  }

  /** In turns of the event loop, so that acks and drains are taken in meanwhile. */
  async #flushOnce(deadlineMs: number): Promise<void> {
    while (!this.#delivery.flushSome() && this.#loop.nowMs() < deadlineMs) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Ends every connection at once; resolves when their sockets are closed, some of which may linger until the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.stopAccepting();
    if (this.#tickTimer !== null) clearInterval(this.#tickTimer);
    this.#upgrades.close();
    const lingersMs = lingerMs(this.#connections.all, this.#loop.nowMs(), deadlineMs);
    for (const connection of [...this.#connections.all]) connection.end(1001, 'SHUTTING_DOWN');
    if (lingersMs > 0) await new Promise((resolve) => setTimeout(resolve, lingersMs));
    this.#server?.close();
    this.#server = null;
  }

  // ---- host of upgrades --------------------------------------------------------------------------------------------

  get isDraining(): boolean {
    return this.#connections.isDraining;
  }

  get connectionCount(): number {
    return this.#connections.all.length;
  }

  createConnection(request: ConnectionRequest): Connection {
    return new Connection(this.#connections, request);
  }

  retryAfterMs(address: string): number {
    return this.#connections.retryAfterMs(address);
  }

  refused(): void {
    this.refusedConnections++;
  }

  fault(fault: unknown): void {
    this.#events.onFault(fault);
  }

  filesAreScarce(): void {
    const nowMs = this.#loop.nowMs();
    if (nowMs < this.#nextFilesWarningMs) return;
    this.#nextFilesWarningMs = nowMs + FILES_WARNING_EVERY_MS;
    this.#events.onWarning(
      'connections are refused, because this process may open only a few files more; raise its limit (ulimit -n), or ' +
        'lower maxConnections.',
    );
  }
}
