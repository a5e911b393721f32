// wss:// with a certificate of our own.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { connect } from '#src/client/client.js';
import { createEngine, RingcastError } from '#src/index.js';
import { type Certificate, hasOpenssl, makeCertificate } from '../support/certificate.js';
import { startEngine } from '../support/engines.js';
import { floodOn, floodUntilBlocked } from '../support/flood.js';
import { RawPeer } from '../support/raw-peer.js';
import { follow } from '../support/sequence.js';
import { TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

if (!hasOpenssl) console.log('TLS tests are skipped: there is no openssl command to make a certificate with');

describe.skipIf(!hasOpenssl)('TLS', () => {
  const certificate: Certificate = hasOpenssl ? makeCertificate() : ({} as Certificate);
  const { certFile, keyFile, encryptedKeyFile, passphrase, passphraseFile, otherFile } = certificate;

  it('serves both dialects and the client, hot and cold', async () => {
    const { engine, url } = await startEngine({
      tls: { certFile, keyFile },
      topics: [{ match: 'hot:*', home: 'hot' }],
    });
    expect(url).toMatch(/^wss:\/\/127\.0\.0\.1:\d+\/ws$/);
    const ca = readFileSync(certFile);
    const binary = await TestClient.open(url, 'msgpack', { ca });
    const text = await TestClient.open(url, 'json', { ca });
    class TrustingWebSocket extends WebSocket {
      constructor(address: string, protocols?: string | string[]) {
        super(address, protocols, { ca });
      }
    }
    const client = await connect(url, { WebSocket: TrustingWebSocket });
    for (const topic of ['cold:t', 'hot:t']) {
      await binary.subscribe(topic);
      await text.subscribe(topic);
      for (let n = 0; n < 100; n++) await client.publish(topic, { n, filler: 'x'.repeat(n * 500) });
      for (const subscriber of [binary, text]) {
        await subscriber.untilEvents(100, topic);
        expect(follow(topic, 0, subscriber.heard)).toMatchObject({ events: 100, gaps: 0 });
      }
    }
    await client.close();
    expect(engine.stats().lostMessages).toBe(0);
  });

  it('a stalled client gets everything the logs still hold when it reads again', async () => {
    const { engine, url } = await startEngine({ lanes: 0, tls: { certFile, keyFile } });
    const stalled = await TestClient.open(url, 'msgpack', { ca: readFileSync(certFile) });
    await stalled.subscribe('t');
    stalled.socket.pause();
    const before = await floodUntilBlocked(engine, 't');
    await floodOn(engine, 't', before + 1, 20);
    stalled.socket.resume();
    await stalled.untilEvents(before + 20);
    expect(follow('t', 0, stalled.heard)).toMatchObject({ events: before + 20, gaps: 0 });
    expect(engine.stats().blockedConnections).toBe(0);
  });

  it.each([
    ['itself', { passphrase }],
    ['in a file', { passphraseFile }],
  ])('takes an encrypted key with its passphrase %s', async (_, given) => {
    const { url } = await startEngine({ lanes: 0, tls: { certFile, keyFile: encryptedKeyFile, ...given } });
    const client = await TestClient.open(url, 'msgpack', { ca: readFileSync(certFile) });
    await client.sync();
  });

  it('a plain HTTP request or garbage in place of a handshake harms nobody', async () => {
    const { engine, url } = await startEngine({ lanes: 0, tls: { certFile, keyFile } });
    const client = await TestClient.open(url, 'msgpack', { ca: readFileSync(certFile) });
    const garbage = await RawPeer.connect(url);
    garbage.socket.write('GET /ws HTTP/1.1\r\n\r\n');
    const quiet = await RawPeer.connect(url);
    await until(() => garbage.isClosed || garbage.received.length > 0, 'an alert or the end');
    await client.sync();
    quiet.destroy();
    expect(engine.stats().connections).toBe(1);
  });

  it.each([
    ['a file that is not there', { certFile: 'nowhere.pem', keyFile }, /cannot read nowhere\.pem/],
    ['a certificate that is none', { certFile: otherFile, keyFile }, /not a PEM certificate and its key/],
    ['a key that is none', { certFile, keyFile: otherFile }, /not a PEM certificate and its key/],
    ['a passphrase in no file', { certFile, keyFile, passphraseFile: '/no/such/file' }, /\/no\/such\/file.*ENOENT/],
    ['no passphrase', { certFile, keyFile: encryptedKeyFile }, /encrypted key lacks its tls\.passphrase/],
    ['the wrong passphrase', { certFile, keyFile: encryptedKeyFile, passphrase: 'wrong' }, /not a PEM certificate/],
  ])('%s: one line says what to do', async (_, tls, message) => {
    const engine = createEngine({ port: 0, lanes: 0, tls });
    const failure = await engine.start().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RingcastError);
    expect((failure as RingcastError).code).toBe('BAD_REQUEST');
    expect((failure as RingcastError).message).toMatch(message);
    await engine.close();
  });
});
