// A message on its way to its topic, as the tests of homes and topics hand it over.

import { blankMessage, type OutgoingMessage } from '#src/home/link.js';
import { type EventExtras, eventTail, tailElements } from '#src/protocol/event.js';

export function outgoing(payload: Uint8Array, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { ...blankMessage(), bytes: payload, end: payload.length, ...more };
}

/** What a message has of a tail. */
export function tailOf(extras: EventExtras): Pick<OutgoingMessage, 'tail' | 'tailElements'> {
  const tail = eventTail(extras);
  return { tail: tail.length === 0 ? null : tail, tailElements: tailElements(tail) };
}
