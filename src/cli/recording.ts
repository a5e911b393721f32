/**
 * Reading recordings: text files, gzipped or not, one message a line: receive time in Unix nanoseconds, market, the
 * message as JSON, separated by single spaces. `{"stream": s, …}` becomes topic `<market>:<s>`, anything else
 * `<market>:snapshot`.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { decode, encodeJson, type RingcastError } from '../client/client.js';

/** Longer lines are no market data; the bound keeps a file without line ends from filling the memory. */
const LINE_MAX_CHARACTERS = 16 * 1024 * 1024;

export interface RecordedMessage {
  readonly lineNumber: number;
  /** When it was recorded, in milliseconds since the epoch, with fractions. */
  readonly timeMs: number;
  readonly topic: string;
  readonly payload: unknown;
  /** Length of the payload as JSON. */
  readonly textCharacters: number;
}

export interface BadLine {
  readonly lineNumber: number;
  readonly problem: string;
}

/** What one line says, or what is wrong with it. */
export function parseLine(text: string, lineNumber: number): RecordedMessage | BadLine {
  const timeEnd = text.indexOf(' ');
  const marketEnd = text.indexOf(' ', timeEnd + 1);
  if (timeEnd < 1 || marketEnd < timeEnd + 2) {
    return { lineNumber, problem: 'expected "<nanoseconds> <market> <json>"' };
  }
  const time = text.slice(0, timeEnd);
  if (!/^\d{1,20}$/.test(time))
    return { lineNumber, problem: `the time is not a number of nanoseconds: ${clip(time)}` };
  const market = text.slice(timeEnd + 1, marketEnd);
  let payload: unknown;
  try {
    payload = decode(encodeJson(text.slice(marketEnd + 1))); // JSON.parse would round large integers
  } catch (error) {
    return { lineNumber, problem: clip((error as RingcastError).message) };
  }
  return {
    lineNumber,
    timeMs: Number(time) / 1e6,
    topic: `${market}:${streamName(payload)}`,
    payload,
    textCharacters: text.length - marketEnd - 1,
  };
}

function streamName(payload: unknown): string {
  if (typeof payload === 'object' && payload !== null && 'stream' in payload && typeof payload.stream === 'string') {
    return payload.stream;
  }
  return 'snapshot';
}

function clip(text: string): string {
  const oneLine = text.replace(/\s+/g, ' ');
  return oneLine.length > 80 ? `${oneLine.slice(0, 77)}…` : oneLine;
}

export interface Recording {
  /** The file's lines, in groups as they were read. */
  lines(): AsyncGenerator<string[]>;
  /** How much of the file (compressed, if it is) has been read. */
  bytesRead(): number;
  readonly bytesTotal: number;
}

/** Opens a recording; it is decompressed when its name or its first two bytes say gzip. */
export async function openRecording(file: string): Promise<Recording> {
  const handle = await open(file, 'r');
  let bytesTotal: number;
  let isGzip: boolean;
  try {
    bytesTotal = (await handle.stat()).size;
    const magic = new Uint8Array(2);
    await handle.read(magic, 0, 2, 0);
    isGzip = file.endsWith('.gz') || (magic[0] === 0x1f && magic[1] === 0x8b);
  } finally {
    await handle.close();
  }
  const raw = createReadStream(file, { highWaterMark: 256 * 1024 });
  // pipeline() destroys the far end with the error, which is where the loop over it sees it.
  const text: Readable = isGzip ? pipeline(raw, createGunzip(), () => {}) : raw;
  return { lines: () => splitLines(text), bytesRead: () => raw.bytesRead, bytesTotal };
}

async function* splitLines(source: Readable): AsyncGenerator<string[]> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of source) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = lines.pop() ?? '';
    // A prefix of such a line can be no valid line, so it is reported as a bad one and its remainder as another.
    if (rest.length > LINE_MAX_CHARACTERS) {
      lines.push(rest.slice(0, 80));
      rest = '';
    }
    if (lines.length > 0) yield lines;
  }
  rest += decoder.end();
  if (rest !== '') yield [rest];
}
