// Entry of `npm run bench:lanes`. See bench/README.md.

import { runCommand } from '../support/benchmark.js';
import { suite } from './suite.js';

await runCommand(suite);
