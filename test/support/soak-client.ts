// A client of the soak: never waits for an answer, forgets what it has checked, and notes everything that must not be.
import type { Socket } from 'node:net';
import WebSocket from 'ws';
import type { ClientMessage, SubscribeOptions } from '#src/protocol/messages.js';
import { SequenceFollower } from './sequence.js';
import { type Codec, encodeMessage, type Heard, hearJson, MsgpackEar } from './wire.js';

/** What all clients of a soak count together. */
export interface SoakTally {
  readonly problems: string[];
  events: number;
  gaps: number;
  lost: number;
  overloaded: number;
  connections: number;
  readonly closeCodes: Record<number, number>;
}

export function newTally(): SoakTally {
  return { problems: [], events: 0, gaps: 0, lost: 0, overloaded: 0, connections: 0, closeCodes: {} };
}

type Pending = { readonly topic: string; readonly isSubscribe: boolean };

/** The ways in which a client goes. */
export const LEAVINGS = ['close', 'terminate', 'reset', 'half a frame', 'half a close'] as const;

export class SoakClient {
  readonly name: string;
  readonly codec: Codec;
  /** Subscriptions as the server has confirmed them, by topic. */
  readonly followers = new Map<string, SequenceFollower>();
  /** Topics as this client has asked for them: what the server will have when it has read everything. */
  readonly wanted = new Set<string>();
  isPaused = false;
  isGone = false;
  readonly #socket: WebSocket;
  readonly #tally: SoakTally;
  readonly #ear = new MsgpackEar();
  readonly #pending = new Map<number, Pending>();
  #badFrames = 0;
  #lastId = 0;

  private constructor(name: string, socket: WebSocket, codec: Codec, tally: SoakTally) {
    this.name = name;
    this.codec = codec;
    this.#socket = socket;
    this.#tally = tally;
    tally.connections++;
    socket.on('message', (data, isBinary) => {
      const bytes = data as Buffer;
      const frames = isBinary ? this.#ear.hear(new Uint8Array(bytes)) : [hearJson(bytes.toString())];
      for (const frame of frames) this.#check(frame);
    });
    socket.on('error', () => {}); // resets are part of the game; the close code is counted
    socket.on('close', (code) => {
      this.isGone = true;
      tally.closeCodes[code] = (tally.closeCodes[code] ?? 0) + 1;
      // 1000 and 1005: the client closed; 1006: it was cut; 1013: its policy. Anything else is the server's complaint.
      if (![1000, 1005, 1006, 1013].includes(code)) tally.problems.push(`${name}: closed with ${code}`);
    });
  }

  /** @param urlTopics topics to subscribe by URL */
  static async open(
    name: string,
    url: string,
    codec: Codec,
    tally: SoakTally,
    urlTopics: string[] = [],
  ): Promise<SoakClient> {
    const query = urlTopics.length === 0 ? '' : `?topics=${urlTopics.map(encodeURIComponent).join(',')}`;
    const socket = new WebSocket(url + query, `ringcast.v1.${codec}`);
    const client = new SoakClient(name, socket, codec, tally);
    for (const topic of urlTopics) client.wanted.add(topic);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  subscribe(topic: string, options: SubscribeOptions): void {
    this.wanted.add(topic);
    this.#request({ type: 'subscribe', topic, options }, { topic, isSubscribe: true });
  }

  unsubscribe(topic: string): void {
    this.wanted.delete(topic);
    this.#request({ type: 'unsubscribe', topic }, { topic, isSubscribe: false });
  }

  send(message: ClientMessage): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeMessage(this.codec, message));
  }

  /** Costs an ERROR, not the connection. */
  sendBadFrame(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#badFrames++;
    this.#socket.send(this.codec === 'json' ? '{"type":"dance"}' : Buffer.from([0x92, 99, 7]));
  }

  pause(): void {
    this.isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.#socket.resume();
  }

  leave(how: (typeof LEAVINGS)[number]): void {
    this.isGone = true;
    const tcp = (this.#socket as WebSocket & { readonly _socket: Socket | null })._socket;
    if (how === 'half a frame')
      tcp?.write(Buffer.from([0x82, 0xfe, 0x01, 0x00, 1, 2, 3, 4, 0x93]), () => tcp.destroy());
    else if (how === 'reset') tcp?.resetAndDestroy();
    else if (how === 'half a close') tcp?.end();
    else if (how === 'terminate') this.#socket.terminate();
    else this.#socket.close();
    // One that was paused would never see the end of the connection.
    if (this.isPaused) this.resume();
  }

  #request(message: ClientMessage, pending: Pending): void {
    const id = ++this.#lastId;
    this.#pending.set(id, pending);
    this.send({ ...message, id });
  }

  #check(frame: Heard): void {
    try {
      this.#take(frame);
    } catch (problem) {
      this.#tally.problems.push(`${this.name} (${this.codec}): ${(problem as Error).message}`);
    }
  }

  #take(frame: Heard): void {
    const tally = this.#tally;
    switch (frame.type) {
      case 'event':
        tally.events++;
        this.#followerOf(frame.topic).follow(frame);
        return;
      case 'gap':
        tally.gaps++;
        tally.lost += frame.toSeq - frame.fromSeq + 1;
        this.#followerOf(frame.topic).follow(frame);
        return;
      case 'ok':
        this.#settle(frame.id, frame.result);
        return;
      case 'error':
        if (frame.code === 'OVERLOADED') tally.overloaded++;
        else if (frame.code === 'BAD_REQUEST' && this.#badFrames > 0) this.#badFrames--;
        else throw new Error(`${frame.code}: ${frame.message}`);
        return;
      case 'unsubscribed':
      case 'notice':
        throw new Error(`unexpected: ${JSON.stringify(frame)}`);
    }
  }

  #settle(id: unknown, result: Readonly<Record<string, unknown>>): void {
    const byUrl = id === null ? { topic: result.topic as string, isSubscribe: true } : undefined;
    const pending = typeof id === 'number' ? this.#pending.get(id) : byUrl;
    if (pending === undefined) return; // a publish or a history
    if (typeof id === 'number') this.#pending.delete(id);
    const { topic, isSubscribe } = pending;
    if (!isSubscribe) this.followers.delete(topic);
    else if (!this.followers.has(topic)) this.followers.set(topic, new SequenceFollower(topic, result.seq as number));
  }

  #followerOf(topic: string): SequenceFollower {
    const follower = this.followers.get(topic);
    if (follower === undefined) throw new Error(`a message of ${topic}, which is not subscribed`);
    return follower;
  }
}
