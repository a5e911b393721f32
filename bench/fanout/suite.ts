// The fan-out suite: ringcast and other servers, end to end.

import { RINGCAST } from '../support/scenario.js';
import type { Suite } from '../support/suite.js';
import { burst, smallBurst } from './scenarios/burst.js';
import { ingest } from './scenarios/ingest.js';
import { isolation } from './scenarios/isolation.js';
import { memory, subscriptions } from './scenarios/memory.js';
import { quiet } from './scenarios/quiet.js';
import { saturation } from './scenarios/saturation.js';
import { slow } from './scenarios/slow.js';
import { stream } from './scenarios/stream.js';
import { watchlist } from './scenarios/watchlist.js';

export const suite: Suite = {
  name: 'fanout',
  subject: RINGCAST,
  scenarios: [saturation, burst, smallBurst, stream, watchlist, isolation, quiet, slow, memory, subscriptions, ingest],
};
