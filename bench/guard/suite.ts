// The guard's suite: one scenario, so that the load generator's process finds it.

import { RINGCAST } from '../support/scenario.js';
import type { Suite } from '../support/suite.js';
import { guarded } from './scenario.js';

export const suite: Suite = { name: 'guard', subject: RINGCAST, scenarios: [guarded] };
