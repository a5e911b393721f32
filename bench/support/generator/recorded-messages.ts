// A recording in memory, as it is replayed: times, topic numbers, and the bytes of all messages.

import { openRecording, parseLine } from '../../../dist/cli/recording.js';
import type { RecordedLoad } from '../../../dist/load/schedule.js';

/** What a recording holds. */
export interface RecordingSummary {
  messages: number;
  seconds: number;
  payloadBytes: number;
  /** By number: the name, and how many messages it has. */
  topics: { name: string; messages: number }[];
}

export class RecordedMessages implements RecordedLoad {
  readonly atMs: Float64Array;
  readonly topics: Uint32Array;
  readonly ends: Uint32Array;
  readonly bytes: Buffer;
  readonly summary: RecordingSummary;

  /** @param messages in the order of their times; topics get their numbers by how many messages they have */
  constructor(messages: readonly { timeMs: number; topic: string; json: string }[]) {
    const counts = new Map<string, number>();
    for (const { topic } of messages) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    const topics = [...counts]
      .map(([name, count]) => ({ name, messages: count }))
      .sort((a, b) => b.messages - a.messages || (a.name < b.name ? -1 : 1));
    const numbers = new Map(topics.map(({ name }, number) => [name, number]));
    const firstMs = messages[0]?.timeMs ?? 0;
    this.atMs = Float64Array.from(messages, ({ timeMs }) => Math.max(0, timeMs - firstMs));
    this.topics = Uint32Array.from(messages, ({ topic }) => numbers.get(topic)!);
    this.bytes = Buffer.from(messages.map(({ json }) => json).join(''), 'utf8');
    let end = 0;
    this.ends = Uint32Array.from(messages, ({ json }) => {
      end += Buffer.byteLength(json);
      return end;
    });
    const seconds = (this.atMs.at(-1) ?? 0) / 1000;
    this.summary = { messages: messages.length, seconds, payloadBytes: this.bytes.length, topics };
  }
}

/** Reads all of it; lines that are none are left out, as `ringcast replay` does, which names them. */
export async function readRecordedMessages(file: string): Promise<RecordedMessages> {
  const messages: { timeMs: number; topic: string; json: string }[] = [];
  let lineNumber = 0;
  const recording = await openRecording(file);
  for await (const lines of recording.lines()) {
    for (const line of lines) {
      const message = parseLine(line, ++lineNumber);
      if ('problem' in message) continue;
      messages.push({ timeMs: message.timeMs, topic: message.topic, json: line.slice(-message.textCharacters) });
    }
  }
  if (messages.length === 0) throw new Error(`${file}: no message in it`);
  return new RecordedMessages(messages);
}
