/** `ringcast sub`: prints the messages of a topic, or of all that a pattern matches, as they come, one line each; what is wrong goes to stderr. */
import { Command, Option } from 'commander';
import type { Client, ClientSubscribeOptions, SnapshotEvent, TopicEvent } from '../client/client.js';
import { eventLine, type LineFormat, toJson } from './event-line.js';
import { CommandFailure, describeFailure } from './failure.js';
import { printable } from './printable.js';
import { ConnectionLost, withConnections } from './reconnect.js';
import { addServerOptions, parseCount, type ServerOptions, stopSignal } from './server-options.js';

interface SubOptions extends ServerOptions {
  readonly json?: true;
  readonly raw?: true;
  readonly last?: number;
  readonly count?: number;
  readonly snapshot?: true;
  readonly filter?: string;
  readonly fields?: string[];
  readonly latest?: true;
  readonly maxRate?: number;
  readonly reconnect?: true;
}

export function subCommand(): Command {
  const command = new Command('sub')
    .description('print the messages of a topic')
    .argument('<topic>', 'topic, such as prices:AAPL, or a pattern, such as prices:*')
    .addOption(new Option('--json', 'one JSON object with all fields per message').conflicts('raw'))
    .option('--raw', 'the payload only, as JSON')
    .option('--last <n>', 'begin with the last n messages', parseCount(0))
    .option('--count <n>', 'end after n messages', parseCount(1))
    .option('--snapshot', 'begin with the newest message of each key')
    .option(
      '--filter <expression>',
      "only messages that it lets through, as: price > 100 && symbol in ['AAPL', 'MSFT']",
    )
    .option('--fields <names>', 'only these fields, separated by commas, nested by dots', (text) =>
      text.split(',').map((name) => name.trim()),
    )
    .option('--latest', 'of what comes faster than it is printed only the newest message of each key')
    .option('--max-rate <n>', 'so many messages per second and key at most, the newest', Number)
    .option(
      '--reconnect',
      'connect again when the connection is lost, go on behind the last message, and tell what was missed',
    )
    .action(subscribe);
  return addServerOptions(command);
}

async function subscribe(topic: string, options: SubOptions): Promise<void> {
  const format: LineFormat = options.json ? 'json' : options.raw ? 'raw' : 'text';
  const printer = new Printer(topic, format, options);
  const reconnecting = { isWanted: options.reconnect === true, stop: stopSignal(), onWait: tell };
  await withConnections(options, reconnecting, async (client, settled) => {
    await printer.print(client, settled);
  });
}

/** What was printed, over all connections: each goes on where the one before ended; what never came is told. */
class Printer {
  readonly #topic: string;
  readonly #format: LineFormat;
  readonly #options: SubOptions;
  #left: number;
  readonly #isPattern: boolean;
  /** By topic. */
  readonly #positions = new Map<string, { epoch: string; seq: number }>();
  /** Of the newest message (ms since 1970); null: there was none. */
  #newestMs: number | null = null;

  constructor(topic: string, format: LineFormat, options: SubOptions) {
    this.#topic = topic;
    this.#isPattern = topic.includes('*');
    this.#format = format;
    this.#options = options;
    this.#left = options.count ?? Number.POSITIVE_INFINITY;
  }

