/** Why a server could not listen: uWebSockets.js does not say, so Node is asked to do the same. */
import { lookup } from 'node:dns/promises';
import { createServer } from 'node:net';
import { RingcastError } from '../errors.js';

/** Only after a failed listen: it resolves the name and takes the port for a moment. */
export async function listenFailure(host: string, port: number): Promise<RingcastError> {
  const { code, what } = await diagnose(host, port);
  return new RingcastError(code, `cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}: ${what}`);
}

type Diagnosis = { readonly code: 'CONFLICT' | 'BAD_REQUEST'; readonly what: string };

async function diagnose(host: string, port: number): Promise<Diagnosis> {
  let address: string;
  try {
    address = (await lookup(host)).address;
  } catch (fault) {
    const what = `the name leads to no address (${codeOf(fault)}); choose an address of this machine (--host, RINGCAST_HOST)`;
    return { code: 'BAD_REQUEST', what };
  }
  const named = address === host ? 'the address' : `${address}, to which the name leads,`;
  const refusal = await refusalOf(address, port);
  switch (refusal) {
    case 'EADDRNOTAVAIL':
    case 'ENETUNREACH':
    case 'EAFNOSUPPORT':
    case 'EINVAL':
      return {
        code: 'BAD_REQUEST',
        what: `${named} is none of this machine (${refusal}); choose one of its own, 127.0.0.1 or 0.0.0.0 (--host, RINGCAST_HOST)`,
      };
    case 'EACCES':
    case 'EPERM':
      return {
        code: 'CONFLICT',
        what: `the port needs rights that this process lacks (${refusal}); choose one from 1024 on (--port, PORT)`,
      };
    case null:
      return { code: 'CONFLICT', what: 'the port was in use, and is free again; try again' };
    case 'EADDRINUSE':
      return {
        code: 'CONFLICT',
        what: 'the port is in use (EADDRINUSE); choose another (--port, PORT) or end the other process',
      };
    default:
      return { code: 'CONFLICT', what: `the system refused it (${refusal})` };
  }
}

/** The error code of listening there; null: it works. */
function refusalOf(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (fault) => resolve(codeOf(fault)));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}

function codeOf(fault: unknown): string {
  return (fault as NodeJS.ErrnoException).code ?? String(fault);
}
