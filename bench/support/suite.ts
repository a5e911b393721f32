// What a suite is: the scenarios of one command, `npm run bench:<name>`. It is exported as `suite` by <name>/suite.ts.

import type { Scenario } from './scenario.js';

export interface Suite {
  readonly name: string;
  /** The server that is measured: its faults fail the command. Others are there for comparison. */
  readonly subject: string;
  /** In the order in which they run. */
  readonly scenarios: readonly Scenario[];
  /** Names for several scenarios; the first is what runs when none is named. Absent: all. `all` is always one. */
  readonly groups?: Readonly<Record<string, readonly Scenario[]>>;
}

/** Scenarios that the names of scenarios and groups stand for, each once, in the suite's order; no name: the default. */
export function namedScenarios(suite: Suite, names: readonly string[]): string[] {
  const groups = Object.entries({ ...suite.groups, all: suite.scenarios });
  const wanted = names.length > 0 ? names : [groups[0][0]];
  const unknown = wanted.filter(
    (name) => !suite.scenarios.some((scenario) => scenario.name === name) && !groups.some(([group]) => group === name),
  );
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.join(', ')}`);
  const members = new Set(groups.filter(([group]) => wanted.includes(group)).flatMap(([, scenarios]) => scenarios));
  return suite.scenarios
    .filter((scenario) => members.has(scenario) || wanted.includes(scenario.name))
    .map(({ name }) => name);
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