  /** Resolves after `count` messages; rejects when the connection or the subscription ends before. */
  print(client: Client, settled: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let reconnectDelayMs: number | null = null;
      client.on('gap', ({ topic, fromSeq, toSeq, reason }) => this.#tellGap(topic, fromSeq, toSeq, reason));
      client.on('topic', ({ topic, epoch, seq }) => this.#begin(topic, epoch, seq));
      client.on('notice', ({ kind, details }) => {
        tell(printable(`notice ${kind} ${toJson(details)}`));
        if (kind === 'drain') reconnectDelayMs = delayIn(details);
      });
      client.on('error', (error) => tell(describeFailure(error)));
      client.on('unsubscribed', ({ topic, code, reason }) => {
        if (this.#isPattern) tell(printable(`${topic} has ended: ${reason} (${code})`));
        else reject(new CommandFailure(`the server ended the subscription: ${reason} (${code})`));
      });
      client.on('close', (closed) => reject(new ConnectionLost(closed, reconnectDelayMs)));
      // Messages wait until it is known where they belong: they may come before `subscribe` has resolved.
      let early: (() => boolean)[] | null = [];
      const take = (print: () => boolean): void => {
        if (early !== null) early.push(print);
        else if (print()) resolve();
      };
      client.on('snapshot', (part) => take(() => this.#takeSnapshot(part)));
      client
        .subscribe(this.#topic, this.#wishes(), (event) => take(() => this.#take(event)))
        .then(({ epoch, seq }) => {
          settled();
          if (!this.#isPattern) this.#begin(this.#topic, epoch, seq);
          const waiting = early ?? [];
          early = null;
          for (const print of waiting) take(print);
        })
        .catch(reject);
    });
  }

  #wishes(): ClientSubscribeOptions {
    const { last, snapshot, filter, fields, latest, maxRate } = this.#options;
    const position = this.#positions.get(this.#topic);
    const begin: ClientSubscribeOptions =
      position !== undefined
        ? { since: position }
        : this.#newestMs !== null
          ? { sinceTime: this.#newestMs }
          : { ...(last === undefined ? {} : { lastN: last }), ...(snapshot === undefined ? {} : { snapshot }) };
    return {
      ...begin,
      ...(filter === undefined ? {} : { filter }),
      ...(fields === undefined ? {} : { fields }),
      ...(latest === undefined ? {} : { mode: 'latest' }),
      ...(maxRate === undefined ? {} : { maxRate }),
    };
  }

  /** @param seq of the last message before the first one that comes */
  #begin(topic: string, epoch: string, seq: number): void {
    const before = this.#positions.get(topic);
    if (before?.epoch === epoch) return;
    this.#positions.set(topic, { epoch, seq });
    if (before === undefined || this.#isPattern) return;
    tell(
      `the topic is a new one, its numbers begin again; what was published behind ${before.seq} of the old one is unknown`,
    );
  }

  #takeSnapshot({ topic, seq, entries, isLast }: SnapshotEvent): boolean {
    const position = this.#positions.get(topic)!;
    for (const { key, ...entry } of entries) {
      if (this.#left <= 0) return false;
      this.#print({ topic, epoch: position.epoch, ...entry, ...(key === null ? {} : { key }) });
    }
    if (isLast) position.seq = Math.max(position.seq, seq);
    return this.#left === 0;
  }

  /** True: it was the last one that is wanted. */
  #take(event: TopicEvent): boolean {
    const position = this.#positions.get(event.topic)!;
    // What came in the same WebSocket message as the last one; and what a pattern brings a second time, which goes on by time.
    if (this.#left <= 0 || (this.#isPattern && event.seq <= position.seq)) return false;
    position.seq = event.seq;
    this.#newestMs = this.#isPattern ? Math.max(this.#newestMs ?? 0, event.time) : null;
    this.#print(event);
    return this.#left === 0;
  }

  #print(event: TopicEvent): void {
    process.stdout.write(`${eventLine(event, this.#format)}\n`);
    this.#left -= 1;
  }

  #tellGap(topic: string, fromSeq: number, toSeq: number, reason: string): void {
    const position = this.#positions.get(topic);
    if (position !== undefined) position.seq = Math.max(position.seq, toSeq);
    // As was asked for.
    if (reason === 'merged') return;
    tell(printable(`missed ${fromSeq}–${toSeq} of ${topic} (${reason})`));
  }
}

function tell(line: string): void {
  console.error(`ringcast: ${line}`);
}

/** Of the NOTICE `drain`. */
function delayIn(details: unknown): number | null {
  const { reconnectDelayMs } = (details ?? {}) as { reconnectDelayMs?: unknown };
  return typeof reconnectDelayMs === 'number' && reconnectDelayMs >= 0 ? reconnectDelayMs : null;
}
