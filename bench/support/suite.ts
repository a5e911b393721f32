// What a suite is: the scenarios of one command, `npm run bench:<name>`. It is exported as `suite` by <name>/suite.ts.

import type { Scenario } from './scenario.js';

export interface Suite {
  readonly name: string;
  /** The server that is measured: its faults fail the command. Others are there for comparison. */
  readonly subject: string;
  /** In the order in which they run. */
  readonly scenarios: readonly Scenario[];
}

export async function loadSuite(name: string): Promise<Suite> {
  if (!/^[a-z]+$/.test(name)) throw new Error(`bad suite name: ${name}`);
  const module = (await import(new URL(`../${name}/suite.js`, import.meta.url).href)) as { suite: Suite };
  return module.suite;
}

export function findScenario(suite: Suite, name: string): Scenario {
  const scenario = suite.scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) {
    throw new Error(`no scenario ${name}; there are ${suite.scenarios.map((candidate) => candidate.name).join(', ')}`);
  }
  return scenario;
}
