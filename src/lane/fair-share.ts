/**
 * Fair share: keeps room in a lane's ring for topics that take little of it, so that one that floods its lane fills the
 * ring for itself and not for its neighbours.
 *
 *   0 ─────────────── half ─────────── three quarters ─────────────── full
 *     nobody counts        bytes are          a topic that has taken more than its share of what
 *                          counted            was counted is refused; the others have the rest
 */

const COUNT_FROM = 0.5;
const REFUSE_FROM = 0.75;

/** Writer and reader: the accept thread. */
export class FairShare {
  /** Beyond so many bytes in the ring, ask `admits`. */
  readonly countFromBytes: number;
  readonly #refuseFromBytes: number;
  readonly #capacityBytes: number;
  /** What topics have put into the ring under pressure; halved with each turn of the ring, forgotten without pressure. */
  readonly #taken = new Map<number, number>();
  #takenBytes = 0;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
    this.countFromBytes = capacityBytes * COUNT_FROM;
    this.#refuseFromBytes = capacityBytes * REFUSE_FROM;
  }

  /** Whether a topic's record may enter a ring in which `waitingBytes` wait; if so, it counts as entered. */
  admits(alias: number, recordBytes: number, waitingBytes: number): boolean {
    if (waitingBytes > this.#refuseFromBytes && this.#isAboveShare(alias)) return false;
    this.#taken.set(alias, (this.#taken.get(alias) ?? 0) + recordBytes);
    this.#takenBytes += recordBytes;
    if (this.#takenBytes > this.#capacityBytes) this.#halve();
    return true;
  }

  /** The ring is less than half full. */
  relax(): void {
    if (this.#takenBytes === 0) return;
    this.#taken.clear();
    this.#takenBytes = 0;
  }

  /** How near a topic is to being refused, 0–100. */
  pressureOf(alias: number, waitingBytes: number): number {
    const limitBytes = this.#isAboveShare(alias) ? this.#refuseFromBytes : this.#capacityBytes;
    return Math.min(100, (100 * waitingBytes) / limitBytes);
  }

  /** The share is that of the room between counting and refusing, divided among those who want some. */
  #isAboveShare(alias: number): boolean {
    const taken = this.#taken.get(alias) ?? 0;
    const share = (this.#refuseFromBytes - this.countFromBytes) / Math.max(2, this.#taken.size);
    return taken > share;
  }

  #halve(): void {
    this.#takenBytes = 0;
    for (const [alias, bytes] of this.#taken) {
      if (bytes < 2) {
        this.#taken.delete(alias);
        continue;
      }
      this.#taken.set(alias, bytes / 2);
      this.#takenBytes += bytes / 2;
    }
  }
}
