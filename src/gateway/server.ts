/** Server: the listening side of uWebSockets.js: TLS, routes, and what it calls. */

import { accessSync, constants } from 'node:fs';
import type { GroupTransport } from '../delivery/sink.js';
import { RingcastError } from '../errors.js';
import { RECEIVE_LIMIT_FACTOR } from '../limits.js';
import type { Connection } from './connection.js';
import { BACKPRESSURE_MAX_BYTES, type Connections } from './connections.js';
import { limitHeaders } from './header-limit.js';
import { socketIdleTimeoutS } from './idle-timer.js';
import { Releasable } from './let-go.js';
import { listenFailure } from './listen-failure.js';
import { groupName } from './socket.js';
import { type PassphraseOptions, passphraseOf } from './tls-passphrase.js';
import type { Upgrades } from './upgrades.js';
import { listenExclusively, loadUws, type TemplatedApp, type Uws, type us_listen_socket } from './uws.js';

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: ({ readonly certFile: string; readonly keyFile: string } & PassphraseOptions) | undefined;
  readonly idleTimeoutMs: number;
  readonly maxPayloadBytes: number;
  readonly maxHeaderBytes: number;
}

/** What a socket carries: uWebSockets.js copies the properties of the object it is given, not the object. */
interface SocketData {
  readonly connection: Connection;
}

/** Writer and reader: the accept thread. */
export class Server {
  /** What to tell whoever runs it; null: nothing. */
  readonly warning: string | null;
  readonly #options: ListenerOptions;
  readonly #upgrades: Upgrades;
  readonly #connections: Connections;
  readonly #uws: Uws;
  readonly #app: TemplatedApp;
  /** What uWebSockets.js calls. */
  readonly #handlers = new Releasable();
  #listenSocket: us_listen_socket | null = null;

  private constructor(
    options: ListenerOptions,
    upgrades: Upgrades,
    connections: Connections,
    uws: Uws,
    warning: string | null,
  ) {
    this.warning = warning;
    this.#options = options;
    this.#upgrades = upgrades;
    this.#connections = connections;
    this.#uws = uws;
    this.#app = createApp(uws, options);
    this.#defineRoutes();
    // Encrypted, the messages of several topics cost a third more when they are published one by one than as one message.
    if (options.tls === undefined) connections.groups = groupsOf(this.#app);
  }

  /** Throws RingcastError with one line that says what to do. */
  static async create(options: ListenerOptions, upgrades: Upgrades, connections: Connections): Promise<Server> {
    const warning = limitHeaders(options.maxHeaderBytes);
    return new Server(options, upgrades, connections, await loadUws(), warning);
  }

  /** Resolves to the port. Throws as `create` does. */
  async listen(): Promise<number> {
    const { host, port } = this.#options;
    const uws = this.#uws;
    const socket = await new Promise<us_listen_socket | false>((resolve) =>
      listenExclusively(uws, this.#app, host, port, resolve),
    );
    if (socket === false) throw await listenFailure(host, port);
    this.#listenSocket = socket;
    return uws.us_socket_local_port(socket as unknown as Parameters<Uws['us_socket_local_port']>[0]);
  }

  /** No new connections from here on. */
  stopListening(): void {
    if (this.#listenSocket !== null) this.#uws.us_listen_socket_close(this.#listenSocket);
    this.#listenSocket = null;
  }

  close(): void {
    this.stopListening();
    this.#app.close();
    this.#handlers.release();
  }

  #defineRoutes(): void {
    const app = this.#app;
    const connections = this.#connections;
    const upgrades = this.#upgrades;
    const handlers = this.#handlers;
    const { idleTimeoutMs, maxPayloadBytes } = this.#options;
    const behavior: Parameters<typeof app.ws<SocketData>>[1] = {
      maxPayloadLength: maxPayloadBytes * RECEIVE_LIMIT_FACTOR + 1024,
      maxBackpressure: BACKPRESSURE_MAX_BYTES,
      idleTimeout: socketIdleTimeoutS(idleTimeoutMs),
      sendPingsAutomatically: false,
      upgrade: handlers.handler((res, req, context) => upgrades.upgrade(res, req, context)),
      open: handlers.handler((ws) => connections.opened(ws.getUserData().connection, ws)),
      message: handlers.handler((ws, message, isBinary) =>
        connections.received(ws.getUserData().connection, message, isBinary),
      ),
      ping: handlers.handler((ws) => connections.receivedControlFrame(ws.getUserData().connection)),
      pong: handlers.handler((ws, body) => connections.pong(ws.getUserData().connection, body)),
      dropped: handlers.handler((ws) => connections.lost(ws.getUserData().connection)),
      drain: handlers.handler((ws) => connections.tookSome(ws.getUserData().connection)),
      close: handlers.handler((ws, code, reason) => connections.closed(ws.getUserData().connection, code, reason)),
    };
    app.ws<SocketData>('/ws', behavior);
    app.ws<SocketData>('/ws/*', behavior);
    app.any(
      '/*',
      handlers.handler((res) => upgrades.refusePlain(res)),
    );
    app.filter(
      handlers.handler((res, change) => {
        if (change > 0) upgrades.accepted(res);
      }) as Parameters<typeof app.filter>[0],
    );
  }
}

function groupsOf(app: TemplatedApp): GroupTransport {
  return {
    publish: (group, message, isText) => {
      app.publish(groupName(group), message, !isText);
    },
  };
}

function createApp(uws: Uws, { tls }: ListenerOptions): TemplatedApp {
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
