// What a scenario may order a server to do while it is under load. Times are readings of the machine's one clock (clockMs).

export type Order =
  /** Moves a topic: `hot:0` is 0. Done when it is there. */
  | { kind: 'move'; topic: number; home: 'cold' | number }
  /** Done when the topic is in a lane. */
  | { kind: 'await-lane'; topic: number; giveUpMs: number }
  /** Publishes so many bytes of payload to each of the first topics. Done when they are in its log. */
  | { kind: 'fill'; topics: number; bytes: number; payloadBytes: number }
  /** Ends the thread of a lane from outside. Done when that is asked for, not when it has taken place. */
  | { kind: 'end-lane'; lane: number }
  /** Switches the measurement of load on or off. */
  | { kind: 'measure'; isOn: boolean };

export interface OrderResult {
  /** When the server began with it, and when it was done. */
  atMs: number;
  doneMs: number;
  /** What went wrong. */
  error: string | null;
}
