// The list of scenarios, in the order in which they run.

import type { Scenario } from './scenario.js';
import { burst, smallBurst } from './scenarios/burst.js';
import { ingest } from './scenarios/ingest.js';
import { isolation } from './scenarios/isolation.js';
import { memory, subscriptions } from './scenarios/memory.js';
import { quiet } from './scenarios/quiet.js';
import { saturation } from './scenarios/saturation.js';
import { slow } from './scenarios/slow.js';
import { stream } from './scenarios/stream.js';
import { watchlist } from './scenarios/watchlist.js';

export const SCENARIOS: readonly Scenario[] = [
  saturation,
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
];

export function findScenario(name: string): Scenario {
  const scenario = SCENARIOS.find((candidate) => candidate.name === name);
  if (scenario === undefined) {
    throw new Error(`no scenario ${name}; there are ${SCENARIOS.map((candidate) => candidate.name).join(', ')}`);
  }
  return scenario;
}
