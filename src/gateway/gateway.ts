/** Gateway: the WebSocket server. Upgrades, limits, heartbeats, graceful stop. */

import { accessSync, constants } from 'node:fs';
import type { Delivery } from '../delivery/delivery.js';
import type { Sink } from '../delivery/sink.js';
import { RingcastError } from '../errors.js';
import { createJsonEncoder } from '../protocol/encoder-json.js';
import { msgpackEncoder } from '../protocol/encoder-msgpack.js';
import { JsonReader } from '../protocol/json-reader.js';
import { type FrameReader, OP, type WelcomeLimits } from '../protocol/messages.js';
import { MsgpackReader } from '../protocol/msgpack-reader.js';
import type { Hooks } from '../router/hooks.js';
import type { Router } from '../router/router.js';
import { Session } from '../router/session.js';
import type { Loop } from '../time/loop.js';
import { Connection, type ConnectionHost, type ConnectionRequest } from './connection.js';
import { limitHeaders } from './header-limit.js';
import { Heartbeat } from './heartbeat.js';
import { pingEveryBytes, socketIdleTimeoutS } from './idle-timer.js';
import { FLOOD, FLOOD_MS, Intake } from './intake.js';
import { Releasable } from './let-go.js';
import { listenFailure } from './listen-failure.js';
import { Offenders } from './offenders.js';
import { type PassphraseOptions, passphraseOf } from './tls-passphrase.js';
import type { Codec, UrlSubscription } from './upgrade-url.js';
import { type UpgradeHost, Upgrades } from './upgrades.js';
import {
  listenExclusively,
  loadUws,
  type TemplatedApp,
  type Uws,
  type us_listen_socket,
  type WebSocket,
} from './uws.js';

export interface GatewayOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: ({ readonly certFile: string; readonly keyFile: string } & PassphraseOptions) | undefined;
  readonly heartbeatMs: number;
  readonly idleTimeoutMs: number;
  readonly maxPayloadBytes: number;
  readonly maxHeaderBytes: number;
  readonly maxConnections: number;
  readonly allowedOrigins: readonly string[];
  /** `ulimit -n`; null: the system does not say. */
  readonly openFilesMax: number | null;
  readonly maxSubscriptionsPerConnection: number;
}

export interface GatewayCounters {
  acceptedConnections: number;
  refusedConnections: number;
  badFrames: number;
}

/** What a socket carries: uWebSockets.js copies the properties of the object it is given, not the object. */
interface SocketData {
  readonly connection: Connection;
}

/** A message up to so many times the limit is received, so that it can be answered TOO_LARGE; a larger one cuts the connection. */
const RECEIVE_LIMIT_FACTOR = 2;
const TOO_FAST = `faster than the server reads, for ${FLOOD_MS} ms: send no more than is answered`;
/** Answers are made only while few are unread, so only acks of messages that are on their way can reach this. */
const BACKPRESSURE_MAX_BYTES = 4 * 1024 * 1024;
/** What all connections may leave unread of their answers; beyond it the one that has not read for longest is cut. */
export const UNREAD_TOTAL_MAX_BYTES = 64 * 1024 * 1024;
/** So many connections of one address, among the first so many, make it one that several clients share. */
const SHARED_FROM = 3;
const SHARED_LOOKED_AT = 1000;
/** How often a stop looks whether everything has been sent. */
const FLUSH_POLL_MS = 10;
/**
 * How long a stop reads on, and ignores, what clients still send after their connection was ended. Closing a socket whose
 * receive queue is not empty resets it, and with a reset the client loses what it has not read yet: its last answers,
 * the NOTICE, the close frame. (nginx calls this a lingering close.)
 */
const LINGER_MS = 200;
/** A client that has sent nothing for so long is not about to, not even a pong; without others a stop does not linger. */
const LINGER_SILENT_MS = 1000;
/** How often a lack of files is told while it lasts. */
const FILES_WARNING_EVERY_MS = 60_000;

export interface GatewayEvents {
  /** Something happens that whoever runs the server should know, and can change. */
  onWarning(text: string): void;
  onFault(fault: unknown): void;
}

/** Writer and reader: the accept thread. */
export class Gateway implements ConnectionHost, UpgradeHost {
  readonly counters: GatewayCounters = {
    acceptedConnections: 0,
    refusedConnections: 0,
    badFrames: 0,
  };
  readonly maxPayloadBytes: number;
  pingEveryBytes: number;
  readonly unsentMaxBytes = BACKPRESSURE_MAX_BYTES;
  readonly readers: Readonly<Record<Codec, FrameReader>> = { msgpack: new MsgpackReader(), json: new JsonReader() };
  readonly encoders: ConnectionHost['encoders'];

