/** Connections: all that are open, and what they share: timers, budgets, counters, the router's and delivery's side of them. */

import type { Delivery } from '../delivery/delivery.js';
import type { GroupTransport } from '../delivery/sink.js';
import { RECEIVE_LIMIT_FACTOR } from '../limits.js';
import { createJsonEncoder } from '../protocol/encoder-json.js';
import { msgpackEncoder } from '../protocol/encoder-msgpack.js';
import { JsonReader } from '../protocol/json-reader.js';
import { type FrameReader, OP, type WelcomeLimits } from '../protocol/messages.js';
import { MsgpackReader } from '../protocol/msgpack-reader.js';
import type { Router } from '../router/router.js';
import { Session } from '../router/session.js';
import type { Loop } from '../time/loop.js';
import type { Connection, ConnectionHost, ConnectionRequest } from './connection.js';
import { Heartbeat } from './heartbeat.js';
import { pingEveryBytes, socketIdleTimeoutS } from './idle-timer.js';
import { FLOOD, FLOOD_MS, Intake } from './intake.js';
import { Offenders } from './offenders.js';
import { WINDOW_PING } from './socket.js';
import { UnreadAnswers } from './unread-answers.js';
import type { Codec, UrlSubscription } from './upgrade-url.js';
import type { WebSocket } from './uws.js';

export interface ConnectionsOptions {
  readonly heartbeatMs: number;
  readonly idleTimeoutMs: number;
  readonly maxPayloadBytes: number;
  readonly maxSubscriptionsPerConnection: number;
}

/** Answers are made only while few are unread, so only acks of messages that are on their way can reach this. */
export const BACKPRESSURE_MAX_BYTES = 4 * 1024 * 1024;
const TOO_FAST = `faster than the server reads, for ${FLOOD_MS} ms: send no more than is answered`;
/** So many connections of one address, among the first so many, make it one that several clients share. */
const SHARED_FROM = 3;
const SHARED_LOOKED_AT = 1000;

/** Writer and reader: the accept thread. */
export class Connections implements ConnectionHost {
  badFrames = 0;
  /** Neither subscriptions nor messages are taken any more. */
  isDraining = false;
  pingEveryBytes: number;
  readonly maxPayloadBytes: number;
  readonly unsentMaxBytes = BACKPRESSURE_MAX_BYTES;
  readonly readers: ConnectionHost['readers'] = { msgpack: new MsgpackReader(), json: new JsonReader() };
  readonly encoders: ConnectionHost['encoders'];
  readonly intake: Intake<Connection>;
  readonly fault: (fault: unknown) => void;
  /** Publishes to groups of connections; set by the server, and nobody is connected before. Null: each is sent to by itself. */
  groups: GroupTransport | null = null;

  readonly #options: ConnectionsOptions;
  readonly #router: Router;
  readonly #delivery: Delivery;
  readonly #loop: Loop;
  /** Holds all open connections. */
  readonly #heartbeat: Heartbeat<Connection>;
  readonly #offenders = new Offenders();
  readonly #unread = new UnreadAnswers<Connection>();
  #withReplies: Connection[] = [];
  readonly #flushReplies = (): void => this.flushReplies();

  constructor(
    options: ConnectionsOptions,
    router: Router,
    delivery: Delivery,
    loop: Loop,
    onFault: (fault: unknown) => void,
  ) {
    this.#options = options;
    this.#router = router;
    this.#delivery = delivery;
    this.#loop = loop;
    this.fault = onFault;
    this.maxPayloadBytes = options.maxPayloadBytes;
    this.pingEveryBytes = pingEveryBytes(options.idleTimeoutMs);
    this.encoders = { msgpack: msgpackEncoder, json: createJsonEncoder(() => loop.epochMs()) };
    const isTimedBySocket = socketIdleTimeoutS(options.idleTimeoutMs) > 0;
    this.#heartbeat = new Heartbeat(
      isTimedBySocket ? { ...options, idleTimeoutMs: Number.POSITIVE_INFINITY } : options,
    );
    this.intake = new Intake(loop, options.maxPayloadBytes * RECEIVE_LIMIT_FACTOR);
  }

  /** Everyone, in no order. Ending one changes the list. */
  get all(): readonly Connection[] {
    return this.#heartbeat.targets;
  }

  /** How often `tick` has to be called (ms). */
  get tickMs(): number {
    return this.#heartbeat.tickMs;
  }

  tick(): void {
    this.#heartbeat.tick(this.#loop.nowMs());
  }

  /** How long new ones of the address are refused (ms); 0: they are not. */
  retryAfterMs(address: string): number {
    return this.#offenders.retryAfterMs(address, this.#loop.nowMs());
  }

  // ---- what uWebSockets.js tells -----------------------------------------------------------------------------------

  opened(connection: Connection, ws: WebSocket<unknown>): void {
    this.#heartbeat.add(connection);
    connection.opened(ws, this.#loop.nowMs());
  }

  /** Hot path: per message, which is lent. */
  received(connection: Connection, message: ArrayBuffer, isBinary: boolean): void {
    const nowMs = this.#loop.nowMs();
    connection.lastReceivedMs = nowMs | 0;
    this.#delivery.somebodyCame();
    const verdict = this.intake.judge(connection, nowMs);
    if (verdict === FLOOD) connection.refuseToRead(TOO_FAST);
    else connection.received(message, isBinary, verdict);
  }

  /** A ping or a pong. */
  receivedControlFrame(connection: Connection): void {
    const nowMs = this.#loop.nowMs();
    connection.lastReceivedMs = nowMs | 0;
    this.#delivery.somebodyCame();
    if (this.intake.judge(connection, nowMs) === FLOOD) connection.refuseToRead(TOO_FAST);
  }

  pong(connection: Connection, body: ArrayBuffer): void {
    if (body.byteLength === WINDOW_PING.length) connection.ponged();
    this.receivedControlFrame(connection);
  }

  tookSome(connection: Connection): void {
    // Whoever takes something is alive, however slow.
    connection.lastReceivedMs = this.#loop.nowMs() | 0;
    connection.drained();
  }

  /** What was published to it was not kept: it must not go on as if it had. */
  lost(connection: Connection): void {
    this.fault(new Error('a message was dropped by uWebSockets.js: its connection is ended'));
    connection.cut();
  }

  closed(connection: Connection, code: number, reason: ArrayBuffer): void {
    this.#heartbeat.remove(connection);
    const { session } = connection;
    connection.closed();
    try {
      if (session !== null) this.#router.end(session, code, Buffer.from(reason).toString());
    } catch (fault) {
      this.fault(fault);
    }
  }

  // ---- what a connection asks of its host --------------------------------------------------------------------------

  openSession(connection: Connection, { connectionId, context }: ConnectionRequest, codec: Codec): Session {
    const encoder = this.encoders[codec];
    const { groups } = this;
    const consumer =
      groups === null
        ? this.#delivery.addConsumer(connection, encoder)
        : this.#delivery.addGroupConsumer(connection, encoder, groups);
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
    if (this.isDraining && (frame.op === OP.PUBLISH || frame.op === OP.SUBSCRIBE)) {
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
    this.#unread.set(connection, bytes);
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
      if (targets[index].remoteAddress === address && ++count >= SHARED_FROM) return true;
    }
    return false;
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
    this.badFrames++;
  }
}
