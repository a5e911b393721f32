/** `ringcast sub`: prints the messages of a topic as they come, one line each; what is wrong goes to stderr. */
import { Command, Option } from 'commander';
import type { Client } from '../client/client.js';
import { eventLine, type LineFormat } from './event-line.js';
import { CommandFailure, describeFailure } from './failure.js';
import { addServerOptions, connectToServer, parseCount, type ServerOptions, stopRequest } from './server-options.js';

interface SubOptions extends ServerOptions {
  readonly json?: true;
  readonly raw?: true;
  readonly last?: number;
  readonly count?: number;
}

export function subCommand(): Command {
  const command = new Command('sub')
    .description('print the messages of a topic')
    .argument('<topic>', 'topic, such as prices:AAPL')
    .addOption(new Option('--json', 'one JSON object with all fields per message').conflicts('raw'))
    .option('--raw', 'the payload only, as JSON')
    .option('--last <n>', 'begin with the last n messages', parseCount(0))
    .option('--count <n>', 'end after n messages', parseCount(1))
    .action(subscribe);
  return addServerOptions(command);
}

async function subscribe(topic: string, options: SubOptions): Promise<void> {
  const format: LineFormat = options.json ? 'json' : options.raw ? 'raw' : 'text';
  const stopped = stopRequest();
  const client = await connectToServer(options);
  try {
    await Promise.race([stopped, printEvents(client, topic, format, options)]);
  } finally {
    await client.close();
  }
}

/** Resolves after `count` messages; rejects when the connection or the subscription ends before. */
function printEvents(client: Client, topic: string, format: LineFormat, options: SubOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = options.count ?? Number.POSITIVE_INFINITY;
    client.on('gap', ({ fromSeq, toSeq, reason }) => {
      console.error(`ringcast: missed ${fromSeq}–${toSeq} of ${topic} (${reason})`);
    });
    client.on('notice', ({ kind, details }) => console.error(`ringcast: notice ${kind} ${JSON.stringify(details)}`));
    client.on('error', (error) => console.error(`ringcast: ${describeFailure(error)}`));
    client.on('unsubscribed', ({ code, reason }) =>
      reject(new CommandFailure(`the server ended the subscription: ${reason} (${code})`)),
    );
    client.on('close', ({ code, reason }) =>
      reject(new CommandFailure(`the connection was closed (${code})${reason === '' ? '' : `: ${reason}`}`)),
    );
    const subscribeOptions = options.last === undefined ? {} : { lastN: options.last };
    const subscribed = client.subscribe(topic, subscribeOptions, (event) => {
      if (left <= 0) return; // came in the same WebSocket message as the last one that was wanted
      process.stdout.write(`${eventLine(event, format)}\n`);
      left -= 1;
      if (left === 0) resolve();
    });
    subscribed.catch(reject);
  });
}
