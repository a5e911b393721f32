/** The passphrase of a TLS key: from the configuration, or from a file that it names. */
import { readFileSync } from 'node:fs';
import { RingcastError } from '../errors.js';

export interface PassphraseOptions {
  readonly passphrase?: string | undefined;
  readonly passphraseFile?: string | undefined;
}

/** Throws RingcastError BAD_REQUEST when the file cannot be read. */
export function passphraseOf({ passphrase, passphraseFile }: PassphraseOptions): string | undefined {
  if (passphraseFile === undefined) return passphrase;
  try {
    return readFileSync(passphraseFile, 'utf8').split(/\r?\n/, 1)[0];
  } catch (fault) {
    const why = (fault as NodeJS.ErrnoException).code ?? fault;
    throw new RingcastError('BAD_REQUEST', `cannot read ${passphraseFile} (tls.passphraseFile): ${why}`);
  }
}
