/** Transcodes canonical EVENT frames for JSON subscribers: once per message and topic, never per subscriber. */

import { EventView } from './event.js';
import { msgpackToJson } from './msgpack-to-json.js';
import { encodeUtf8 } from './utf8.js';

const view = new EventView();

/** `{"type":"event", …}` as UTF-8. Throws when [start, end) is not a canonical EVENT frame: a fault of the caller. */
export function eventToJson(topic: string, frame: Uint8Array, start: number, end: number): Uint8Array {
  if (!view.read(frame, start, end)) throw new Error('not a canonical EVENT frame');
  const fields = messageFields(view, frame);
  return encodeUtf8(`{"type":"event","topic":${JSON.stringify(topic)},${fields}}`);
}

/** The part that an event and an entry of a history have in common: message, seq and ts. */
export function messageFields(event: EventView, frame: Uint8Array): string {
  const id = event.id === null ? '' : `"id":${JSON.stringify(event.id)},`;
  const payload = msgpackToJson(frame, event.payloadStart, event.payloadEnd);
  return `"message":{${id}"payload":${payload}},"seq":${event.seq},"ts":"${isoTime(event.time)}"`;
}

let isoTimeMs = Number.NaN;
let isoText = '';

/** ISO 8601 in UTC with milliseconds. Messages of one batch have the same. */
export function isoTime(timeMs: number): string {
  const wholeMs = Math.trunc(timeMs);
  if (wholeMs === isoTimeMs) return isoText;
  isoText = new Date(wholeMs).toISOString();
  isoTimeMs = wholeMs;
  return isoText;
}
