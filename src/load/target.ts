/** Where a run's connections lead: the URL's address, resolved once, and what every connection to it has in common. */
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { ConnectError, localAddress, type Place } from './connection.js';
import type { DialectOptions } from './dialects.js';
import { explainConnectFailure, LoadError } from './explain.js';
import type { JobPart, LoadJob } from './job.js';

export const CONNECT_MAX_MS = 10_000;

/** The first of the name's addresses at which something listens. Throws LoadError. */
export async function findAddress(url: string): Promise<string> {
  const { hostname } = new URL(url);
  const name = hostname.replace(/^\[|\]$/g, '');
  let failure: unknown;
  try {
    for (const { address } of await lookup(name, { all: true })) {
      try {
        await tryConnect(address, portOf(url));
        return address;
      } catch (error) {
        failure ??= error;
      }
    }
  } catch (error) {
    failure = error;
  }
  throw new LoadError(explainConnectFailure(failure, url, null));
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === '' ? (protocol === 'wss:' ? 443 : 80) : Number(port);
}

function tryConnect(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new ConnectError('no answer', 'ETIMEDOUT'));
    }, CONNECT_MAX_MS);
    const end = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.once('connect', () => end());
    socket.once('error', end);
  });
}

export function dialectOptionsOf(job: LoadJob, topics: readonly string[]): DialectOptions {
  const { pathname, search } = new URL(job.url);
  const { protocol, token, templates, subprotocol, rate } = job;
  return { protocol, path: pathname + search, topics, token, templates, subprotocol, counting: rate === 0 };
}

/** Returns where the index-th connection of this process leads. */
export function placesOf(job: LoadJob, part: JobPart, address: string): (index: number) => Place {
  const { host, hostname, protocol } = new URL(job.url);
  const isName = /[a-z]/i.test(hostname) && !hostname.startsWith('[');
  const servername = isName ? { servername: hostname } : {};
  const tls = protocol === 'wss:' ? { rejectUnauthorized: !job.insecure, ...servername } : undefined;
  const common = {
    ...{ host: address, port: portOf(job.url), authority: host, headers: job.headers },
    ...(tls === undefined ? {} : { tls }),
  };
  // Only on Linux is all of 127.0.0.0/8 this machine.
  const spreads = process.platform === 'linux' && address.startsWith('127.');
  const salt = part.machine * 31 + part.process + (process.pid % 200);
  return (index) => (spreads ? { ...common, localAddress: localAddress(index, salt) } : common);
}

/** The connection is upgraded, or an error says why not. */
export function withinTime(upgraded: Promise<void>, giveUp: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new ConnectError('no answer to the upgrade', 'ETIMEDOUT'));
      giveUp();
    }, CONNECT_MAX_MS);
    upgraded.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
