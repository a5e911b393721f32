/** Merged event: the EVENT of a key's value, which a message has replaced some fields of. */

import { EventHead, EventView, eventTail, tailElements } from '../protocol/event.js';
import { mergeMaps } from '../variant/merge.js';

const [older, newer] = [new EventView(), new EventView()];
const head = new EventHead();

/** @param base the EVENT of the value before. @param frame that of the message, which is no end of its key */
export function mergedEvent(base: Uint8Array, frame: Uint8Array): Uint8Array {
  if (!older.read(base, 0, base.length) || !newer.read(frame, 0, frame.length)) throw new Error('merging takes EVENTs');
  const { alias, seq, time, payloadStart, payloadEnd, key, id, change, version } = newer;
  if (change === 'delete') return frame;
  const value = mergeMaps(base.subarray(older.payloadStart, older.payloadEnd), frame, payloadStart, payloadEnd);
  const isSame = version !== null || older.version === null;
  const tail = isSame
    ? frame.subarray(payloadEnd, newer.frameEnd)
    : eventTail({ key, id, change, version: older.version });
  const headBytes = head.write(alias, seq, time, isSame ? newer.tailElements : tailElements(tail));
  const event = new Uint8Array(headBytes + value.length + tail.length);
  event.set(head.bytes.subarray(0, headBytes));
  event.set(value, headBytes);
  event.set(tail, headBytes + value.length);
  return event;
}
