/**
 * Link: all that a socket host and a topic host know of each other. A direct call where both are in one thread
 * (`DirectLink`), a pair of rings where they are not (`LaneLink`). A contract test holds both to the same behaviour.
 */

import type { FrameLog } from '../log/frame-log.js';
import { ANY_SEQ, type TopicMessage } from '../topic/message.js';
import type { DerivedLog, TopicSpec } from '../topic/topic.js';
import type { StreamSpec } from '../variant/stream-spec.js';

/** The topic's home cannot take the message now: the publisher has to be told. */
export const PUBLISH_FULL = -1;
/** Accepted; the seq comes with `LinkEvents.onAck` if it was asked for. */
export const PUBLISH_ACCEPTED = 0;

/** A message on its way to its topic. One object serves all messages of a thread: filled, handed over, filled again. */
export interface OutgoingMessage extends TopicMessage {
  bytes: Uint8Array;
  start: number;
  end: number;
  tail: Uint8Array | null;
  tailElements: number;
  inlineTailBytes: number;
  ifSeq: number;
  ttlMs: number;
  timeMs: number;
  monotonicMs: number;
  origin: number;
  /** How long the message may wait here for others (ms); 0: its home is told in this turn of the event loop. */
  mayWaitMs: number;
  /** Number under which `onAck` reports the seq; 0: no ack wanted. */
  request: number;
  /** With an OUTCOME: the message that it was not taken for. */
  refusedForSeq: number;
}

/** Without a payload, to be filled. */
export function blankMessage(): OutgoingMessage {
  return {
    bytes: new Uint8Array(0),
    start: 0,
    end: 0,
    tail: null,
    tailElements: 0,
    inlineTailBytes: 0,
    ifSeq: ANY_SEQ,
    ttlMs: 0,
    timeMs: 0,
    monotonicMs: 0,
    origin: 0,
    mayWaitMs: 0,
    request: 0,
    refusedForSeq: 0,
  };
}

/** The logs of a topic. Whoever is handed them owns them: nobody else writes to them, or reads them for long. */
export interface TopicLogs {
  /** Of the canonical stream. */
  readonly log: FrameLog;
  /** Of the others. They may end before `log` does: whoever runs the topic brings them up to date. */
  readonly derived: readonly DerivedLog[];
}

/** The newest message of each key, as a stream's subscribers get it: SNAPSHOT frames. */
export interface TopicSnapshot {
  /** The newest message that is in it. */
  readonly seq: number;
  readonly parts: readonly Uint8Array[];
}

/** What goes on with a topic, wherever it lives or is on its way to. */
export interface TopicLink {
  /** Begins a derived stream of the topic with message `firstSeq` or a later one. The log returned is for reading. */
  openStream(alias: number, spec: StreamSpec, firstSeq: number): FrameLog;
  /** Ends a derived stream. Its log must not be read any more: the memory may become another stream's. */
  closeStream(alias: number, key: string): void;
  /** Hands out a snapshot, possibly within the call; null: the topic has left, or ended, before there was one. */
  snapshot(alias: number, spec: StreamSpec, onSnapshot: (snapshot: TopicSnapshot | null) => void): void;
  /** Ends the topic; the same holds for its logs. */
  closeTopic(alias: number): void;
  /**
   * Hot path: per message. The message's seq if it is in the log already; PUBLISH_ACCEPTED when `LinkEvents` will tell;
   * PUBLISH_FULL; or an OUTCOME, of which `message.refusedForSeq` says the rest.
   */
  publish(alias: number, message: OutgoingMessage): number;
  /** Whether `LinkEvents` tells the seqs, of all messages that are not refused. */
  readonly acksLater: boolean;
  /** How near a topic is to being refused messages, 0–100. */
  pressureOf(alias: number): number;
}

/** A home: topics begin there, come and go. */
export interface HomeLink extends TopicLink {
  /** Starts a topic, whose first message gets the number `firstSeq` (default 1); the log returned is for reading. */
  openTopic(spec: TopicSpec, firstSeq?: number): FrameLog;
  /**
   * Goes on with a topic that has left another home. Returns its logs for reading: those it was given when it could take
   * over their memory, else new ones with the same frames; then the caller disposes of the old ones.
   */
  adoptTopic(spec: TopicSpec, from: TopicLogs): TopicLogs;
  /**
   * Lets a topic go once everything published before is in its logs. The callback gets them, possibly within this call;
   * until then they can be read. Nothing may be published to the topic from here on.
   */
  leaveTopic(alias: number, onLeft: (logs: TopicLogs) => void): void;
}

/** What a link reports. Anything may be reported twice: what is known already must change nothing. */
export interface LinkEvents {
  /** Something was appended to the topic's logs, which the reader has to `refresh`. */
  onHead(alias: number): void;
  /** @param outcome TAKEN, or the OUTCOME of one that was not taken: for message `seq` */
  onAck(request: number, seq: number, outcome: number): void;
  /** The message was put aside: lanes died of it. */
  onPutAside(request: number): void;
}
