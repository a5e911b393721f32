// A connection: its session on the router's side, and at the other end of a fake socket a client that checks what it gets.

import { BLOCKED } from '#src/delivery/consumer.js';
import { type GroupSink, SEND_OK, SEND_REFUSED, type SendResult } from '#src/delivery/sink.js';
import { decodeServerFrames, encodeClientFrame } from '#src/protocol/client-frames.js';
import { jsonEncoder } from '#src/protocol/encoder-json.js';
import { msgpackEncoder } from '#src/protocol/encoder-msgpack.js';
import { JsonReader } from '#src/protocol/json-reader.js';
import {
  type ClientMessage,
  type FrameReader,
  READ_END,
  READ_FRAME,
  type SubscribeOptions,
} from '#src/protocol/messages.js';
import { decode } from '#src/protocol/msgpack.js';
import { MsgpackReader } from '#src/protocol/msgpack-reader.js';
import { Session } from '#src/router/session.js';
import { TreeSocket } from '../support/topic-tree.js';
import type { Following, Message } from './checker.js';
import { encodedPayload, payloadOf } from './payload.js';
import type { World } from './world.js';

/** What a request was, for its answer. */
type Request =
  | { readonly kind: 'publish'; readonly message: Message }
  | { readonly kind: 'subscribe'; readonly topic: string; readonly lastN: number }
  | { readonly kind: 'unsubscribe' | 'history'; readonly topic: string };

/** An answer or a notice, of either codec. */
interface Heard {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A message to publish: the rest of it is given by the connection. */
export interface Publish {
  readonly topic: string;
  readonly number: number;
  readonly paddingBytes: number;
  readonly isAckWanted: boolean;
  readonly isNoEcho: boolean;
  readonly id: string | undefined;
}

const utf8 = new TextEncoder();
const text = new TextDecoder();
const readers: Readonly<Record<'text' | 'binary', FrameReader>> = {
  text: new JsonReader(),
  binary: new MsgpackReader(),
};

export class Client implements GroupSink {
  readonly session: Session;
  readonly followed = new Map<string, Following>();
  /** What the server sends it through; its peer is this client. */
  readonly socket: TreeSocket;
  isOpen = true;
  /** Runs within each send: it may close, within the process also do anything else. */
  onSend: () => void = () => {};
  /** Asked behind each message: false: it reads no more. */
  readsOn: () => boolean = () => true;
  readonly #world: World;
  readonly #isText: boolean;
  readonly #topicByAlias = new Map<number, string>();
  readonly #requests = new Map<number, Request>();
  #lastRequest = 0;
  /** Messages of the last batch that it was told of in answers that name no request. */
  #refusedWithoutId = 0;

  /** @param isLocal it is within the process: nothing can be published to it and others at once */
  constructor(world: World, isText: boolean, isLocal: boolean) {
    this.#world = world;
    this.#isText = isText;
    this.socket = new TreeSocket(
      world.tree,
      (message) => this.#read(message),
      () => this.readsOn(),
    );
    this.socket.onDropped = () => world.checker.fail(`${this.name}: a message was dropped by its transport`);
    const encoder = isText ? jsonEncoder : msgpackEncoder;
    const consumer = isLocal
      ? world.delivery.addConsumer(this, encoder)
      : world.delivery.addGroupConsumer(this, encoder, world.tree);
    this.session = new Session(`connection ${consumer.number}`, consumer, null);
  }

  get number(): number {
    return this.session.consumer.number;
  }

  get name(): string {
    return `connection ${this.number}${this.#isText ? ' (JSON)' : ''}`;
  }

  // ---- what the client does ----------------------------------------------------------------------------------------

  subscribe(topic: string, options: SubscribeOptions): void {
    const id = this.#request({ kind: 'subscribe', topic, lastN: options.lastN ?? 0 });
    const { lastN, policy, maxDelayMs } = options;
    this.#send(
      { type: 'subscribe', id, topic, options },
      { type: 'subscribe', request_id: id, topic, last_n: lastN, policy, max_delay_ms: maxDelayMs },
    );
  }

  unsubscribe(topic: string): void {
    const id = this.#request({ kind: 'unsubscribe', topic });
    this.#send({ type: 'unsubscribe', id, topic }, { type: 'unsubscribe', request_id: id, topic });
  }

