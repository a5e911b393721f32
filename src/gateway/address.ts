/** Text of a peer's address. */

import { SocketAddress } from 'node:net';

/**
 * In the usual form, and an IPv4 address as one, also where an IPv6 socket has accepted it. Empty: the peer is gone.
 *
 * @param text from uWebSockets.js, which writes IPv6 addresses with all their zeros
 */
export function peerAddress(text: ArrayBuffer): string {
  const address = Buffer.from(text).toString();
  if (!address.includes(':')) return address;
  return new SocketAddress({ address, family: 'ipv6' }).address.replace(/^::ffff:(?=\d+\.)/, '');
}
