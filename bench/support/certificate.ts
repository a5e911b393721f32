// A self-signed certificate for 127.0.0.1, made by openssl for as long as the command runs.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Certificate {
  certFile: string;
  keyFile: string;
}

const NEW_KEY = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
const FOR_LOOPBACK = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];

let made: Certificate | null = null;

export function hasOpenssl(): boolean {
  return spawnSync('openssl', ['version']).status === 0;
}

/** One for all runs of this process; its files are removed when the process ends. */
export function certificate(): Certificate {
  if (made !== null) return made;
  const folder = mkdtempSync(path.join(tmpdir(), 'ringcast-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const files = { certFile: path.join(folder, 'cert.pem'), keyFile: path.join(folder, 'key.pem') };
  const output = ['-keyout', files.keyFile, '-out', files.certFile];
  const { status, stderr } = spawnSync('openssl', ['req', ...NEW_KEY, ...FOR_LOOPBACK, ...output], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`openssl req: ${stderr}`);
  made = files;
  return files;
}
