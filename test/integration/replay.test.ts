// A recorded market replayed at full speed to 100 subscribers: each gets every message of its topics, byte for byte, in order.
import { createHash, type Hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { openRecording, parseLine } from '#src/cli/recording.js';
import { type Client, connect } from '#src/client/client.js';
import type { EngineOptions } from '#src/index.js';
import { encode } from '#src/protocol/msgpack.js';
import { RunningCli, runCli } from '../cli/run-cli.js';
import { until } from '../support/until.js';

const RECORDING = fileURLToPath(new URL('../../../shared/data/binance-20240808.ndjson.gz', import.meta.url));
const isThere = existsSync(RECORDING);
if (!isThere)
  console.log(
    'replay tests are skipped: the recording shared/data/binance-20240808.ndjson.gz is not beside the repository',
  );

const SUBSCRIBERS = 100;
const JSON_SUBSCRIBERS = 10;
const TOPICS_EACH = 2;
const DEADLINE_MS = 60_000;

/** Logs that hold the whole of every topic: nobody can be lapped. Who would be loses its connection, which fails the test. */
const ROOMY = {
  lanes: 1,
  topics: [{ match: 'usdm:*', home: 'hot' }],
  // Fuller writes: the subscribers, all in this process, are what takes the time.
  maxDelayMs: 20,
  slowConsumerPolicy: 'disconnect',
  ringBytes: '16MiB',
  hotLogBytes: '64MiB',
  hotLogFrames: 131_072,
  coldLogMaxBytes: '64MiB',
  coldLogMaxFrames: 131_072,
} as const satisfies EngineOptions;

/** Digest of a topic's messages: as MessagePack bytes and as JSON text, each with its length before it. */
class TopicDigest {
  readonly #hash: Hash = createHash('sha1');
  messages = 0;

  add(content: Uint8Array | string): void {
    this.#hash.update(`${content.length}:`).update(content);
    this.messages++;
  }

  finish(): string {
    return `${this.messages} messages, ${this.#hash.digest('hex')}`;
  }
}

/** One subscriber's subscription to a topic. */
class Follower {
  readonly topic: string;
  readonly digest = new TopicDigest();
  #nextSeq = 1;

  constructor(topic: string) {
    this.topic = topic;
  }

  take(seq: number, content: Uint8Array | string): void {
    if (seq !== this.#nextSeq) throw new Error(`${this.topic}: message ${seq} instead of ${this.#nextSeq}`);
    this.#nextSeq++;
    this.digest.add(content);
  }
}

interface Expected {
  readonly messages: number;
  readonly binary: string;
  readonly text: string;
}

async function readExpected(): Promise<Map<string, Expected>> {
  const digests = new Map<string, { binary: TopicDigest; text: TopicDigest }>();
  let lineNumber = 0;
  for await (const lines of (await openRecording(RECORDING)).lines()) {
    for (const line of lines) {
      const message = parseLine(line, ++lineNumber);
      if ('problem' in message) throw new Error(message.problem);
      const digest = digests.get(message.topic) ?? { binary: new TopicDigest(), text: new TopicDigest() };
      digests.set(message.topic, digest);
      digest.binary.add(encode(message.payload));
      digest.text.add(JSON.stringify(message.payload));
    }
  }
  const finished = [...digests].map(([topic, { binary, text }]): [string, Expected] => [
    topic,
    { messages: binary.messages, binary: binary.finish(), text: text.finish() },
  ]);
  return new Map(finished);
}

/** Subscribers of both kinds, and what would mean that one of them has lost something. */
class Audience {
  readonly binary: Follower[] = [];
  readonly text: Follower[] = [];
  readonly problems: string[] = [];
  readonly #clients: Client[] = [];
  readonly #sockets: WebSocket[] = [];
  #isLeaving = false;

  /** This package's client, payloads as they came. */
  async addBinary(url: string, topics: readonly string[]): Promise<void> {
    const client = await connect(url, { WebSocket });
    this.#clients.push(client);
    client.on('gap', ({ topic, fromSeq, toSeq }) => this.problems.push(`gap ${fromSeq}–${toSeq} of ${topic}`));
    client.on('close', ({ code, reason }) => this.#onClose(code, reason));
    for (const topic of topics) {
      const follower = new Follower(topic);
      this.binary.push(follower);
      await client.subscribe(topic, { encoded: true }, ({ seq, payload }) => follower.take(seq, payload as Uint8Array));
    }
  }

  /** A plain WebSocket that subscribes by its URL. */
  async addText(url: string, topics: readonly string[]): Promise<void> {
    const followers = new Map(topics.map((topic) => [topic, new Follower(topic)]));
    this.text.push(...followers.values());
    const socket = new WebSocket(`${url}?topics=${topics.map(encodeURIComponent).join(',')}`);
    this.#sockets.push(socket);
    let subscribed = 0;
    socket.on('message', (data) => {
      const message = JSON.parse((data as Buffer).toString());
      if (message.type === 'event')
        followers.get(message.topic)!.take(message.seq, JSON.stringify(message.message.payload));
      else if (message.type === 'ack') subscribed++;
      else if (message.type !== 'welcome') this.problems.push(`${data}`);
    });
    socket.on('close', (code, reason) => this.#onClose(code, reason.toString()));
    await until(() => subscribed === topics.length, 'subscribed');
  }

  async leave(): Promise<void> {
    this.#isLeaving = true;
    for (const socket of this.#sockets) socket.terminate();
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  #onClose(code: number, reason: string): void {
    if (!this.#isLeaving) this.problems.push(`closed: ${code} ${reason}`);
  }
}

describe.skipIf(!isThere)('ringcast replay --speed max to 100 subscribers', () => {
  let expected: Map<string, Expected>;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ringcast-replay-'));
    expected = await readExpected();
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('futures as hot topics, the others as cold ones', { timeout: 4 * DEADLINE_MS }, async () => {
    const configFile = path.join(folder, 'config.json');
    await writeFile(configFile, JSON.stringify(ROOMY));
    const server = new RunningCli(['serve', '--port', '0', '--config', configFile]);
    const audience = new Audience();
    try {
      await server.until(({ stdout }) => stdout.includes('Memory'));
      const url = /ws:\S+/.exec(server.stdout)?.[0] ?? '';
      const names = [...expected.keys()].sort();
      for (let n = 0; n < SUBSCRIBERS; n++) {
        const own = Array.from({ length: TOPICS_EACH }, (_, i) => names[(n * TOPICS_EACH + i) % names.length]);
        if (n < JSON_SUBSCRIBERS) await audience.addText(url, own);
        else await audience.addBinary(url, own);
      }
      const { code, stdout, stderr } = await runCli(['replay', RECORDING, '--speed', 'max', '--url', url]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      console.log(stdout.trim());
      const total = [...expected.values()].reduce((sum, { messages }) => sum + messages, 0);
      expect(stdout).toMatch(new RegExp(`^replayed ${total} messages to ${names.length} topics .* 0 errors`));

      const all = [...audience.binary, ...audience.text];
      const isComplete = ({ topic, digest }: Follower) => digest.messages >= expected.get(topic)!.messages;
      await until(() => all.every(isComplete) || audience.problems.length > 0, 'everything has arrived', DEADLINE_MS);
      expect(audience.problems).toEqual([]);
      expect(new Set(all.map(({ topic }) => topic)).size).toBe(names.length);
      for (const { topic, digest } of audience.binary) expect(digest.finish()).toBe(expected.get(topic)!.binary);
      for (const { topic, digest } of audience.text) expect(digest.finish()).toBe(expected.get(topic)!.text);
      expect(server.stderr).toBe('');
    } finally {
      await audience.leave();
      server.kill('SIGTERM');
      await server.ended;
    }
  });
});
