/**
 * Origins: which pages' scripts may connect.
 *
 * A browser lets any page open a WebSocket to any address, also one that only this machine can reach, and says in `Origin`
 * whose page it was. Other programs say nothing, and are let through: they could claim whatever they like.
 */

import { globMatcher } from '../protocol/topic-pattern.js';

/** Writer and reader: the accept thread. */
export class Origins {
  readonly #isListed: (origin: string) => boolean;
  readonly #isLocal: boolean;

  /**
   * @param allowed origins in which `*` stands for any characters; pages of the server's own host may always connect
   * @param listenHost where the server listens
   */
  constructor(allowed: readonly string[], listenHost: string) {
    const matchers = allowed.map((pattern) => globMatcher(pattern.toLowerCase()));
    this.#isListed = (origin) => matchers.some((matches) => matches(origin));
    this.#isLocal = isLoopback(listenHost.includes(':') ? `[${listenHost}]` : listenHost);
  }

  /** Null when a page of that origin may connect, otherwise why not. Both are headers, undefined where there is none. */
  problem(origin: string | undefined, host: string | undefined): string | null {
    if (origin === undefined || this.#isListed(origin.toLowerCase()) || this.#isOwn(origin, host)) return null;
    const shown = /^[\x21-\x7e]{1,100}$/.test(origin) ? origin : 'this origin';
    return `pages of ${shown} may not connect; the key allowedOrigins lists those that may`;
  }

  /** The host that the page is of is the one that it connects to, whatever the port. */
  #isOwn(origin: string, host: string | undefined): boolean {
    const [from, to] = [hostOf(origin), hostOf(`http://${host ?? ''}`)];
    if (from === null || to === null) return false;
    const isLoopbackName = isLoopback(to);
    if (from === to) {
      // A foreign page's own name can be made to lead to this machine (DNS rebinding); the machine's own names cannot.
      return isLoopbackName || !this.#isLocal;
    }
    return isLoopbackName && isLoopback(from);
  }
}

/** In the form that URLs have: an IPv6 address in brackets. Null: no URL of a web page. */
function hostOf(url: string): string | null {
  try {
    const { protocol, hostname } = new URL(url);
    return /^https?:$/.test(protocol) ? hostname.replace(/\.$/, '') : null;
  } catch {
    return null;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}
