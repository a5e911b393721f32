// Clients of either codec that subscribe to patterns, on the router's lab; and what they are told, alike for both.

import type { SubscribeOptions } from '#src/protocol/messages.js';
import { decode } from '#src/protocol/msgpack.js';
import type { RouterClient, RouterLab } from './router-lab.js';

export type Told =
  | { readonly kind: 'ok'; readonly id: number; readonly topic: string; readonly epoch: string; readonly seq: number }
  | { readonly kind: 'error'; readonly id: number; readonly code: string }
  | { readonly kind: 'topic'; readonly topic: string; readonly epoch: string; readonly seq: number }
  | { readonly kind: 'missed'; readonly code: string }
  | { readonly kind: 'event'; readonly topic: string; readonly seq: number; readonly payload: unknown }
  | {
      readonly kind: 'gap';
      readonly topic: string;
      readonly seq: number;
      readonly toSeq: number;
      readonly reason: string;
    }
  | { readonly kind: 'snapshot' | 'end'; readonly topic: string; readonly seq: number };

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const toJson = (options: object): object =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [snake(name), value]));

export class PatternClient {
  readonly client: RouterClient;
  readonly #isJson: boolean;
  /** By alias. An event of one that was not introduced is of the topic `undefined`. */
  readonly #topics = new Map<number, string>();
  #id = 0;

  constructor(lab: RouterLab, codec: 'msgpack' | 'json') {
    this.#isJson = codec === 'json';
    this.client = this.#isJson ? lab.jsonClient() : lab.client();
  }

  /** Each returns its request id. */
  subscribe(topic: string, options: SubscribeOptions = {}): number {
    return this.#send('subscribe', topic, options);
  }

  update(topic: string, options: object): number {
    return this.#send('update', topic, options);
  }

  unsubscribe(topic: string): number {
    return this.#send('unsubscribe', topic, undefined);
  }

  #send(type: 'subscribe' | 'update' | 'unsubscribe', topic: string, options: object | undefined): number {
    const id = ++this.#id;
    if (this.#isJson) this.client.sendJson({ type, request_id: id, topic, ...toJson(options ?? {}) });
    else this.client.send({ type, id, topic, ...(options === undefined ? {} : { options }) } as never);
    return id;
  }

  takeTold(): Told[] {
    if (this.#isJson) return this.client.takeJson().map(toldByJson);
    return this.client.take().map((frame) => this.#told(frame as never));
  }

  /** In short: `ok 1`, `topic a@0`, `a 1=x`, `missed FORBIDDEN`, `end a`. */
  take(): string[] {
    return this.takeTold().map(short);
  }

  #told(frame: Record<string, unknown>): Told {
    const { type, id, code, details, seq, alias } = frame as Record<string, never>;
    const topic = this.#topics.get(alias) as string;
    switch (type as string) {
      case 'ok': {
        const result = frame.result as Record<string, never>;
        if (result.alias !== undefined) this.#topics.set(result.alias, result.topic);
        return { kind: 'ok', id, topic: result.topic, epoch: result.epoch, seq: result.seq };
      }
      case 'notice': {
        const its = details as Record<string, never>;
        if (frame.kind !== 'topic') return { kind: 'missed', code: its.code };
        this.#topics.set(its.alias, its.topic);
        return { kind: 'topic', topic: its.topic, epoch: its.epoch, seq: its.seq };
      }
      case 'event':
        return { kind: 'event', topic, seq, payload: decode(frame.payloadBytes as Uint8Array) };
      case 'gap':
        return {
          kind: 'gap',
          topic,
          seq: frame.fromSeq as number,
          toSeq: frame.toSeq as number,
          reason: `${frame.reason}`,
        };
      case 'error':
        return { kind: 'error', id, code };
      default:
        return { kind: type === 'snapshot' ? type : 'end', topic, seq };
    }
  }
}

function toldByJson(message: Record<string, unknown>): Told {
  const { type, topic, epoch, seq, request_id: id } = message as Record<string, never>;
  switch (type as string) {
    case 'ack':
      return { kind: 'ok', id, topic, epoch, seq };
    case 'info': {
      const its = message.details as Record<string, never>;
      if ('alias' in its) throw new Error('there are no aliases in JSON');
      if (message.msg !== 'topic') return { kind: 'missed', code: its.code };
      return { kind: 'topic', topic: its.topic, epoch: its.epoch, seq: its.seq };
    }
    case 'event':
      return { kind: 'event', topic, seq, payload: (message.message as { payload: unknown }).payload };
    case 'gap':
      return {
        kind: 'gap',
        topic,
        seq: message.from_seq as number,
        toSeq: message.to_seq as number,
        reason: `${message.reason}`,
      };
    case 'error':
      return { kind: 'error', id, code: (message.error as { code: string }).code };
    default:
      return { kind: type === 'snapshot' ? type : 'end', topic, seq };
  }
}

function short(told: Told): string {
  switch (told.kind) {
    case 'ok':
      return `ok ${told.id}`;
    case 'error':
      return `error ${told.id} ${told.code}`;
    case 'topic':
      return `topic ${told.topic}@${told.seq}`;
    case 'missed':
      return `missed ${told.code}`;
    case 'event':
      return `${told.topic} ${told.seq}=${JSON.stringify(told.payload)}`;
    case 'gap':
      return `${told.topic} ${told.reason} ${told.seq}-${told.toSeq}`;
    case 'snapshot':
      return `${told.topic} snapshot @${told.seq}`;
    default:
      return `end ${told.topic}`;
  }
}
