/**
 * The life cycle of a connection:
 *
 *     NEW ──► OPEN ──► SERVING ──► CLOSED
 *               └────────────────────▲
 *
 * NEW: upgraded, its socket is not there yet. OPEN: its first message decides the codec. SERVING: it has a session.
 * CLOSED: its socket is gone, and so is what waited of it; the session may still be looked at.
 */

export const NEW = 0;
export const OPEN = 1;
export const SERVING = 2;
export const CLOSED = 3;

export type LifeState = typeof NEW | typeof OPEN | typeof SERVING | typeof CLOSED;

const NAMES = ['new', 'open', 'serving', 'closed'] as const;
/** What each state may be followed by. */
const NEXT: readonly (readonly LifeState[])[] = [[OPEN], [SERVING, CLOSED], [CLOSED], []];

/** Returns `to`. Throws RangeError if a connection cannot go there: a fault of the gateway. */
export function entered(to: LifeState, from: LifeState): LifeState {
  if (NEXT[from]?.includes(to) !== true)
    throw new RangeError(`a connection that is ${NAMES[from]} becomes ${NAMES[to]}`);
  return to;
}
