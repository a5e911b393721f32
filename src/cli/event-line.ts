/** How `ringcast sub` prints a message: one line each, in one of three forms. */
import { decodeJson, encode, type TopicEvent } from '../client/client.js';
import { printable, printableJson } from './printable.js';

export type LineFormat = 'text' | 'json' | 'raw';

/** One line, without its end. `text`: time, topic, sequence number, key and what became of it, payload. `json`: all fields. `raw`: the payload only. */
export function eventLine(event: TopicEvent, format: LineFormat): string {
  switch (format) {
    case 'text':
      return [isoTime(event.time), event.topic, event.seq, ...saidOf(event), toJson(event.payload)].join(' ');
    case 'json':
      return toJson({ ...event, time: isoTime(event.time) });
    case 'raw':
      return toJson(event.payload);
  }
}

function saidOf({ key, change }: TopicEvent): string[] {
  return [key, change].flatMap((text) => (text === undefined ? [] : [printable(text)]));
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** JSON of what MessagePack can hold too, in the forms of the JSON dialect. Nothing in it steers a terminal. */
export function toJson(value: unknown): string {
  return printableJson(decodeJson(encode(value)));
}
