// ringcast-slowed: ringcast from the build that slowed.ts has made.

import { createDialect, startRingcast } from '../peers/ringcast.js';
import type { Peer, ServerOptions } from '../support/peer.js';

const ENTRY_VARIABLE = 'RINGCAST_SLOWED_ENTRY';

export const peer: Peer = {
  name: 'ringcast-slowed',
  startServer: async (options: ServerOptions) =>
    startRingcast((await import(process.env[ENTRY_VARIABLE] as string)) as typeof import('ringcast'), options),
  createDialect,
};
