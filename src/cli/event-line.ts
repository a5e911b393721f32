/** How `ringcast sub` prints a message: one line each, in one of three forms. */
import { decodeJson, encode, type TopicEvent } from '../client/client.js';
import { printableJson } from './printable.js';

export type LineFormat = 'text' | 'json' | 'raw';

/** One line, without its end. `text`: time, topic, sequence number, payload. `json`: all fields. `raw`: the payload only. */
export function eventLine(event: TopicEvent, format: LineFormat): string {
  switch (format) {
    case 'text':
      return `${isoTime(event.time)} ${event.topic} ${event.seq} ${toJson(event.payload)}`;
    case 'json':
      return toJson({ ...event, time: isoTime(event.time) });
    case 'raw':
      return toJson(event.payload);
  }
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** JSON of what MessagePack can hold too, in the forms of the JSON dialect. Nothing in it steers a terminal. */
export function toJson(value: unknown): string {
  return printableJson(decodeJson(encode(value)));
}
