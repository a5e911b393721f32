// Numbers published over a socket at a steady pace, each to be acknowledged, and readers of both dialects who must get them.
import { expect } from 'vitest';
import { follow } from '../support/sequence.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';
import { CODECS, type HeardAnswer, type HeardError } from '../support/wire.js';

const TICK_MS = 2;
const SETTLED_MAX_MS = 20_000;

export class NumberFeed {
  readonly topic: string;
  readonly publisher: TestClient;
  /** One per dialect. */
  readonly readers: readonly TestClient[];
  published = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(topic: string, publisher: TestClient, readers: readonly TestClient[]) {
    this.topic = topic;
    this.publisher = publisher;
    this.readers = readers;
  }

  /** Has the topic read from its first message on, and publishes to it until `settled`. */
  static async start(url: string, topic: string): Promise<NumberFeed> {
    const publisher = await TestClient.open(url);
    const readers = await Promise.all(CODECS.map((codec) => TestClient.open(url, codec)));
    for (const reader of readers) await reader.subscribe(topic);
    const feed = new NumberFeed(topic, publisher, readers);
    feed.#timer = setInterval(() => feed.publish(++feed.published), TICK_MS);
    return feed;
  }

  publish(payload: unknown, id = this.published): void {
    this.publisher.send({ type: 'publish', id, topic: this.topic, payload });
  }

  /** Answers to PUBLISH, in the order in which they came. */
  get answers(): (HeardAnswer | HeardError)[] {
    return this.publisher.heard.filter(
      (frame): frame is HeardAnswer | HeardError => frame.type === 'ok' || frame.type === 'error',
    );
  }

  /** Waits until so many more messages than now have got through. */
  async progress(messages: number): Promise<void> {
    const target = this.answers.length + messages;
    await until(() => this.answers.length >= target, `${messages} more answers in ${this.topic}`, SETTLED_MAX_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Stops, waits until all is through, and checks that each message came once, in order, and was answered once. */
  async settled(): Promise<void> {
    this.stop();
    const { topic, published, readers } = this;
    await until(
      () => this.answers.length >= published,
      () => `${this.answers.length} of ${published} answers`,
      SETTLED_MAX_MS,
    );
    await until(
      () => readers.every((reader) => reader.events(topic).length >= published),
      () => `${readers.map((reader) => reader.events(topic).length)} of ${published} messages read`,
      SETTLED_MAX_MS,
    );
    for (const client of [this.publisher, ...readers]) await client.sync();
    const answers = this.answers.map((answer) => [answer.id, answer.type === 'ok' ? answer.result.seq : answer.code]);
    const numbers = Array.from({ length: published }, (_, index) => index + 1);
    // One publisher, so its messages have the numbers that they say.
    expect(answers).toEqual(numbers.map((number) => [number, number]));
    for (const reader of readers) {
      const { events, gaps } = follow(topic, 0, reader.heard);
      expect({ codec: reader.codec, events, gaps }).toEqual({ codec: reader.codec, events: published, gaps: 0 });
      expect(reader.events(topic).map(({ payload }) => payload)).toEqual(numbers);
    }
  }
}
