/** `ringcast pub`: publishes one message and says which sequence number it got. */
import { Command } from 'commander';
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
  const value = parseJson(json);
  const client = await connectToServer(options);
  try {
    const { seq } = await client.publish(topic, value, options.id === undefined ? undefined : { id: options.id });
    console.log(printable(`published ${topic} ${seq}`));
  } finally {
    await client.close();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CommandFailure(
      `the message is not JSON: ${(error as SyntaxError).message}. Text needs its own quotes, as in '"hello"'.`,
    );
  }
}
