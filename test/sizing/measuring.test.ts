// What a measurement is made of: the server's own certificate, and clients that read JSON without parsing it.
import { createPublicKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ReceiveBuffer } from '#src/load/connection.js';
import type { EventSink } from '#src/load/dialect.js';
import { BinaryPayload } from '#src/load/payload.js';
import { makeCertificate } from '#src/sizing/measure/certificate.js';
import { Base64JsonDialect } from '#src/sizing/measure/wire-json.js';
import { WriteCounter } from '#src/sizing/measure/write-counter.js';

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
  const SEQ = 7;

  function read(...messages: readonly object[]) {
    const buffer = new ReceiveBuffer();
    const dialect = new Base64JsonDialect({ path: '/ws', topics: ['t'] }, buffer);
    const counter = new WriteCounter(dialect, buffer);
    const form = new BinaryPayload();
    const seen: unknown[] = [];
    const sink: EventSink = {
      payload: (_connection, start, end) =>
        seen.push(form.read(buffer.bytes, buffer.view, start, end) && [form.topic, form.seq, form.sentMs]),
      acknowledged: (_connection, count) => seen.push(`ack ${count}`),
      published: () => {},
      gap: (_connection, count) => seen.push(`gap ${count}`),
      problem: (_connection, text) => seen.push(text),
    };
    for (const message of messages) {
      const bytes = buffer.bytes.write(JSON.stringify(message), START);
      counter.read(0, buffer.bytes, buffer.view, START, START + bytes, sink, true);
    }
    return { counter, seen };
  }

  it('verifies a payload that came in base64', () => {
    const payload = Buffer.alloc(40);
    const form = new BinaryPayload();
    form.fill(payload, 0, payload.length);
    form.write(payload, new DataView(payload.buffer, payload.byteOffset, 40), 0, 40, 0, SEQ, 1234.5678);
    const event = (bytes: Buffer) => ({ type: 'event', topic: 't', message: { payload: bytes.toString('base64') } });
    const damaged = Buffer.from(payload);
    damaged[8] ^= 1;
    const { counter, seen } = read(event(payload), event(damaged));
    expect(seen).toEqual([[0, SEQ, 1234.5678], false]);
    // Both came with one read.
    expect(counter.reads).toBe(1);
    expect(counter.bytes).toBe(2 * JSON.stringify(event(payload)).length);
  });

  it('counts what else the server says', () => {
    const refused = { type: 'error', request_id: 0, error: { code: 'FORBIDDEN', message: 'no' } };
    const { seen } = read({ type: 'welcome' }, { type: 'ack' }, { type: 'gap', from_seq: 3, to_seq: 7 }, refused);
    expect(seen).toEqual(['ack 1', 'gap 5', 'subscribing to "t" was refused: no (FORBIDDEN)']);
  });
});
