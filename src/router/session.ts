/** Session: the router's side of one connection: who it is, what it may do, how it is answered. */

import type { Consumer } from '../delivery/consumer.js';
import type { TopicEntry } from '../directory/topic-entry.js';
import type { RingcastError } from '../errors.js';
import type { RequestId } from '../protocol/messages.js';
import type { ConnectionInfo } from './hooks.js';
import type { PublishGrants } from './publish-grants.js';

/** Writer and reader: the accept thread. */
export class Session {
  /** Unguessable name of the connection, told to the client. */
  readonly connectionId: string;
  readonly consumer: Consumer;
  /** What `onConnect` returned, handed to the other hooks. */
  readonly context: unknown;
  clientId: string | null = null;
  token: string | null = null;

  /** What this connection may publish to; made on first use. */
  grants: PublishGrants | null = null;
  /** The held topic that it published to last: a feed publishes many messages to a topic in a row. */
  lastPublished: TopicEntry | null = null;

  /**
   * Topics of which a message of this batch was refused; null: none. Their later ones of the batch are refused too, also
   * when there is room again meanwhile: none may overtake the one that the publisher has to send again.
   */
  overloadedTopics: Set<TopicEntry> | null = null;
  /** Messages without a request id that were refused in this batch, and why the first of them was; null: none. */
  untold: { count: number; readonly first: RingcastError } | null = null;

  constructor(connectionId: string, consumer: Consumer, context: unknown) {
    this.connectionId = connectionId;
    this.consumer = consumer;
    this.context = context;
  }

  /** Who asks, for hooks. */
  get info(): ConnectionInfo {
    const { connectionId, clientId, token, context } = this;
    return { connectionId, clientId, token, context };
  }

  refuse(id: RequestId, error: RingcastError): void {
    this.reply(this.consumer.encoder.error(id, error.code, error.message, error.details));
  }

  /** Sends an answer; several answers in one turn share a write. */
  reply(message: Uint8Array): void {
    this.consumer.sink.reply(message);
  }
}
