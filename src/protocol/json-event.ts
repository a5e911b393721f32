/** Transcodes canonical EVENT frames for JSON subscribers: once per message and topic, never per subscriber. */

import { EventView } from './event.js';
import { JsonWriter } from './json-writer.js';
import { writeJson } from './msgpack-to-json.js';

const view = new EventView();
const eventWriter = new JsonWriter();

/** `{"type":"event", …}` as UTF-8. Throws when [start, end) is not a canonical EVENT frame: a fault of the caller. */
export function eventToJson(topic: string, frame: Uint8Array, start: number, end: number): Uint8Array {
  if (!view.read(frame, start, end)) throw new Error('not a canonical EVENT frame');
  const writer = eventWriter.clear();
  writer.text(`{"type":"event","topic":${JSON.stringify(topic)},`);
  writeMessage(writer, view, frame);
  writer.text('}');
  return writer.copy();
}

/** The part that an event and an entry of a history have in common: message, seq and ts. */
export function writeMessage(writer: JsonWriter, event: EventView, frame: Uint8Array): void {
  const id = event.id === null ? '' : `"id":${JSON.stringify(event.id)},`;
  writer.text(`"message":{${id}"payload":`);
  writeJson(writer, frame, event.payloadStart, event.payloadEnd);
  const { key, change, version } = event;
  const keyText = key === null ? '' : `"key":${JSON.stringify(key)},`;
  const changeText = change === null ? '' : `"change":"${change}",`;
  const versionText = version === null ? '' : `"version":${version},`;
  writer.text(`},${keyText}${changeText}${versionText}"seq":${event.seq},"ts":"${isoTime(event.time)}"`);
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
