// A pub/sub server over plain JSON that does what a test tells it to do with single messages: lose, double, hold back, damage.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export const TEMPLATES = {
  subscribe: '{"op":"sub","ch":"{{topic}}"}',
  publish: '{"op":"pub","ch":"{{topic}}","data":{{payload}}}',
};

export type Fate = 'deliver' | 'lose' | 'double' | 'hold' | 'damage';

export interface FaultyServerOptions {
  /** What happens to a message, by its number in its topic; `hold` sends it behind the next one. */
  readonly fate?: (seq: number) => Fate;
  /** Called per message, before it is delivered. */
  readonly onPublish?: (seq: number, server: FaultyServer) => void;
  readonly onSubscribe?: (socket: WebSocket) => void;
  /** Called per message that is `{}`. */
  readonly onEmpty?: (socket: WebSocket) => void;
  /** Subscribes nobody. */
  readonly isDeaf?: boolean;
}

export class FaultyServer {
  readonly sockets: WebSocketServer;
  published = 0;
  readonly #options: FaultyServerOptions;
  readonly #subscribers = new Map<string, Set<WebSocket>>();
  readonly #held = new Map<string, string>();

  constructor(sockets: WebSocketServer, options: FaultyServerOptions) {
    this.sockets = sockets;
    this.#options = options;
    sockets.on('connection', (socket) => {
      socket.on('message', (data) => this.#read(socket, String(data)));
      socket.on('close', () => {
        for (const subscribers of this.#subscribers.values()) subscribers.delete(socket);
      });
    });
  }

  static async start(options: FaultyServerOptions = {}): Promise<FaultyServer> {
    const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(sockets, 'listening');
    return new FaultyServer(sockets, options);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.sockets.address() as AddressInfo).port}/`;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets.clients) socket.terminate();
    await new Promise((resolve) => this.sockets.close(resolve));
  }

  #read(socket: WebSocket, text: string): void {
    const { op, ch, data } = JSON.parse(text);
    if (op === undefined) {
      this.#options.onEmpty?.(socket);
      return;
    }
    if (op === 'sub') {
      socket.send(JSON.stringify({ ok: true, ch }));
      this.#options.onSubscribe?.(socket);
      if (this.#options.isDeaf) return;
      const subscribers = this.#subscribers.get(ch) ?? new Set();
      this.#subscribers.set(ch, subscribers.add(socket));
      return;
    }
    // Number 0 is a probe.
    const seq = Number.parseInt(/rcLoad1\..{8}(.{8})/.exec(data.load)![1], 16);
    const message = JSON.stringify({ ch, at: 1.5, data });
    if (seq === 0) {
      this.#send(ch, message);
      return;
    }
    this.published++;
    this.#options.onPublish?.(seq, this);
    const fate = this.#options.fate?.(seq) ?? 'deliver';
    if (fate === 'hold') {
      this.#held.set(ch, message);
      return;
    }
    if (fate !== 'lose') this.#send(ch, fate === 'damage' ? damaged(message) : message);
    if (fate === 'double') this.#send(ch, message);
    const held = this.#held.get(ch);
    this.#held.delete(ch);
    if (held !== undefined) this.#send(ch, held);
  }

  #send(ch: string, message: string): void {
    for (const subscriber of this.#subscribers.get(ch) ?? []) subscriber.send(message);
  }
}

/** One digit of the check is another one. */
function damaged(message: string): string {
  const at = message.indexOf('rcLoad1.') + 44;
  return message.slice(0, at) + (message[at] === '0' ? '1' : '0') + message.slice(at + 1);
}
