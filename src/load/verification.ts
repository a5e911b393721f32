/** The accounting of deliveries: what was expected, and what became of it. Plain data that travels between processes. */

/** Was every message of every (connection, topic) delivered once and in order? */
export interface Verification {
  complete: boolean;
  expected: number;
  delivered: number;
  /** Never arrived, whether or not the server announced it as a gap. */
  lost: number;
  doubled: number;
  /** Arrived, but behind a later message of its topic. */
  reordered: number;
  /** Payloads that are not ours, or of a topic the connection never subscribed to. */
  corrupt: number;
  /** Messages that the server itself reported as skipped. */
  gapMessages: number;
}

/** Adds the accounting of another process. */
export function addVerification(sum: Verification, other: Verification): void {
  sum.complete = sum.complete && other.complete;
  sum.expected += other.expected;
  sum.delivered += other.delivered;
  sum.lost += other.lost;
  sum.doubled += other.doubled;
  sum.reordered += other.reordered;
  sum.corrupt += other.corrupt;
  sum.gapMessages += other.gapMessages;
}
