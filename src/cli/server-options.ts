/** What the commands that talk to a server have in common: its address, a token, and connecting to it. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import WebSocket from 'ws';
import { type Client, connect } from '../client/client.js';
import { RingcastError } from '../errors.js';
import { CommandFailure } from './failure.js';
import { parseSecretFile, secretOf } from './secrets.js';
import { STOP_SIGNALS } from './stop-signals.js';

export const SERVER_URL_DEFAULT = 'ws://127.0.0.1:8787/ws';

export interface ServerOptions {
  readonly url: string;
  readonly token?: string;
  /** What is in the file. */
  readonly tokenFile?: string;
}

export function addServerOptions(command: Command): Command {
  return command
    .option('--url <url>', 'address of the server', parseServerUrl, SERVER_URL_DEFAULT)
    .option('--token <token>', 'token to show to the server; better by --token-file or RINGCAST_TOKEN')
    .addOption(tokenFileOption());
}

export function tokenFileOption(): Option {
  return new Option('--token-file <path>', 'file whose first line is the token')
    .argParser(parseSecretFile)
    .conflicts('token');
}

export function tokenOf({ token, tokenFile }: Pick<ServerOptions, 'token' | 'tokenFile'>): string | undefined {
  return secretOf(token, tokenFile, 'RINGCAST_TOKEN');
}

/** The address as the server wants it: `/ws` where no path is given. */
export function parseServerUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^wss?:$/.test(url.protocol)) {
    throw new InvalidArgumentError(`It must look like ${SERVER_URL_DEFAULT}.`);
  }
  if (url.pathname === '/') url.pathname = '/ws';
  return url.href;
}

/** Connects, or fails with a line that says what to do. */
export async function connectToServer(options: ServerOptions): Promise<Client> {
  try {
    const token = tokenOf(options);
    return await connect(options.url, { WebSocket, ...(token === undefined ? {} : { token }) });
  } catch (error) {
    if (!(error instanceof RingcastError) || !error.message.startsWith('cannot connect')) throw error;
    const why = error.message.replace('cannot connect: ', '');
    throw new CommandFailure(`cannot connect to ${options.url}: ${why}. ${connectAdvice(options.url, why)}`, {
      cause: error,
    });
  }
}

function connectAdvice(url: string, why: string): string {
  if (/certificate/i.test(why)) return 'To trust a certificate of your own, name its file in NODE_EXTRA_CA_CERTS.';
  if (why.includes('socket hang up') && url.startsWith('ws:')) return 'A server with TLS has an address with wss://.';
  return 'Start a server with "ringcast serve", or give its address with --url.';
}

/** Resolves with the signal's name when somebody wants the command to end. */
export function stopRequest(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of STOP_SIGNALS) process.once(signal, resolve);
  });
}

/** The same as a signal for waits. */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  void stopRequest().then(() => stopping.abort());
  return stopping.signal;
}

/** A whole number of at least `min`. */
export function parseCount(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) {
      throw new InvalidArgumentError(`It must be a whole number, at least ${min}.`);
    }
    return value;
  };
}
