/** `ringcast sub`: prints the messages of a topic as they come, one line each; what is wrong goes to stderr. */
import { Command, Option } from 'commander';
import type { Client, TopicEvent } from '../client/client.js';
import { eventLine, type LineFormat, toJson } from './event-line.js';
import { CommandFailure, describeFailure } from './failure.js';
import { printable } from './printable.js';
import { ConnectionLost, withConnections } from './reconnect.js';
import { addServerOptions, parseCount, type ServerOptions, stopSignal } from './server-options.js';

/** All that a topic has kept: the most that `lastN` takes. */
const ALL_RETAINED = 1_000_000;

interface SubOptions extends ServerOptions {
  readonly json?: true;
  readonly raw?: true;
  readonly last?: number;
  readonly count?: number;
  readonly reconnect?: true;
}

export function subCommand(): Command {
  const command = new Command('sub')
    .description('print the messages of a topic')
    .argument('<topic>', 'topic, such as prices:AAPL')
    .addOption(new Option('--json', 'one JSON object with all fields per message').conflicts('raw'))
    .option('--raw', 'the payload only, as JSON')
    .option('--last <n>', 'begin with the last n messages', parseCount(0))
    .option('--count <n>', 'end after n messages', parseCount(1))
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

/** What was printed, over all connections: what comes twice is left out, what never came is told. */
class Printer {
  readonly #topic: string;
  readonly #format: LineFormat;
  readonly #last: number;
  #left: number;
  /** Null: nothing has been subscribed to yet. */
  #position: { epoch: string; seq: number } | null = null;

  constructor(topic: string, format: LineFormat, { last = 0, count = Number.POSITIVE_INFINITY }: SubOptions) {
    this.#topic = topic;
    this.#format = format;
    this.#last = last;
    this.#left = count;
  }

  /** Resolves after `count` messages; rejects when the connection or the subscription ends before. */
  print(client: Client, settled: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let reconnectDelayMs: number | null = null;
      client.on('gap', ({ fromSeq, toSeq, reason }) => this.#tellGap(fromSeq, toSeq, reason));
      client.on('notice', ({ kind, details }) => {
        tell(printable(`notice ${kind} ${toJson(details)}`));
        if (kind === 'drain') reconnectDelayMs = delayIn(details);
      });
      client.on('error', (error) => tell(describeFailure(error)));
      client.on('unsubscribed', ({ code, reason }) =>
        reject(new CommandFailure(`the server ended the subscription: ${reason} (${code})`)),
      );
      client.on('close', (closed) => reject(new ConnectionLost(closed, reconnectDelayMs)));
      // Events wait until it is known where they belong: they may come before `subscribe` has resolved.
      let early: TopicEvent[] | null = [];
      const take = (event: TopicEvent): void => {
        if (this.#take(event)) resolve();
      };
      const lastN = this.#position === null ? this.#last : ALL_RETAINED;
      client
        .subscribe(this.#topic, lastN === 0 ? {} : { lastN }, (event) => {
          if (early === null) take(event);
          else early.push(event);
        })
        .then(({ epoch, seq }) => {
          settled();
          this.#begin(epoch, seq);
          for (const event of early ?? []) take(event);
          early = null;
        })
        .catch(reject);
    });
  }

  /** @param seq of the last message before the first one that comes */
  #begin(epoch: string, seq: number): void {
    const before = this.#position;
    if (before === null) {
      this.#position = { epoch, seq };
      return;
    }
    if (before.epoch !== epoch) {
      tell(
        `the topic is a new one, its numbers begin again; what was published behind ${before.seq} of the old one is unknown`,
      );
      this.#position = { epoch, seq };
      // Nothing of the new one was seen before.
      if (seq > 0) this.#tellGap(1, seq, 'no longer retained');
      return;
    }
    if (seq > before.seq) this.#tellGap(before.seq + 1, seq, 'while not connected');
  }

  /** True: it was the last one that is wanted. */
  #take(event: TopicEvent): boolean {
    const position = this.#position!;
    // What came in the same WebSocket message as the last one, and what an earlier connection has brought already.
    if (this.#left <= 0 || event.seq <= position.seq) return false;
    position.seq = event.seq;
    process.stdout.write(`${eventLine(event, this.#format)}\n`);
    this.#left -= 1;
    return this.#left === 0;
  }

  #tellGap(fromSeq: number, toSeq: number, reason: string): void {
    if (this.#position !== null) this.#position.seq = Math.max(this.#position.seq, toSeq);
    tell(printable(`missed ${fromSeq}–${toSeq} of ${this.#topic} (${reason})`));
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
