/**
 * Limits that no key configures, of which more than their owner has to know: the bound of memory is summed up from them
 * (config/memory-bound.ts), and hardware is sized by them (sizing/). Sizes of layouts are in `log/layout.ts` and `ring/layout.ts`.
 */

// ---- delivery --------------------------------------------------------------------------------------------------------

/** One message of delivery. Below the 16 KiB cork buffer of uWebSockets.js, so that it is still one write. */
export const SLICE_MAX_BYTES = 15 * 1024;
/** Slices of a larger log are copied: a view could keep its memory for long after the log has given it back. */
export const VIEW_OF_LOG_MAX_BYTES = 64 * 1024;
/** Messages in one write, for consumers that get one message per frame. */
export const TEXT_FRAMES_MAX = 128;
/** Connections that are published to together (delivery/block.ts), and of a cohort at most; and at least: fewer are sent to one
 * by one, as a group costs memory, and a publish to it more than a send. */
export const BLOCK_CONNECTIONS = 64;
export const COHORT_MEMBERS_MIN = 4;
/** Who has not taken what was published to its block is found after so many bytes of it. */
export const UNSWEPT_MAX_BYTES = 64 * 1024;
/** Patterns that a connection may subscribe to: each topic that is published to first is compared with them. */
export const PATTERNS_MAX = 100;
/** The longest automatic delay (ms), and from which utilisation on hot and cold topics have one. */
export const AUTO_DELAY_MAX_MS = 5;
export const AUTO_DELAY_HOT_FROM = 0.5;
export const AUTO_DELAY_COLD_FROM = 0.95;

// ---- topics ----------------------------------------------------------------------------------------------------------

/** Frames in the answer to one HISTORY. */
export const HISTORY_ANSWER_MAX_BYTES = 1024 * 1024;
/** Messages younger than this stay beyond the history, for those who lag or come back, unless configured otherwise (ms). */
export const RETAIN_MS_DEFAULT = 30_000;
/** Payloads that a topic on its way between two homes holds back, beyond its first message. */
export const HELD_IN_MOVE_MAX_BYTES = 1024 * 1024;
/** Closed hot logs of the configured size that are kept for the next streams. */
export const SPARE_LOGS_MAX = 8;
/** The ring of a lane's events is never smaller: two batches have to fit, whatever `ringBytes` is. */
export const EVENT_RING_MIN_BYTES = 128 * 1024;

/** How much larger a value may be as JSON than as MessagePack: the worst are extensions of three bytes within a key. */
export const JSON_FACTOR_MAX = 11;

/** A stats report on the board: as large as one with 1,024 topics, 64 consumers, 64 lanes and the longest names can be. */
export const STATS_REPORT_MAX_BYTES = 1000 * 1024;

// ---- connections -----------------------------------------------------------------------------------------------------

/** A message up to so many times the limit is received, so that it can be answered TOO_LARGE; a larger one cuts the connection. */
export const RECEIVE_LIMIT_FACTOR = 2;
/** What all connections together may have sent that waits to be handled. Where a message may be larger, two of them. */
export const HELD_BACK_TOTAL_MAX_BYTES = 64 * 1024 * 1024;
/** What all connections may leave unread of their answers; beyond it the one that has not read for longest is cut. */
export const UNREAD_TOTAL_MAX_BYTES = 64 * 1024 * 1024;