  readonly #options: GatewayOptions;
  readonly #events: GatewayEvents;
  readonly #router: Router;
  readonly #delivery: Delivery;
  readonly #loop: Loop;
  /** Holds all open connections. */
  readonly #heartbeat: Heartbeat<Connection>;
  readonly intake: Intake<Connection>;
  readonly #offenders = new Offenders();
  /** Who has unread answers; who has read most recently comes last. */
  readonly #unread = new Set<Connection>();
  #unreadBytes = 0;
  readonly #upgrades: Upgrades;
  #nextFilesWarningMs = 0;
  #withReplies: Connection[] = [];
  readonly #flushReplies = (): void => this.flushReplies();
  #uws: Uws | null = null;
  #app: TemplatedApp | null = null;
  /** What uWebSockets.js calls. */
  readonly #handlers = new Releasable();
  #listenSocket: us_listen_socket | null = null;
  #heartbeatTimer: NodeJS.Timeout | null = null;
  #isDraining = false;

  constructor(
    options: GatewayOptions,
    router: Router,
    delivery: Delivery,
    hooks: Hooks,
    loop: Loop,
    events: GatewayEvents,
  ) {
    this.#events = events;
    this.#options = options;
    this.#router = router;
    this.#delivery = delivery;
    this.#loop = loop;
    this.maxPayloadBytes = options.maxPayloadBytes;
    this.pingEveryBytes = pingEveryBytes(options.idleTimeoutMs);
    this.encoders = { msgpack: msgpackEncoder, json: createJsonEncoder(() => loop.epochMs()) };
    const isTimedBySocket = socketIdleTimeoutS(options.idleTimeoutMs) > 0;
    this.#heartbeat = new Heartbeat(
      isTimedBySocket ? { ...options, idleTimeoutMs: Number.POSITIVE_INFINITY } : options,
    );
    this.intake = new Intake(loop, options.maxPayloadBytes * RECEIVE_LIMIT_FACTOR);
    this.#upgrades = new Upgrades(options, hooks, router.hookCalls, this);
  }

  get connectionCount(): number {
    return this.#heartbeat.targets.length;
  }

  /** Whose sink it is; null: not a connection's, or one that has ended. */
  sessionOf(sink: Sink): Session | null {
    return sink instanceof Connection ? sink.session : null;
  }

  // ---- start and stop ----------------------------------------------------------------------------------------------

  /** Listens. Resolves to the port; throws RingcastError with one line that says what to do. */
  async start(): Promise<number> {
    const { host, port, maxHeaderBytes } = this.#options;
    const headerWarning = limitHeaders(maxHeaderBytes);
    const uws = await loadUws();
    this.#assertNotClosed();
    const app = this.#createApp(uws);
    this.#uws = uws;
    this.#app = app;
    this.#defineRoutes(app);
    const socket = await new Promise<us_listen_socket | false>((resolve) =>
      listenExclusively(uws, app, host, port, resolve),
    );
    if (socket === false) throw await listenFailure(host, port);
    this.#listenSocket = socket;
    this.#assertNotClosed();
    if (headerWarning !== null) this.#events.onWarning(headerWarning);
    this.#upgrades.tick();
    this.#heartbeatTimer = setInterval(() => {
      this.#heartbeat.tick(this.#loop.nowMs());
      this.#upgrades.tick();
    }, this.#heartbeat.tickMs);
    return uws.us_socket_local_port(socket as unknown as Parameters<Uws['us_socket_local_port']>[0]);
  }

  /** A stop that came while it started has found nothing to close yet: the failed start releases what there is by then. */
  #assertNotClosed(): void {
    if (this.#isDraining) throw new RingcastError('SHUTTING_DOWN', 'the engine was closed while it started');
  }

  /** No new connections from here on, and no new subscriptions or messages on those there are. */
  stopAccepting(): void {
    this.#isDraining = true;
    // Their pongs would come when the sockets are about to be closed (see LINGER_MS).
    this.pingEveryBytes = Number.POSITIVE_INFINITY;
    if (this.#listenSocket !== null) this.#uws?.us_listen_socket_close(this.#listenSocket);
    this.#listenSocket = null;
  }

  /** Advises every client to reconnect elsewhere after a delay of its own, so that they do not all arrive at once. */
  adviseReconnect(spreadMs: number, random: () => number): void {
    for (const { session } of this.#heartbeat.targets) {
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
    while (this.#isFlushing(deadlineMs)) {
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
    if (this.#heartbeatTimer !== null) clearInterval(this.#heartbeatTimer);
    this.#upgrades.close();
    const lingerMs = this.#lingerMs(deadlineMs);
    for (const connection of [...this.#heartbeat.targets]) connection.end(1001, 'SHUTTING_DOWN');
    if (lingerMs > 0) await new Promise((resolve) => setTimeout(resolve, lingerMs));
    this.#app?.close();
    this.#app = null;
    this.#handlers.release();
  }

  // ---- host of upgrades --------------------------------------------------------------------------------------------

  get isDraining(): boolean {
    return this.#isDraining;
  }

  createConnection(request: ConnectionRequest): Connection {
    return new Connection(this, request);
  }

  retryAfterMs(address: string): number {
    return this.#offenders.retryAfterMs(address, this.#loop.nowMs());
  }

  refused(): void {
    this.counters.refusedConnections++;
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

  // ---- host of connections -----------------------------------------------------------------------------------------

  openSession(connection: Connection, { connectionId, context }: ConnectionRequest, codec: Codec): Session {
    const encoder = this.encoders[codec];
    const consumer = this.#delivery.addConsumer(connection, encoder);
    const session = new Session(connectionId, consumer, context);
    const { heartbeatMs, maxPayloadBytes, maxSubscriptionsPerConnection } = this.#options;
    const limits: WelcomeLimits = { maxPayloadBytes, maxSubscriptionsPerConnection };
    connection.reply(encoder.welcome({ connectionId, heartbeatMs, limits }));
    return session;
  }

  beginBatch(): void {
    this.#router.batch.begin();
  }

  /** Hot path: per frame. */
  handle(session: Session, frame: FrameReader): Promise<void> | undefined {
    if (this.#isDraining && (frame.op === OP.PUBLISH || frame.op === OP.SUBSCRIBE)) {
      session.reply(session.consumer.encoder.error(frame.id, 'SHUTTING_DOWN', 'the server is about to stop'));
      return undefined;
    }
    return this.#router.handle(session, frame);
  }

  endBatch(session: Session): void {
    this.#router.batch.end(session);
  }

  subscribeByUrl(session: Session, { topic, options }: UrlSubscription): Promise<void> | undefined {
    return this.#router.subscribing.subscribeByUrl(session, topic, options);
  }

  blocked(session: Session): void {
    this.#delivery.blocked(session.consumer);
  }

  drained(session: Session): void {
    this.#delivery.drained(session.consumer);
  }

  unread(connection: Connection, bytes: number): void {
    if (bytes < connection.unreadBytes) this.#unread.delete(connection);
    this.#unreadBytes += bytes - connection.unreadBytes;
    connection.unreadBytes = bytes;
    if (bytes > 0) this.#unread.add(connection);
    if (this.#unreadBytes <= UNREAD_TOTAL_MAX_BYTES) return;
    // A close frame would only wait behind the rest.
    for (const longest of this.#unread) {
      longest.cut();
      return;
    }
  }

  flooded(connection: Connection): void {
    const address = connection.remoteAddress;
    if (!this.#isShared(address)) this.#offenders.add(address, this.#loop.nowMs());
  }

  /** Whether others have the address too: it is a proxy's or a network's, and they must not pay for one of them. */
  #isShared(address: string): boolean {
    const { targets } = this.#heartbeat;
    let count = 0;
    for (let index = 0; index < targets.length && index < SHARED_LOOKED_AT; index++) {
      if ((targets[index] as Connection).remoteAddress === address && ++count >= SHARED_FROM) return true;
    }
    return false;
  }

  fault(fault: unknown): void {
    this.#events.onFault(fault);
  }

  nowMs(): number {
    return this.#loop.nowMs();
  }

  scheduleReplies(connection: Connection): void {
    this.#withReplies.push(connection);
    if (this.#withReplies.length === 1) this.#loop.soon(this.#flushReplies);
  }

  /** Sends the answers that wait. Called before each delivery turn too: no event may overtake an answer. */
  flushReplies(): void {
    if (this.#withReplies.length === 0) return;
    const connections = this.#withReplies;
    this.#withReplies = [];
    for (const connection of connections) connection.flushReplies();
  }

  badFrame(): void {
    this.counters.badFrames++;
  }

  // ---- uWebSockets.js ----------------------------------------------------------------------------------------------

  #createApp(uws: Uws): TemplatedApp {
    const { tls } = this.#options;
    if (tls === undefined) return uws.App();
    for (const file of [tls.certFile, tls.keyFile]) assertReadable(file);
    const passphrase = passphraseOf(tls);
    try {
      return uws.SSLApp({
        cert_file_name: tls.certFile,
        key_file_name: tls.keyFile,
        ...(passphrase === undefined ? {} : { passphrase }),
      });
    } catch (fault) {
      throw new RingcastError(
        'BAD_REQUEST',
        'tls.certFile and tls.keyFile are not a PEM certificate and its key, or an encrypted key lacks its tls.passphrase',
        fault,
      );
    }
  }

  #defineRoutes(app: TemplatedApp): void {
    const { idleTimeoutMs, maxPayloadBytes } = this.#options;
    const handlers = this.#handlers;
    const behavior: Parameters<typeof app.ws<SocketData>>[1] = {
      maxPayloadLength: maxPayloadBytes * RECEIVE_LIMIT_FACTOR + 1024,
      maxBackpressure: BACKPRESSURE_MAX_BYTES,
      idleTimeout: socketIdleTimeoutS(idleTimeoutMs),
      sendPingsAutomatically: false,
      upgrade: handlers.handler((res, req, context) => this.#upgrades.upgrade(res, req, context)),
      open: handlers.handler((ws) => this.#opened(ws)),
      message: handlers.handler((ws, message, isBinary) => {
        const { connection } = ws.getUserData();
        const nowMs = this.#loop.nowMs();
        connection.lastReceivedMs = nowMs | 0;
        const verdict = this.intake.judge(connection, nowMs);
        if (verdict === FLOOD) connection.refuseToRead(TOO_FAST);
        else connection.received(message, isBinary, verdict);
      }),
      ping: handlers.handler((ws) => this.#controlFrame(ws.getUserData().connection)),
      pong: handlers.handler((ws) => this.#controlFrame(ws.getUserData().connection)),
      drain: handlers.handler((ws) => {
        const { connection } = ws.getUserData();
        // Whoever takes something is alive, however slow.
        connection.lastReceivedMs = this.#loop.nowMs() | 0;
        connection.drained();
      }),
      close: handlers.handler((ws, code, reason) => this.#closed(ws.getUserData().connection, code, reason)),
    };
    app.ws<SocketData>('/ws', behavior);
    app.ws<SocketData>('/ws/*', behavior);
    app.any(
      '/*',
      handlers.handler((res) => this.#upgrades.refusePlain(res)),
    );
    app.filter(
      handlers.handler((res, change) => {
        if (change > 0) this.#upgrades.accepted(res);
      }) as Parameters<typeof app.filter>[0],
    );
  }

  #opened(ws: WebSocket<SocketData>): void {
    const { connection } = ws.getUserData();
    this.#heartbeat.add(connection);
    this.counters.acceptedConnections++;
    connection.opened(ws, this.#loop.nowMs());
  }

  #controlFrame(connection: Connection): void {
    const nowMs = this.#loop.nowMs();
    connection.lastReceivedMs = nowMs | 0;
    if (this.intake.judge(connection, nowMs) === FLOOD) connection.refuseToRead(TOO_FAST);
  }

  #closed(connection: Connection, code: number, reason: ArrayBuffer): void {
    this.#heartbeat.remove(connection);
    const { session } = connection;
    connection.closed();
    try {
      if (session !== null) this.#router.end(session, code, Buffer.from(reason).toString());
    } catch (fault) {
      this.fault(fault);
    }
  }

  #lingerMs(deadlineMs: number): number {
    const nowMs = this.#loop.nowMs();
    const isSending = ({ lastReceivedMs, lastPingMs }: Connection): boolean =>
      ((nowMs - lastReceivedMs) | 0) < LINGER_SILENT_MS || ((nowMs - lastPingMs) | 0) < LINGER_SILENT_MS;
    return this.#heartbeat.targets.some(isSending) ? Math.min(LINGER_MS, deadlineMs - nowMs) : 0;
  }

  #isFlushing(deadlineMs: number): boolean {
    const nowMs = this.#loop.nowMs();
    if (nowMs >= deadlineMs) return false;
    return this.#hasUnsent() || (nowMs < deadlineMs - LINGER_MS && this.#awaitsPongs(nowMs));
  }

  /** A pong that comes to a closed socket resets it, like anything else that nobody reads. */
  #awaitsPongs(nowMs: number): boolean {
    return this.#heartbeat.targets.some(
      ({ lastPingMs, lastReceivedMs }) =>
        ((lastPingMs - lastReceivedMs) | 0) > 0 && ((nowMs - lastPingMs) | 0) < LINGER_SILENT_MS,
    );
  }

  #hasUnsent(): boolean {
    for (const { bufferedBytes, session } of this.#heartbeat.targets) {
      if (bufferedBytes > 0 || session?.consumer.isPending === true) return true;
    }
    return false;
  }
}

function assertReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch {
    throw new RingcastError(
      'BAD_REQUEST',
      `cannot read ${file}: tls.certFile and tls.keyFile must be readable PEM files`,
    );
  }
}
