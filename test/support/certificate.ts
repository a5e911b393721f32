// A self-signed certificate for 127.0.0.1, made by openssl.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** The same key, encrypted with `passphrase`. */
  readonly encryptedKeyFile: string;
  readonly passphrase: string;
  /** The same, as the first line of a file. */
  readonly passphraseFile: string;
  /** A file that is neither. */
  readonly otherFile: string;
}

/** Makes the files; they are removed after the tests of the file that asked for them. */
export function makeCertificate(): Certificate {
  const folder = mkdtempSync(path.join(tmpdir(), 'ringcast-tls-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const [certFile, keyFile, encryptedKeyFile] = ['cert.pem', 'key.pem', 'key-encrypted.pem'].map((name) =>
    path.join(folder, name),
  ) as [string, string, string];
  const passphrase = 'open sesame';
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  )(...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', certFile]);
  openssl('ec', '-aes256')('-in', keyFile, '-out', encryptedKeyFile, '-passout', `pass:${passphrase}`);
  const passphraseFile = path.join(folder, 'passphrase');
  writeFileSync(passphraseFile, `${passphrase}\n`);
  return { certFile, keyFile, encryptedKeyFile, passphrase, passphraseFile, otherFile: import.meta.filename };
}

function openssl(...first: string[]): (...rest: string[]) => void {
  return (...rest) => {
    const { status, stderr } = spawnSync('openssl', [...first, ...rest], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl ${first[0]}: ${stderr}`);
  };
}
