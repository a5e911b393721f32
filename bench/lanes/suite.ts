// The lanes suite: what moves, crashes and the measurement of load cost.

import { RINGCAST_LANES } from '../support/scenario.js';
import type { Suite } from '../support/suite.js';
import { isolation } from './scenarios/isolation.js';
import { moves } from './scenarios/moves.js';
import { overhead } from './scenarios/overhead.js';
import { recovery } from './scenarios/recovery.js';

export const suite: Suite = {
  name: 'lanes',
  subject: RINGCAST_LANES,
  scenarios: [moves, recovery, overhead, isolation],
};
