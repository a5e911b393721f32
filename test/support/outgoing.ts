// A message on its way to its topic, as the tests of homes and topics hand it over.

import { blankMessage, type OutgoingMessage } from '#src/home/link.js';

export function outgoing(payload: Uint8Array, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { ...blankMessage(), bytes: payload, end: payload.length, ...more };
}
