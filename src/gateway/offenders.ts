/**
 * Offenders: addresses whose connections were closed for flooding. Their next connections are refused for a while, twice
 * as long with each time, so that who comes back at once is no more of a burden than who is told to go.
 */

const FIRST_PENALTY_MS = 1000;
const PENALTY_MAX_MS = 60_000;
/** An address is forgotten after so long without a new offence … */
const REMEMBERED_MS = 300_000;
/** … or when so many others have offended since. */
export const OFFENDERS_MAX = 10_000;

interface Offender {
  penaltyMs: number;
  /** Refused until then. */
  untilMs: number;
}

/** Writer and reader: the accept thread. */
export class Offenders {
  /** In the order of their last offence. */
  readonly #byNetwork = new Map<string, Offender>();

  /** A connection of the address was closed for flooding. */
  add(address: string, nowMs: number): void {
    const network = networkOf(address);
    const known = this.#byNetwork.get(network);
    const isFresh = known === undefined || nowMs - known.untilMs > REMEMBERED_MS;
    const penaltyMs = isFresh ? FIRST_PENALTY_MS : Math.min(PENALTY_MAX_MS, known.penaltyMs * 2);
    this.#byNetwork.delete(network);
    this.#byNetwork.set(network, { penaltyMs, untilMs: nowMs + penaltyMs });
    if (this.#byNetwork.size <= OFFENDERS_MAX) return;
    const [oldest] = this.#byNetwork.keys();
    this.#byNetwork.delete(oldest as string);
  }

  /** How long connections from the address are refused from now on (ms); 0: they are not. */
  retryAfterMs(address: string, nowMs: number): number {
    if (this.#byNetwork.size === 0) return 0;
    const offender = this.#byNetwork.get(networkOf(address));
    return offender === undefined ? 0 : Math.max(0, offender.untilMs - nowMs);
  }
}

/** Of IPv6 the first 64 bits: whoever has one address of such a network has them all. IPv4 addresses stand for themselves. */
function networkOf(address: string): string {
  const [head = '', tail] = address.split('::');
  if (!address.includes(':') || address.includes('.')) return address;
  const groups = head === '' ? [] : head.split(':');
  const tailGroups = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - groups.length - tailGroups.length;
  const all = [...groups, ...Array.from({ length: zeros }, () => '0'), ...tailGroups];
  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
