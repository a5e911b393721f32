/** What keeps a load generator from its work, as one line that says what to do. */
import { ConnectError } from './connection.js';

/** A failure whose message is all there is to say. */
export class LoadError extends Error {
  override readonly name = 'LoadError';
}

const NO_TLS = /^EPROTO$|^ERR_SSL_/;
const UNTRUSTED = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|CERT_/;

/** @param subprotocol that was asked for */
export function explainConnectFailure(error: unknown, url: string, subprotocol: string | null): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const { host, hostname, pathname } = new URL(url);
  const said = message.replace(/^connection \d+: /, '');
  switch (code) {
    case 'ECONNREFUSED':
      return `nothing listens at ${host} (ECONNREFUSED). Start the server, or give its address with --url`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name ${hostname} leads nowhere (${code}). Correct --url`;
    case 'ETIMEDOUT':
      return `${host} does not answer in time (ETIMEDOUT). Is the address right, and no firewall between?`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `there is no way to ${host} (${code})`;
    case 'EMFILE':
    case 'ENFILE':
      return `no more files can be opened (${code}). Raise the limit with "ulimit -n", or use more --processes`;
    case 'EADDRNOTAVAIL':
      return `no local port is left for a connection to ${host} (EADDRNOTAVAIL): a machine has some 28,000 for each address of a server. Use more machines (--agents), or widen net.ipv4.ip_local_port_range`;
    case 'ECONNRESET':
    case 'EPIPE':
    case 'CLOSED':
      return `${host} closed the connection instead of opening a WebSocket`;
    case 'NO_HTTP':
      return `what listens at ${host} does not speak HTTP, so no WebSocket either`;
    case 'NO_UPGRADE':
      return `${host} speaks HTTP, but opens no WebSocket at ${pathname} (${said.replace('no upgrade: ', '')}). Is the path in --url right?`;
    case 'NO_SUBPROTOCOL':
      return `the server at ${host} does not speak ${subprotocol ?? 'without a subprotocol'} (${said}). A server of another kind needs --protocol json and templates, or --subprotocol`;
  }
  if (NO_TLS.test(code)) return `${host} does not speak TLS (${code}). Is ws:// meant instead of wss://?`;
  if (UNTRUSTED.test(code)) return `the certificate of ${host} is not trusted (${code}); --insecure takes it as it is`;
  return error instanceof ConnectError || error instanceof LoadError || code !== ''
    ? said
    : ((error as Error).stack ?? said);
}
