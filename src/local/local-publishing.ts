/** Publishing from within the process: what each message is checked for, and its way to its topic's home. */

import type { TopicDirectory } from '../directory/topic-directory.js';
import type { TopicEntry } from '../directory/topic-entry.js';
import { RingcastError } from '../errors.js';
import { OPTIONS, type PublishedResult, type PublishOptions } from '../protocol/messages.js';
import { assertPayload, encode } from '../protocol/msgpack.js';
import { optionProblem } from '../protocol/options.js';
import { topicNameProblem } from '../protocol/topic-name.js';
import { HANDED_OVER, type Publishing, pressureOf } from '../router/publishing.js';
import type { Loop } from '../time/loop.js';
import type { LocalPublishOptions, PublishResult } from './api.js';

export interface PublishingParts {
  readonly maxPayloadBytes: number;
  readonly topics: TopicDirectory;
  readonly publishing: Publishing;
  readonly loop: Loop;
  /** Takes what a callback of a publisher throws. */
  readonly onFault: (fault: unknown) => void;
  /** Whether the engine runs; if not, `stateProblem` says why. */
  readonly isRunning: () => boolean;
  readonly stateProblem: () => RingcastError;
}

/** Writer and reader: the accept thread. */
export class LocalPublishing {
  readonly parts: PublishingParts;
  /** Messages of this process that were not taken, for whatever reason. */
  refusedMessages = 0;

  constructor(parts: PublishingParts) {
    this.parts = parts;
  }

  /** The topic, made if it may be. Throws RingcastError. */
  open(topic: string): TopicEntry {
    if (!this.parts.isRunning()) throw this.parts.stateProblem();
    const problem = topicNameProblem(topic);
    if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
    const entry = this.parts.topics.obtain(topic);
    if (entry instanceof RingcastError) throw entry;
    return entry;
  }

  /** Throws RingcastError when no topic would take the message. */
  check(payload: Uint8Array): void {
    const { maxPayloadBytes } = this.parts;
    if (payload.length > maxPayloadBytes) {
      const message = `a payload of ${payload.length} bytes; the limit is ${maxPayloadBytes} (maxPayloadBytes)`;
      throw new RingcastError('TOO_LARGE', message);
    }
    assertPayload(payload);
  }

  publish(topic: string, value: unknown, options?: LocalPublishOptions): Promise<PublishResult> {
    return this.#accepted(topic, () => encode(value), options);
  }

  publishEncoded(topic: string, payload: Uint8Array, options?: LocalPublishOptions): Promise<PublishResult> {
    return this.#accepted(topic, () => payload, options);
  }

  #accepted(topic: string, payloadOf: () => Uint8Array, options?: LocalPublishOptions): Promise<PublishResult> {
    const result = new Promise<PublishResult>((resolve, reject) => {
      const { publishing, loop } = this.parts;
      const payload = payloadOf();
      const given = readOptions(options);
      const entry = this.open(topic);
      this.check(payload);
      const nowMs = loop.nowMs();
      const time = loop.epochMs(nowMs);
      const onAck = (outcome: PublishedResult | RingcastError): void => {
        if (outcome instanceof RingcastError) reject(outcome);
        else resolve(publishResult(outcome, time, pressureOf(entry)));
      };
      const result = publishing.publishLocally(entry, payload, given, nowMs, onAck, true);
      if (result !== HANDED_OVER) throw publishing.refusalOf(entry, result);
    });
    // Counted, and handled: a refusal that nobody waits for must not end the process. Who waits is told all the same.
    result.catch(() => {
      this.refusedMessages++;
    });
    return result;
  }
}

/** Hot path: per message. No spread where there is nothing to add: it costs more than all the rest of a publish. */
function publishResult(outcome: PublishedResult, time: number, pressure: number): PublishResult {
  const { seq, duplicate, stale } = outcome;
  if (duplicate === undefined && stale === undefined) return { seq, time, pressure };
  return { ...outcome, time, pressure };
}

const OPTION_NAMES = ['id', 'key', 'version', 'ttlMs', 'delete', 'ifSeq'] as const;

/** The options, each read once: they may be getters. Throws RingcastError BAD_REQUEST for what is none. */
export function readOptions(options: LocalPublishOptions | undefined): PublishOptions | undefined {
  // Programs in JavaScript give null as well.
  if (options == null) return undefined;
  const given: Record<string, unknown> = {};
  for (const name of OPTION_NAMES) {
    const value: unknown = options[name];
    if (value === undefined) continue;
    const problem = optionProblem(name, OPTIONS.PUBLISH[name], value);
    if (problem !== null) throw new RingcastError('BAD_REQUEST', problem);
    given[name] = value;
  }
  return given;
}
