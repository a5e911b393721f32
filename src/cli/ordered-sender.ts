/**
 * Publishes a long sequence of messages over one client, in batches, each waiting for the answers to the one before, so
 * that messages refused as OVERLOADED are sent again before those behind them.
 *
 * Order: only messages of one batch can overtake each other, when the server refuses one of them and has room again for
 * a later one. So after a refusal messages go one by one, with growing pauses, until one is accepted; then batches
 * double again. What did overtake is counted.
 */

import type { Client, Published, Publisher } from '../client/client.js';
import { RingcastError } from '../errors.js';

const BATCH_MESSAGES_MAX = 512;
/** Of JSON text, which is about the size on the wire: a batch should be one WebSocket message. */
const BATCH_TEXT_MAX_CHARACTERS = 32 * 1024;
const PAUSE_MIN_MS = 1;
const PAUSE_MAX_MS = 250;

export interface QueuedMessage {
  readonly topic: string;
  readonly payload: unknown;
  /** Length of the payload as JSON. */
  readonly textCharacters: number;
  readonly lineNumber: number;
}

export interface SenderCounts {
  accepted: number;
  /** OVERLOADED answers; each of these messages was sent again. */
  retried: number;
  /** Accepted messages that overtook a refused one of their topic. */
  overtaken: number;
}

/** What became of one message of a batch. */
type Outcome = Published | RingcastError;

export interface OrderedSenderOptions {
  client: Client;
  /** The message can never be published: too large, a topic name that is none. It is left out. */
  onUnfit: (message: QueuedMessage, problem: string) => void;
  sleep: (durationMs: number) => Promise<void>;
}

/** Writer: the one loop that adds messages. */
export class OrderedSender {
  readonly counts: SenderCounts = { accepted: 0, retried: 0, overtaken: 0 };
  readonly #options: OrderedSenderOptions;
  readonly #publishers = new Map<string, Publisher | RingcastError>();
  #isClosed = false;
  #waiting: QueuedMessage[] = [];
  #waitingCharacters = 0;
  #batchMessages = BATCH_MESSAGES_MAX;
  #pauseMs = 0;
  /** The messages on their way. */
  #sending: Promise<void> | null = null;

  constructor(options: OrderedSenderOptions) {
    this.#options = options;
    options.client.on('close', () => {
      this.#isClosed = true;
    });
  }

  /** Topics that were opened. */
  get topicCount(): number {
    return [...this.#publishers.values()].filter((publisher) => !(publisher instanceof RingcastError)).length;
  }

  /** Takes a message; wait for the promise, if there is one, before adding more. */
  add(message: QueuedMessage): Promise<void> | null {
    this.#waiting.push(message);
    this.#waitingCharacters += message.textCharacters;
    const isFull = this.#waiting.length >= BATCH_MESSAGES_MAX || this.#waitingCharacters >= BATCH_TEXT_MAX_CHARACTERS;
    return isFull ? this.sendWaiting() : null;
  }

  /** Starts to send what waits; resolves when there is room again. Rejects when the connection is lost or refuses. */
  async sendWaiting(): Promise<void> {
    await this.#sending;
    if (this.#waiting.length === 0) return;
    const messages = this.#waiting;
    this.#waiting = [];
    this.#waitingCharacters = 0;
    this.#sending = this.#sendAll(messages);
    this.#sending.catch(() => {}); // reported to whoever waits for it next: sendWaiting() or finish()
  }

  /** Resolves when everything has been accepted. */
  async finish(): Promise<void> {
    await this.sendWaiting();
    await this.#sending;
  }

  async #sendAll(messages: QueuedMessage[]): Promise<void> {
    let rest = messages;
    while (rest.length > 0) {
      const batch = rest.slice(0, this.#batchMessages);
      const refused = await this.#sendBatch(batch);
      rest = [...refused, ...rest.slice(batch.length)];
      this.#adapt(refused.length > 0);
      if (this.#pauseMs > 0) await this.#options.sleep(this.#pauseMs);
    }
  }

  /** One by one and slower after a refusal, more and at once otherwise. */
  #adapt(wasRefused: boolean): void {
    if (wasRefused) {
      this.#batchMessages = 1;
      this.#pauseMs = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, this.#pauseMs * 2));
    } else {
      this.#batchMessages = Math.min(BATCH_MESSAGES_MAX, this.#batchMessages * 2);
      this.#pauseMs = 0;
    }
  }

  /** Returns the messages that have to be sent again, in order. */
  async #sendBatch(batch: QueuedMessage[]): Promise<QueuedMessage[]> {
    await this.#openAll(batch);
    const outcomes = await Promise.all(
      batch.map((message) => {
        const publisher = this.#publishers.get(message.topic)!;
        return publisher instanceof RingcastError ? publisher : publisher.publish(message.payload).catch(asRefusal);
      }),
    );
    const refused: QueuedMessage[] = [];
    const refusedTopics = new Set<string>();
    for (const [index, message] of batch.entries()) {
      const outcome: Outcome = outcomes[index];
      if (!(outcome instanceof RingcastError)) {
        this.counts.accepted += 1;
        if (refusedTopics.has(message.topic)) this.counts.overtaken += 1;
      } else if (outcome.code === 'OVERLOADED') {
        this.counts.retried += 1;
        refused.push(message);
        refusedTopics.add(message.topic);
      } else if (isUnfit(outcome) && !this.#isClosed) {
        this.#options.onUnfit(message, outcome.message);
      } else {
        throw outcome;
      }
    }
    return refused;
  }

  /** Opens topics that are new; why one cannot be opened is kept as the outcome of its messages. */
  async #openAll(batch: QueuedMessage[]): Promise<void> {
    for (const topic of new Set(batch.map((message) => message.topic))) {
      const known = this.#publishers.get(topic);
      const mayOpenNow = known instanceof RingcastError && known.code === 'OVERLOADED';
      if (known !== undefined && !mayOpenNow) continue;
      this.#publishers.set(topic, await this.#options.client.openPublisher(topic).catch(asRefusal));
    }
  }
}

/** Refusals are outcomes; anything else is a fault. */
function asRefusal(error: unknown): RingcastError {
  if (error instanceof RingcastError) return error;
  throw error;
}

/** The fault is the message's own; another one may pass. */
function isUnfit(error: RingcastError): boolean {
  return error.code === 'BAD_REQUEST' || error.code === 'TOO_LARGE';
}
