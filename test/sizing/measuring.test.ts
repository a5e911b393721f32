// What a measurement is made of: the server's own certificate, and clients that read JSON without parsing it.
import { createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ReceiveBuffer } from '#src/load/connection.js';
import type { EventSink } from '#src/load/dialect.js';
import { makeCertificate } from '#src/sizing/measure/certificate.js';
import { SizingJsonDialect } from '#src/sizing/measure/wire-json.js';

it('the certificate is signed by its own key, valid today, and gone when it is removed', () => {
  const { certFile, keyFile, remove } = makeCertificate();
  const certificate = new X509Certificate(readFileSync(certFile));
  const publicKey = createPublicKey(readFileSync(keyFile));
  remove();
  expect(certificate.subject).toBe('CN=127.0.0.1');
  expect(certificate.verify(publicKey)).toBe(true);
  expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
  expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now());
  expect([certFile, keyFile].some((file) => existsSync(file))).toBe(false);
});

describe('a JSON client', () => {
  const START = 100;

  function read(...messages: readonly object[]) {
    const buffer = new ReceiveBuffer();
    const dialect = new SizingJsonDialect(buffer);
    const seen: unknown[] = [];
    const sink: EventSink = {
      payload: (_connection, start) => seen.push([buffer.view.getFloat64(start, true), buffer.bytes[start + 8]]),
      acknowledged: (_connection, count) => seen.push(`ack ${count}`),
      published: () => {},
      gap: (_connection, count) => seen.push(`gap ${count}`),
      problem: (_connection, text) => seen.push(text),
    };
    for (const message of messages) {
      const bytes = buffer.bytes.write(JSON.stringify(message), START);
      dialect.read(0, buffer.bytes, buffer.view, START, START + bytes, sink);
    }
    return { dialect, seen };
  }

  it('finds time and mark at the head of a payload in base64', () => {
    const payload = Buffer.alloc(40, 0xa5);
    payload.writeDoubleLE(1234.5678, 0);
    payload[8] = 1;
    const event = { type: 'event', topic: 't', message: { payload: payload.toString('base64') }, seq: 1, ts: 'now' };
    const { dialect, seen } = read(event, event);
    expect(seen).toEqual([
      [1234.5678, 1],
      [1234.5678, 1],
    ]);
    // Both came with one read.
    expect(dialect.eventReads).toBe(1);
    expect(dialect.eventBytes).toBe(2 * JSON.stringify(event).length);
  });

  it('counts what else the server says', () => {
    const refused = { type: 'error', error: { code: 'FORBIDDEN' } };
    const { seen } = read({ type: 'welcome' }, { type: 'ack' }, { type: 'gap', from_seq: 3, to_seq: 7 }, refused);
    expect(seen).toEqual(['ack 1', 'gap 5', JSON.stringify(refused)]);
  });
});
