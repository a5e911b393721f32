/** All rules of the house. A rule has a name, a reason, and a check of a repository (`paths`, `read`) that returns problems. */
import { importsBetweenParts, packageDoors, runtimeNeutral } from './import-rules.mjs';
import { completeLockFile, machinePaths, registryHosts, relativeLinks, topLevelEntries } from './repository-rules.mjs';
import {
  atomicsPlaces,
  fileLength,
  forbiddenWords,
  noIndexAssertions,
  noOnly,
  noSilentSkip,
  noStarExports,
  purposeComment,
  uniqueTypes,
} from './source-rules.mjs';

export const RULES = [
  importsBetweenParts,
  packageDoors,
  runtimeNeutral,
  atomicsPlaces,
  purposeComment,
  uniqueTypes,
  fileLength,
  noStarExports,
  noIndexAssertions,
  forbiddenWords,
  noOnly,
  noSilentSkip,
  topLevelEntries,
  machinePaths,
  registryHosts,
  completeLockFile,
  relativeLinks,
];

/** Everything that breaks a rule, as `{ path, line, rule, message, reason }`. */
export function findProblems(repository) {
  return RULES.flatMap(({ name, reason, check }) =>
    check(repository).map((problem) => ({ ...problem, rule: name, reason })),
  );
}
