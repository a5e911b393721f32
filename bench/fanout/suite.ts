// The fan-out suite: ringcast and other servers, end to end.

import { RINGCAST } from '../support/scenario.js';
import type { Suite } from '../support/suite.js';
import { burst, smallBurst } from './scenarios/burst.js';
import { churn } from './scenarios/churn.js';
import { coalescing } from './scenarios/coalescing.js';
import { conflation } from './scenarios/conflation.js';
import { connectStorm } from './scenarios/connect-storm.js';
import { fairness } from './scenarios/fairness.js';
import { ingest } from './scenarios/ingest.js';
import { isolation } from './scenarios/isolation.js';
import { knee } from './scenarios/knee.js';
import { marketData } from './scenarios/market-data.js';
import { memory, subscriptions } from './scenarios/memory.js';
import { quiet } from './scenarios/quiet.js';
import { rated } from './scenarios/rated.js';
import { saturation } from './scenarios/saturation.js';
import { slow } from './scenarios/slow.js';
import { stream } from './scenarios/stream.js';
import { payload, subscribers, topics } from './scenarios/sweeps.js';
import { tls } from './scenarios/tls.js';
import { unbatched } from './scenarios/unbatched.js';
import { watchlist } from './scenarios/watchlist.js';
import { returns, snapshots } from './scenarios/waves.js';

/** What ringcast is held to. */
const bars = [
  saturation,
  unbatched,
  burst,
  smallBurst,
  stream,
  watchlist,
  isolation,
  quiet,
  slow,
  memory,
  subscriptions,
  ingest,
  rated,
  snapshots,
  returns,
  conflation,
];
/** What happens beyond, and by size. */
const sweeps = [knee, fairness, coalescing, connectStorm, churn, topics, subscribers, payload, tls, marketData];

export const suite: Suite = {
  name: 'fanout',
  subject: RINGCAST,
  scenarios: [...bars, ...sweeps],
  groups: { bars, sweeps },
};