  history(topic: string, lastN: number): void {
    const id = this.#request({ kind: 'history', topic });
    this.#send(
      { type: 'history', id, topic, options: { lastN } },
      { type: 'history', request_id: id, topic, last_n: lastN },
    );
  }

  /** One WebSocket message with these messages; a JSON client sends one after the other. */
  publish(batch: readonly Publish[]): void {
    if (this.#isText) for (const publish of batch) this.#publishBatch([publish]);
    else this.#publishBatch(batch);
  }

  #publishBatch(batch: readonly Publish[]): void {
    const { router } = this.#world;
    router.batch.begin();
    const messages = batch.map((publish) => this.#message(publish));
    const frames = batch.map((publish, index) => this.#publishFrame(publish, messages[index] as Message));
    const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
    let at = 0;
    for (const frame of frames) {
      bytes.set(frame, at);
      at += frame.length;
    }
    let index = 0;
    this.#refusedWithoutId = 0;
    this.#handle(bytes, (handle) => {
      const before = router.publishing.acceptedMessages;
      const { topic } = batch[index] as Publish;
      const message = messages[index++] as Message;
      this.#world.publishing = message;
      handle();
      const entry = this.#world.topics.find(topic);
      if (router.publishing.acceptedMessages > before && entry !== undefined) this.#world.accepted(message, entry);
      this.#world.settlePublishing();
    });
    this.#checkRefusals(batch, messages);
  }

  /** Whoever asked for no answer is told all the same what was refused; and nothing overtakes what was. */
  #checkRefusals(batch: readonly Publish[], messages: readonly Message[]): void {
    const { checker } = this.#world;
    const refused = messages.filter(({ topic, isAckWanted }) => topic === null && !isAckWanted).length;
    if (refused !== this.#refusedWithoutId) {
      checker.fail(`${this.name}: ${refused} messages were refused, ${this.#refusedWithoutId} it was told of`);
    }
    const refusing = new Set<string>();
    for (const [index, { topic, number }] of batch.entries()) {
      if (messages[index]?.topic == null) refusing.add(topic);
      else if (refusing.has(topic)) checker.fail(`message ${number} overtook one to ${topic} that was refused`);
    }
  }

  /** The socket is gone, once all that was sent has been read: else nobody could tell which answers came. */
  close(): void {
    if (!this.isOpen) return;
    this.socket.read();
    this.isOpen = false;
    this.socket.close();
    this.#world.trace(() => `${this.name} closes`);
    this.#world.router.end(this.session, 1000, '');
    this.#world.clients.delete(this);
  }

  /** The transport is full although nothing was sent. */
  block(): void {
    this.socket.isFull = true;
    this.#world.delivery.blocked(this.session.consumer);
  }

  drain(): void {
    this.socket.read();
    this.#world.delivery.drained(this.session.consumer);
  }

  #message({ number, paddingBytes, isAckWanted, isNoEcho, id }: Publish): Message {
    const message: Message = {
      number,
      payload: payloadOf(number, paddingBytes),
      id,
      timeMs: this.#world.loop.epochMs(),
      origin: isNoEcho ? this.number : 0,
      isAckWanted,
      topic: null,
      isLeftOut: false,
      answers: 0,
    };
    this.#world.messages.push(message);
    return message;
  }

  #publishFrame({ topic, isNoEcho, id: messageId }: Publish, message: Message): Uint8Array {
    const id = message.isAckWanted ? this.#request({ kind: 'publish', message }) : null;
    if (this.#isText) {
      const { payload } = message;
      return utf8.encode(
        JSON.stringify({
          type: 'publish',
          request_id: id,
          topic,
          message: { id: messageId, payload },
          no_echo: isNoEcho,
        }),
      );
    }
    const alias = [...this.#topicByAlias].find(([, name]) => name === topic)?.[0];
    const options = {
      ...(isNoEcho ? { noEcho: true } : {}),
      ...(messageId === undefined ? {} : { id: messageId }),
    };
    return encodeClientFrame({
      type: 'publish',
      id,
      topic: alias ?? topic,
      payloadBytes: encodedPayload(message.payload),
      ...(Object.keys(options).length === 0 ? {} : { options }),
    });
  }

  #request(request: Request): number {
    this.#lastRequest++;
    this.#requests.set(this.#lastRequest, request);
    return this.#lastRequest;
  }

  #send(message: ClientMessage, json: object): void {
    this.#world.router.batch.begin();
    this.#handle(this.#isText ? utf8.encode(JSON.stringify(json)) : encodeClientFrame(message), (handle) => handle());
  }

  #handle(bytes: Uint8Array, onFrame: (handle: () => void) => void): void {
    const { router } = this.#world;
    const reader = readers[this.#isText ? 'text' : 'binary'];
    reader.reset(bytes, 0, bytes.length);
    for (let result = reader.next(); result !== READ_END; result = reader.next()) {
      if (result !== READ_FRAME) throw new Error(`the simulation sent a bad frame: ${reader.problem}`);
      onFrame(() => void router.handle(this.session, reader));
    }
    // What the buffer holds afterwards is nobody's business.
    bytes.fill(0xc1);
    router.batch.end(this.session);
  }

  // ---- what the client gets ----------------------------------------------------------------------------------------

  send(message: Uint8Array): SendResult {
    return this.#take([message]);
  }

  sendEach(bytes: Uint8Array, ends: readonly number[]): SendResult {
    return this.#take(ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end)));
  }

  reply(message: Uint8Array): void {
    // An answer that comes too late counts as one.
    if (!this.isOpen) {
      this.#read(message);
      return;
    }
    // Answers are looked at within the call that caused them: the client reads up to there, and is as full as before.
    const { isFull } = this.socket;
    this.socket.read();
    this.socket.send(message);
    this.socket.isFull ||= isFull;
  }

  end(): void {
    this.socket.end();
    this.close();
  }

  joinGroup(group: number): void {
    this.#world.joins++;
    this.#world.tree.subscribe(this.socket, group);
  }

  leaveGroup(group: number): void {
    this.#world.tree.unsubscribe(this.socket, group);
  }

  groupBacklogBytes(): number {
    return this.socket.backlogBytes();
  }

  #take(messages: readonly Uint8Array[]): SendResult {
    if (!this.isOpen) return SEND_REFUSED;
    if ((this.session.consumer.flags & BLOCKED) !== 0) {
      this.#world.checker.fail(`${this.name} is sent something although it is blocked`);
    }
    let result: SendResult = SEND_OK;
    for (const message of messages) result = Math.max(result, this.socket.send(message)) as SendResult;
    this.onSend();
    return this.isOpen ? result : SEND_REFUSED;
  }

  #read(message: Uint8Array): void {
    if (this.#isText) this.#hearJson(JSON.parse(text.decode(message)) as Heard);
    else for (const frame of decodeServerFrames(message.slice())) this.#hear(frame);
  }

  #hear(frame: ReturnType<typeof decodeServerFrames>[number]): void {
    switch (frame.type) {
      case 'event': {
        const { seq, time, id } = frame;
        this.#event(this.#topicByAlias.get(frame.alias), {
          seq,
          time,
          payload: decode(frame.payloadBytes),
          id: id ?? undefined,
        });
        return;
      }
      case 'gap':
        this.#gap(this.#topicByAlias.get(frame.alias), frame.fromSeq, frame.toSeq, frame.reason);
        return;
      case 'ok':
        this.#ok(frame.id as number, frame.result);
        return;
      case 'error':
        this.#error(frame.id as number | null, frame.code, frame.details);
        return;
      case 'unsubscribed':
        this.#ended(this.#topicByAlias.get(frame.alias), frame.code);
        return;
      default:
        this.#world.checker.fail(`${this.name} got ${frame.type}`);
    }
  }

  #hearJson(frame: Heard): void {
    const topic = frame.topic as string;
    switch (frame.type) {
      case 'event': {
        const { payload, id } = frame.message as { payload: unknown; id: string | undefined };
        this.#event(topic, { seq: frame.seq as number, time: frame.ts as string, payload, id });
        return;
      }
      case 'gap':
        this.#gap(topic, frame.from_seq as number, frame.to_seq as number, frame.reason as string);
        return;
      case 'ack':
      case 'history':
        this.#ok(frame.request_id as number, frame);
        return;
      case 'error': {
        const { code, details } = frame.error as { code: string; details?: unknown };
        this.#error((frame.request_id as number | undefined) ?? null, code, details);
        return;
      }
      case 'unsubscribed':
        this.#ended(topic, frame.code as string);
        return;
      default:
        this.#world.checker.fail(`${this.name} got ${frame.type}`);
    }
  }

  #event(topic: string | undefined, event: Parameters<World['checker']['event']>[2]): void {
    this.#world.checker.event(this.#following(topic, `message ${event.seq}`), this.number, event);
  }

  #gap(topic: string | undefined, fromSeq: number, toSeq: number, reason: string): void {
    const following = this.#following(topic, `a gap from ${fromSeq}`);
    const { entry } = following.record;
    const { key } = this.session.consumer.spec;
    const stream = entry.streamOf(key) ?? entry.streamOf(key, { mode: 'latest', maxAgeMs: 0 });
    this.#world.trace(() => `${this.name}: gap ${fromSeq}–${toSeq} of ${topic} (${reason})`);
    this.#world.checker.gap(following, this.number, fromSeq, toSeq, reason, stream?.log ?? entry.log);
  }

  #following(topic: string | undefined, what: string): Following {
    const following = topic === undefined ? undefined : this.followed.get(topic);
    if (following === undefined)
      this.#world.checker.fail(`${this.name} got ${what} of ${topic}, which it does not follow`);
    return following;
  }

  #ended(topic: string | undefined, code: string): void {
    const { record } = this.#following(topic, `the end (${code})`);
    if (code !== 'TOPIC_NOT_FOUND') this.#world.checker.fail(`${this.name} lost ${topic} for ${code}`);
    this.#forget(record.name);
  }

  #forget(topic: string): void {
    this.followed.delete(topic);
    for (const [alias, name] of this.#topicByAlias) if (name === topic) this.#topicByAlias.delete(alias);
  }

  #ok(id: number, result: Readonly<Record<string, unknown>>): void {
    const request = this.#answered(id);
    const { checker } = this.#world;
    switch (request.kind) {
      case 'publish':
        this.#world.answered(request.message, () => {
          checker.acked(request.message, result.seq as number, result.epoch as string | undefined);
        });
        return;
      case 'unsubscribe':
        this.#forget(request.topic);
        return;
      case 'history': {
        const record = this.#world.recordOf(request.topic);
        const entries = (result.messages as unknown[]).map(historyEntry);
        checker.history(record, result.seq as number, entries);
        return;
      }
      case 'subscribe': {
        const { topic, lastN } = request;
        const record = this.#world.recordOf(topic);
        if (record.entry.spec.epoch !== result.epoch) checker.fail(`${this.name} follows another life of ${topic}`);
        if (this.followed.has(topic)) return;
        this.followed.set(topic, checker.subscribed(record, result.seq as number, lastN));
        if (typeof result.alias === 'number') this.#topicByAlias.set(result.alias, topic);
      }
    }
  }

  #error(id: number | null, code: string, details: unknown): void {
    const { checker } = this.#world;
    if (id === null) {
      // All that a full home refuses of a batch is told in one answer.
      if (code === 'OVERLOADED') this.#refusedWithoutId += (details as { count: number }).count;
      else if (code === 'TOPIC_NOT_FOUND') this.#refusedWithoutId++;
      else checker.fail(`${this.name} was told ${code}`);
      return;
    }
    const request = this.#answered(id);
    if (request.kind === 'publish') {
      this.#world.answered(request.message, () => checker.refused(request.message, code));
      return;
    }
    if (code !== 'TOPIC_NOT_FOUND') checker.fail(`${this.name}: ${request.kind} ${request.topic} was answered ${code}`);
  }

  #answered(id: number): Request {
    const request = this.#requests.get(id);
    if (request === undefined)
      this.#world.checker.fail(`${this.name}: request ${id} was answered twice, or never made`);
    this.#requests.delete(id);
    return request;
  }

  /** Requests that have had no answer, without those of a connection that is gone: nobody would hear it. */
  get openRequests(): number {
    return this.isOpen ? this.#requests.size : 0;
  }
}

/** An entry of a history: MessagePack has an array, JSON an object. */
function historyEntry(entry: unknown): { seq: number; payload: unknown } {
  if (Array.isArray(entry)) return { seq: entry[0] as number, payload: entry[2] };
  const { seq, message } = entry as { seq: number; message: { payload: unknown } };
  return { seq, payload: message.payload };
}
