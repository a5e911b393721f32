// Entry of `npm run bench:fanout`. See bench/README.md.

import { runCommand } from '../support/benchmark.js';
import { suite } from './suite.js';

await runCommand(suite);
