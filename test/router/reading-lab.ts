// One topic, its feed and its readers, of either codec, on the router's lab.

import { SEND_BLOCKED, SEND_OK } from '#src/delivery/sink.js';
import type { PlacementRule } from '#src/directory/placement-rules.js';
import type { PublishOptions, ServerMessage, SubscribeOptions } from '#src/protocol/messages.js';
import { decode } from '#src/protocol/msgpack.js';
import { type RouterClient, RouterLab, type RouterLabOptions } from './router-lab.js';

export const HOMES = ['cold', 'hot'] as const;
export const CODECS = ['msgpack', 'json'] as const;

export class ReadingLab {
  readonly lab: RouterLab;
  readonly feed: RouterClient;

  constructor(home: 'cold' | 'hot', rule: Omit<PlacementRule, 'match' | 'home'> = {}, options: RouterLabOptions = {}) {
    const registry = { rules: [{ match: '*', home, ...rule }] };
    this.lab = new RouterLab({ laneRingBytes: 2 ** 18, registry, ...options });
    this.feed = this.lab.client();
  }

  publish(payload: unknown, options?: PublishOptions): void {
    this.feed.send({ type: 'publish', topic: 't', payload, ...(options === undefined ? {} : { options }) });
    this.lab.settle();
  }

  /** Publishes `{key, n}` for each. */
  publishKeys(keys: string): void {
    for (const key of keys) this.publish(++this.#n, { key });
  }
  #n = 0;

  reader(codec: 'msgpack' | 'json', options: SubscribeOptions = {}, topic = 't'): TopicReader {
    return new TopicReader(this.lab, codec, options, topic);
  }
}

const JSON_NAMES: Record<string, string> = {
  lastN: 'last_n',
  onGap: 'on_gap',
  maxRate: 'max_rate',
  deltaFullEvery: 'delta_full_every',
  maxAgeMs: 'max_age_ms',
  maxDelayMs: 'max_delay_ms',
  maxUnacked: 'max_unacked',
  maxBandwidth: 'max_bandwidth',
};
const jsonOptions = (options: object): object =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [JSON_NAMES[name] ?? name, value]));

export class TopicReader {
  readonly client: RouterClient;
  readonly #isJson: boolean;

  constructor(lab: RouterLab, codec: 'msgpack' | 'json', options: SubscribeOptions, topic: string) {
    this.#isJson = codec === 'json';
    this.client = this.#isJson ? lab.jsonClient() : lab.client();
    if (this.#isJson) this.client.sendJson({ type: 'subscribe', topic, ...jsonOptions(options) });
    else this.client.send({ type: 'subscribe', topic, options });
  }

  update(options: object): void {
    if (this.#isJson) this.client.sendJson({ type: 'update', topic: 't', ...jsonOptions(options) });
    else this.client.send({ type: 'update', topic: 't', options });
  }

  ack(lab: RouterLab, seq: number): void {
    if (this.#isJson) this.client.sendJson({ type: 'ack', topic: 't', seq });
    else this.client.send({ type: 'ack', topic: lab.topics.find('t')?.spec.alias ?? 0, seq });
  }

  block(lab: RouterLab): void {
    this.client.sink.result = SEND_BLOCKED;
    lab.delivery.blocked(this.client.session.consumer);
  }

  drain(lab: RouterLab): void {
    this.client.sink.result = SEND_OK;
    lab.delivery.drained(this.client.session.consumer);
  }

  /** In short: `a=1` an event, `[a=1 b=2]@2` a whole snapshot, `merged 1-2`. */
  take(): string[] {
    const frames = this.#isJson ? this.client.takeJson().map(fromJson) : this.client.take();
    const short: string[] = [];
    let snapshot: string[] = [];
    for (const frame of frames) {
      if (frame.type === 'event') {
        const { key, change, payloadBytes } = frame;
        const payload = text(payloadBytes instanceof Uint8Array ? decode(payloadBytes) : payloadBytes);
        short.push(
          change === null || change === 'delta'
            ? `${key}${change === 'delta' ? '~' : '='}${payload}`
            : `${key} ${change}`,
        );
      } else if (frame.type === 'snapshot') {
        if (frame.first) snapshot = [];
        snapshot.push(...frame.entries.map(([key, , , payload]) => `${key}=${text(payload)}`));
        if (frame.last) short.push(`[${snapshot.join(' ')}]@${frame.seq}`);
      } else if (frame.type === 'notice') short.push(frame.kind);
      else if (frame.type === 'gap') short.push(`${frame.reason} ${frame.fromSeq}-${frame.toSeq}`);
      else if (frame.type === 'error' || frame.type === 'unsubscribed') short.push(frame.code);
    }
    return short;
  }
}

const text = (payload: unknown): string => (typeof payload === 'object' ? JSON.stringify(payload) : String(payload));

/** As if it had come as MessagePack. */
function fromJson(message: Record<string, unknown>): ServerMessage {
  const { type, seq, from_seq: fromSeq, to_seq: toSeq, reason, first, last, key = null, change = null } = message;
  switch (type) {
    case 'event':
      return { type, seq, key, change, payloadBytes: (message.message as { payload: unknown }).payload } as never;
    case 'snapshot': {
      const entries = (message.entries as Record<string, unknown>[]).map((entry) => [
        entry.key,
        entry.seq,
        0,
        entry.payload,
      ]);
      return { type, seq, first, last, entries } as never;
    }
    case 'info':
      return { type: 'notice', kind: message.msg } as never;
    case 'gap':
      return { type, fromSeq, toSeq, reason } as never;
    case 'error':
      return { type, code: (message.error as { code: string }).code } as never;
    case 'unsubscribed':
      return { type, code: message.code } as never;
    default:
      return { type: 'pong' } as never;
  }
}
