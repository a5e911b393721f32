// How much may be on its way to a peer: what it reads within some tenth of a second, as its pongs tell.

import { describe, expect, it } from 'vitest';
import { UnreadWindow } from '#src/gateway/unread-window.js';

const KIB = 1024;

/** A peer that reads `bytesPerMs`, behind a way of `wayMs` there and back: sent to in pieces of 4 KiB as far as the window allows. */
class Peer {
  readonly window = new UnreadWindow();
  nowMs = 1000;
  sentBytes = 0;
  readBytes = 0;
  /** Where pings are, in bytes that were sent before, and when they arrive back. */
  readonly #pings: { behind: number; pongMs: number }[] = [];
  mostUnread = 0;

  run(ms: number, bytesPerMs: number, wayMs: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs++) {
      while (!this.window.isFull && this.sentBytes - this.readBytes < 8 * KIB * KIB) this.#send(4 * KIB);
      this.readBytes = Math.min(this.sentBytes, this.readBytes + bytesPerMs);
      for (const ping of this.#pings)
        if (ping.pongMs === 0 && ping.behind <= this.readBytes) ping.pongMs = this.nowMs + wayMs;
      while (this.#pings.length > 0 && this.#pings[0].pongMs > 0 && this.#pings[0].pongMs <= this.nowMs) {
        this.#pings.shift();
        if (this.window.ponged(this.nowMs)) this.#ping();
      }
      this.mostUnread = Math.max(this.mostUnread, this.sentBytes - this.readBytes);
    }
  }

  #send(bytes: number): void {
    this.sentBytes += bytes;
    if (this.window.sent(bytes, this.nowMs)) this.#ping();
  }

  #ping(): void {
    this.#pings.push({ behind: this.sentBytes, pongMs: 0 });
    expect(this.#pings.length, 'one at a time').toBe(1);
  }
}

describe('the unread window', () => {
  it('asks for a pong behind 16 KiB, and is full at 32 KiB until that has come', () => {
    const window = new UnreadWindow();
    expect(window.sent(16 * KIB - 1, 1)).toBe(false);
    expect(window.sent(1, 1)).toBe(true);
    expect(window.isFull).toBe(false);
    expect(window.sent(16 * KIB, 1), 'one is on its way').toBe(false);
    expect(window.isFull).toBe(true);
    expect(window.ponged(1000), 'for what was sent behind it').toBe(true);
    expect(window.isFull).toBe(false);
    expect(window.ponged(2000)).toBe(false);
    expect(window.ponged(2001), 'nobody asked').toBe(false);
  });

  it('has a slow reader be sent no more than it reads in some 0.1 s, and keeps it busy', () => {
    const peer = new Peer();
    peer.run(2000, 1 * KIB, 1);
    peer.mostUnread = 0;
    const readBefore = peer.readBytes;
    peer.run(2000, 1 * KIB, 1);
    expect(peer.mostUnread).toBeLessThanOrEqual(200 * KIB);
    expect(peer.readBytes - readBefore).toBeGreaterThan(0.95 * 2000 * KIB);
  });

  it('lets a fast reader have what its way holds, however long that is', () => {
    for (const wayMs of [1, 20, 200]) {
      const peer = new Peer();
      peer.run(8000, 10 * KIB, wayMs);
      const readBefore = peer.readBytes;
      peer.run(2000, 10 * KIB, wayMs);
      expect(peer.readBytes - readBefore, `${wayMs} ms`).toBeGreaterThan(0.6 * 2000 * 10 * KIB);
    }
  });

  it('follows a reader that becomes slow', () => {
    const peer = new Peer();
    peer.run(3000, 10 * KIB, 1);
    // What is on its way by then it has to read all the same.
    peer.run(15_000, KIB / 8, 1);
    peer.mostUnread = 0;
    peer.run(3000, KIB / 8, 1);
    expect(peer.mostUnread).toBeLessThanOrEqual(40 * KIB);
  });
});
