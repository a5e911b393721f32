// Half of the simulation's seeds: see seeds-suite.ts and run.ts.
import { testSeeds } from './seeds-suite.js';

testSeeds(0, 2);
