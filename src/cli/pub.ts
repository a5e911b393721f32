/** `ringcast pub`: publishes one message and says which sequence number it got. */
import { Command } from 'commander';
import { encodeJson, type RingcastError } from '../client/client.js';
import { CommandFailure } from './failure.js';
import { printable } from './printable.js';
import { addServerOptions, connectToServer, type ServerOptions } from './server-options.js';

interface PubOptions extends ServerOptions {
  readonly id?: string;
}

export function pubCommand(): Command {
  const command = new Command('pub')
    .description('publish one message')
    .argument('<topic>', 'topic, such as prices:AAPL')
    .argument('<json>', 'the message, such as \'{"price": 229.1}\'')
    .option('--id <id>', 'message id, handed on to the subscribers')
    .action(publish);
  return addServerOptions(command);
}

async function publish(topic: string, json: string, options: PubOptions): Promise<void> {
  const payload = payloadOf(json);
  const client = await connectToServer(options);
  try {
    const { seq } = await client.publishEncoded(
      topic,
      payload,
      options.id === undefined ? undefined : { id: options.id },
    );
    console.log(printable(`published ${topic} ${seq}`));
  } finally {
    await client.close();
  }
}

/** Straight from the text, so that numbers and the order of keys stay as they are. */
function payloadOf(json: string): Uint8Array {
  try {
    return encodeJson(json);
  } catch (error) {
    throw new CommandFailure(`${(error as RingcastError).message}. Text needs its own quotes, as in '"hello"'.`);
  }
}
